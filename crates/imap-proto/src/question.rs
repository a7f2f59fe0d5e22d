//! What the IMAP machine asks, and what it can be told.
//!
//! The machine does the protocol: numbering, pattern matching, paging, the moments at which news may be told. The
//! outside does mail: it knows UIDs, never sequence numbers. Long work is asked for in pieces, by the machine, so no
//! answer is unbounded and other sessions get their turn between pieces.

use bytes::Bytes;
use postroom_types::{
    EmailId, Envelope, InternalDate, Keyword, MailboxId, MessageFlags, ModSeq, Part, Piece, SearchKey, SortKey,
    SpecialUse, Summary, ThreadAlgorithm, ThreadId, Threads, Uid, UidValidity,
};
use postroom_wire::Credentials;
use std::fmt;
use std::sync::Arc;

/// Most UIDs in one [`Question::Store`] or [`Question::Expunge`], and in a [`Question::Fetch`] that opens messages.
pub const PIECE: usize = 300;

/// Most UIDs in a [`Question::Fetch`] that asks for nothing but what is known of an open mailbox without reading rows:
/// flags, modseq, INTERNALDATE, size, save date.
pub const LIGHT_PIECE: usize = 2_000;

/// What only the outside knows. The answer's variant is named with each.
#[derive(Clone, Debug)]
pub enum Question {
    /// Are these good? A client may give up even after a yes (it does not believe in our signature) and log in as
    /// somebody else then: the last answer counts. → [`Answer::Login`]
    Login(Credentials),
    /// All mailboxes and all subscribed names of the inbox; the machine matches patterns itself. → [`Answer::Mailboxes`]
    Mailboxes,
    /// Counts of a mailbox by name. → [`Answer::Status`]
    Status(String),
    /// Counts of several mailboxes by name, for LIST … RETURN (STATUS …). → [`Answer::Statuses`]
    Statuses(Vec<String>),
    /// Octets of the messages with `\Deleted` in a mailbox, by name (RFC 9208 §4.1.4, DELETED-STORAGE). Asked only if the
    /// client wants it and there are such messages. → [`Answer::DeletedOctets`]
    DeletedOctets(String),
    /// How full the inbox is. → [`Answer::Quota`]
    Quota,
    /// Open a mailbox and begin to send news of it. → [`Answer::Selected`]
    Select {
        /// Name, UTF-8, hierarchy separator `/`; `INBOX` in capitals.
        name: String,
        /// EXAMINE.
        read_only: bool,
    },
    /// Which of these UIDs were expunged from the selected mailbox after `since`, or were never there? More may be named
    /// than were expunged since, never one that is there (RFC 7162 §3.2.5, §3.2.6). → [`Answer::Vanished`]
    Vanished {
        /// The modseq the client knows.
        since: ModSeq,
        /// Ascending ranges, both ends included.
        among: Vec<(Uid, Uid)>,
    },
    /// The selected mailbox is left; no more news. → [`Answer::Done`]
    Unselect,
    /// Make a mailbox and its missing parents. → [`Answer::Created`]
    Create {
        /// Name.
        name: String,
        /// What it is to be for (RFC 6154 §3).
        special_use: Option<SpecialUse>,
    },
    /// Remove a mailbox. → [`Answer::Done`]
    Delete(String),
    /// Rename a mailbox with its children; INBOX: its messages move to the new one (RFC 3501 §6.3.5). → [`Answer::Done`]
    Rename {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// Put a name on the list of subscriptions, or take it off. → [`Answer::Done`]
    Subscribe {
        /// Name; need not exist.
        name: String,
        /// On or off.
        subscribed: bool,
    },
    /// May messages be appended there, the first literal being of this size? Asked before it is taken; what was handed
    /// over before and not appended is void. → [`Answer::Done`]
    AppendStart {
        /// Mailbox name.
        name: String,
        /// Size of the literal; 0 if the message begins with a URL.
        octets: u64,
    },
    /// May this literal be added to what was handed over: a further part of the same message (CATENATE, RFC 4469), or of
    /// the next one (MULTIAPPEND, RFC 3502)? → [`Answer::Done`]
    AppendMore {
        /// Size of the literal.
        octets: u64,
    },
    /// Add what this IMAP URL (RFC 5092, absolute path or relative) names to the message that is being handed over
    /// (RFC 4469). → [`Answer::Done`], or [`Fault::BadUrl`]
    AppendUrl(String),
    /// The messages were handed over, each as `Body` … `BodyEnd` with [`Question::AppendUrl`] between: append all, or
    /// none (RFC 3502 §4). → [`Answer::Appended`]
    Append {
        /// Mailbox name.
        name: String,
        /// Flags and dates, one for each message handed over.
        messages: Vec<Appending>,
        /// This message of the selected mailbox is expunged with it (REPLACE, RFC 8508).
        replaces: Option<Uid>,
    },
    /// Data of messages of the selected mailbox, ascending: at most [`PIECE`], or [`LIGHT_PIECE`]. → [`Answer::Fetched`]
    Fetch {
        /// Which messages.
        uids: Vec<Uid>,
        /// What of them.
        items: FetchItems,
        /// Only of those with a higher modseq (RFC 7162 §3.1.4.1).
        changed_since: Option<ModSeq>,
    },
    /// Change flags of at most [`PIECE`] messages. → [`Answer::Stored`]
    Store {
        /// Which messages.
        uids: Vec<Uid>,
        /// How.
        change: FlagChange,
        /// Only if their modseq is not above this (RFC 7162 §3.1.3).
        unchanged_since: Option<ModSeq>,
    },
    /// Copy messages, all or none (RFC 9051 §6.4.7). → [`Answer::Copied`]
    Copy {
        /// Which messages, any number.
        uids: Vec<Uid>,
        /// Target name.
        to: String,
    },
    /// Move at most [`PIECE`] messages. The expunges come back as news. → [`Answer::Copied`]
    Move {
        /// Which messages.
        uids: Vec<Uid>,
        /// Target name.
        to: String,
    },
    /// Expunge those of these messages (at most [`PIECE`]) that have `\Deleted`. They come back as news. → [`Answer::Done`]
    Expunge(Vec<Uid>),
    /// Which messages of the selected mailbox match? → [`Answer::Found`]
    Search {
        /// The messages this session knows of, ascending; only these count.
        among: Vec<Uid>,
        /// The program, sequence numbers already turned into UIDs.
        program: SearchKey,
    },
    /// The same, in this order. → [`Answer::Found`]
    Sort {
        /// The messages this session knows of, ascending; only these count.
        among: Vec<Uid>,
        /// The program.
        program: SearchKey,
        /// The order; equal ones stay in the order of the mailbox.
        keys: Vec<SortKey>,
    },
    /// The same, in threads. → [`Answer::Threads`]
    Thread {
        /// The messages this session knows of, ascending; only these count.
        among: Vec<Uid>,
        /// The program.
        program: SearchKey,
        /// How.
        algorithm: ThreadAlgorithm,
    },
    /// Which mailboxes that are not selected are news sent of from now on (NOTIFY, RFC 5465)? Empty: of none, as in the
    /// beginning. Replaces what was said before. → [`Answer::Watching`]
    Watch(Vec<Watch>),
    /// What has happened in the selected mailbox (and those watched) that was not told yet? Asked at the end of
    /// commands. → [`Answer::News`]
    Poll,
}

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

/// Flags and date of a message that is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appending {
    /// Initial flags.
    pub flags: MessageFlags,
    /// INTERNALDATE; `None` is now.
    pub internal_date: Option<InternalDate>,
    /// It came as a literal8, so it may hold NUL (RFC 3516 §4.4).
    pub binary: bool,
}

