//! `postroom serve` and `postroom check-config`.

use crate::Outcome;
use crate::certificates::write_private;
use crate::config::Config;
use crate::server::{Mode, Server};
use postroom_identity::KeyScope;
use std::path::Path;

/// Runs until stopped.
pub(crate) async fn run(file: &Path) -> Outcome<()> {
    let config = Config::load(file)?;
    crate::log::start(&config.log.filter, config.log.json)?;
    let key_file = config.data_dir.join("operator-key");
    let server = Server::start(config, Mode::Serve).await?;
    if !key_file.exists() {
        let operator = server.identity().bootstrap().await?.organization;
        let key = server
            .identity()
            .create_key(&KeyScope::Operator(operator), Some("first"))
            .await?;
        write_private(&key_file, format!("{}\n", key.secret.expose()).as_bytes())?;
        tracing::info!(file = %key_file.display(), "wrote the first operator key");
    }
    server.run_until_stopped().await
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
