//! REPLACE and UID REPLACE (RFC 8508): the message they name. All else is APPEND's.

use crate::grammar::{Bad, Scanner};
use crate::session::{Phase, Refusal, Session};
use postroom_types::{SeqNum, Uid};

/// Reads which message is replaced. The inner error is told only if the rest of the command is well formed.
pub(super) fn replaced(
    args: &mut Scanner<'_>,
    session: &Session,
    by_uid: bool,
) -> Result<Result<Uid, Refusal>, Refusal> {
    let Phase::Selected(view) = &session.phase else {
        return Err(Refusal::Bad("Select a mailbox first"));
    };
    if view.read_only() {
        return Err(Refusal::No("READ-ONLY", "The mailbox is open for reading only"));
    }
    args.space()?;
    let none = Refusal::No("", "No such message");
    if args.eat(b'*') {
        return Ok(view.last_uid().ok_or(none));
    }
    let number = args.number()?;
    if by_uid {
        let uid = Uid::new(number).ok_or(Bad("UID expected"))?;
        return Ok(view.seq_of(uid).map(|_| uid).ok_or(none));
    }
    let seq = SeqNum::new(number).ok_or(Bad("Message number expected"))?;
    view.uid_of(seq).map(Ok).ok_or(Refusal::Bad("No such message number"))
}
