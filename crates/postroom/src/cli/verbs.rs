//! What the client commands can be told to do.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum OrgVerb {
    /// Make an organization; prints its key, once
    Create {
        /// Its name
        name: String,
        /// Most inboxes it may have
        #[arg(long)]
        max_inboxes: Option<u32>,
    },
    /// List organizations
    List,
    /// Show one
    Show {
        /// Its id
        id: String,
    },
    /// Delete one with all its inboxes
    Delete {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum InboxVerb {
    /// Make an inbox; prints its password and key, once
    Create {
        /// The wanted name; another free one is taken if it is not to be had
        name: Option<String>,
        /// Domain, if not the server's default
        #[arg(long)]
        domain: Option<String>,
        /// Name shown in From
        #[arg(long)]
        display_name: Option<String>,
        /// That name or none
        #[arg(long)]
        strict: bool,
    },
    /// List inboxes
    List,
    /// Show one
    Show {
        /// Its address or id
        inbox: String,
    },
    /// Delete one
    Delete {
        /// Its address or id
        inbox: String,
    },
    /// New password and key; prints them, once
    Rotate {
        /// Its address or id
        inbox: String,
    },
    /// Send what comes in on to another address
    Forward {
        /// Its address or id
        inbox: String,
        /// Where to
        #[arg(required_unless_present = "off")]
        address: Option<String>,
        /// No longer
        #[arg(long, conflicts_with = "address")]
        off: bool,
    },
    /// Further addresses
    Alias {
        #[command(subcommand)]
        verb: AliasVerb,
    },
    /// Stop sending and receiving, or one of them
    Pause(Switch),
    /// Send and receive again
    Resume(Switch),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AliasVerb {
    /// Give the inbox another address
    Add {
        /// Its address or id
        inbox: String,
        /// The new address
        address: String,
        /// Send from it from now on
        #[arg(long)]
        primary: bool,
    },
    /// Take one away
    Remove {
        /// Its address or id
        inbox: String,
        /// The address
        address: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Switch {
    /// Its address or id
    pub(crate) inbox: String,
    /// Only sending
    #[arg(long, conflicts_with = "receiving")]
    pub(crate) sending: bool,
    /// Only receiving
    #[arg(long)]
    pub(crate) receiving: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MessageVerb {
    /// List messages, newest first
    List {
        /// The inbox's address or id
        inbox: String,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Leave out this many first
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Show one
    Show {
        /// The inbox's address or id
        inbox: String,
        /// The message's id
        id: String,
    },
    /// Move one to Trash
    Delete {
        /// The inbox's address or id
        inbox: String,
        /// The message's id
        id: String,
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
        content: Content,
    },
    /// Answer one; the text comes from standard input unless --text or --html is given
    Reply {
        /// The inbox's address or id
        inbox: String,
        /// The message's id
        id: String,
        /// Answer everybody it went to
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        content: Content,
    },
    /// Pass one on with its attachments
    Forward {
        /// The inbox's address or id
        inbox: String,
        /// The message's id
        id: String,
        #[command(flatten)]
        recipients: Recipients,
        #[command(flatten)]
        content: Content,
    },
    /// What became of a sent message: every recipient, every attempt
    Trace {
        /// The inbox's address or id
        inbox: String,
        /// The message's id
        id: String,
    },
    /// Mail that was caught instead of sent: all of it, or one
    Captured {
        /// Its id
        id: Option<String>,
        /// As it would have been sent
        #[arg(long, requires = "id")]
        raw: bool,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Recipients {
    /// To whom; may be given several times
    #[arg(long, required = true, value_name = "ADDRESS")]
    pub(crate) to: Vec<String>,
    /// Who gets a copy
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cc: Vec<String>,
    /// Who gets a copy unseen by the others
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bcc: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Content {
    /// The text
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// The text as HTML
    #[arg(long)]
    pub(crate) html: Option<String>,
    /// A file to go along; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// A person wrote it: leave out the mark of automatic mail
    #[arg(long)]
    pub(crate) personal: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DomainVerb {
    /// Answer for a domain; makes its DKIM keys
    Add {
        /// Its name
        domain: String,
        /// Only for this organization's inboxes
        #[arg(long, value_name = "ID")]
        org: Option<String>,
    },
    /// List domains
    List,
    /// Show one
    Show {
        /// Its name
        domain: String,
    },
    /// The DNS records it needs
    Dns {
        /// Its name
        domain: String,
        /// How to print them
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// New DKIM keys, published now and used once they are known
    RotateDkim {
        /// Its name
        domain: String,
        /// Sign with them at once
        #[arg(long)]
        now: bool,
    },
    /// Answer for it no longer
    Remove {
        /// Its name
        domain: String,
    },
    /// Deliver mail for addresses that nobody has
    CatchAll {
        /// Its name
        domain: String,
        /// An address of ours that gets it
        #[arg(required_unless_present = "off")]
        address: Option<String>,
        /// Refuse it again
        #[arg(long, conflicts_with = "address")]
        off: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// A table
    Text,
    /// JSON
    Json,
    /// A zone file
    Zone,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    /// List recipients
    Ls {
        /// Only mail of this inbox, by its id
        #[arg(long, value_name = "ID")]
        inbox: Option<String>,
        /// Only these: pending (what is not final, the default), all, queued, attempting, on-hold, delivered, bounced, expired,
        /// cancelled, held
        #[arg(long)]
        state: Option<String>,
        /// Only mail to this domain
        #[arg(long)]
        domain: Option<String>,
        /// Go on after an earlier list; it says where
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show a message with all its recipients
    Show {
        /// The message's id
        message: String,
    },
    /// Try again now, also what is on hold
    Retry(Which),
    /// Do not try until told to
    Hold(Which),
    /// Give up
    Cancel(Which),
    /// Try everything now that is not on hold
    Flush,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The message's id
    pub(crate) message: String,
    /// One recipient, by its number
    #[arg(long, value_name = "N")]
    pub(crate) recipient: Option<u16>,
}
