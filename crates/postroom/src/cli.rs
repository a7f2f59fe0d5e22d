//! The command line.

pub(crate) mod client;

use crate::Outcome;
use crate::config::Config;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// A self-hosted mail server for AI agents and the people who run them.
#[derive(Debug, Parser)]
#[command(name = "postroom", version, about, propagate_version = true, after_help = client::EXIT_CODES)]
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
    /// Copy the data of a server, running or not, into a folder; a further backup there copies only what is new. Ends with 0
    /// if all is in it as it was written, else with 1
    Backup(BackupArgs),
    /// Make a data folder of a backup; ends with 0 if all is in it, 1 if something is not or nothing could be restored
    Restore(RestoreArgs),
    /// Print the version
    Version {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what a shell needs to complete these commands, such as `postroom completions bash`
    Completions {
        /// For which shell
        shell: Shell,
    },
    #[command(flatten)]
    Client(client::Client),
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
    /// If the journal has lost its end: go on without what is missing, and say what that is. Copy the folder first
    #[arg(long, conflicts_with = "rebuild_index")]
    pub(crate) accept_loss: bool,
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
    /// Read all of the earlier backup, and copy anew what is not what was written
    #[arg(long)]
    pub(crate) verify: bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, CommandFactory};

    /// Each command below this one, and itself.
    fn all(command: &Command) -> Vec<Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command.clone()).chain(below).collect()
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn short_and_long_names_both_work() {
        let commands = all(&Cli::command());
        let check = |name: &str, aliases: &[&str]| {
            let found = commands.iter().filter(|command| command.get_name() == name);
            let missing = found.filter(|command| {
                let has: Vec<&str> = command.get_all_aliases().collect();
                !aliases.iter().all(|alias| has.contains(alias))
            });
            assert_eq!(missing.count(), 0, "{name} without {aliases:?}");
        };
        check("ls", &["list"]);
        check("rm", &["delete", "remove"]);
        let named = |name: &str| commands.iter().filter(|command| command.get_name() == name).count();
        assert!(named("ls") >= 11 && named("rm") >= 10);
    }

    #[test]
    fn a_file_is_imported_or_a_command_is_given() {
        let parsed = |words: &[&str]| {
            let words = ["postroom", "import"].iter().chain(words);
            let super::Command::Client(client::Client::Import(import)) = Cli::try_parse_from(words).ok()?.command
            else {
                return None;
            };
            Some((import.new.is_some(), import.verb.is_some()))
        };
        assert_eq!(parsed(&["a.mbox", "--inbox", "a@b"]), Some((true, false)));
        assert_eq!(parsed(&["--identity", "a", "--unread", "./ls"]), Some((true, false)));
        assert_eq!(parsed(&["--key", "tk_x", "ls", "--inbox", "a@b"]), Some((false, true)));
        assert_eq!(
            parsed(&["show", "ID", "--identity", "a", "--json"]),
            Some((false, true))
        );
        for wrong in [
            &[][..],
            &["a.mbox"],
            &["--inbox", "a@b"],
            &["ls"],
            &["a", "--inbox", "a@b", "--identity", "c"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_wait_ends_within_a_year() {
        let command = ["postroom", "message", "wait", "a@b", "--timeout"];
        let parsed = |timeout| Cli::try_parse_from(command.into_iter().chain([timeout])).is_ok();
        assert!(parsed("31536000"));
        assert!(!parsed("31536001") && !parsed("18446744073709551615"));
    }

    #[test]
    fn nothing_is_taken_for_the_server_or_the_key() {
        // Arguments are told apart by their id: one of the same would get the value of the other.
        let cli = Cli::command();
        let groups = cli.get_subcommands().filter(|group| group.has_subcommands());
        let below = groups.flat_map(|group| group.get_subcommands().flat_map(all));
        let taken = |arg: &clap::Arg| ["url", "key", "json"].contains(&arg.get_id().as_str());
        let wrong = below.filter(|command| command.get_arguments().any(taken));
        let wrong: Vec<String> = wrong.map(|command| command.get_name().to_owned()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn each_group_tells_its_exit_codes() {
        let cli = Cli::command();
        let groups = cli.get_subcommands().filter(|group| group.has_subcommands());
        let silent = groups.filter(|group| group.get_after_help().is_none());
        let silent: Vec<&str> = silent.map(Command::get_name).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }
}
