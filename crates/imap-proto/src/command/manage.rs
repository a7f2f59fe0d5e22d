//! CREATE (with RFC 6154 §3 and RFC 8474 §4.1), DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4–6.3.8).

use crate::grammar::{Bad, Parsed, Scanner};
use crate::question::{Answer, Fault, Question};
use crate::response::mailbox::write_list_with_oldname;
use crate::response::object_id::write_mailbox_id;
use crate::session::{Done, Flow, Phase, Refusal, Session, Task};
use postroom_types::SpecialUse;
use std::borrow::Cow;

/// One mailbox argument with the space before it.
fn argument<'a>(args: &mut Scanner<'a>) -> Parsed<Cow<'a, [u8]>> {
    args.space()?;
    args.astring()
}

/// The name of a mailbox that is to be made.
struct NewName {
    name: String,
    /// As the client wrote it, if that is another spelling: it is told of ours (RFC 9051 §6.3.9.7).
    given: Option<String>,
}

impl NewName {
    /// A separator at the end says that names will be made below (RFC 9051 §6.3.4); ours all can have children.
    fn read(argument: &[u8], session: &Session) -> Result<Self, Refusal> {
        let argument = argument.strip_suffix(b"/").unwrap_or(argument);
        let name = session.read_name(argument).ok_or(Refusal::BAD_NAME)?;
        if name == "INBOX" {
            return Err(Fault::AlreadyExists.into());
        }
        let given = String::from_utf8(argument.to_vec()).ok();
        let given = given.filter(|given| session.enabled.rev2 && *given != name);
        Ok(Self { name, given })
    }

    fn tell(&self, session: &mut Session) {
        if let Some(given) = &self.given {
            let utf8 = session.enabled.utf8_names();
            write_list_with_oldname(session.out.buffer(), &[], &self.name, utf8, given);
        }
    }
}

pub(super) fn create(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    let argument = argument(args)?;
    let uses = create_params(args)?;
    args.end()?;
    let name = NewName::read(&argument, session)?;
    let special_use = special_use(&uses)?;
    let question = Question::Create {
        name: name.name.clone(),
        special_use,
    };
    Flow::ask(question, Created(name))
}

/// `create-params` (RFC 4466 §2.2), of which USE is ours: names of special uses without the backslash, in small letters.
fn create_params(args: &mut Scanner<'_>) -> Parsed<Vec<Vec<u8>>> {
    let mut uses = Vec::new();
    let mut ahead = args.clone();
    if !ahead.eat_ignoring_case(b" (") {
        return Ok(uses);
    }
    args.space()?;
    args.list(|args| {
        if !args.eat_ignoring_case(b"USE ") {
            return Err(Bad("Unknown CREATE parameter"));
        }
        if args.eat_ignoring_case(b"()") {
            return Ok(());
        }
        args.list(|args| {
            args.expect(b'\\', "Special use expected")?;
            let name = args.atom()?.to_ascii_lowercase();
            if !uses.contains(&name) {
                uses.push(name);
            }
            Ok(())
        })
    })?;
    Ok(uses)
}

/// A mailbox here is for one thing at most.
fn special_use(uses: &[Vec<u8>]) -> Result<Option<SpecialUse>, Fault> {
    let named = |name: &[u8]| {
        let same = |special: &SpecialUse| special.attribute().as_bytes()[1..].eq_ignore_ascii_case(name);
        SpecialUse::ALL.into_iter().find(same).ok_or(Fault::UseAttr)
    };
    match uses {
        [] => Ok(None),
        [name] => named(name).map(Some),
        _ => Err(Fault::UseAttr),
    }
}

pub(super) fn delete(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    let argument = argument(args)?;
    args.end()?;
    let name = session.read_name(&argument).ok_or(Fault::NoSuchMailbox)?;
    if name == "INBOX" {
        return Err(Fault::Cannot.into());
    }
    Flow::ask(Question::Delete(name), Deleted)
}

pub(super) fn rename(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    let from = argument(args)?;
    let to = argument(args)?;
    args.end()?;
    let from = session.read_name(&from).ok_or(Fault::NoSuchMailbox)?;
    let to = NewName::read(&to, session)?;
    let question = Question::Rename {
        from,
        to: to.name.clone(),
    };
    Flow::ask(question, Renamed(to))
}

pub(super) fn subscribe(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    subscription(args, session, true, "SUBSCRIBE completed")
}

pub(super) fn unsubscribe(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    subscription(args, session, false, "UNSUBSCRIBE completed")
}

fn subscription(
    args: &mut Scanner<'_>,
    session: &Session,
    subscribed: bool,
    text: &'static str,
) -> Result<Flow, Refusal> {
    let argument = argument(args)?;
    args.end()?;
    let name = session.read_name(&argument).ok_or(Refusal::BAD_NAME)?;
    Flow::ask(Question::Subscribe { name, subscribed }, Managed(text))
}

struct Created(NewName);

impl Task for Created {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Created(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let mut code = b"MAILBOXID ".to_vec();
        write_mailbox_id(&mut code, result?);
        self.0.tell(session);
        Ok(Flow::Done(Done::with_code(
            String::from_utf8_lossy(&code).into_owned(),
            "CREATE completed",
        )))
    }
}

struct Deleted;

impl Task for Deleted {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Deleted(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let deleted = result?;
        // The client knows what it did to the mailbox it is in, so this is no reason to end the session, as it is for others.
        if matches!(&session.phase, Phase::Selected(view) if view.id() == Some(deleted)) {
            session.phase = Phase::Authenticated;
            session.saved = None;
            session.out.line("* OK [CLOSED] The mailbox is deleted");
        }
        Flow::ok("DELETE completed")
    }
}

struct Renamed(NewName);

impl Task for Renamed {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Done(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        result?;
        self.0.tell(session);
        Flow::ok("RENAME completed")
    }
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
