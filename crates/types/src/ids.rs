//! Ids: 16 bytes, time-ordered (UUID version 7), one type for each kind of thing.

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; later ids of one process sort after earlier ones.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would suggest a fixed one")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that these bytes are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The bytes of the id, as they stand in keys.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A tenant.
    OrganizationId
);
id!(
    /// An isolated part of an organization.
    PodId
);
id!(
    /// One address with its credentials, mailboxes and mail.
    InboxId
);
id!(
    /// An IMAP folder inside an inbox; shown as MAILBOXID (RFC 8474 §5.1).
    MailboxId
);
id!(
    /// One immutable message in one inbox; shown as EMAILID (RFC 8474 §5.1). Not the Message-ID header field.
    EmailId
);
id!(
    /// A conversation within one inbox; shown as THREADID (RFC 8474 §5.2).
    ThreadId
);
id!(
    /// One API key's record, not its secret.
    KeyId
);

id!(
    /// An agent's identity: a handle bound to one inbox.
    IdentityId
);
id!(
    /// A rule of an inbox about whom it may write to and hear from.
    RuleId
);
id!(
    /// A permission to see an identity; also what parts one set of them from another.
    GrantId
);
id!(
    /// One request to a webhook's endpoint.
    DeliveryId
);
