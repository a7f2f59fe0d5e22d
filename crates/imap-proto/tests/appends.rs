//! Appends of any shape are handed over as they were meant; and appends without end, where the bound is ours.

use postroom_imap_proto::{Answer, Appending, News, Options, Question, Server};
use postroom_types::{Flag, InternalDate, Keyword, MessageFlags, Uid, UidValidity};
use postroom_wire::{Action, Input, Machine};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Instant;

/// What was handed over and asked.
#[derive(Default)]
struct Heard {
    questions: usize,
    octets: usize,
    /// Messages, each of its octets and `<URL>`s.
    messages: Vec<Vec<u8>>,
    open: Vec<u8>,
    /// What came with the question that appends.
    appended: String,
    said: Vec<u8>,
}

/// Sends all of it, says yes to everything; gives the questions' number, the octets of bodies, and what was said last.
fn play(input: &[u8]) -> (usize, usize, String) {
    let heard = converse(&mut input.chunks(65_536));
    (heard.questions, heard.octets, String::from_utf8(heard.said).unwrap())
}

fn converse(pieces: &mut dyn Iterator<Item = &[u8]>) -> Heard {
    let now = Instant::now();
    let options = Options {
        allow_plaintext_login: true,
        ..Options::default()
    };
    let mut server = Server::new(Arc::new(options), None, now);
    let mut heard = Heard::default();
    for chunk in [b"l LOGIN a b\r\n".as_slice()].into_iter().chain(pieces) {
        server.handle(Input::Bytes(chunk), now);
        while let Some(action) = server.next_action() {
            match action {
                Action::Ask(question) => {
                    heard.questions += 1;
                    let answer = heard.answer(question);
                    server.handle(Input::Answer(answer), now);
                }
                Action::Body(bytes) => {
                    heard.octets += bytes.len();
                    heard.open.extend_from_slice(&bytes);
                }
                Action::BodyEnd => heard.messages.push(std::mem::take(&mut heard.open)),
                Action::Send(bytes) => heard.said = bytes.to_vec(),
                _ => {}
            }
        }
    }
    heard
}

impl Heard {
    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Login(_) => Answer::Login(Ok(None)),
            Question::AppendUrl(url) => {
                self.open.extend_from_slice(format!("<{url}>").as_bytes());
                Answer::Done(Ok(()))
            }
            Question::Append { name, messages, .. } => {
                self.appended = format!("{name} {messages:?}");
                Answer::Appended(Ok((UidValidity::MIN, vec![Uid::MIN; messages.len()])))
            }
            Question::Poll => Answer::News(News::default()),
            _ => Answer::Done(Ok(())),
        }
    }
}

/// One message: flags and date or not, and its parts.
#[derive(Clone, Debug)]
struct Message {
    flagged: bool,
    dated: bool,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Literal(Vec<u8>),
    Literal8(Vec<u8>),
    Catenate(Vec<CatPart>),
}

#[derive(Clone, Debug)]
enum CatPart {
    Text(Vec<u8>),
    Url(String, u8),
}

impl Message {
    fn write(&self, out: &mut Vec<u8>, plus: &mut impl FnMut() -> &'static str) {
        out.extend_from_slice(if self.flagged { b" (\\Seen work)" } else { b"" });
        out.extend_from_slice(if self.dated {
            b" \" 1-Jan-1970 00:00:07 +0000\""
        } else {
            b""
        });
        let mut literal = |out: &mut Vec<u8>, tilde: &str, text: &[u8]| {
            out.extend_from_slice(format!("{tilde}{{{}{}}}\r\n", text.len(), plus()).as_bytes());
            out.extend_from_slice(text);
        };
        out.push(b' ');
        match &self.body {
            Body::Literal(text) => literal(out, "", text),
            Body::Literal8(text) => literal(out, "~", text),
            Body::Catenate(parts) => {
                out.extend_from_slice(b"CATENATE (");
                for (index, part) in parts.iter().enumerate() {
                    out.extend_from_slice(if index > 0 { b" " } else { b"" });
                    match part {
                        CatPart::Text(text) => literal(out, "TEXT ", text),
                        CatPart::Url(url, 0) => literal(out, "URL ", url.as_bytes()),
                        CatPart::Url(url, 1) => out.extend_from_slice(format!("URL {url}").as_bytes()),
                        CatPart::Url(url, _) => out.extend_from_slice(format!("url \"{url}\"").as_bytes()),
                    }
                }
                out.push(b')');
            }
        }
    }

