//! The outbound queue: schedule, leases, attempts, history, bounces.

mod model;

pub use model::{Contact, Destination, ItemId, ItemState, NewQueued, NewRecipient, Outcome, QueuedBody, Reason};

/// Most recipients of one message.
pub const MAX_RECIPIENTS: usize = 100;
