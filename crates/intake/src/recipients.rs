//! Where a submission goes.

use crate::{Intake, SubmitError};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use postroom_identity::{IdentityError, Resolution};
use postroom_queue::{Destination, MAX_RECIPIENTS, NewRecipient};
use postroom_types::{Domain, EmailAddress, InboxId};
use std::collections::HashSet;

/// No inbox.
const NOBODY: InboxId = InboxId::from_bytes([0; 16]);

impl Intake {
    /// Where mail to an address is lined up: an inbox here, or another domain.
    ///
    /// # Errors
    /// [`SubmitError::NoSuchRecipient`]; [`SubmitError::Malformed`] (not [`is_routable`]); [`SubmitError::Identity`].
    pub async fn destination(&self, address: &EmailAddress) -> Result<Destination, SubmitError> {
        match self.identity.resolve(address).await? {
            Resolution::Inbox(inbox) => Ok(Destination::Inbox(inbox.id)),
            Resolution::NoSuchMailbox => Err(SubmitError::NoSuchRecipient(address.clone())),
            Resolution::NotLocal if !is_routable(address.domain()) => {
                Err(SubmitError::Malformed("the domain of a recipient is no domain name"))
            }
            Resolution::NotLocal => Ok(Destination::Domain(address.domain().clone())),
        }
    }

    /// Each recipient once, in the order given. In domains of ours case says nothing; elsewhere it may (RFC 5321 §2.4).
    /// With `bounces_unknown`, an address in a domain of ours that nobody has waits for an inbox that is not there: when its
    /// turn comes, it bounces.
    pub(crate) async fn line_up(
        &self,
        addresses: &[EmailAddress],
        bounces_unknown: bool,
    ) -> Result<Vec<NewRecipient>, SubmitError> {
        let mut seen = HashSet::new();
        let mut recipients = Vec::with_capacity(addresses.len().min(MAX_RECIPIENTS));
        for address in addresses {
            let is_local = self.identity.is_local(address.domain());
            let name = if is_local { address.folded() } else { unquoted(address) };
            if !seen.insert(name) {
                continue;
            }
            if recipients.len() == MAX_RECIPIENTS {
                return Err(SubmitError::TooManyRecipients);
            }
            let destination = match self.destination(address).await {
                Err(SubmitError::NoSuchRecipient(_)) if bounces_unknown => Destination::Inbox(NOBODY),
                destination => destination?,
            };
            recipients.push(NewRecipient {
                address: address.clone(),
                destination,
            });
        }
        if recipients.is_empty() {
            return Err(SubmitError::NoRecipients);
        }
        Ok(recipients)
    }
}

/// Whether the DNS can have a domain: one that is not ASCII must be one in the form of IDNA (RFC 6531 §3.2).
#[must_use]
pub fn is_routable(domain: &Domain) -> bool {
    let name = domain.as_str();
    let to_ascii = |name: &str| {
        let uts46 = Uts46::new();
        let ascii = uts46.to_ascii(
            name.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        );
        ascii.is_ok()
    };
    name.is_ascii() || to_ascii(name)
}

/// The address without quotes that say nothing (RFC 5321 §4.1.2); itself if they do.
fn unquoted(address: &EmailAddress) -> EmailAddress {
    let quoted = address.local_part().strip_prefix('"');
    let Some(inside) = quoted.and_then(|rest| rest.strip_suffix('"')) else {
        return address.clone();
    };
    let mut bare = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        bare.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    // What begins with a quote would pass for a quoted string.
    let bare = Some(bare).filter(|bare| !bare.starts_with('"'));
    let plain = bare.and_then(|bare| EmailAddress::from_parts(&bare, address.domain().clone()).ok());
    plain.unwrap_or_else(|| address.clone())
}

impl From<IdentityError> for SubmitError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Full => Self::Full,
            error => Self::Identity(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_that_can_be() {
        for (domain, good) in [
            ("example.net", true),
            ("a_b.example", true),
            ("[192.0.2.1]", true),
            ("bücher.example", true),
            ("例子.测试", true),
            ("out.test\u{2028}y", false),
            ("a\u{200b}\u{fffd}.example", false),
            ("ab／c.example", false),
            (&format!("{}.example", "ü".repeat(31)), true),
            (&format!("{}.example", "üäö".repeat(10)), true),
        ] {
            assert_eq!(is_routable(&Domain::parse(domain).unwrap()), good, "{domain}");
        }
    }

    #[test]
    fn quotes_that_say_nothing() {
        for (given, bare) in [
            ("\"dup\"@x", "dup@x"),
            ("\"D\\up\"@x", "Dup@x"),
            ("dup@x", "dup@x"),
            ("\"a b\"@x", "\"a b\"@x"),
            ("\"\\\"a\\\"\"@x", "\"\\\"a\\\"\"@x"),
            ("\"\"@x", "\"\"@x"),
        ] {
            assert_eq!(unquoted(&EmailAddress::parse(given).unwrap()).to_string(), bare);
        }
    }
}
