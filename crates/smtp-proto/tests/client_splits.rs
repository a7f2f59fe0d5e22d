//! However a server's bytes are cut on their way, the client does the same; and however hostile they are, each message
//! gets its result, work is bounded, and nothing is said to be unknown before the final dot.

use bytes::Bytes;
use postroom_smtp_proto::client::{Client, ClientAnswer, ClientOptions, ClientQuestion, RecipientResult, Transaction};
use postroom_types::{EmailAddress, ForwardPath, ReversePath};
use postroom_wire::{Action, Input, Machine};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

const LINE: usize = 60;

/// What the machine did; pieces that were sent one after the other are one.
fn trace(pieces: &[&[u8]]) -> Vec<Action<ClientQuestion>> {
    let now = Instant::now();
    let options = ClientOptions {
        reply_line_octets: LINE,
        reply_lines: 4,
        ..ClientOptions::default()
    };
    let mut machine = Client::new(Arc::new(options), now);
    let mut pieces: VecDeque<_> = pieces.iter().filter(|piece| !piece.is_empty()).collect();
    let (mut done, mut messages, mut open, mut ended) = (Vec::new(), 0, false, false);
    let mut chunks = Vec::new();
    loop {
        let mut question = None;
        while let Some(action) = machine.next_action() {
            match &action {
                Action::Ask(asked) => assert!(question.replace(asked.clone()).is_none(), "two open questions"),
                Action::Send(bytes) => ended |= bytes.ends_with(b".\r\n"),
                _ => {}
            }
            push(&mut done, action);
        }
        if matches!(done.last(), Some(Action::Close)) {
            assert!(!open, "a message without a result");
            return done;
        }
        let answer = match question {
            Some(ClientQuestion::Next { .. }) if messages == 4 => Some(ClientAnswer::Quit),
            Some(ClientQuestion::Next { .. }) => {
                messages += 1;
                (open, ended) = (true, false);
                chunks = vec![Bytes::from_static(b".b"), Bytes::from_static(b"a\r\n")];
                Some(ClientAnswer::Send(transaction()))
            }
            Some(ClientQuestion::Content { .. }) => Some(ClientAnswer::Content(chunks.pop().unwrap_or_default())),
            Some(ClientQuestion::Result(result)) => {
                assert!(std::mem::take(&mut open) && result.recipients.len() == 3);
                for result in result.recipients {
                    if matches!(result, RecipientResult::Unknown { .. } | RecipientResult::Accepted(_)) {
                        assert!(ended, "{result:?} before the final dot");
                    }
                }
                Some(ClientAnswer::Done)
            }
            Some(ClientQuestion::Failed(failure)) => {
                assert!(!open && (failure.reply.is_some() ^ failure.failure.is_some()));
                Some(ClientAnswer::Done)
            }
            None => None,
        };
        if let Some(answer) = answer {
            machine.handle(Input::Answer(answer), now);
        } else if let Some(piece) = pieces.pop_front() {
            machine.handle(Input::Bytes(piece), now);
        } else {
            machine.handle(Input::Eof, now);
        }
    }
}

fn transaction() -> Transaction {
    let path = |text| ForwardPath::Mailbox(EmailAddress::parse(text).expect("an address"));
    Transaction {
        reverse_path: ReversePath::Null,
        forward_paths: ["a@example.org", "b@example.org", "c@example.org"].map(path).into(),
        size_octets: 4,
        eight_bit: false,
        smtputf8: false,
    }
}

fn push(done: &mut Vec<Action<ClientQuestion>>, action: Action<ClientQuestion>) {
    match (done.last_mut(), &action) {
        (Some(Action::Send(before)), Action::Send(bytes)) => *before = Bytes::from([&before[..], bytes].concat()),
        _ => done.push(action),
    }
}

fn replies() -> impl Strategy<Value = Vec<u8>> {
    let reply = prop_oneof![
        20 => Just("250 2.0.0 OK\r\n"),
        6 => Just("354 Go\r\n"),
        3 => Just("550 5.1.1 No\r\n"),
        3 => Just("451 4.3.0 Later\r\n"),
        1 => prop::sample::select(vec![
            "421 Bye\r\n", "250-a\r\n250 b\r\n", "250-a\r\n551 b\r\n", "250\r\n", "220 Go\r\n", "334 x\r\n", "\r\n", "250 \n", "250 \r\r\n",
            "250-\r\n250-\r\n250-\r\n250-\r\n250-\r\n", "250 x", "2", "a reply line that is really much too long, and without an end in sight", "\0",
        ]),
    ];
    let hello = prop::sample::select(vec![
        "220 mx\r\n250-mx\r\n250 PIPELINING\r\n",
        "220 mx\r\n250 mx\r\n",
        "220 mx\r\n500 What\r\n250 mx\r\n",
        "",
    ]);
    (hello, prop::collection::vec(reply, 0..30))
        .prop_map(|(hello, replies)| [hello, &replies.concat()].concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn any_split_gives_the_same_actions(bytes in replies(), cuts in prop::collection::vec(0usize..400, 0..10)) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut start = 0;
        let pieces: Vec<_> = cuts.iter().map(|&cut| &bytes[std::mem::replace(&mut start, cut)..cut]).collect();
        let whole = trace(&[&bytes]);
        prop_assert_eq!(&trace(&pieces), &whole);
        prop_assert_eq!(&trace(&bytes.chunks(1).collect::<Vec<_>>()), &whole);
    }
}
