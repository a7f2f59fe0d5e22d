//! A running server: the store, what stands on it, and a listener for each socket.

mod services;

use crate::Outcome;
use crate::config::{Config, TlsFiles};
use crate::core::{Core, Mode};
use crate::sockets::Sockets;
use crate::startup::Waiting;
use crate::{certificate_check, descriptors, space, systemd, upkeep};
use postroom_delivery::{Delivery, HickoryNetwork};
use postroom_identity::Identity;
use postroom_net::TlsConfig;
use postroom_store_sled::SledStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const SMTP_LATER: &[u8] = b"421 4.3.2 Starting up, try later\r\n";
const IMAP_LATER: &[u8] = b"* BYE [UNAVAILABLE] Starting up, try later\r\n";
const HTTP_LATER: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A running server.
pub(crate) struct Server {
    hostname: String,
    store: Arc<SledStore>,
    identity: Arc<Identity>,
    tls: Vec<TlsConfig>,
    tls_files: Option<TlsFiles>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

/// The sockets, open from the first moment.
struct Doors {
    smtp_in: Vec<Waiting>,
    submission: Vec<Waiting>,
    submissions: Vec<Waiting>,
    imap: Vec<Waiting>,
    imaps: Vec<Waiting>,
    http: Vec<Waiting>,
    https: Vec<Waiting>,
}

impl Doors {
    fn count(&self) -> usize {
        let plain = [&self.smtp_in, &self.submission, &self.imap, &self.http];
        let over_tls = [&self.submissions, &self.imaps, &self.https];
        plain.into_iter().chain(over_tls).map(Vec::len).sum()
    }

    /// Sockets that systemd passes win over those of the configuration.
    async fn open(config: &Config) -> std::io::Result<Self> {
        let (listen, mut sockets) = (&config.listen, Sockets::passed(&config.listen)?);
        Ok(Self {
            smtp_in: sockets.open("smtp_in", &listen.smtp_in, SMTP_LATER).await?,
            submission: sockets.open("submission", &listen.submission, SMTP_LATER).await?,
            submissions: sockets.open("submissions", &listen.submissions, b"").await?,
            imap: sockets.open("imap", &listen.imap, IMAP_LATER).await?,
            imaps: sockets.open("imaps", &listen.imaps, b"").await?,
            http: sockets.open("http", &listen.http, HTTP_LATER).await?,
            https: sockets.open("https", &listen.https, b"").await?,
        })
    }
}

async fn take_over(waiting: Vec<Waiting>) -> std::io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::with_capacity(waiting.len());
    for door in waiting {
        listeners.push(door.take_over().await?);
    }
    Ok(listeners)
}

