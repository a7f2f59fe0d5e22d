//! STATUS (RFC 9051 §6.3.11).

use crate::grammar::Scanner;
use crate::grammar::status_items::{StatusItem, status_items};
use crate::question::{Answer, Fault, Question, StatusData};
use crate::response::status::write_status;
use crate::session::{Flow, Refusal, Session, Task};

pub(super) fn status(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let name = session.read_name(&args.astring()?);
    args.space()?;
    let items = status_items(args)?;
    args.end()?;
    asked_for(session, &items);
    let name = name.ok_or(Fault::NoSuchMailbox)?;
    Flow::ask(Question::Status(name.clone()), Status { name, items })
}

/// What asking for these items does: HIGHESTMODSEQ says that the client knows of CONDSTORE (RFC 7162 §3.1).
pub(super) fn asked_for(session: &mut Session, items: &[StatusItem]) {
    if items.contains(&StatusItem::HighestModSeq) {
        session.enable_condstore();
    }
}

/// Whether the octets of messages with `\Deleted` have to be asked for.
pub(super) fn needs_deleted_octets(items: &[StatusItem], data: &StatusData) -> bool {
    data.deleted > 0 && items.contains(&StatusItem::DeletedStorage)
}

struct Status {
    name: String,
    items: Vec<StatusItem>,
}

impl Task for Status {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Status(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let data = result?;
        if needs_deleted_octets(&self.items, &data) {
            let question = Question::DeletedOctets(self.name.clone());
            return Flow::ask(question, StatusOfDeleted { status: *self, data });
        }
        write_status(session, &self.name, &self.items, &data, 0);
        Flow::ok("STATUS completed")
    }
}

struct StatusOfDeleted {
    status: Status,
    data: StatusData,
}

impl Task for StatusOfDeleted {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::DeletedOctets(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let octets = result?;
        write_status(session, &self.status.name, &self.status.items, &self.data, octets);
        Flow::ok("STATUS completed")
    }
}
