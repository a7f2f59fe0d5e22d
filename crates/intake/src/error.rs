//! Why a message was not taken.

use postroom_mailstore::MailError;
use postroom_types::EmailAddress;

/// Why a message was not taken. Each listener turns these into its own codes, in one place.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The inbox of this address is full.
    #[error("{0} is over quota")]
    OverQuota(EmailAddress),
    /// Too many Received fields (RFC 5321 §6.3).
    #[error("mail loop: {hops} Received fields")]
    Loop {
        /// How many.
        hops: usize,
    },
    /// The From domain asks that mail which fails its test be refused (RFC 7489 §6.3).
    #[error("DMARC policy of {domain} is reject")]
    DmarcReject {
        /// The From domain.
        domain: String,
    },
    /// Larger than the server takes.
    #[error("message of {octets} octets is too large")]
    TooBig {
        /// Its size.
        octets: u64,
    },
    /// The mail store refused or failed.
    #[error(transparent)]
    Mail(#[from] MailError),
}
