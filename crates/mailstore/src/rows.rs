//! The values of the rows: plain data to and from bytes. Every one begins with a format version byte; reading is total.

mod feed;
mod inbox;
mod message;
mod placement;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod uids;

pub(crate) use feed::{FeedRow, Patchable};
pub(crate) use inbox::{InboxRow, MailboxRow, Role, read_number, write_number};
pub(crate) use message::{IndexRow, MAX_PLACEMENTS, MessageRow};
pub(crate) use placement::{Arrival, FLAGS_MODSEQ, FlagsRow, MetaRow, RawMeta, SummaryPlace};
pub(crate) use summary::{read_envelope_of, read_root_of, read_summary, write_summary};
pub(crate) use text::{TextPlace, read_text};
pub(crate) use uids::{read_uids, write_uids};
