//! COMPRESS DEFLATE (RFC 4978). What follows the tagged OK is compressed both ways; the driver does that.

use crate::grammar::{Bad, Scanner};
use crate::session::{Done, Flow, Refusal, Session, Then};

pub(super) fn compress(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let algorithm = args.atom()?;
    args.end()?;
    if !algorithm.eq_ignore_ascii_case(b"DEFLATE") || !session.options.compress {
        return Err(Bad("No such compression here").into());
    }
    if session.compressed {
        return Err(Refusal::No("COMPRESSIONACTIVE", "DEFLATE is active already"));
    }
    session.compressed = true;
    Ok(Flow::Done(Done {
        then: Then::Compress,
        ..Done::ok("DEFLATE active")
    }))
}
