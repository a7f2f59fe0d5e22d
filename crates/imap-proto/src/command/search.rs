//! SEARCH and UID SEARCH (RFC 3501 §6.4.4).

use crate::grammar::{Scanner, search_key};
use crate::question::{Answer, Question};
use crate::session::{Flow, Refusal, Session, Task};

pub(super) fn search(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_search(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    if args.eat_ignoring_case(b"CHARSET ") {
        let charset = args.astring()?.to_ascii_uppercase();
        args.space()?;
        if !matches!(charset.as_slice(), b"UTF-8" | b"US-ASCII") {
            return Err(Refusal::No(
                "BADCHARSET (US-ASCII UTF-8)",
                "This charset is not known here",
            ));
        }
    }
    let (view, _) = session.selected()?;
    let program = search_key::program(args, view)?;
    let among = view.uids().to_vec();
    Flow::ask(Question::Search { among, program }, Search { by_uid })
}

struct Search {
    by_uid: bool,
}

impl Task for Search {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Found(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let found = result?;
        let (view, out) = session.selected()?;
        out.buffer().extend_from_slice(b"* SEARCH");
        for uid in found {
            let Some(seq) = view.seq_of(uid) else { continue };
            let number = if self.by_uid { uid.get() } else { seq.get() };
            out.buffer().extend_from_slice(format!(" {number}").as_bytes());
        }
        out.line("");
        Flow::ok("SEARCH completed")
    }
}
