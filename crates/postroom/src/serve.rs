//! `postroom serve` and `postroom check-config`.

use crate::Outcome;
use crate::certificates::write_private;
use crate::config::Config;
use crate::server::{Mode, Server};
use postroom_identity::{Identity, KeyScope};
use std::path::Path;

/// Runs until stopped.
pub(crate) async fn run(file: &Path) -> Outcome<()> {
    let config = Config::load(file)?;
    crate::log::start(&config.log.filter, config.log.json)?;
    Server::start(config, Mode::Serve).await?.run_until_stopped().await
}

/// On the first start, writes an operator key to `operator-key` in the data folder, for its owner alone.
pub(crate) async fn ensure_operator_key(identity: &Identity, data_dir: &Path) -> Outcome<()> {
    let file = data_dir.join("operator-key");
    if file.exists() {
        return Ok(());
    }
    let operator = identity.bootstrap().await?.organization;
    let key = identity
        .create_key(&KeyScope::Operator(operator), Some("first"))
        .await?;
    write_private(&file, format!("{}\n", key.secret.expose()).as_bytes())?;
    tracing::info!(file = %file.display(), "wrote an operator key");
    Ok(())
}

/// Reads a configuration and says what is wrong with it.
pub(crate) fn check(file: &Path) -> Outcome<()> {
    let config = Config::load(file)?;
    if let Some(tls) = &config.tls {
        postroom_net::TlsConfig::from_files(&tls.certificate, &tls.key, true)?;
    }
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
