//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208). One quota root, called `""`, holds the whole inbox; it limits octets.

use crate::grammar::{Bad, Scanner};
use crate::question::{Answer, Fault, Question};
use crate::session::{Flow, Refusal, Session, Task};

pub(super) fn get_quota(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let is_ours = args.astring()?.is_empty();
    args.end()?;
    if !is_ours {
        return Err(Refusal::No("NONEXISTENT", "No such quota root"));
    }
    Flow::ask(Question::Quota, Quota("GETQUOTA completed"))
}

/// The mailbox need not exist (RFC 9208 §4.1.2).
pub(super) fn get_quota_root(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let name = session.read_name(&args.astring()?);
    args.end()?;
    let name = name.ok_or(Fault::NoSuchMailbox)?;
    session.out.buffer().extend_from_slice(b"* QUOTAROOT ");
    session.write_name(&name);
    session.out.line(" \"\"");
    Flow::ask(Question::Quota, Quota("GETQUOTAROOT completed"))
}

/// Limits are the operator's to set, so QUOTASET is not among the capabilities.
pub(super) fn set_quota(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    args.astring()?;
    args.space()?;
    if !args.eat_ignoring_case(b"()") {
        args.list(|args| {
            args.atom()?;
            args.space()?;
            args.number64().map(|_| ()).map_err(|_| Bad("Limit expected"))
        })?;
    }
    args.end()?;
    Err(Refusal::No("NOPERM", "Quotas are set by the operator"))
}

struct Quota(&'static str);

impl Task for Quota {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Quota(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let data = result?;
        // RFC 9208 §5.1: in units of 1024 octets. A message is counted whole, a limit only as far as it reaches.
        let (used, limit) = (data.octets.div_ceil(1024), data.limit_octets / 1024);
        session.out.line(&format!("* QUOTA \"\" (STORAGE {used} {limit})"));
        Flow::ok(self.0)
    }
}
