//! What the IMAP machine asks, and what it can be told.
//!
//! The machine does the protocol: numbering, pattern matching, paging, the moments at which news may be told. The
//! outside does mail: it knows UIDs, never sequence numbers. Long work is asked for in pieces, by the machine, so no
//! answer is unbounded and other sessions get their turn between pieces.

mod answer;
mod change;
mod fetch;
mod mailboxes;
mod news;

pub use answer::{Answer, Fault, Found};
pub use change::{Appending, ChangeMode, Copied, FlagChange, FlagsNow, Stored};
pub use fetch::{FetchItems, Fetched, FetchedPiece, Section, SectionData, SectionForm, SectionText, Summarized};
pub use mailboxes::{MailboxEntry, QuotaData, Selected, StatusData, Watch, WatchedMailboxes};
pub use news::{News, OtherNews};

use postroom_types::{ModSeq, SearchKey, SortKey, SpecialUse, ThreadAlgorithm, Uid};
use postroom_wire::Credentials;
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
    /// Remove a mailbox. If it is the selected one, it is left with that. → [`Answer::Deleted`]
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
        /// Messages this session knows of, ascending; only these count. All of them, or where a search is followed
        /// (RFC 5267), those that may have another answer than before.
        among: Vec<Uid>,
        /// The program, sequence numbers already turned into UIDs.
        program: Arc<SearchKey>,
    },
    /// The same, in this order. → [`Answer::Found`]
    Sort {
        /// Messages this session knows of, ascending; only these count. All of them, or the result of a search that is
        /// followed.
        among: Vec<Uid>,
        /// The program.
        program: Arc<SearchKey>,
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
    /// commands, and before what a command is about may be more than was told. → [`Answer::News`]
    Poll,
}