/// How full the inbox is (RFC 9208).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaData {
    /// Octets of all messages.
    pub octets: u64,
    /// Octets it may hold.
    pub limit_octets: u64,
    /// Number of messages.
    pub messages: u64,
}

/// Some mailboxes and what of them is wanted (RFC 5465 §5, §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Which.
    pub mailboxes: WatchedMailboxes,
    /// MessageNew, MessageExpunge (both always come together).
    pub messages: bool,
    /// FlagChange: counts that flags change, and HIGHESTMODSEQ.
    pub flags: bool,
    /// MailboxName: made, deleted, renamed.
    pub names: bool,
    /// SubscriptionChange.
    pub subscriptions: bool,
}

/// Which mailboxes are watched. A mailbox has the wishes of all watches that it falls under together (RFC 5465 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchedMailboxes {
    /// Where mail may be delivered: INBOX, and those of special use that mail can come to (RFC 5465 §6.2).
    Inboxes,
    /// All.
    Personal,
    /// Those subscribed.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<String>),
    /// These.
    Names(Vec<String>),
}

/// One line of LIST or LSUB, before pattern matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxEntry {
    /// Name, UTF-8.
    pub name: String,
    /// Whether it exists; a subscription may outlive its mailbox.
    pub exists: bool,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Its role.
    pub special_use: Option<SpecialUse>,
    /// Messages arrived since it was last selected: `\Marked`. `None`: not known.
    pub marked: Option<bool>,
    /// Its id; `None` if it does not exist.
    pub id: Option<MailboxId>,
}

