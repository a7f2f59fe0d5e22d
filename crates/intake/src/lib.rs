//! The one door: every message that enters the server passes here.
//!
//! What always holds: a message is looked at once (hops, verdict, summary), gets its trace fields, and is handed to the
//! mail store in one durable commit. `Ok` means it is on disk; an error means that nothing was kept, or that it is not
//! known and the sender should try again.

mod deliver;
mod error;
mod memory;
mod spool;
mod trace;

pub use deliver::{Accepted, Incoming, Intake, LocalRecipient, Options};
pub use error::IntakeError;
pub use memory::Room;
pub use spool::{Spool, Spooler};
