//! What goes wrong; who shows it chooses the words of its protocol.

use crate::Namespace;
use postroom_mailstore::MailError;
use postroom_message::SignError;
use postroom_store::StoreError;
use postroom_types::RuleId;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A value breaks a rule; the text says which, for the user.
    #[error("{0}")]
    Invalid(&'static str),
    /// The name is kept for the operator (RFC 2142 and the like).
    #[error("this name is reserved")]
    Reserved,
    /// Not a domain that this organization may use.
    #[error("this domain is not available")]
    DomainNotAvailable,
    /// The organization has as many inboxes as it may.
    #[error("the plan's limit of inboxes is reached")]
    PlanLimit,
    /// There is no such organization (any more).
    #[error("no such organization")]
    NoSuchOrganization,
    /// There is no such pod in this organization.
    #[error("no such pod")]
    NoSuchPod,
    /// There is no such inbox (any more).
    #[error("no such inbox")]
    NoSuchInbox,
    /// A key asked for more than it holds itself.
    #[error("a key cannot give more than it holds")]
    Escalation,
    /// A key with permissions asked for one without, or for a change of one without.
    #[error("this needs a key without restrictions")]
    UnrestrictedKeyRequired,
    /// A key asked for one that would outlive it.
    #[error("a key cannot expire later than the one that makes it")]
    OutlivesMaker,
    /// What it is in the way of; the text says so, for the user.
    #[error("cannot be deleted: {0}")]
    CannotDelete(&'static str),
    /// The client id belongs to something that the caller does not see.
    #[error("this client_id is in use")]
    ClientIdTaken,
    /// The human answers for another agent already.
    #[error("this human has an agent already")]
    HumanTaken,
    /// What is verified is not given out again: whoever knows the human's address would get it.
    #[error("this agent is verified already")]
    AlreadyVerified,
    /// Too many wrong codes: not even the right one counts until it has expired.
    #[error("too many wrong codes; a new one can be had when this one has expired")]
    TooManyAttempts,
    /// The handle is somebody's, or kept back.
    #[error("this handle is unavailable")]
    HandleTaken(Namespace),
    /// The inbox has an identity, of another handle.
    #[error("this inbox has an identity already")]
    HasIdentity,
    /// There is no such identity in this organization (any more).
    #[error("no such identity")]
    NoSuchIdentity,
    /// Nothing lets this one find that one.
    #[error("no such grant")]
    NoSuchGrant,
    /// Everybody in the organization finds it already.
    #[error("everybody in the organization sees this identity already")]
    RedundantGrant,
    /// It finds it already.
    #[error("it sees this identity already")]
    AlreadyGranted,
    /// The inbox has no such contact rule.
    #[error("no such contact rule")]
    NoSuchRule,
    /// The inbox has this contact rule about the same address or domain.
    #[error("there is a contact rule about this already")]
    RuleExists(RuleId),
    /// There is no such entry on the list.
    #[error("no such entry")]
    NoSuchEntry,
    /// There is no such key.
    #[error("no such key")]
    NoSuchKey,
    /// The inbox has no such address.
    #[error("no such address")]
    NoSuchAddress,
    /// Somebody has the address, or had it.
    #[error("this address is taken")]
    AddressTaken,
    /// The address is the inbox's login name and stays.
    #[error("the canonical address cannot be removed")]
    CanonicalAddress,
    /// Another pod of the organization has the slug.
    #[error("this slug is taken")]
    SlugTaken,
    /// This server does not answer for the domain.
    #[error("no such domain")]
    NoSuchDomain,
    /// This server answers for the domain already.
    #[error("this domain is there already")]
    DomainTaken,
    /// The DNS cannot be asked at the moment; trying again later helps.
    #[error("the DNS gives no answer")]
    NoAnswer,
    /// The domain cannot be removed; the text says why, for the user.
    #[error("this domain stays: {0}")]
    DomainInUse(&'static str),
    /// There are as many of these as there may be.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// The store is out of space.
    #[error("out of space")]
    Full,
    /// Others were always faster; trying again later helps.
    #[error("too much contention")]
    Busy,
    /// A DKIM key could not be made or read.
    #[error("DKIM keys: {0}")]
    Keys(#[from] SignError),
    /// Mail could not be cleared away.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The store failed, or it is not known whether the change was made.
    #[error(transparent)]
    Store(#[from] StoreError),
}
