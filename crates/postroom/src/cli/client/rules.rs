//! Lists, webhooks, events and metrics: what is let in, what is told, and what is counted.

use super::{Paging, Within};
use clap::{Args, Subcommand};

/// One of the lists.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// Of mail that comes in, that goes out, or that is answered
    #[arg(value_parser = ["receive", "send", "reply"])]
    pub(crate) direction: String,
    /// What the list is for
    #[arg(value_name = "TYPE", value_parser = ["allow", "block"])]
    pub(crate) kind: String,
    #[command(flatten)]
    pub(crate) within: Within,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ListVerb {
    /// Put an address or a domain on a list
    Add {
        #[command(flatten)]
        list: Listed,
        /// The address or domain
        entry: String,
        /// Why it is blocked
        #[arg(long)]
        reason: Option<String>,
    },
    /// List its entries
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        list: Listed,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one entry
    Show {
        #[command(flatten)]
        list: Listed,
        /// The address or domain
        entry: String,
    },
    /// Take an entry off
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        #[command(flatten)]
        list: Listed,
        /// The address or domain
        entry: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookVerb {
    /// Tell a URL what happens; prints the secret that signs it
    #[command(visible_alias = "create")]
    Add {
        /// Where to
        #[arg(value_name = "URL")]
        target: String,
        #[command(flatten)]
        within: Within,
        /// Only events of this type, such as message.received; may be given several times
        #[arg(long = "type", value_name = "TYPE")]
        kind: Vec<String>,
        /// Of the pods in reach only this one; may be given several times
        #[arg(long, value_name = "ID")]
        only_pod: Vec<String>,
        /// Of the inboxes in reach only this one; may be given several times
        #[arg(long, value_name = "ADDRESS")]
        only_inbox: Vec<String>,
        /// A header field that the requests get
        #[arg(long, value_name = "NAME: VALUE")]
        header: Vec<String>,
        /// An id of your own: asked again with the same, it is made once
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
    },
    /// List webhooks
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one
    Show {
        /// Its id
        id: String,
    },
    /// Change what one is told, or stop it
    Update {
        /// Its id
        id: String,
        /// From now on events of this type and no others; may be given several times
        #[arg(long = "type", value_name = "TYPE")]
        kind: Vec<String>,
        /// Also of this pod
        #[arg(long, value_name = "ID")]
        add_pod: Vec<String>,
        /// No longer of this pod
        #[arg(long, value_name = "ID")]
        remove_pod: Vec<String>,
        /// Also of this inbox
        #[arg(long, value_name = "ADDRESS")]
        add_inbox: Vec<String>,
        /// No longer of this inbox
        #[arg(long, value_name = "ADDRESS")]
        remove_inbox: Vec<String>,
        /// Begin again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Stop for now
        #[arg(long)]
        disable: bool,
    },
    /// Delete one
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its id
        id: String,
    },
    /// Names of the header fields that its requests get, or a change of them
    Headers {
        /// Its id
        id: String,
        /// Set this one
        #[arg(long, value_name = "NAME: VALUE")]
        set: Vec<String>,
        /// Take this one away
        #[arg(long, value_name = "NAME")]
        remove: Vec<String>,
    },
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct Heard {
    /// Only events of this type, such as message.received; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Vec<String>,
    /// Only of this pod; may be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) pod: Vec<String>,
    /// Only of this inbox; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) inbox: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsVerb {
    /// Print events as they happen, one a line, until Ctrl-C; goes on by itself when the connection breaks
    Tail {
        #[command(flatten)]
        heard: Heard,
        /// From where on: a cursor, the id of an event, `now`, or `start` for all that are kept
        #[arg(long, value_name = "CURSOR", default_value = "now")]
        after: String,
        /// End after this many
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// List events that were, oldest first
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        heard: Heard,
        /// From where on: a cursor or the id of an event; without it, all that are kept
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
}

/// Which points of which series.
#[derive(Debug, Args)]
pub(crate) struct Points {
    #[command(flatten)]
    pub(crate) within: Within,
    /// Only this series; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Vec<String>,
    /// From when on (RFC 3339) [default: a day before the end]
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// Until when (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<String>,
    /// One point for so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) period: Option<u32>,
    /// At most this many points of a series
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// Newest first
    #[arg(long)]
    pub(crate) descending: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MetricsVerb {
    /// How many events there were
    Events(Points),
    /// How much there was
    Usage(Points),
    /// How much of what was sent bounced or was complained of
    Rates {
        #[command(flatten)]
        points: Points,
        /// Each point sums up so many seconds
        #[arg(long, value_name = "SECONDS")]
        window: Option<u32>,
    },
}
