//! `postroom serve` and `postroom check-config`.

use crate::Outcome;
use crate::config::Config;
use crate::core::Mode;
use crate::server::Server;
use std::path::Path;

/// Runs until stopped.
pub(crate) async fn run(file: &Path) -> Outcome<()> {
    let config = Config::load(file)?;
    crate::log::start(&config.log.filter, config.log.json)?;
    Server::start(config, Mode::Serve).await?.run_until_stopped().await
}

/// Reads a configuration and says what is wrong with it.
pub(crate) fn check(file: &Path) -> Outcome<()> {
    let config = Config::load(file)?;
    if let Some(tls) = &config.tls {
        postroom_net::TlsConfig::from_files(&tls.certificate, &tls.key, true)?;
    }
    config.outbound.open_routes()?;
    config.outbound.read_extra_roots()?;
    println!(
        "{} is good: {} answers for {}",
        file.display(),
        config.hostname,
        join(&config.domains)
    );
    Ok(())
}

fn join(domains: &[postroom_types::Domain]) -> String {
    domains.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
