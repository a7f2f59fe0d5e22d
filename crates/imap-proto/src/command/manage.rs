//! CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.3–6.3.7).

use crate::grammar::{Scanner, mailbox_name};
use crate::question::{Answer, Fault, Question};
use crate::session::{Flow, Refusal, Session, Task};

/// One mailbox argument with the space before it.
fn name(args: &mut Scanner<'_>) -> Result<Option<String>, Refusal> {
    args.space()?;
    Ok(mailbox_name::parse(&args.astring()?))
}

pub(super) fn create(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let argument = args.astring()?;
    args.end()?;
    // A separator at the end says that names will be made below (RFC 3501 §6.3.3); ours all can have children.
    let name = mailbox_name::parse(argument.strip_suffix(b"/").unwrap_or(&argument)).ok_or(Refusal::BAD_NAME)?;
    if name == "INBOX" {
        return Err(Fault::AlreadyExists.into());
    }
    Flow::ask(Question::Create(name), Managed("CREATE completed"))
}

pub(super) fn delete(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    let name = name(args)?;
    args.end()?;
    let name = name.ok_or(Fault::NoSuchMailbox)?;
    if name == "INBOX" {
        return Err(Fault::Cannot.into());
    }
    Flow::ask(Question::Delete(name), Managed("DELETE completed"))
}

pub(super) fn rename(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    let from = name(args)?;
    let to = name(args)?;
    args.end()?;
    let from = from.ok_or(Fault::NoSuchMailbox)?;
    let to = to.ok_or(Refusal::BAD_NAME)?;
    if to == "INBOX" {
        return Err(Fault::AlreadyExists.into());
    }
    Flow::ask(Question::Rename { from, to }, Managed("RENAME completed"))
}

pub(super) fn subscribe(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    subscription(args, true, "SUBSCRIBE completed")
}

pub(super) fn unsubscribe(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    subscription(args, false, "UNSUBSCRIBE completed")
}

fn subscription(args: &mut Scanner<'_>, subscribed: bool, text: &'static str) -> Result<Flow, Refusal> {
    let name = name(args)?;
    args.end()?;
    let name = name.ok_or(Refusal::BAD_NAME)?;
    Flow::ask(Question::Subscribe { name, subscribed }, Managed(text))
}

struct Managed(&'static str);

impl Task for Managed {
    fn resume(self: Box<Self>, answer: Answer, _: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Done(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        result?;
        Flow::ok(self.0)
    }
}
