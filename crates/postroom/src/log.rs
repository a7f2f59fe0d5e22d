//! Logs go to standard error; standard output belongs to the command.

use crate::Outcome;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` overrides the filter.
pub(crate) fn start(filter: &str, json: bool) -> Outcome<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(wanted) => EnvFilter::try_new(wanted)?,
        Err(_) => EnvFilter::try_new(filter)?,
    };
    let colours = std::io::stderr().is_terminal();
    let to_stderr = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    match json {
        true => to_stderr.json().init(),
        false => to_stderr.init(),
    }
    Ok(())
}
