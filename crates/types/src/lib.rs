//! The words every part of postroom shares.
//!
//! Values are parsed at the edge of the system and passed inward as these types, so that nothing below has to ask
//! again whether an address is well formed or a UID is zero. No I/O; no clock and no randomness but for new ids.

mod address;
mod blob;
mod domain;
mod flags;
mod ids;
mod internal_date;
mod numbers;
mod path;
mod reach;
mod scram;
mod search;
mod secret;
mod special_use;
mod summary;

pub use address::{AddressError, EmailAddress};
pub use blob::{BlobId, BlobSpan, Piece, pieces_octets};
pub use domain::Domain;
pub use flags::{Flag, Flags, Keyword, MessageFlags};
pub use ids::{
    DeliveryId, EmailId, GrantId, IdentityId, InboxId, KeyId, MailboxId, OrganizationId, PodId, RuleId, ThreadId,
};
pub use internal_date::InternalDate;
pub use numbers::{Lsn, ModSeq, SeqNum, Uid, UidValidity};
pub use path::{ForwardPath, ReversePath};
pub use reach::Reach;
pub use scram::ScramParameters;
pub use search::{AddressField, SearchKey, SortBy, SortKey, ThreadAlgorithm, Threads};
pub use secret::Secret;
pub use special_use::SpecialUse;
pub use summary::{AddressEntry, Disposition, Envelope, Part, PartBody, Summary};
