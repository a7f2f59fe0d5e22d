//! A self-hosted mail server for AI agents and the people who run them: the program.
//!
//! The only crate that names a store backend, knows TOML, and reads the command line. What it does is wiring: it opens
//! the store, builds mailstore, identity and intake on it, and gives each socket its listener.

mod backup;
mod certificate_check;
mod certificates;
mod cli;
mod client;
mod config;
mod core;
mod descriptors;
mod dev;
mod format;
mod fsck;
mod log;
mod memory;
mod owner;
mod progress;
mod remedy;
mod serve;
mod server;
mod sockets;
mod space;
mod startup;
mod systemd;
mod upkeep;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use std::io::Write;
use std::process::ExitCode;

/// What a command comes to; the error is for people.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result = runtime.block_on(run(cli.command));
    // A read of standard input or a name lookup may hang in a thread of the runtime; nothing acknowledged depends on it.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match result {
        Ok(code) => code,
        Err(error) => fail(&*error),
    }
}

async fn run(command: Command) -> Outcome<ExitCode> {
    match command {
        Command::Fsck(args) => return Ok(fsck::run(&args).await),
        Command::Client(client) => return Ok(client::run(&client).await),
        Command::Backup(args) => return backup::run(&args).await,
        Command::Restore(args) => return backup::run_restore(&args).await,
        Command::Dev(args) => dev::run(&args).await,
        Command::Serve { config } => serve::run(&config.file).await,
        Command::CheckConfig { config } => serve::check(&config.file),
        Command::Version { json } => version(json),
        Command::Completions { shell } => completions(shell),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn version(json: bool) -> Outcome<()> {
    let version = env!("CARGO_PKG_VERSION");
    match json {
        true => println!("{}", serde_json::json!({ "name": "postroom", "version": version })),
        false => println!("postroom {version}"),
    }
    Ok(())
}

/// Prints what a shell completes the commands with.
fn completions(shell: clap_complete::Shell) -> Outcome<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "postroom", &mut script);
    match std::io::stdout().write_all(&script) {
        // Who reads no further has seen enough, as with `head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn fail(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ExitCode {
    eprintln!("postroom: {error}");
    if let Some(remedy) = remedy::remedy(error) {
        eprintln!("postroom: {remedy}");
    }
    ExitCode::FAILURE
}
