//! What the machine can be told.

use super::{Copied, FetchedPiece, MailboxEntry, News, QuotaData, Selected, StatusData, Stored};
use postroom_types::{MailboxId, ModSeq, Threads, Uid, UidValidity};

/// What the outside says.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To Login: welcome, with what we prove ourselves with if the evidence was a SCRAM proof (RFC 5802 §3); or the
    /// reason why not.
    Login(Result<Option<[u8; 32]>, Fault>),
    /// To Mailboxes.
    Mailboxes(Result<Vec<MailboxEntry>, Fault>),
    /// To Status.
    Status(Result<StatusData, Fault>),
    /// To Statuses: in the order asked; `None` where there is no such mailbox (any more).
    Statuses(Result<Vec<Option<StatusData>>, Fault>),
    /// To DeletedOctets.
    DeletedOctets(Result<u64, Fault>),
    /// To Quota.
    Quota(Result<QuotaData, Fault>),
    /// To Select.
    Selected(Result<Selected, Fault>),
    /// To Vanished: ascending ranges, both ends included.
    Vanished(Result<Vec<(Uid, Uid)>, Fault>),
    /// To Create: the new mailbox's id.
    Created(Result<MailboxId, Fault>),
    /// To Delete: the id of the mailbox that is gone.
    Deleted(Result<MailboxId, Fault>),
    /// To questions that have nothing more to tell.
    Done(Result<(), Fault>),
    /// To Append: where they went, in the order they were handed over.
    Appended(Result<(UidValidity, Vec<Uid>), Fault>),
    /// To Fetch.
    Fetched(Result<FetchedPiece, Fault>),
    /// To Store.
    Stored(Result<Stored, Fault>),
    /// To Copy and Move: source and target UIDs, pairwise; messages that are gone are left out.
    Copied(Result<Copied, Fault>),
    /// To Search and Sort.
    Found(Result<Found, Fault>),
    /// To Thread.
    Threads(Result<Threads, Fault>),
    /// To Watch: the counts of all mailboxes now watched for messages, by name.
    Watching(Result<Vec<(String, StatusData)>, Fault>),
    /// To Poll.
    News(News),
}

/// Why something was refused; the machine writes NO with the code of RFC 5530 (RFC 3501, 4315, 7889, 9208) that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Wrong user or password: `[AUTHENTICATIONFAILED]`.
    AuthenticationFailed,
    /// Right password, but the inbox may not be used now: `[AUTHORIZATIONFAILED]`.
    AuthorizationFailed,
    /// Too many attempts, or some resource is out for the moment: `[UNAVAILABLE]`.
    Unavailable,
    /// No such mailbox: `[NONEXISTENT]`; for APPEND, COPY and MOVE `[TRYCREATE]`.
    NoSuchMailbox,
    /// `[ALREADYEXISTS]`
    AlreadyExists,
    /// The credentials do not reach that far: `[NOPERM]`.
    NoPermission,
    /// `[CANNOT]`: for example INBOX cannot be deleted, or a keyword that is a system label.
    Cannot,
    /// Mailbox has children: `[HASCHILDREN]`.
    HasChildren,
    /// `[OVERQUOTA]`
    OverQuota,
    /// `[TOOBIG]`
    TooBig,
    /// `[LIMIT]`
    Limit,
    /// A URL of CATENATE names nothing that can be had: `[BADURL …]` (RFC 4469 §4).
    BadUrl,
    /// A special use that this mailbox cannot have: `[USEATTR]` (RFC 6154 §3).
    UseAttr,
    /// A content transfer encoding that is not known, or content that cannot be kept: `[UNKNOWN-CTE]` (RFC 3516 §5).
    UnknownCte,
    /// The message that was to be replaced is gone: `[EXPUNGEISSUED]`.
    Gone,
    /// The stored message cannot be read: `[CORRUPTION]`.
    Corruption,
    /// Anything else that is our fault: `[SERVERBUG]`.
    Internal,
}

/// The answer to a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The messages: ascending, or in the order asked for.
    pub uids: Vec<Uid>,
    /// Their modseqs, one for each, if the program asks for a modseq; else empty.
    pub modseqs: Vec<ModSeq>,
}