    fn meant(&self) -> Vec<u8> {
        match &self.body {
            Body::Literal(text) | Body::Literal8(text) => text.clone(),
            Body::Catenate(parts) => parts
                .iter()
                .flat_map(|part| match part {
                    CatPart::Text(text) => text.clone(),
                    CatPart::Url(url, _) => format!("<{url}>").into_bytes(),
                })
                .collect(),
        }
    }

    fn appending(&self) -> Appending {
        let mut flags = MessageFlags::default();
        if self.flagged {
            flags.system = flags.system.with(Flag::Seen);
            flags.keywords.extend(Keyword::new("work"));
        }
        Appending {
            flags,
            internal_date: self.dated.then_some(InternalDate::new(7, 0)),
            binary: matches!(self.body, Body::Literal8(_)),
        }
    }
}

fn message() -> impl Strategy<Value = Message> {
    let text = || vec(1_u8.., 1..20);
    let part = prop_oneof![
        text().prop_map(CatPart::Text),
        ("/[a-z;=/]{1,9}", 0..3_u8).prop_map(|(url, form)| CatPart::Url(url, form)),
    ];
    let body = prop_oneof![
        text().prop_map(Body::Literal),
        vec(any::<u8>(), 1..20).prop_map(Body::Literal8),
        vec(part, 1..5).prop_map(Body::Catenate),
    ];
    (any::<bool>(), any::<bool>(), body).prop_map(|(flagged, dated, body)| Message { flagged, dated, body })
}

proptest! {
    #[test]
    fn what_is_meant_is_handed_over(
        messages in vec(message(), 1..5),
        waits in vec(any::<bool>(), 1..9),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let mut input = b"a APPEND Drafts".to_vec();
        let mut waits = waits.into_iter().cycle();
        let mut plus = || if waits.next() == Some(true) { "" } else { "+" };
        messages.iter().for_each(|message| message.write(&mut input, &mut plus));
        input.extend_from_slice(b"\r\n");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % input.len()).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let heard = converse(&mut cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]));
        let meant: Vec<_> = messages.iter().map(Message::meant).collect();
        let appendings: Vec<_> = messages.iter().map(Message::appending).collect();
        let said = String::from_utf8_lossy(&heard.said);
        prop_assert!(said.starts_with("a OK [APPENDUID "), "{}", said);
        prop_assert_eq!(heard.messages, meant);
        prop_assert_eq!(heard.appended, format!("Drafts {appendings:?}"));
    }
}

#[test]
fn a_thousand_messages_at_once() {
    let command = |messages: usize| format!("a APPEND INBOX{}\r\nb NOOP\r\n", " {1+}\r\nx".repeat(messages));
    let (asked, octets, said) = play(command(1_000).as_bytes());
    assert_eq!((asked, octets), (1_002, 1_000));
    assert!(said.starts_with("a OK [APPENDUID 1 1"), "{said}");
    // One more, and none: what is left goes by.
    for messages in [1_001, 5_000] {
        let (asked, _, said) = play(command(messages).as_bytes());
        assert_eq!(asked, 1_001);
        assert_eq!(
            said,
            "a NO [LIMIT] Too many messages at once\r\nb OK NOOP completed\r\n"
        );
    }
}

#[test]
fn a_thousand_parts_in_one() {
    let command = |parts: usize| {
        format!(
            "a APPEND INBOX CATENATE (TEXT {{1+}}\r\nx{})\r\n",
            " URL y".repeat(parts)
        )
    };
    let (asked, _, said) = play(command(999).as_bytes());
    assert_eq!(asked, 1_002);
    assert!(said.starts_with("a OK [APPENDUID 1 1]"), "{said}");
    let (asked, _, said) = play(command(1_000).as_bytes());
    assert_eq!(
        (asked, said.as_str()),
        (2, "a NO [LIMIT] Too many parts in one message\r\n")
    );
}

/// Each literal of a refused command goes by, however many there are, and none is kept.
#[test]
fn a_refused_command_that_goes_on_and_on() {
    let mut input = b"a APPEND INBOX {1+}\r\nx FOO".to_vec();
    for _ in 0..200_000 {
        input.extend_from_slice(b" {3+}\r\nabc");
    }
    input.extend_from_slice(b"\r\nb NOOP\r\n");
    let (asked, octets, said) = play(&input);
    assert_eq!((asked, octets), (2, 1));
    assert_eq!(said, "a BAD Literal expected\r\nb OK NOOP completed\r\n");
}
