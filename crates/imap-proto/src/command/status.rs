//! STATUS (RFC 3501 §6.3.10, RFC 7889 §4).

use crate::grammar::{Bad, Scanner, mailbox_name};
use crate::question::{Answer, Fault, Question};
use crate::response::mailbox::write_name;
use crate::session::{Flow, Refusal, Session, Task};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    AppendLimit,
}

pub(super) fn status(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let name = mailbox_name::parse(&args.astring()?);
    args.space()?;
    let mut items = Vec::new();
    args.list(|args| {
        let item = match args.atom()?.to_ascii_uppercase().as_slice() {
            b"MESSAGES" => Item::Messages,
            b"RECENT" => Item::Recent,
            b"UIDNEXT" => Item::UidNext,
            b"UIDVALIDITY" => Item::UidValidity,
            b"UNSEEN" => Item::Unseen,
            b"APPENDLIMIT" => Item::AppendLimit,
            _ => return Err(Bad("Unknown STATUS item")),
        };
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    })?;
    args.end()?;
    let name = name.ok_or(Fault::NoSuchMailbox)?;
    Flow::ask(Question::Status(name.clone()), Status { name, items })
}

struct Status {
    name: String,
    items: Vec<Item>,
}

impl Task for Status {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Status(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let data = result?;
        let limit = session.options.append_limit_octets;
        let shown = self.items.iter().map(|item| match item {
            Item::Messages => format!("MESSAGES {}", data.messages),
            Item::Recent => format!("RECENT {}", data.recent),
            Item::UidNext => format!("UIDNEXT {}", data.uid_next),
            Item::UidValidity => format!("UIDVALIDITY {}", data.uid_validity),
            Item::Unseen => format!("UNSEEN {}", data.unseen),
            Item::AppendLimit => format!("APPENDLIMIT {limit}"),
        });
        let shown: Vec<String> = shown.collect();
        session.out.buffer().extend_from_slice(b"* STATUS ");
        write_name(session.out.buffer(), &self.name);
        session.out.line(&format!(" ({})", shown.join(" ")));
        Flow::ok("STATUS completed")
    }
}
