//! Domains and the queue.

use super::Paging;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum DomainVerb {
    /// Answer for a domain. An operator's is so at once; an organization's once its DNS says so
    Add {
        /// Its name
        domain: String,
        /// Only for this organization's inboxes; with an operator key
        #[arg(long, value_name = "ID")]
        org: Option<String>,
        /// The pod it belongs to
        #[arg(long, value_name = "ID", conflicts_with = "org")]
        pod: Option<String>,
        /// Inboxes may also be below it
        #[arg(long, conflicts_with = "org")]
        subdomains: bool,
    },
    /// List domains
    #[command(visible_alias = "list")]
    Ls {
        /// Only in this pod
        #[arg(long, value_name = "ID")]
        pod: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one
    Show {
        /// Its name
        domain: String,
    },
    /// The DNS records it needs
    #[command(visible_alias = "records")]
    Dns {
        /// Its name
        domain: String,
        /// How to print them
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Look at its DNS now, and show it. With a key of an organization
    Verify {
        /// Its name
        domain: String,
    },
    /// Change what it is used for. With a key of an organization
    Update {
        /// Its name
        domain: String,
        /// Whether inboxes may also be below it
        #[arg(long, value_name = "BOOL")]
        subdomains: Option<bool>,
        /// Whether its records have an MX
        #[arg(long, value_name = "BOOL")]
        inbound: Option<bool>,
        /// Whether reports are to come in
        #[arg(long, value_name = "BOOL")]
        feedback: Option<bool>,
    },
    /// New DKIM keys, published now and used once they are known. With an operator key
    RotateDkim {
        /// Its name
        domain: String,
        /// Sign with them at once
        #[arg(long)]
        now: bool,
    },
    /// Answer for it no longer
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its name
        domain: String,
    },
    /// Deliver mail for addresses that nobody has. With an operator key
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
    #[command(visible_alias = "list")]
    Ls {
        /// Only mail of this inbox
        #[arg(long, value_name = "ADDRESS")]
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
        /// The message's id, as the queue has it
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
    /// The message's id, as the queue has it
    pub(crate) message: String,
    /// One recipient, by its number
    #[arg(long, value_name = "N")]
    pub(crate) recipient: Option<u16>,
}
