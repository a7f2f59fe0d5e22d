//! `postroom serve` and `postroom check-config`.

use crate::Outcome;
use crate::certificate_check;
use crate::config::Config;
use crate::core::Mode;
use crate::server::Server;
use jiff::Timestamp;
use std::path::Path;

/// Runs until stopped.
pub(crate) async fn run(file: &Path) -> Outcome<()> {
    let config = Config::load(file)?;
    crate::log::start(&config.log.filter, config.log.json)?;
    // What is wrong here is told before the store is opened, which may take its time.
    if let Some(tls) = &config.tls {
        certificate_check::warn(tls, &config.hostname)?;
    }
    Server::start(config, Mode::Serve).await?.run_until_stopped().await
}

/// Reads a configuration, and what it names, and says what is wrong: what keeps a server from its work is an error, the
/// rest a warning.
pub(crate) fn check(file: &Path) -> Outcome<()> {
    let config = Config::load(file)?;
    let (errors, warnings) = named_files(&config);
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    if !errors.is_empty() {
        return Err(errors.join("\n").into());
    }
    println!(
        "{} is good: {} answers for {}",
        file.display(),
        config.hostname,
        join(&config.domains)
    );
    Ok(())
}

/// The errors and warnings about the files that a configuration names.
fn named_files(config: &Config) -> (Vec<String>, Vec<String>) {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    if let Some(tls) = &config.tls {
        match certificate_check::look(tls, &config.hostname, Timestamp::now()) {
            Ok(found) => {
                errors.extend(found.errors);
                warnings.extend(found.warnings);
            }
            Err(error) => errors.push(error.to_string()),
        }
    }
    errors.extend(config.outbound.open_routes().err().map(|error| error.to_string()));
    errors.extend(config.outbound.read_extra_roots().err().map(|error| error.to_string()));
    (errors, warnings)
}

fn join(domains: &[postroom_types::Domain]) -> String {
    domains.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
