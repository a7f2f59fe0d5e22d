//! How IMAP transcripts write questions, answers and news.
//!
//! Questions are shown by `question`, answers read by `answer`; sets of UIDs are written as in IMAP (`1:3,7`).

mod answer;
mod question;

use postroom_imap_proto::{Answer, News, Options, Question, Server};
use postroom_testkit::Dialect;
use postroom_types::{Flag, Keyword, MessageFlags, ScramParameters, Secret, Uid};
use postroom_wire::ScramOptions;
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Imap;

impl Dialect for Imap {
    type Machine = Server;

    /// Options are words: `scram` (it is offered), `starttls`, `clear` (a password may go in clear), `append=100`, `skip=100`, `bad=3`, `command=200`,
    /// `literal-minus`, `no-compress`.
    fn machine(&self, options: &str, now: Instant) -> Server {
        let mut set = Options {
            hostname: "imap.example.org".to_owned(),
            ..Options::default()
        };
        let mut scram = None;
        for word in options.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, "0"));
            let number: u32 = value.parse().expect("options have numbers");
            match name {
                "scram" => scram = Some(scram_options()),
                "starttls" => set.starttls = true,
                "clear" => set.allow_plaintext_login = true,
                "append" => set.append_limit_octets = number.into(),
                "skip" => set.skip_octets = number.into(),
                "literal-minus" => set.literal_minus = true,
                "no-compress" => set.compress = false,
                "bad" => set.bad_commands = number,
                "command" => set.command_octets = number as usize,
                _ => panic!("no such option: {name}"),
            }
        }
        Server::new(Arc::new(set), scram, now)
    }

    fn render_question(&self, question: &Question) -> String {
        question::render(question)
    }

    fn parse_answer(&self, question: &Question, text: &str) -> Result<Answer, String> {
        answer::parse(question, text)
    }

    fn parse_news(&self, text: &str) -> Result<News, String> {
        answer::news(text)
    }
}

fn scram_options() -> ScramOptions {
    ScramOptions {
        parameters: Arc::new(ScramParameters {
            salt: b"salt of 16 bytes".to_vec(),
            iterations: 4096,
        }),
        seed: Secret::new([1; 32]),
    }
}

fn render_uids(uids: &[Uid]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == uid.get() => *last += 1,
            _ => ranges.push((uid.get(), uid.get())),
        }
    }
    let show = |(a, b): &(u32, u32)| if a == b { a.to_string() } else { format!("{a}:{b}") };
    ranges.iter().map(show).collect::<Vec<_>>().join(",")
}

fn parse_uids(text: &str) -> Result<Vec<Uid>, String> {
    let mut uids = Vec::new();
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (a, b) = range.split_once(':').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("no UIDs: {text}"));
        uids.extend((number(a)?..=number(b)?).filter_map(Uid::new));
    }
    Ok(uids)
}

fn render_flags(flags: &MessageFlags) -> String {
    let system = flags.system.iter().map(|flag| flag.name().to_owned());
    let keywords = flags.keywords.iter().map(|keyword| keyword.as_str().to_owned());
    format!("({})", system.chain(keywords).collect::<Vec<_>>().join(" "))
}

/// `\Seen,work`
fn parse_flags(text: &str) -> MessageFlags {
    let mut flags = MessageFlags::default();
    for name in text.split(',').filter(|name| !name.is_empty()) {
        match Flag::from_name(name.as_bytes()) {
            Some(flag) => flags.system = flags.system.with(flag),
            None => flags.keywords.extend(Keyword::new(name)),
        }
    }
    flags
}
