//! The command line.

mod verbs;

use crate::Outcome;
use crate::config::Config;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
pub(crate) use verbs::{
    AliasVerb, Content, DomainVerb, Format, InboxVerb, MessageVerb, OrgVerb, QueueVerb, Recipients, Switch, Which,
};

/// A self-hosted mail server for AI agents and the people who run them.
#[derive(Debug, Parser)]
#[command(name = "postroom", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a complete server for trying out: no configuration, no root, no DNS; loopback only
    Dev(DevArgs),
    /// Run the server
    Serve {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Read a configuration and report every mistake with its line
    CheckConfig {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Check the data of a server that is not running; ends with 0 if all is well, 1 if not, 2 if it could not look
    Fsck(FsckArgs),
    /// Copy the data of a server, running or not, into a folder; a further backup there copies only what is new
    Backup(BackupArgs),
    /// Make a data folder of a backup
    Restore(RestoreArgs),
    /// Print the version
    Version {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Organizations, with an operator key
    Org {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        verb: OrgVerb,
    },
    /// Inboxes
    Inbox {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        verb: InboxVerb,
    },
    /// Messages of an inbox, coming and going
    Message {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        verb: MessageVerb,
    },
    /// Mail domains, their keys and DNS records, with an operator key
    Domain {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        verb: DomainVerb,
    },
    /// Mail on its way out
    Queue {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        verb: QueueVerb,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Folder for everything the server keeps [default: a folder under the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Domain of the inboxes [default: example.test, or what DIR was made with]
    #[arg(long)]
    pub(crate) domain: Option<String>,
    /// Ports are this plus the usual number: 2025 SMTP, 2587 submission, 2465 submission over TLS, 2143 IMAP, 2993 IMAP over
    /// TLS, 2080 HTTP
    #[arg(long, value_name = "PORT", default_value_t = 2000)]
    pub(crate) base_port: u16,
    /// Print exactly one line of JSON when ready
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArg {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE", default_value = "/etc/postroom/postroom.toml")]
    pub(crate) file: PathBuf,
}

/// Which data folder: given, or named by a configuration.
#[derive(Debug, Args)]
pub(crate) struct DataArg {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file that names the data folder
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "data",
        default_value = "/etc/postroom/postroom.toml"
    )]
    config: PathBuf,
}

impl DataArg {
    /// The folder.
    pub(crate) fn folder(&self) -> Outcome<PathBuf> {
        match &self.data {
            Some(data) => Ok(data.clone()),
            None => Ok(Config::load(&self.config)?.data_dir),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Make the index anew from snapshot and journal first
    #[arg(long)]
    pub(crate) rebuild_index: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The folder of the backup: new, or with an earlier backup of the same data
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The new data folder; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// The server's HTTP address
    #[arg(long, env = "POSTROOM_URL", default_value = "http://127.0.0.1:2080", global = true)]
    pub(crate) url: String,
    /// An API key
    #[arg(
        long,
        env = "POSTROOM_API_KEY",
        hide_env_values = true,
        default_value = "",
        global = true
    )]
    pub(crate) key: String,
    /// Print the server's JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}
