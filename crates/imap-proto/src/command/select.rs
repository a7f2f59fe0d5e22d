//! SELECT, EXAMINE (RFC 3501 §6.3.1, §6.3.2) and UNSELECT (RFC 3691).

use crate::grammar::{Scanner, mailbox_name};
use crate::question::{Answer, Fault, Question, Selected};
use crate::response::flags::write_mailbox_flags;
use crate::session::{Done, Flow, Phase, Refusal, Session, Task};
use crate::view::View;

pub(super) fn select(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    open(args, session, false)
}

pub(super) fn examine(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    open(args, session, true)
}

fn open(args: &mut Scanner<'_>, session: &mut Session, read_only: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let name = mailbox_name::parse(&args.astring()?);
    args.end()?;
    // The mailbox that was selected is left in any case, also when this one cannot be opened (RFC 3501 §6.3.1).
    if matches!(session.phase, Phase::Selected(_)) {
        session.phase = Phase::Authenticated;
        return Flow::ask(Question::Unselect, Leave { then: name, read_only });
    }
    ask(name, read_only)
}

fn ask(name: Option<String>, read_only: bool) -> Result<Flow, Refusal> {
    let name = name.ok_or(Fault::NoSuchMailbox)?;
    Flow::ask(Question::Select { name, read_only }, Open { read_only })
}

struct Leave {
    then: Option<String>,
    read_only: bool,
}

impl Task for Leave {
    fn resume(self: Box<Self>, _: Answer, _: &mut Session) -> Result<Flow, Refusal> {
        ask(self.then, self.read_only)
    }
}

struct Open {
    read_only: bool,
}

impl Task for Open {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Selected(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let mut selected = result?;
        let view = View::new(&mut selected, self.read_only);
        describe(session, &selected, &view);
        session.phase = Phase::Selected(view);
        let (code, text) = if self.read_only {
            ("READ-ONLY", "EXAMINE completed")
        } else {
            ("READ-WRITE", "SELECT completed")
        };
        Ok(Flow::Done(Done::with_code(code.to_owned(), text)))
    }
}

/// The untagged responses of RFC 3501 §6.3.1.
fn describe(session: &mut Session, selected: &Selected, view: &View) {
    let out = &mut session.out;
    write_mailbox_flags(out, view);
    out.line(&format!("* {} EXISTS", view.exists()));
    out.line(&format!("* {} RECENT", view.recent()));
    if let Some(seq) = selected.first_unseen.and_then(|uid| view.seq_of(uid)) {
        out.line(&format!("* OK [UNSEEN {seq}] First unseen message"));
    }
    out.line(&format!("* OK [UIDVALIDITY {}] UIDs are valid", selected.uid_validity));
    out.line(&format!("* OK [UIDNEXT {}] Predicted next UID", selected.uid_next));
}

pub(super) fn unselect(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    leave(session, "UNSELECT completed")
}

/// Leaves the selected mailbox; also the end of CLOSE.
pub(super) fn leave(session: &mut Session, text: &'static str) -> Result<Flow, Refusal> {
    session.phase = Phase::Authenticated;
    Flow::ask(Question::Unselect, Left { text })
}

struct Left {
    text: &'static str,
}

impl Task for Left {
    fn resume(self: Box<Self>, answer: Answer, _: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Done(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        result?;
        Flow::ok(self.text)
    }
}
