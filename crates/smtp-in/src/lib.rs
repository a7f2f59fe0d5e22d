//! Port 25: recipients, verdicts, limits, then intake.
//!
//! What always holds: a recipient is refused at RCPT or not at all; a message is answered only when it is on disk or
//! will not be kept; what a client hears never tells more than a code and a short text.

mod answer;
mod options;
mod recipient;
mod reply;
mod service;

pub use answer::Session;
pub use options::Options;
pub use service::Service;
