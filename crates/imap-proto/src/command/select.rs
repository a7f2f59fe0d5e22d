//! SELECT, EXAMINE (RFC 9051 §6.3.2, §6.3.3, RFC 7162 §3.1.8, §3.2.5) and UNSELECT (RFC 3691).

use super::resync::Resync;
use crate::grammar::{Bad, Parsed, Scanner};
use crate::question::{Answer, Fault, Question, Selected};
use crate::response::flags::write_mailbox_flags;
use crate::response::mailbox::write_list;
use crate::response::object_id::write_mailbox_id;
use crate::session::{Done, Flow, Phase, Refusal, Session, Task, highest_modseq_code, write_count};
use crate::view::View;

pub(super) fn select(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    open(args, session, false)
}

pub(super) fn examine(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    open(args, session, true)
}

fn open(args: &mut Scanner<'_>, session: &mut Session, read_only: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let name = session.read_name(&args.astring()?);
    let params = Params::parse(args)?;
    args.end()?;
    if params.resync.is_some() && !session.enabled.qresync {
        return Err(Refusal::Bad("Enable QRESYNC first"));
    }
    let open = Open {
        name,
        read_only,
        params,
    };
    // The mailbox that was selected is left in any case, also when this one cannot be opened (RFC 9051 §6.3.2).
    session.saved = None;
    if matches!(session.phase, Phase::Selected(_)) {
        session.phase = Phase::Authenticated;
        return Flow::ask(Question::Unselect, Leave(open));
    }
    open.ask(session)
}

/// `select-params` (RFC 4466 §2.1).
#[derive(Default)]
struct Params {
    condstore: bool,
    resync: Option<Resync>,
}

impl Params {
    fn parse(args: &mut Scanner<'_>) -> Parsed<Self> {
        let mut params = Self::default();
        if !args.eat(b' ') || args.at_end() {
            return Ok(params);
        }
        args.list(|args| {
            match args.atom()?.to_ascii_uppercase().as_slice() {
                b"CONDSTORE" => params.condstore = true,
                b"QRESYNC" => {
                    args.space()?;
                    params.resync = Some(Resync::parse(args)?);
                }
                _ => return Err(Bad("Unknown SELECT parameter")),
            }
            Ok(())
        })?;
        Ok(params)
    }
}

struct Leave(Open);

impl Task for Leave {
    fn resume(self: Box<Self>, _: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        session.out.line("* OK [CLOSED] The other mailbox is left");
        self.0.ask(session)
    }
}

struct Open {
    /// `None`: there can be no such mailbox.
    name: Option<String>,
    read_only: bool,
    params: Params,
}

impl Open {
    fn ask(self, session: &mut Session) -> Result<Flow, Refusal> {
        if self.params.condstore {
            session.enable_condstore();
        }
        let name = self.name.clone().ok_or(Fault::NoSuchMailbox)?;
        let read_only = self.read_only;
        Flow::ask(Question::Select { name, read_only }, self)
    }
}

impl Task for Open {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Selected(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let selected = result?;
        let read_only = self.read_only || selected.read_only;
        let mut view = View::new(&selected, read_only);
        if session.enabled.rev2 {
            view.forget_recent();
        }
        describe(session, &selected, &view, self.name.as_deref().unwrap_or_default());
        session.phase = Phase::Selected(view);
        let code = if read_only { "READ-ONLY" } else { "READ-WRITE" };
        let text = if self.read_only {
            "EXAMINE completed"
        } else {
            "SELECT completed"
        };
        let done = Done::with_code(code.to_owned(), text);
        // Another UIDVALIDITY: nothing of what the client knows is here, as it learns from the code (RFC 7162 §3.2.5).
        match self.params.resync {
            Some(resync) if resync.uid_validity == selected.uid_validity => resync.run(done, session),
            _ => Ok(Flow::Done(done)),
        }
    }
}

/// The untagged responses of RFC 9051 §6.3.2 and, for clients of IMAP4rev1, RFC 3501 §6.3.1.
fn describe(session: &mut Session, selected: &Selected, view: &View, name: &str) {
    let rev2 = session.enabled.rev2;
    let out = &mut session.out;
    write_mailbox_flags(out, view);
    write_count(out, view.exists(), "EXISTS");
    if !rev2 {
        write_count(out, view.recent(), "RECENT");
        if let Some(seq) = selected.first_unseen.and_then(|uid| view.seq_of(uid)) {
            out.line(&format!("* OK [UNSEEN {seq}] First unseen message"));
        }
    }
    out.line(&format!("* OK [UIDVALIDITY {}] UIDs are valid", selected.uid_validity));
    out.line(&format!("* OK [UIDNEXT {}] Predicted next UID", selected.uid_next));
    let modseq = highest_modseq_code(selected.highest_modseq);
    out.line(&format!("* OK [{modseq}] Highest"));
    out.buffer().extend_from_slice(b"* OK [MAILBOXID ");
    write_mailbox_id(out.buffer(), selected.id);
    out.line("] Its id");
    if rev2 {
        write_list(out.buffer(), "LIST", &[], name, true);
    }
}

pub(super) fn unselect(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    leave(session, "UNSELECT completed")
}

/// Leaves the selected mailbox; also the end of CLOSE.
pub(super) fn leave(session: &mut Session, text: &'static str) -> Result<Flow, Refusal> {
    session.phase = Phase::Authenticated;
    session.saved = None;
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
