//! The name of a draft.

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The name of a draft, one of a kind within its inbox: half the hash of its Message-ID, so that it stays when a mail
/// program saves the draft again; the EMAILID of one that has no Message-ID. Shown as a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DraftId(pub [u8; 16]);

impl fmt::Display for DraftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uuid::from_bytes(self.0).hyphenated(), f)
    }
}

impl FromStr for DraftId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(|id| Self(*id.as_bytes()))
    }
}
