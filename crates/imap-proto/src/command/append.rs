//! APPEND (RFC 3501 §6.3.11, RFC 4315 §3). The message is never collected: it streams out as it comes in, after the
//! outside has agreed to its size.

use crate::grammar::date::date_time;
use crate::grammar::flags::flag_list;
use crate::grammar::{Bad, Scanner, mailbox_name};
use crate::question::{Answer, Question};
use crate::session::{Done, Flow, Refusal, Session, Task};
use postroom_types::MessageFlags;

/// APPEND's arguments before the message.
#[derive(Debug)]
pub(crate) struct AppendRequest {
    pub(crate) name: String,
    flags: MessageFlags,
    internal_date: Option<i64>,
}

/// Reads the arguments up to the mark of a literal that was just announced. `None`: the literal is not the message but
/// the mailbox's name.
pub(crate) fn read_append(args: &mut Scanner<'_>) -> Result<Option<AppendRequest>, Refusal> {
    args.space()?;
    if args.at_last_mark() {
        return Ok(None);
    }
    let name = mailbox_name::parse(&args.astring()?);
    args.space()?;
    let mut flags = MessageFlags::default();
    if args.peek() == Some(b'(') {
        flags = flag_list(args)?;
        args.space()?;
    }
    let mut internal_date = None;
    if args.peek() == Some(b'"') {
        internal_date = Some(date_time(args)?);
        args.space()?;
    }
    if !args.at_last_mark() {
        return Err(Bad("Literal expected").into());
    }
    let name = name.ok_or(Refusal::BAD_NAME)?;
    Ok(Some(AppendRequest {
        name,
        flags,
        internal_date,
    }))
}

/// A whole APPEND line without a message.
pub(super) fn without_literal(_: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    Err(Refusal::Bad("APPEND needs a message as a literal"))
}

impl AppendRequest {
    /// The message has been handed over.
    pub(crate) fn finish(self) -> Result<Flow, Refusal> {
        let Self {
            name,
            flags,
            internal_date,
        } = self;
        Flow::ask(
            Question::Append {
                name,
                flags,
                internal_date,
            },
            Append,
        )
    }
}

struct Append;

impl Task for Append {
    fn resume(self: Box<Self>, answer: Answer, _: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Appended(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let (uid_validity, uid) = result.map_err(Refusal::try_create)?;
        Ok(Flow::Done(Done::with_code(
            format!("APPENDUID {uid_validity} {uid}"),
            "APPEND completed",
        )))
    }
}