/// Counts of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusData {
    /// MAILBOXID
    pub id: MailboxId,
    /// MESSAGES
    pub messages: u32,
    /// RECENT
    pub recent: u32,
    /// UIDNEXT
    pub uid_next: Uid,
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// UNSEEN
    pub unseen: u32,
    /// DELETED
    pub deleted: u32,
    /// SIZE, octets
    pub size_octets: u64,
    /// HIGHESTMODSEQ
    pub highest_modseq: ModSeq,
}

/// A mailbox that was opened.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Its id.
    pub id: MailboxId,
    /// It may not be changed, as if EXAMINE had been asked for.
    pub read_only: bool,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The UID the next message will at least get.
    pub uid_next: Uid,
    /// Its highest MODSEQ.
    pub highest_modseq: ModSeq,
    /// Its messages, ascending; shared by all sessions that opened it in the same state.
    pub uids: Arc<[Uid]>,
    /// Messages from this UID on are `\Recent` in this session; `None`: none.
    pub recent_from: Option<Uid>,
    /// The first message without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// Keywords in use.
    pub keywords: Vec<Keyword>,
}

/// What a FETCH wants of each message. Sections are numbered by their place in `sections`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchItems {
    /// FLAGS (also asked when a section sets `\Seen`).
    pub flags: bool,
    /// INTERNALDATE
    pub internal_date: bool,
    /// RFC822.SIZE
    pub size: bool,
    /// ENVELOPE, BODY, BODYSTRUCTURE
    pub summary: bool,
    /// Message sections.
    pub sections: Vec<Section>,
    /// Set `\Seen` on each message first (a BODY[…] without PEEK in a mailbox that is not read-only).
    pub set_seen: bool,
    /// EMAILID, THREADID
    pub ids: bool,
    /// SAVEDATE (RFC 8514)
    pub save_date: bool,
    /// PREVIEW (RFC 8970)
    pub preview: bool,
}

impl FetchItems {
    /// Whether nothing is asked but what [`LIGHT_PIECE`] names.
    #[must_use]
    pub fn is_light(&self) -> bool {
        !self.summary && self.sections.is_empty() && !self.set_seen && !self.ids && !self.preview
    }
}

/// One message section: RFC 3501 §6.4.5, `section-spec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Part numbers; empty is the message itself.
    pub part: Vec<u32>,
    /// What of it.
    pub text: SectionText,
    /// What is told of that.
    pub form: SectionForm,
    /// `<origin.count>`: only these octets; with a count of [`u64::MAX`] all from the origin on.
    pub partial: Option<(u64, u64)>,
}

impl Section {
    /// Whether it is the body of a part with its transfer encoding undone. Headers and texts have none, and the message
    /// itself is told as it is (RFC 3516 §4.2).
    #[must_use]
    pub fn is_decoded(&self) -> bool {
        self.form != SectionForm::Body && self.text == SectionText::All && !self.part.is_empty()
    }
}

/// What is told of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SectionForm {
    /// `BODY[…]`: its octets.
    #[default]
    Body,
    /// `BINARY[…]`: its octets, those of a part's body with its transfer encoding undone (RFC 3516 §4.2).
    Binary,
    /// `BINARY.SIZE[…]`: how many these are.
    BinarySize,
}

/// What of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// All of it: `BODY[]`, or a part's body `BODY[1]`.
    All,
    /// HEADER
    Header,
    /// HEADER.FIELDS, or HEADER.FIELDS.NOT
    HeaderFields {
        /// Field names, as given.
        names: Vec<String>,
        /// NOT
        not: bool,
    },
    /// TEXT
    Text,
    /// MIME: the part's own header.
    Mime,
}

/// What was found of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionData {
    /// No such part: NIL.
    Nothing,
    /// Its octets.
    Octets(Vec<Piece>),
    /// Its octets, which may hold NUL: told as a literal8 if they do.
    Decoded(Bytes),
    /// The number asked for.
    Size(u64),
    /// The transfer encoding is not known here: the command ends with NO `[UNKNOWN-CTE]`.
    UnknownEncoding,
}

/// What ENVELOPE, BODY and BODYSTRUCTURE tell of a message, decoded when it is written: an answer of hundreds of messages
/// holds them as they are stored.
pub trait Summarized: fmt::Debug + Send + Sync {
    /// The fields of ENVELOPE. `None`: they cannot be read; empty ones are told, and the command ends with NO.
    fn envelope(&self) -> Option<Envelope>;
    /// The tree of parts, likewise.
    fn root(&self) -> Option<Part>;
}

