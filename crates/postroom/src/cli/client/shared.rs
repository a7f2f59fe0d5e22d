//! Arguments that several commands have in common.

use clap::Args;
use std::path::PathBuf;

/// Where the help text tells what all commands take.
const SERVER: &str = "Server";

#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// The server's HTTP address
    #[arg(
        long,
        env = "POSTROOM_URL",
        default_value = "http://127.0.0.1:2080",
        global = true,
        help_heading = SERVER
    )]
    pub(crate) url: String,
    /// An API key
    #[arg(
        long,
        env = "POSTROOM_API_KEY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        global = true,
        help_heading = SERVER
    )]
    pub(crate) key: String,
    /// Print the server's JSON: always one object, `{}` where it says nothing
    #[arg(long, global = true, help_heading = SERVER)]
    pub(crate) json: bool,
}

/// Which part of a list. More than one page of the API is put together.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// All there are
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Go on after an earlier list; it says where
    #[arg(long = "page", value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}

/// The part of what the key sees that is meant; without it, all.
#[derive(Debug, Args)]
pub(crate) struct Within {
    /// Only in this pod
    #[arg(long, value_name = "ID")]
    pub(crate) pod: Option<String>,
    /// Only in this inbox
    #[arg(long, value_name = "ADDRESS", conflicts_with = "pod")]
    pub(crate) inbox: Option<String>,
}

/// Between two times.
#[derive(Debug, Args)]
pub(crate) struct Time {
    /// Only before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,
    /// Only from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) after: Option<String>,
}

/// Which messages or threads of a list.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only with this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Vec<String>,
    #[command(flatten)]
    pub(crate) time: Time,
    /// Only from somebody whose name or address has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) from: Vec<String>,
    /// Only to somebody whose name or address has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) to: Vec<String>,
    /// Only with this in the subject
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Vec<String>,
    /// Oldest first
    #[arg(long)]
    pub(crate) ascending: bool,
    /// Also what is in Spam
    #[arg(long)]
    pub(crate) spam: bool,
    /// Also what is in Trash
    #[arg(long)]
    pub(crate) trash: bool,
    /// Also what was blocked
    #[arg(long)]
    pub(crate) blocked: bool,
    /// Also what nobody proved to have sent
    #[arg(long)]
    pub(crate) unauthenticated: bool,
}

/// Labels to give and to take away.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Labels {
    /// Give this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub(crate) add: Vec<String>,
    /// Take this label away; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub(crate) remove: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Recipients {
    /// To whom; may be given several times
    #[arg(long, required = true, value_name = "ADDRESS")]
    pub(crate) to: Vec<String>,
    #[command(flatten)]
    pub(crate) copies: Copies,
}

#[derive(Debug, Args)]
pub(crate) struct Copies {
    /// Who gets a copy
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cc: Vec<String>,
    /// Who gets a copy unseen by the others
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bcc: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Content {
    /// The text; - is standard input
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// The text as HTML
    #[arg(long)]
    pub(crate) html: Option<String>,
    /// A file to go along; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// Where answers are to go
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) reply_to: Vec<String>,
    /// A label of the sent message; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Vec<String>,
    /// A further header field
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// A person wrote it: leave out the mark of automatic mail. With a tenant key
    #[arg(long, conflicts_with_all = ["reply_to", "label", "header"])]
    pub(crate) personal: bool,
    /// Sent again with the same key, it goes once
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}
