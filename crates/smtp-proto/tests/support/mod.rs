//! How SMTP transcripts write questions and answers.

mod scram;

use postroom_smtp_proto::{Answer, BareNewline, Envelope, MailParams, Options, Question, Reply, Server};
use postroom_testkit::Dialect;
use postroom_wire::{Credentials, Evidence};
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Smtp;

/// `key=value …` over options that suit short transcripts.
pub(crate) fn options(text: &str) -> Options {
    let mut options = Options {
        hostname: "mx.example.org".to_owned(),
        starttls: true,
        ..Options::default()
    };
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').expect("key=value");
        let number = || value.parse::<u32>().expect("a number");
        match key {
            "starttls" => options.starttls = value == "on",
            "size" => options.size_octets = number().into(),
            "recipients" => options.recipients = number() as usize,
            "errors" => options.errors = number(),
            "commands" => options.commands = number(),
            "idle" => options.idle_commands = number(),
            "line" => options.command_octets = number() as usize,
            "bare" => {
                options.bare_newline = match value {
                    "normalize" => BareNewline::Normalize,
                    _ => BareNewline::Reject,
                }
            }
            "logins" => options.login_attempts = number(),
            _ => panic!("no such option: {key}"),
        }
    }
    options
}

impl Dialect for Smtp {
    type Machine = Server;

    fn machine(&self, text: &str, now: Instant) -> Server {
        match text.strip_prefix("submission") {
            None => Server::new(Arc::new(options(text)), now),
            Some(text) => Server::submission(Arc::new(options(text)), Some(scram::options()), now),
        }
    }

    fn render_question(&self, question: &Question) -> String {
        match question {
            Question::Authenticate(credentials) => format!("auth {}", show_credentials(credentials)),
            Question::Mail {
                client,
                reverse_path,
                params,
            } => format!("mail {reverse_path}{} from {client}", show(params)),
            Question::Recipient {
                reverse_path,
                forward_path,
                declared_size,
            } => {
                let size = declared_size.map(|size| format!(" size {size}")).unwrap_or_default();
                format!("recipient {forward_path} of {reverse_path}{size}")
            }
            Question::Data(envelope) => format!("data {}", show_envelope(envelope)),
            Question::Message(envelope) => format!("message {}", show_envelope(envelope)),
            Question::Refused { envelope, reply } => format!("refused {} {}", reply.code, show_envelope(envelope)),
        }
    }

    /// `yes`, or a reply: `250 2.0.0 OK`. To a login, `yes signed` shows a SCRAM client 32 octets `\x09`.
    fn parse_answer(&self, question: &Question, text: &str) -> Result<Answer, String> {
        if let (Question::Authenticate(_), Some(how)) = (question, text.strip_prefix("yes")) {
            let server_signature = (how == " signed").then_some([9; 32]);
            return Ok(Answer::Authenticated { server_signature });
        }
        if text == "yes" {
            return Ok(Answer::Accept);
        }
        let reply = parse_reply(text)?;
        Ok(match reply.is_positive() {
            true => Answer::AcceptWith(reply),
            false => Answer::Refuse(reply),
        })
    }

    /// What is said last: `421 4.7.0 Closing`.
    fn parse_news(&self, text: &str) -> Result<Reply, String> {
        parse_reply(text)
    }
}

fn parse_reply(text: &str) -> Result<Reply, String> {
    let bad = || format!("expected yes or a reply, not {text}");
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().ok_or_else(bad);
    Ok(Reply {
        code: word()?.parse().map_err(|_| bad())?,
        enhanced: word()?.to_owned().into(),
        text: word()?.to_owned().into(),
    })
}

fn show_credentials(credentials: &Credentials) -> String {
    let user = &credentials.user;
    match &credentials.evidence {
        Evidence::Password(password) => format!("{user} password {}", password.expose()),
        Evidence::Token(token) => format!("{user} token {}", token.expose()),
        Evidence::Scram(proof) => format!("{user} proof of {}", String::from_utf8_lossy(&proof.auth_message)),
    }
}

fn show(params: &MailParams) -> String {
    let size = params
        .declared_size
        .map(|size| format!(" size {size}"))
        .unwrap_or_default();
    let eight_bit = if params.eight_bit { " 8bit" } else { "" };
    let smtputf8 = if params.smtputf8 { " utf8" } else { "" };
    format!("{size}{eight_bit}{smtputf8}")
}

fn show_envelope(envelope: &Envelope) -> String {
    let to: Vec<_> = envelope.forward_paths.iter().map(ToString::to_string).collect();
    let hello = if envelope.extended { "ehlo" } else { "helo" };
    let tls = if envelope.tls { " tls" } else { "" };
    format!(
        "{} to {} ({hello} {}{tls}{})",
        envelope.reverse_path,
        to.join(" "),
        envelope.client,
        show(&envelope.params)
    )
}
