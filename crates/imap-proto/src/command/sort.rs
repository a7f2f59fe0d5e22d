//! SORT and UID SORT (RFC 5256 §3, RFC 5957), with RETURN (RFC 5267 §3, §4, RFC 9394).

use super::search::{Search, program};
use crate::grammar::Scanner;
use crate::grammar::sort_key::sort_criteria;
use crate::question::Question;
use crate::session::{Flow, Refusal, Session};
use std::sync::Arc;

pub(super) fn sort(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_sort(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let mut search = Search::new("SORT", args, by_uid);
    search.read_options(args, session)?;
    let keys = sort_criteria(args)?;
    args.space()?;
    let charset = search.charset(args, session)?;
    let (among, program) = program(args, session, charset, search.is_followed())?;
    let program = Arc::new(program);
    search.will_follow(&program, Some(&keys));
    Flow::ask(Question::Sort { among, program, keys }, search)
}
