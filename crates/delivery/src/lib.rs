//! Outbound: MX, TLS policy, attempts, classification of replies.
//!
//! What always holds:
//! - An attempt is open, durably, before anything is sent for it, and is closed with one outcome for each recipient;
//!   [`Uncertain`](postroom_queue::Outcome::Uncertain) only if the final dot may have left and its reply did not come.
//! - Every wait has an end: lookups, connections, handshakes, replies, whole walks, the drain.
//! - Content is read from the store as it is sent.

mod a_label;
mod body;
mod capture;
mod classify;
mod courier;
mod delivery;
mod dialogue;
mod hickory;
mod hop;
mod line;
mod link;
mod local;
mod network;
mod options;
mod patience;
mod pool;
mod remote;
mod setbacks;
mod standing;
mod tls;
mod walk;

pub use delivery::{Delivery, DeliveryError};
pub use hickory::{HickoryNetwork, NetworkError};
pub use network::{BoxStream, LookupError, MxRecord, Network, Stream};
pub use options::{Options, Route};