impl Summarized for Summary {
    fn envelope(&self) -> Option<Envelope> {
        Some(self.envelope.clone())
    }

    fn root(&self) -> Option<Part> {
        Some(self.root.clone())
    }
}

/// Data of one message.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Which message.
    pub uid: Uid,
    /// Its flags, if asked or just changed (after `\Seen` was set).
    pub flags: Option<MessageFlags>,
    /// Its MODSEQ.
    pub modseq: ModSeq,
    /// Whether this very question changed its flags.
    pub flags_changed: bool,
    /// INTERNALDATE.
    pub internal_date: InternalDate,
    /// Octets.
    pub size_octets: u64,
    /// EMAILID and THREADID.
    pub email_id: EmailId,
    /// Its conversation.
    pub thread_id: ThreadId,
    /// Envelope and structure, if asked.
    pub summary: Option<Arc<dyn Summarized>>,
    /// One for each section asked, in order.
    pub sections: Vec<SectionData>,
    /// SAVEDATE, seconds since 1970 UTC, if asked; `None` is NIL: not known.
    pub save_date: Option<i64>,
    /// PREVIEW, if asked.
    pub preview: Option<String>,
}

/// The answer to a piece of FETCH.
#[derive(Clone, Debug, Default)]
pub struct FetchedPiece {
    /// Ascending; messages that are gone, or not changed since, are left out.
    pub messages: Vec<Fetched>,
    /// How many of those asked for are gone.
    pub gone: usize,
    /// The last of those asked for, if the answer is large enough without them: they are asked for again.
    pub left: Vec<Uid>,
    /// What is kept of some of them cannot be read: they are told as far as they can, and the command fails.
    pub unreadable: bool,
}

/// The answer to a piece of STORE.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The flags now of each message that is there and was not refused, ascending.
    pub now: Vec<FlagsNow>,
    /// Those left alone because they have changed since (RFC 7162 §3.1.3), ascending.
    pub modified: Vec<Uid>,
    /// How many of those asked for are gone.
    pub gone: usize,
}

/// The answer to a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The messages: ascending, or in the order asked for.
    pub uids: Vec<Uid>,
    /// Their modseqs, one for each, if the program asks for a modseq; else empty.
    pub modseqs: Vec<ModSeq>,
}

/// How STORE changes flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagChange {
    /// `+FLAGS`, `-FLAGS` or `FLAGS`.
    pub mode: ChangeMode,
    /// The flags named.
    pub flags: MessageFlags,
}

/// See [`FlagChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeMode {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// A message's flags after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagsNow {
    /// Which message.
    pub uid: Uid,
    /// Its flags.
    pub flags: MessageFlags,
    /// Its MODSEQ.
    pub modseq: ModSeq,
}

/// What COPY or MOVE did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uid_validity: UidValidity,
    /// Source and target.
    pub pairs: Vec<(Uid, Uid)>,
}

/// What happened in the selected mailbox since the last news. The session's own STORE is left out (its answer told).
#[derive(Clone, Debug, Default)]
pub struct News {
    /// New messages, ascending.
    pub appended: Vec<Uid>,
    /// Those of them that another session was told of first, so that they are not `\Recent` here; ascending.
    pub not_recent: Vec<Uid>,
    /// Changed flags.
    pub flags: Vec<FlagsNow>,
    /// Messages that are gone.
    pub expunged: Vec<Uid>,
    /// If given, what is there, ascending: any other message that was told is gone too. Given when it is no longer
    /// known which messages were expunged.
    pub present: Option<Arc<[Uid]>>,
    /// What happened in other mailboxes that are watched.
    pub others: Vec<OtherNews>,
    /// The mailbox's highest MODSEQ, if it changed: with these news everything up to it is said. The client is told to
    /// remember it, so it never reaches further than they do.
    pub highest_modseq: Option<ModSeq>,
    /// The session has to end, with this text after BYE: mailbox deleted, credentials revoked.
    pub bye: Option<&'static str>,
}

/// News of a mailbox that is not selected (RFC 5465 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherNews {
    /// Its counts now.
    Status {
        /// Its name.
        name: String,
        /// Its counts.
        data: StatusData,
        /// Flags alone have changed, so MESSAGES and UIDNEXT are no news.
        flags_only: bool,
    },
    /// It was made, renamed, deleted (then it does not exist), subscribed or unsubscribed.
    Mailbox {
        /// What it is now.
        entry: MailboxEntry,
        /// What it was called before, if it was renamed.
        old_name: Option<String>,
        /// Whether there are mailboxes below it.
        has_children: bool,
    },
}
