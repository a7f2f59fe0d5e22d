//! CAPABILITY, NOOP, LOGOUT (RFC 9051 §6.1), CHECK (RFC 3501 §6.4.1), ID (RFC 2971), ENABLE (RFC 5161), NAMESPACE
//! (RFC 2342).

use crate::grammar::{Bad, Scanner};
use crate::response::string::write_string;
use crate::session::{Done, Flow, Phase, Refusal, Session, Then};

/// What there is after login, besides what depends on settings. Nothing is shown that is not done.
const CAPABILITIES: &[&str] = &[
    "NAMESPACE",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "CHILDREN",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "CONDSTORE",
    "QRESYNC",
    "UTF8=ACCEPT",
    "ESEARCH",
    "SEARCHRES",
    "WITHIN",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "PARTIAL",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "BINARY",
    "MULTIAPPEND",
    "CATENATE",
    "REPLACE",
    "OBJECTID",
    "SAVEDATE",
    "PREVIEW",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "NOTIFY",
];

/// What is true now. What matters before login is shown before login, the rest after it.
pub(crate) fn capabilities(session: &Session) -> String {
    let literals = if session.options.literal_minus {
        "LITERAL-"
    } else {
        "LITERAL+"
    };
    let mut text = format!("CAPABILITY IMAP4rev1 IMAP4rev2 {literals} SASL-IR ID ENABLE IDLE");
    if !matches!(session.phase, Phase::NotAuthenticated) {
        for word in CAPABILITIES {
            text.push(' ');
            text.push_str(word);
        }
        if session.options.compress && !session.compressed {
            text.push_str(" COMPRESS=DEFLATE");
        }
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

/// What is not known, or needs no enabling, is ignored (RFC 5161 §3.1, RFC 9051 §6.3.1).
pub(super) fn enable(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let mut wanted = vec![args.atom()?];
    while args.eat(b' ') && !args.at_end() {
        wanted.push(args.atom()?);
    }
    args.end()?;
    let mut line = String::from("* ENABLED");
    for name in wanted {
        let name = name.to_ascii_uppercase();
        let shown = match name.as_slice() {
            b"CONDSTORE" => "CONDSTORE",
            b"QRESYNC" => "QRESYNC",
            b"IMAP4REV2" => "IMAP4rev2",
            b"UTF8=ACCEPT" => "UTF8=ACCEPT",
            _ => continue,
        };
        line.push(' ');
        line.push_str(shown);
        switch_on(shown, session);
    }
    session.out.line(&line);
    Flow::ok("ENABLE completed")
}

fn switch_on(extension: &str, session: &mut Session) {
    match extension {
        "IMAP4rev2" => {
            session.enabled.rev2 = true;
            if let Phase::Selected(view) = &mut session.phase {
                view.forget_recent();
            }
        }
        "UTF8=ACCEPT" => session.enabled.utf8 = true,
        // QRESYNC has all of CONDSTORE in it (RFC 7162 §3.2.3).
        _ => {
            session.enabled.qresync |= extension == "QRESYNC";
            session.enable_condstore();
        }
    }
}

pub(super) fn namespace(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    session.out.line("* NAMESPACE ((\"\" \"/\")) NIL NIL");
    Flow::ok("NAMESPACE completed")
}
