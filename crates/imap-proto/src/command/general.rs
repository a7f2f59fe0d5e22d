//! CAPABILITY, NOOP, LOGOUT, CHECK (RFC 3501 §6.1, §6.4.1), ID (RFC 2971), ENABLE (RFC 5161), NAMESPACE (RFC 2342).

use crate::grammar::{Bad, Scanner};
use crate::response::string::write_string;
use crate::session::{Done, Flow, Phase, Refusal, Session, Then};

/// What is true now. Nothing is shown that is not done.
pub(crate) fn capabilities(session: &Session) -> String {
    let mut text = String::from("CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE");
    if !matches!(session.phase, Phase::NotAuthenticated) {
        text.push_str(" NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE");
        text.push_str(&format!(" APPENDLIMIT={}", session.options.append_limit_octets));
        return text;
    }
    if session.options.starttls && !session.tls {
        text.push_str(" STARTTLS");
    }
    if session.takes_passwords() {
        for mechanism in session.authenticator.mechanisms() {
            text.push_str(" AUTH=");
            text.push_str(mechanism.name());
        }
    } else {
        text.push_str(" LOGINDISABLED");
    }
    text
}

pub(super) fn capability(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    let line = format!("* {}", capabilities(session));
    session.out.line(&line);
    Flow::ok("CAPABILITY completed")
}

pub(super) fn noop(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    Flow::ok("NOOP completed")
}

/// A checkpoint; everything acknowledged is on disk already.
pub(super) fn check(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    Flow::ok("CHECK completed")
}

pub(super) fn logout(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    session.out.line("* BYE Logging out");
    Ok(Flow::Done(Done {
        then: Then::Close,
        ..Done::ok("LOGOUT completed")
    }))
}

/// What the client says of itself is read and not kept: at most 30 fields (RFC 2971 §3.3).
pub(super) fn id(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    if !args.eat_ignoring_case(b"NIL") && !args.eat_ignoring_case(b"()") {
        let mut fields = 0;
        args.list(|args| {
            fields += 1;
            args.string()?;
            args.space()?;
            args.nstring()?;
            if fields > 30 {
                Err(Bad("Too many fields"))
            } else {
                Ok(())
            }
        })?;
    }
    args.end()?;
    let options = session.options.clone();
    let out = session.out.buffer();
    out.extend_from_slice(b"* ID ");
    if options.id.is_empty() {
        out.extend_from_slice(b"NIL");
    } else {
        let mut separator = b'(';
        for (name, value) in &options.id {
            out.push(separator);
            write_string(out, name.as_bytes());
            out.push(b' ');
            write_string(out, value.as_bytes());
            separator = b' ';
        }
        out.push(b')');
    }
    session.out.line("");
    Flow::ok("ID completed")
}

/// None of our extensions needs enabling; unknown ones are ignored (RFC 5161 §3.1).
pub(super) fn enable(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    args.atom()?;
    while args.eat(b' ') && !args.at_end() {
        args.atom()?;
    }
    args.end()?;
    session.out.line("* ENABLED");
    Flow::ok("ENABLE completed")
}

pub(super) fn namespace(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    session.out.line("* NAMESPACE ((\"\" \"/\")) NIL NIL");
    Flow::ok("NAMESPACE completed")
}
