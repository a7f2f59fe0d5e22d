//! Messages and threads.

use super::{Content, Filter, Labels, Paging, Recipients, Time, Within};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// One message or draft of an inbox.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The inbox's address or id
    pub(crate) inbox: String,
    /// Its id
    pub(crate) id: String,
}

/// Where a download goes.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The file to write, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MessageVerb {
    /// List messages, newest first
    #[command(visible_alias = "list")]
    Ls {
        /// The inbox's address or id
        inbox: String,
        #[command(flatten)]
        filter: Box<Filter>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Find messages by words; the best first
    Search {
        /// The inbox's address or id
        inbox: String,
        /// What to look for
        query: String,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one, or several
    Show {
        /// The inbox's address or id
        inbox: String,
        /// The messages' ids
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Send one; the text comes from standard input unless --text or --html is given
    Send {
        /// The inbox's address or id
        inbox: String,
        #[command(flatten)]
        recipients: Recipients,
        /// Its subject
        #[arg(long, default_value = "")]
        subject: String,
        #[command(flatten)]
        content: Box<Content>,
    },
    /// Answer one; the text comes from standard input unless --text or --html is given
    Reply {
        #[command(flatten)]
        one: One,
        /// Answer everybody it went to
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        content: Box<Content>,
    },
    /// Answer everybody one went to; the text comes from standard input unless --text or --html is given
    ReplyAll {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        content: Box<Content>,
    },
    /// Pass one on with its attachments
    Forward {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        recipients: Recipients,
        /// Another subject than the message's
        #[arg(long)]
        subject: Option<String>,
        #[command(flatten)]
        content: Box<Content>,
    },
    /// Give labels and take them away, of one message or several
    Label {
        /// The inbox's address or id
        inbox: String,
        /// The messages' ids
        #[arg(required = true)]
        id: Vec<String>,
        #[command(flatten)]
        labels: Labels,
    },
    /// Move one to Trash
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        #[command(flatten)]
        one: One,
        /// Not to Trash: gone for good
        #[arg(long)]
        for_good: bool,
    },
    /// The message as it is stored
    Raw {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        target: Target,
    },
    /// Its attachments: a list of them, or one
    Attachment {
        #[command(flatten)]
        one: One,
        /// The attachment's id
        attachment: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Wait for a message, and print it or what is wanted of it; ends with 5 if none came in time
    Wait(Box<Wait>),
    /// What became of a sent message: every recipient, every attempt
    Trace(One),
    /// Mail that was caught instead of sent: all of it, or one. With a tenant key
    Captured {
        /// Its id
        id: Option<String>,
        /// As it would have been sent
        #[arg(long, requires = "id")]
        raw: bool,
        /// Go on after an earlier list; it says where
        #[arg(long, value_name = "CURSOR", conflicts_with = "id")]
        after: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// The inbox's address or id
    pub(crate) inbox: String,
    /// Only from this address or domain, or from somebody whose name has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) from: Option<String>,
    /// Only with this in the subject
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,
    /// Only in this thread
    #[arg(long, value_name = "ID")]
    pub(crate) thread: Option<String>,
    /// Also what came since: a time (RFC 3339), or a cursor
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub(crate) since: String,
    /// Only with a one-time code or a link in it; prints that alone
    #[arg(long, value_name = "WHAT", value_parser = ["code", "link"])]
    pub(crate) extract: Option<String>,
    /// What the link has to be for
    #[arg(long, value_parser = ["verify", "reset", "login"], requires = "extract")]
    pub(crate) purpose: Option<String>,
    /// Only if the domain of the sender proved to have sent it
    #[arg(long)]
    pub(crate) dmarc: bool,
    /// Take it: no other wait that consumes gets the same
    #[arg(long)]
    pub(crate) consume: bool,
    /// Also what is in Spam
    #[arg(long)]
    pub(crate) spam: bool,
    /// Also what nobody proved to have sent
    #[arg(long)]
    pub(crate) unauthenticated: bool,
    /// How long, at most a year
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    pub(crate) timeout: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ThreadVerb {
    /// List threads, newest first
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        filter: Box<Filter>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Find threads by words; the best first
    Search {
        /// What to look for
        query: String,
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one with its messages
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Give all its messages labels, and take labels away
    Label {
        /// Its id
        id: String,
        #[command(flatten)]
        labels: Labels,
    },
    /// Move one to Trash
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its id
        id: String,
        /// Not to Trash: gone for good
        #[arg(long)]
        for_good: bool,
    },
    /// One attachment of its messages
    Attachment {
        /// The thread's id
        id: String,
        /// The attachment's id
        attachment: String,
        #[command(flatten)]
        target: Target,
    },
}
