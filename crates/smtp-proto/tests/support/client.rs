//! How transcripts of the client write questions and answers.

use bytes::Bytes;
use postroom_smtp_proto::client::{
    Client, ClientAnswer, ClientOptions, ClientQuestion, Extensions, Phase, RecipientResult, SessionFailure,
    Transaction,
};
use postroom_testkit::{Dialect, Side, unescape};
use postroom_types::{EmailAddress, ForwardPath, ReversePath, Secret};
use postroom_wire::Unsent;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct SmtpClient;

impl Dialect for SmtpClient {
    type Machine = Client;
    const SIDE: Side = Side::Client;

    /// `tls`: the stream has TLS already; `lines=9` and `line=99`: bounds of a reply; `transaction=9`: minutes.
    fn machine(&self, text: &str, now: Instant) -> Client {
        let mut options = ClientOptions {
            hostname: "client.example.net".to_owned(),
            ..ClientOptions::default()
        };
        let mut tls = false;
        for word in text.split_whitespace() {
            match word.split_once('=').unwrap_or((word, "")) {
                ("tls", _) => tls = true,
                ("lines", lines) => options.reply_lines = lines.parse().expect("a number"),
                ("transaction", minutes) => {
                    let minutes: u64 = minutes.parse().expect("a number");
                    options.transaction_timeout = Duration::from_secs(60 * minutes);
                }
                ("line", octets) => options.reply_line_octets = octets.parse().expect("a number"),
                _ => panic!("no such option: {word}"),
            }
        }
        match tls {
            true => Client::over_tls(Arc::new(options), now),
            false => Client::new(Arc::new(options), now),
        }
    }

    fn render_question(&self, question: &ClientQuestion) -> String {
        match question {
            ClientQuestion::Next {
                extensions,
                tls,
                authenticated,
            } => {
                let tls = if *tls { " tls" } else { "" };
                let authenticated = if *authenticated { " authenticated" } else { "" };
                format!("next{tls}{authenticated}{}", show_extensions(extensions))
            }
            ClientQuestion::Content { .. } => "content".to_owned(),
            ClientQuestion::Result(result) => {
                let recipients: Vec<_> = result.recipients.iter().map(show_result).collect();
                format!("result {}", recipients.join("; "))
            }
            ClientQuestion::Failed(SessionFailure { phase, reply, failure }) => {
                let phase = show_phase(*phase);
                match (reply, failure) {
                    (Some(reply), None) => format!("failed {phase}: {reply}"),
                    (None, Some(failure)) => format!("failed {phase}: {failure}"),
                    neither_or_both => format!("failed {phase}: {neither_or_both:?}"),
                }
            }
        }
    }

    fn parse_answer(&self, _question: &ClientQuestion, text: &str) -> Result<ClientAnswer, String> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match word {
            "starttls" => ClientAnswer::StartTls,
            "auth" => {
                let (user, password) = rest.split_once(' ').ok_or("auth USER PASSWORD")?;
                ClientAnswer::Authenticate {
                    user: user.to_owned(),
                    password: Secret::new(password.to_owned()),
                }
            }
            "send" => ClientAnswer::Send(parse_transaction(rest)?),
            "content" => ClientAnswer::Content(Bytes::from(unescape(rest)?)),
            "end" => ClientAnswer::Content(Bytes::new()),
            "unreadable" => ClientAnswer::ContentUnreadable,
            "quit" => ClientAnswer::Quit,
            "done" => ClientAnswer::Done,
            _ => return Err(format!("no such answer: {text}")),
        })
    }

    /// `unsent`, `unsent late`, with what is unread: `unsent "421 x\r\n"`.
    fn parse_news(&self, text: &str) -> Result<Unsent, String> {
        let rest = text.strip_prefix("unsent").ok_or("expected unsent")?.trim_start();
        let (timed_out, rest) = match rest.strip_prefix("late") {
            Some(rest) => (true, rest.trim_start()),
            None => (false, rest),
        };
        let unread = if rest.is_empty() { Vec::new() } else { unescape(rest)? };
        Ok(Unsent {
            timed_out,
            unread: unread.into(),
        })
    }
}

/// `<a@b> to <c@d> <e@f> size 9 8bit utf8`
pub(crate) fn parse_transaction(text: &str) -> Result<Transaction, String> {
    let mut words = text.split(' ');
    let bad = || format!("no transaction: {text}");
    let mut transaction = Transaction {
        reverse_path: match words.next().ok_or_else(bad)? {
            "<>" => ReversePath::Null,
            path => ReversePath::Mailbox(address(path)?),
        },
        forward_paths: Vec::new(),
        size_octets: 100,
        eight_bit: false,
        smtputf8: false,
    };
    while let Some(word) = words.next() {
        match word {
            "to" => {}
            "size" => transaction.size_octets = words.next().and_then(|n| n.parse().ok()).ok_or_else(bad)?,
            "8bit" => transaction.eight_bit = true,
            "utf8" => transaction.smtputf8 = true,
            "<postmaster>" => transaction.forward_paths.push(ForwardPath::Postmaster),
            path => transaction.forward_paths.push(ForwardPath::Mailbox(address(path)?)),
        }
    }
    Ok(transaction)
}

fn address(path: &str) -> Result<EmailAddress, String> {
    let inside = path.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    EmailAddress::parse(inside.ok_or_else(|| format!("no path: {path}"))?).map_err(|e| format!("{path}: {e}"))
}

fn show_extensions(extensions: &Extensions) -> String {
    let mut text = String::new();
    for (there, name) in [
        (extensions.starttls, " starttls"),
        (extensions.pipelining, " pipelining"),
        (extensions.eight_bit_mime, " 8bit"),
        (extensions.smtputf8, " utf8"),
    ] {
        text.push_str(if there { name } else { "" });
    }
    if let Some(size) = extensions.size {
        text.push_str(&format!(" size {size}"));
    }
    if !extensions.auth.is_empty() {
        text.push_str(&format!(" auth {}", extensions.auth.join(",")));
    }
    text
}

fn show_result(result: &RecipientResult) -> String {
    match result {
        RecipientResult::Accepted(reply) => format!("accepted {reply}"),
        RecipientResult::Refused { phase, reply } => format!("refused at {} {reply}", show_phase(*phase)),
        RecipientResult::Unsupported { status, .. } => format!("unsupported {status}"),
        RecipientResult::Unfit { status, .. } => format!("unfit {status}"),
        RecipientResult::Lost { phase, failure } => format!("lost at {}, {failure}", show_phase(*phase)),
        RecipientResult::Unknown { failure } => format!("unknown, {failure}"),
    }
}

fn show_phase(phase: Phase) -> String {
    format!("{phase:?}").to_lowercase()
}
