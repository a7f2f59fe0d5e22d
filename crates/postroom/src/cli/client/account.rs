//! Organizations, pods and keys.

use super::{Paging, Within};
use clap::{Args, Subcommand};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

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
    #[command(visible_alias = "list")]
    Ls {
        /// Those that were deleted and can still be had back
        #[arg(long)]
        deleted: bool,
    },
    /// Show one; without an id the key's own, with a key of an organization
    Show {
        /// Its id
        id: Option<String>,
    },
    /// Let nothing of it leave: no mail, no webhook; it takes mail, and its people can read
    Suspend {
        /// Its id
        id: String,
    },
    /// Let it go on; what waited leaves by itself
    Resume {
        /// Its id
        id: String,
    },
    /// Change its limits; `none` takes one away
    Limits(Limits),
    /// Delete one with all it has: nobody sees it any more, and it can be had back for as long as limits.deleted_keep says
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its id
        id: String,
    },
    /// Have back one that was deleted, with all it had
    Restore {
        /// Its id
        id: String,
    },
    /// Show the operator's own inbox, where postmaster@ and abuse@ of every domain come, or give it new secrets to read it with
    Postmaster {
        /// Make an API key for it and print it, once; the one before stops
        #[arg(long)]
        new_key: bool,
        /// Make a password for mail clients and print it, once; the one before stops
        #[arg(long)]
        new_password: bool,
    },
    /// Save everything of one as a zip archive: mail as mbox files, the rest as JSON
    Export {
        /// Its id
        id: String,
        /// Where to; it must not be there yet
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Limits {
    /// Its id
    pub(crate) id: String,
    /// Most inboxes
    #[arg(long, value_name = "NUMBER", value_parser = limit::<u32>)]
    pub(crate) inboxes: Option<Limit<u32>>,
    /// Most octets that its inboxes hold together
    #[arg(long, value_name = "OCTETS", value_parser = limit::<u64>)]
    pub(crate) octets: Option<Limit<u64>>,
    /// Most messages that its inboxes send a day together
    #[arg(long, value_name = "NUMBER", value_parser = limit::<u32>)]
    pub(crate) daily: Option<Limit<u32>>,
}

/// A limit; `None` is without.
#[derive(Clone, Copy, Debug, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct Limit<T>(Option<T>);

fn limit<T: FromStr<Err: Display>>(text: &str) -> Result<Limit<T>, String> {
    match text {
        "none" => Ok(Limit(None)),
        _ => text
            .parse()
            .map(|limit| Limit(Some(limit)))
            .map_err(|error: T::Err| error.to_string()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum PodVerb {
    /// Make a pod
    Create {
        /// Its name
        name: Option<String>,
        /// An id of your own: asked again with the same, it is made once
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
    },
    /// List pods
    #[command(visible_alias = "list")]
    Ls(Paging),
    /// Show one
    Show {
        /// Its id or your id of it
        pod: String,
    },
    /// Delete one; it must be empty
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its id
        pod: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key; prints it, once
    Create {
        /// What to call it
        name: Option<String>,
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        allow: Allow,
        /// When it stops to work (RFC 3339)
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// List keys
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
    /// Change its name or what it may do
    Update {
        /// Its id
        id: String,
        /// What to call it
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        allow: Allow,
        /// It may do everything where it is for
        #[arg(long, conflicts_with = "allow")]
        unrestricted: bool,
    },
    /// Revoke one
    #[command(visible_aliases = ["delete", "remove"])]
    Rm {
        /// Its id
        id: String,
    },
}

/// A whitelist of permissions.
#[derive(Debug, Args)]
pub(crate) struct Allow {
    /// It may do this and nothing else, such as message_read; may be given several times, also with commas between
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentVerb {
    /// Sign up; prints an inbox and its key, once. No key is needed
    SignUp {
        /// The name of the inbox
        username: String,
        /// The human who answers for the agent, and gets a code by mail
        #[arg(long, value_name = "ADDRESS")]
        human: Option<String>,
    },
    /// Give the code that the human got
    Verify {
        /// The code
        code: String,
    },
    /// Name the human who answers for the agent, and gets a code by mail
    Human {
        /// The human's address
        address: String,
    },
}
