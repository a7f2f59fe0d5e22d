//! Mail that is brought along in files.

use super::{ApiArgs, Paging};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What the help of the command shows beside the exit codes.
pub(crate) const IMPORT_EXAMPLES: &str = "\
Examples:
  postroom import old.mbox --inbox scout@example.org            follows it to its end
  postroom import takeout.zip --identity scout --unread --detach
  postroom import old.mbox --inbox scout@example.org --mine me@old.example    what they wrote goes to Sent
  postroom import ls --inbox scout@example.org
  postroom import follow ID --inbox scout@example.org
It ends with 1 if a message could not be brought; one that was there already is left out. A file called like one
of the commands is given as ./NAME.";

/// A file, or one of the commands about files that were sent.
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(flatten)]
    pub(crate) new: Option<NewImport>,
    #[command(subcommand)]
    pub(crate) verb: Option<ImportVerb>,
}

#[derive(Debug, Args)]
pub(crate) struct NewImport {
    /// An mbox file, a message (eml), or a zip archive of them
    pub(crate) file: PathBuf,
    // What is there only together with others cannot be made of parts: these two are those of `IntoInbox`.
    /// Into this inbox: its address, or with a tenant key its id
    #[arg(
        long,
        value_name = "ADDRESS",
        required_unless_present = "identity",
        conflicts_with = "identity"
    )]
    pub(crate) inbox: Option<String>,
    /// Into the inbox of this identity
    #[arg(long, value_name = "HANDLE")]
    pub(crate) identity: Option<String>,
    /// What the file is
    #[arg(long, default_value = "auto", value_parser = ["auto", "mbox", "eml", "zip"])]
    pub(crate) format: String,
    /// An address that was the owner's: what was written from it goes to Sent; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mine: Vec<String>,
    /// Leave the messages unread
    #[arg(long)]
    pub(crate) unread: bool,
    /// Do not wait until they are there
    #[arg(long)]
    pub(crate) detach: bool,
}

/// Whose mail it is to be.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct IntoInbox {
    /// Into this inbox: its address, or with a tenant key its id
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) inbox: Option<String>,
    /// Into the inbox of this identity
    #[arg(long, value_name = "HANDLE")]
    pub(crate) identity: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportVerb {
    /// List imports, newest first
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        into: IntoInbox,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show how far one is
    Show(OneImport),
    /// Follow one to its end; one whose file has arrived is started if that was not done
    Follow(OneImport),
    /// Give one up; what it brought stays
    Cancel(OneImport),
}

#[derive(Debug, Args)]
pub(crate) struct OneImport {
    /// Its id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) into: IntoInbox,
}
