//! What a program waits for in a mail: one-time codes and links to confirm something.
//!
//! What always holds: a code or a link with a purpose is one of which the mail says so, next to it; what may be
//! something else is left out. Time is linear in the size of the mail, of which the beginning is looked at.

mod candidate;
mod code;
mod context;
mod expiry;
mod link;
mod noun;
mod reading;
mod sentence;
mod words;

pub use code::{Code, extract_codes};
pub use link::{Link, Purpose, extract_links};