impl Server {
    /// Opens the sockets, then the store, then the doors.
    pub(crate) async fn start(config: Config, mode: Mode) -> Outcome<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let reload = signal(SignalKind::hangup())?;
        let descriptors = descriptors::raise();
        let doors = Doors::open(&config).await?;
        if mode == Mode::Serve {
            let (each, outwards) = (config.limits.connections, config.outbound.connections);
            descriptors::warn_if_few(descriptors, doors.count(), each, outwards);
        }
        let core = Core::open(&config, mode).await?;
        let mut server = Self {
            hostname: config.hostname.clone(),
            store: Arc::clone(&core.store),
            identity: Arc::clone(&core.identity),
            tls: Vec::new(),
            tls_files: config.tls.clone(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            terminate,
            interrupt,
            reload,
        };
        server.serve_smtp_in(take_over(doors.smtp_in).await?, &core, &config)?;
        let (starttls, implicit_tls) = (take_over(doors.submission).await?, take_over(doors.submissions).await?);
        server.serve_submission(starttls, implicit_tls, &core, &config)?;
        let (starttls, implicit_tls) = (take_over(doors.imap).await?, take_over(doors.imaps).await?);
        server.serve_imap(starttls, implicit_tls, &core, &config, mode)?;
        let https = if config.tls.is_some() {
            take_over(doors.https).await?
        } else {
            // What systemd passed: its clients go on being sent away.
            if !doors.https.is_empty() {
                tracing::warn!("no HTTPS without a certificate");
            }
            Vec::new()
        };
        server.serve_http(take_over(doors.http).await?, https, &core, &config)?;
        server.deliver(&core, &config)?;
        let keep = Duration::from_secs(config.limits.deleted_keep_days.saturating_mul(86_400));
        let (drafts, shutdown) = (Arc::clone(&core.drafts), server.shutdown.clone());
        server.tasks.spawn(async move { drafts.run(shutdown).await });
        let space = space::watch(
            config.data_dir.join("store"),
            config.store.min_free_octets,
            Arc::clone(&core.is_short_of_space),
        );
        server
            .tasks
            .spawn(server.shutdown.clone().run_until_cancelled_owned(space));
        let upkeep = upkeep::run(core, keep);
        server
            .tasks
            .spawn(server.shutdown.clone().run_until_cancelled_owned(upkeep));
        let watchdog = systemd::watchdog(Arc::clone(&server.store));
        server
            .tasks
            .spawn(server.shutdown.clone().run_until_cancelled_owned(watchdog));
        systemd::ready();
        tracing::info!(hostname = config.hostname, "ready");
        Ok(server)
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Serves until SIGTERM or SIGINT, then drains; or fails when the store has failed.
    pub(crate) async fn run_until_stopped(mut self) -> Outcome<()> {
        let mut failed = self.store.failed();
        let outcome = loop {
            tokio::select! {
                _ = self.terminate.recv() => break Ok(()),
                _ = self.interrupt.recv() => break Ok(()),
                _ = self.reload.recv() => self.reload_certificates(),
                _ = failed.wait_for(|failed| *failed) => break Err("the store has failed; see the log".into()),
            }
        };
        tracing::info!("shutting down");
        systemd::stopping();
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.store.close().await?;
        outcome
    }

    fn reload_certificates(&self) {
        systemd::reloading();
        if let Some(files) = &self.tls_files {
            match self.read_again(files) {
                Ok(()) => tracing::info!("certificate read again"),
                Err(error) => tracing::error!(%error, "the certificate stays as it was"),
            }
        }
        systemd::ready();
    }

    fn read_again(&self, files: &TlsFiles) -> Outcome<()> {
        certificate_check::warn(files, &self.hostname)?;
        for tls in &self.tls {
            tls.replace_from_files(&files.certificate, &files.key)?;
        }
        Ok(())
    }

    fn tls(&mut self, tickets: bool) -> Outcome<Option<TlsConfig>> {
        let Some(files) = &self.tls_files else { return Ok(None) };
        let tls = TlsConfig::from_files(&files.certificate, &files.key, tickets)?;
        self.tls.push(tls.clone());
        Ok(Some(tls))
    }

    /// Works through the queue.
    fn deliver(&self, core: &Core, config: &Config) -> Outcome<()> {
        let outbound = &config.outbound;
        if outbound.connections == 0 {
            tracing::warn!("outbound.connections is 0: all mail stays in the queue");
            return Ok(());
        }
        let network = HickoryNetwork::new(&config.dns.servers, outbound.source_addresses.clone())?;
        let options = postroom_delivery::Options {
            connections: outbound.connections,
            port: outbound.port,
            routes: outbound.open_routes()?,
            capture: outbound.capture,
            own_addresses: outbound.own_addresses.clone(),
            allow_private: outbound.private_targets,
            extra_roots: outbound.read_extra_roots()?,
            ..postroom_delivery::Options::new(config.hostname.clone())
        };
        let delivery = Delivery::new(
            Arc::clone(&core.queue),
            Arc::clone(&core.intake),
            Arc::clone(&core.identity),
            core.store.clone(),
            Arc::new(network),
            options,
        )?;
        self.tasks.spawn(Arc::new(delivery).run(self.shutdown.clone()));
        Ok(())
    }
}
