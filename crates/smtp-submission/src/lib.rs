//! 587 and 465: who may send as whom, then intake.
//!
//! What always holds: nothing is taken before a login, and a login is looked at again whenever a transaction begins and
//! when its message is there; a recipient of ours that nobody has is refused at RCPT; a message is answered only when it is
//! on disk or will not be kept; what a client hears never tells more than a code and a short text.

mod answer;
mod options;
mod reply;
mod service;

pub use answer::Session;
pub use options::Options;
pub use service::Service;
