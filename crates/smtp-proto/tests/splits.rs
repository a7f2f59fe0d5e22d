//! However the client's bytes are cut on their way, the machine does the same.

#[path = "support/scram.rs"]
mod scram;

use bytes::Bytes;
use postroom_smtp_proto::{Answer, BareNewline, Options, Question, Reply, Server};
use postroom_wire::{Action, ChannelBinding, Input, Machine};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// What the machine did; pieces of one body are one, and so are replies that follow each other.
fn trace(pieces: &[&[u8]], bare_newline: BareNewline, submission: bool) -> Vec<Action<Question>> {
    let now = Instant::now();
    let options = Options {
        starttls: true,
        size_octets: 40,
        recipients: 3,
        errors: 8,
        command_octets: 100,
        bare_newline,
        ..Options::default()
    };
    let mut machine = match submission {
        true => Server::submission(Arc::new(options), Some(scram::options()), now),
        false => Server::new(Arc::new(options), now),
    };
    if submission {
        machine.handle(Input::TlsUp(Some(ChannelBinding([7; 32]))), now);
    }
    let mut done = Vec::new();
    let mut pieces: VecDeque<_> = pieces.iter().filter(|piece| !piece.is_empty()).collect();
    loop {
        let mut question = None;
        let mut tls = false;
        while let Some(action) = machine.next_action() {
            match &action {
                Action::Ask(asked) => assert!(question.replace(asked.clone()).is_none(), "two open questions"),
                // After this the rest of the bytes would be the handshake: the driver hands in none of them.
                Action::StartTls => tls = true,
                _ => {}
            }
            push(&mut done, action);
        }
        if tls || matches!(done.last(), Some(Action::Close)) {
            return done;
        }
        if let Some(question) = question {
            machine.handle(Input::Answer(answer(&question)), now);
        } else if let Some(piece) = pieces.pop_front() {
            machine.handle(Input::Bytes(piece), now);
            let longest = if submission { 12_288 } else { 100 };
            assert!(machine.buffered_octets() <= longest + piece.len());
        } else {
            return done;
        }
    }
}

/// A recipient that begins with `n` is refused.
fn answer(question: &Question) -> Answer {
    match question {
        Question::Authenticate(credentials) if credentials.user == "n" => {
            Answer::Refuse(Reply::new(535, "5.7.8", "No"))
        }
        Question::Authenticate(_) => Answer::Authenticated {
            server_signature: Some([9; 32]),
        },
        Question::Recipient { forward_path, .. } if forward_path.to_string().starts_with("<n") => {
            Answer::Refuse(Reply::new(550, "5.1.1", "No"))
        }
        _ => Answer::Accept,
    }
}

fn push(done: &mut Vec<Action<Question>>, action: Action<Question>) {
    let joined = match (done.last(), &action) {
        (Some(Action::Body(before)), Action::Body(bytes)) => Action::Body(Bytes::from([&before[..], bytes].concat())),
        (Some(Action::Send(before)), Action::Send(bytes)) => Action::Send(Bytes::from([&before[..], bytes].concat())),
        _ => return done.push(action),
    };
    *done.last_mut().expect("just seen") = joined;
}

fn session() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        5 => Just("MAIL FROM:<a@b>\r\n"),
        5 => Just("RCPT TO:<c@d>\r\n"),
        1 => Just("RCPT TO:<n@d>\r\n"),
        5 => Just("DATA\r\n"),
        5 => Just("\r\n.\r\n"),
        2 => prop::sample::select(vec![
            "AUTH PLAIN AG0AeA==\r\n", "AUTH PLAIN AG4AeA==\r\n", "AUTH LOGIN\r\n", "bQ==\r\n", "*\r\n", "AUTH SCRAM-SHA-256\r\n",
            "biwsbj1tLHI9eA==\r\n", "EHLO c\r\n", "RSET\r\n", "NOOP\r\n", "QUIT\r\n", "STARTTLS\r\n", "MAIL FROM:<> SIZE=41\r\n", "X\n", "X\r", ".\r\n",
            "..\r\n", "\r\n", "\n.\n", ".", "\r", "\n", "text", "a long line that alone is nearly too much\r\n", "\0", "GET / HTTP/1.1\r\n",
        ]),
    ];
    prop::collection::vec(word, 0..30).prop_map(|words| ["EHLO c\r\n", &words.concat()].concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn any_split_gives_the_same_actions(
        bytes in session(),
        cuts in prop::collection::vec(0usize..400, 0..10),
        normalize in any::<bool>(),
        submission in any::<bool>(),
    ) {
        let bare = if normalize { BareNewline::Normalize } else { BareNewline::Reject };
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut start = 0;
        let pieces: Vec<_> = cuts.iter().map(|&cut| &bytes[std::mem::replace(&mut start, cut)..cut]).collect();
        let whole = trace(&[&bytes], bare, submission);
        prop_assert_eq!(&trace(&pieces, bare, submission), &whole);
        prop_assert_eq!(&trace(&bytes.chunks(1).collect::<Vec<_>>(), bare, submission), &whole);
    }
}
