//! THREAD and UID THREAD (RFC 5256 §3).

use super::search::{charset, program};
use crate::grammar::Scanner;
use crate::grammar::sort_key::thread_algorithm;
use crate::question::{Answer, Question};
use crate::response::threads::write_threads;
use crate::session::{Flow, Refusal, Session, Task};

pub(super) fn thread(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_thread(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let algorithm = thread_algorithm(args)?;
    args.space()?;
    let charset = charset(args)?;
    let (among, program) = program(args, session, charset, false)?;
    let question = Question::Thread {
        among,
        program,
        algorithm,
    };
    Flow::ask(question, Thread { by_uid })
}

struct Thread {
    by_uid: bool,
}

impl Task for Thread {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Threads(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let threads = result?;
        let (view, out) = session.selected()?;
        let number = |uid| {
            let seq = view.seq_of(uid)?;
            Some(if self.by_uid { uid.get() } else { seq.get() })
        };
        let numbered: Vec<(u32, Option<u32>)> = threads
            .into_iter()
            .map(|(depth, uid)| (depth, uid.and_then(number)))
            .collect();
        out.buffer().extend_from_slice(b"* THREAD");
        if !numbered.is_empty() {
            out.buffer().push(b' ');
            write_threads(out.buffer(), &numbered);
        }
        out.line("");
        Flow::ok("THREAD completed")
    }
}
