//! The values of the queue's rows.
//!
//! What always holds: whatever the peers said, a row keeps within the 4 KiB of a value, since each text is cut to its bound.

mod item;
mod message;
mod small;

pub(crate) use item::{ItemRow, Wish};
pub(crate) use message::MessageRow;
pub(crate) use small::{AttemptRow, CapturedRow, LeaseRow, Stage, read_report, write_report};
