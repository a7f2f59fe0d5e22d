//! What the IMAP machine asks, and what it can be told.
//!
//! The machine does the protocol: numbering, pattern matching, paging, the moments at which news may be told. The
//! outside does mail: it knows UIDs, never sequence numbers. Long work is asked for in pieces, by the machine, so no
//! answer is unbounded and other sessions get their turn between pieces.

use postroom_types::{
    EmailId, Envelope, Flags, Keyword, MailboxId, MessageFlags, ModSeq, Part, Piece, SpecialUse, ThreadId, Uid,
    UidValidity,
};
use postroom_wire::Credentials;

/// Most UIDs in one [`Question::Fetch`], [`Question::Store`] or [`Question::Expunge`].
pub const PIECE: usize = 300;

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
    /// Open a mailbox and begin to send news of it. → [`Answer::Selected`]
    Select {
        /// Name, UTF-8, hierarchy separator `/`; `INBOX` in capitals.
        name: String,
        /// EXAMINE.
        read_only: bool,
    },
    /// The selected mailbox is left; no more news. → [`Answer::Done`]
    Unselect,
    /// Make a mailbox and its missing parents. → [`Answer::Done`]
    Create(String),
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
    /// May a message of this size be appended there? Asked before the literal is taken; what was handed over before and
    /// not appended is void. → [`Answer::Done`]
    AppendStart {
        /// Mailbox name.
        name: String,
        /// Size of the literal.
        octets: u64,
    },
    /// The message was handed over as `Body` … `BodyEnd`: append it. → [`Answer::Appended`]
    Append {
        /// Mailbox name.
        name: String,
        /// Initial flags.
        flags: MessageFlags,
        /// INTERNALDATE, seconds since 1970 UTC; `None` is now.
        internal_date: Option<i64>,
    },
    /// Data of at most [`PIECE`] messages of the selected mailbox, ascending. → [`Answer::Fetched`]
    Fetch {
        /// Which messages.
        uids: Vec<Uid>,
        /// What of them.
        items: FetchItems,
    },
    /// Change flags of at most [`PIECE`] messages. → [`Answer::Stored`]
    Store {
        /// Which messages.
        uids: Vec<Uid>,
        /// How.
        change: FlagChange,
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
        /// The messages this session knows of; only these count.
        among: Vec<Uid>,
        /// The program, sequence numbers already turned into UIDs.
        program: SearchKey,
    },
    /// What has happened in the selected mailbox that was not told yet? Asked at the end of commands. → [`Answer::News`]
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
    /// To Select.
    Selected(Result<Selected, Fault>),
    /// To questions that have nothing more to tell.
    Done(Result<(), Fault>),
    /// To Append: where it went.
    Appended(Result<(UidValidity, Uid), Fault>),
    /// To Fetch: ascending; messages that are gone are left out.
    Fetched(Result<Vec<Fetched>, Fault>),
    /// To Store: the new flags of each message that is still there, ascending.
    Stored(Result<Vec<FlagsNow>, Fault>),
    /// To Copy and Move: source and target UIDs, pairwise; messages that are gone are left out.
    Copied(Result<Copied, Fault>),
    /// To Search: ascending.
    Found(Result<Vec<Uid>, Fault>),
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
    /// Anything else that is our fault: `[SERVERBUG]`.
    Internal,
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
}

/// Counts of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusData {
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
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The UID the next message will at least get.
    pub uid_next: Uid,
    /// Its highest MODSEQ.
    pub highest_modseq: ModSeq,
    /// Its messages, ascending.
    pub uids: Vec<Uid>,
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
    /// MODSEQ, EMAILID, THREADID
    pub ids: bool,
}

/// One message section: RFC 3501 §6.4.5, `section-spec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Part numbers; empty is the message itself.
    pub part: Vec<u32>,
    /// What of it.
    pub text: SectionText,
    /// `<origin.count>`: only these octets.
    pub partial: Option<(u64, u64)>,
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

/// Data of one message.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Which message.
    pub uid: Uid,
    /// Its flags, if asked (after `\Seen` was set).
    pub flags: Option<MessageFlags>,
    /// Its MODSEQ.
    pub modseq: ModSeq,
    /// Whether this very question changed its flags.
    pub flags_changed: bool,
    /// INTERNALDATE, seconds since 1970 UTC.
    pub internal_date: i64,
    /// Octets.
    pub size_octets: u64,
    /// EMAILID and THREADID.
    pub email_id: EmailId,
    /// Its conversation.
    pub thread_id: ThreadId,
    /// Envelope and structure, if asked.
    pub summary: Option<Box<(Envelope, Part)>>,
    /// One for each section asked, in order; `None` is NIL (no such part).
    pub sections: Vec<Option<Vec<Piece>>>,
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

/// A search program (RFC 3501 §6.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// ALL
    All,
    /// All of these.
    And(Vec<SearchKey>),
    /// One of these.
    Or(Box<(SearchKey, SearchKey)>),
    /// NOT
    Not(Box<SearchKey>),
    /// UID, or sequence numbers turned into UIDs: ascending ranges, both ends included.
    Uids(Vec<(Uid, Uid)>),
    /// A system flag is set (`UNSEEN` is `Not(Has(Seen))`).
    Has(Flags),
    /// A keyword is set.
    Keyword(Keyword),
    /// `\Recent` in this session: from this UID on.
    RecentFrom(Option<Uid>),
    /// Substring of a header field; an empty text asks for the field alone.
    Header {
        /// Field name.
        name: String,
        /// Text, UTF-8 after charset conversion.
        text: String,
    },
    /// Substring of the body text.
    Body(String),
    /// Substring of header or body.
    Text(String),
    /// RFC822.SIZE larger than.
    Larger(u64),
    /// RFC822.SIZE smaller than.
    Smaller(u64),
    /// INTERNALDATE's date before this day (days since 1970-01-01), in the server's zone, UTC.
    Before(i64),
    /// INTERNALDATE's date is this day.
    On(i64),
    /// INTERNALDATE's date is this day or later.
    Since(i64),
    /// Date field's date, without time and zone, before this day.
    SentBefore(i64),
    /// Date field's date is this day.
    SentOn(i64),
    /// Date field's date is this day or later.
    SentSince(i64),
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
    /// The mailbox's highest MODSEQ now, if it changed.
    pub highest_modseq: Option<ModSeq>,
    /// The session has to end, with this text after BYE: mailbox deleted, credentials revoked.
    pub bye: Option<&'static str>,
}
