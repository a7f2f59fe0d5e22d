//! Names that clients give to what they make, so that asking twice makes one.
//!
//! What always holds: the row that tells whose a client id is, is put under `Absent` in the commit that makes the thing,
//! and goes with it.

use crate::record::decode_id;
use crate::{Identity, IdentityError, keys};
use postroom_types::OrganizationId;

/// Longest client id.
const MAX_CHARACTERS: usize = 256;

/// The characters that need no encoding in a URL (RFC 3986 §2.3), 1 to 256 of them.
pub(crate) fn check_client_id(client_id: &str) -> Result<(), IdentityError> {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    if client_id.is_empty() || client_id.len() > MAX_CHARACTERS || !client_id.bytes().all(allowed) {
        return Err(IdentityError::Invalid(
            "a client_id has 1 to 256 characters A-Z, a-z, 0-9, `-`, `.`, `_` and `~`",
        ));
    }
    Ok(())
}

impl Identity {
    /// The id of what an organization's client calls so. `kind` is as for [`keys::client_id`].
    pub(crate) async fn by_client_id(
        &self,
        organization: OrganizationId,
        kind: u8,
        client_id: &str,
    ) -> Result<Option<[u8; 16]>, IdentityError> {
        let row = self.store.get(&keys::client_id(organization, kind, client_id)).await?;
        Ok(row.as_deref().map(decode_id).transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad() {
        let longest = "x".repeat(256);
        for good in ["a", "A-b._~9", longest.as_str()] {
            assert!(check_client_id(good).is_ok(), "{good}");
        }
        let too_long = "x".repeat(257);
        for bad in ["", "a@b", "a b", "ä", "a/b", "\0", too_long.as_str()] {
            assert!(check_client_id(bad).is_err(), "{bad}");
        }
    }
}
