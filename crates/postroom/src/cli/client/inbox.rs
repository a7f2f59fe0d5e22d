//! Inboxes.

use super::Paging;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum InboxVerb {
    /// Make an inbox. With a tenant key (tk_, wk_) prints its password and key, once
    Create(Box<NewInbox>),
    /// List inboxes
    #[command(visible_alias = "list")]
    Ls {
        /// Only in this pod
        #[arg(long, value_name = "ID")]
        pod: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Find inboxes by address, name or your id of them
    Search {
        /// What to look for
        query: String,
        /// Only in this pod
        #[arg(long, value_name = "ID")]
        pod: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one
    Show {
        /// Its address or id
        inbox: String,
    },
    /// Change its name or what is kept with it
    Update {
        /// Its address or id
        inbox: String,
        /// Name shown in From; empty takes it away
        #[arg(long)]
        display_name: Option<String>,
        /// Something to keep with it; an empty value takes it away
        #[arg(long, value_name = "NAME=VALUE")]
        metadata: Vec<String>,
    },
    /// Delete one
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its address or id
        inbox: String,
    },
    /// Which labels its messages were given and lost
    Events {
        /// Its address or id
        inbox: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// New password and key; prints them, once. With a tenant key
    Rotate {
        /// Its address or id
        inbox: String,
    },
    /// Send what comes in on to another address. With a tenant key
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
    /// Further addresses, with a tenant key
    Alias {
        #[command(subcommand)]
        verb: AliasVerb,
    },
    /// Stop sending and receiving, or, with a tenant key, one of them
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
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
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

#[derive(Debug, Args)]
pub(crate) struct NewInbox {
    /// The wanted name; without --strict a tenant key gets another free one if it is not to be had
    pub(crate) name: Option<String>,
    /// Domain, if not the server's default
    #[arg(long)]
    pub(crate) domain: Option<String>,
    /// Name shown in From
    #[arg(long)]
    pub(crate) display_name: Option<String>,
    /// That name or none
    #[arg(long)]
    pub(crate) strict: bool,
    /// The pod it belongs to
    #[arg(long, value_name = "ID")]
    pub(crate) pod: Option<String>,
    /// An id of your own: asked again with the same, it is made once; no password is given then
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Something to keep with it; may be given several times; no password is given then
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) metadata: Vec<String>,
}
