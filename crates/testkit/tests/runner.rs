//! The runner itself: a toy machine, transcripts that hold and transcripts that must not.

use bytes::Bytes;
use postroom_testkit::{Dialect, Side, peer_bytes, play};
use postroom_wire::{Action, Input, Machine};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Asks about each line and repeats the answer; `t` begins TLS, `b` hands on a body, a minute of silence ends it.
struct Parrot {
    line: Vec<u8>,
    waiting: VecDeque<u8>,
    asking: bool,
    actions: VecDeque<Action<String>>,
    deadline: Instant,
}

impl Parrot {
    fn say(&mut self, text: &str) {
        self.actions.push_back(Action::Send(Bytes::from(format!("{text}\r\n"))));
    }

    fn run(&mut self) {
        while !self.asking
            && let Some(byte) = self.waiting.pop_front()
        {
            self.line.push(byte);
            if !self.line.ends_with(b"\r\n") {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match line.as_slice() {
                b"t\r\n" => {
                    self.waiting.clear();
                    self.actions.push_back(Action::StartTls);
                }
                b"b\r\n" => {
                    self.actions.push_back(Action::Body(Bytes::from_static(b"bo")));
                    self.actions.push_back(Action::Body(Bytes::from_static(b"dy")));
                    self.actions.push_back(Action::BodyEnd);
                }
                _ => {
                    self.asking = true;
                    let text = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
                    self.actions.push_back(Action::Ask(text));
                }
            }
        }
    }
}

impl Machine for Parrot {
    type Question = String;
    type Answer = String;
    type News = String;

    fn handle(&mut self, input: Input<'_, String, String>, now: Instant) {
        match input {
            Input::Bytes(bytes) => {
                self.deadline = now + Duration::from_secs(60);
                self.waiting.extend(bytes);
            }
            Input::Answer(text) => {
                self.asking = false;
                self.say(&text);
            }
            Input::News(text) => self.say(&format!("news {text}")),
            Input::TlsUp(_) => self.say("tls"),
            Input::Tick | Input::Eof | Input::Shutdown => {
                self.say("bye");
                self.actions.push_back(Action::Close);
            }
        }
        self.run();
    }

    fn next_action(&mut self) -> Option<Action<String>> {
        self.actions.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }
}

struct Toy;

/// The same machine, on the other side.
struct Mirrored;

impl Dialect for Toy {
    type Machine = Parrot;

    fn machine(&self, options: &str, now: Instant) -> Parrot {
        let mut machine = Parrot {
            line: Vec::new(),
            waiting: VecDeque::new(),
            asking: false,
            actions: VecDeque::new(),
            deadline: now + Duration::from_secs(60),
        };
        if !options.is_empty() {
            machine.say(options);
        }
        machine
    }

    fn render_question(&self, question: &String) -> String {
        question.clone()
    }

    fn parse_answer(&self, _question: &String, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn parse_news(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
}

impl Dialect for Mirrored {
    type Machine = Parrot;
    const SIDE: Side = Side::Client;

    fn machine(&self, options: &str, now: Instant) -> Parrot {
        Toy.machine(options, now)
    }

    fn render_question(&self, question: &String) -> String {
        Toy.render_question(question)
    }

    fn parse_answer(&self, question: &String, text: &str) -> Result<String, String> {
        Toy.parse_answer(question, text)
    }

    fn parse_news(&self, text: &str) -> Result<String, String> {
        Toy.parse_news(text)
    }
}

#[test]
fn what_holds() {
    for good in [
        "C: one\nQ: one\nA: 1\nS: 1\nC: two\nQ: two\nA: 2\nA: 3\nL: \"2\\n3\\r\\n\"\n",
        "# a comment\n# options: hello\nS: hello\nN: x\nS: news x\nT: +59s\nT: +1s\nS: bye\nX:\n",
        "R: \"one\\r\\ntwo\\r\\n\"\nQ: one\nA: 1\nS: 1\nQ: two\nA: 2\nS: 2\n",
        "C: b\nB: \"b\"\nB: \"ody\"\nBODYEND\nE:\nS: bye\nX:\n",
        "R: \"t\\r\\ndropped\\r\\n\"\nTLS\nS: tls\nC: one\nQ: one\nA: 1\nS: 1\nSHUTDOWN\nS: bye\nX:\n",
        "TLS\nS: tls\nSYNC\nC: t\nTLS\nS: tls\n",
    ] {
        assert_eq!(play(good, &Toy), Ok(()), "{good}");
    }
}

#[test]
fn what_does_not_hold_is_told_with_its_line() {
    for (bad, message) in [
        ("C: one\nQ: two\n", "2: (Line) expected Q: two\n  but came  Q: one"),
        ("C: one\nQ: one\n", "2: (Line) a question is open"),
        ("C: one\n", "1: (Line) unexpected Q: one"),
        ("C: one\nC: two\n", "2: (Line) unexpected Q: one"),
        ("N: x\n\nC: one\n", "3: (Line) unexpected S: \"news x\\r\\n\""),
        (
            "S: hello\n",
            "1: (Line) expected S: \"hello\\r\\n\"\n  but nothing came",
        ),
        (
            "C: b\nB: \"bond\"\n",
            "2: (Line) expected B: \"bond\"\n  but came  B: \"body\"",
        ),
        ("E:\nS: bye\nX:\nN: x\n", "4: (Line) the machine has closed"),
        ("Z: x\n", "1: no such step: Z: x"),
    ] {
        assert_eq!(play(bad, &Toy), Err(message.to_owned()), "{bad}");
    }
}

#[test]
fn a_machine_may_be_the_client() {
    let good = "# options: hello\nC: hello\nS: one\nQ: one\nA: 1\nC: 1\nR: \"b\\r\\n\"\nB: \"body\"\nBODYEND\nE:\nL: \"bye\\r\\n\"\nX:\n";
    assert_eq!(play(good, &Mirrored), Ok(()));
    let message = "1: (Line) expected C: \"hello\\r\\n\"\n  but nothing came";
    assert_eq!(play("C: hello\n", &Mirrored), Err(message.to_owned()));
}

#[test]
fn seeds_are_what_the_machine_hears() {
    let transcript = "# x\nC: one\nS: 1\nR: \"t\\n\"\n";
    assert_eq!(peer_bytes(transcript, Side::Server), b"one\r\nt\n");
    assert_eq!(peer_bytes(transcript, Side::Client), b"1\r\nt\n");
}
