//! What stands between the store and the listeners.

use crate::Outcome;
use crate::certificates::write_private;
use crate::config::{Config, Limits};
use crate::memory;
use postroom_delivery::HickoryNetwork;
use postroom_drafts::Drafts;
use postroom_feed::Feed;
use postroom_identity::{DomainNames, Identity, KeyScope, NoNames};
use postroom_imports::Imports;
use postroom_intake::{Intake, SendLimits, Spooler};
use postroom_mailstore::Mailstore;
use postroom_message::Verifier;
use postroom_outgoing_http::OutgoingHttp;
use postroom_queue::{Queue, QueueError};
use postroom_store::SharedStore;
use postroom_store_sled::{Progress, SledStore};
use postroom_types::{Domain, OrganizationId};
use postroom_webhooks::{Hubs, Webhooks};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Between two tries to begin with the queue.
const QUEUE_AGAIN: Duration = Duration::from_secs(10);

/// For trying out, or for real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Dev,
    Serve,
}

/// The parts every listener needs.
pub(crate) struct Core {
    pub(crate) store: Arc<SledStore>,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) drafts: Arc<Drafts>,
    pub(crate) imports: Arc<Imports>,
    pub(crate) hubs: Arc<Hubs>,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) outgoing_http: OutgoingHttp,
    pub(crate) names: Arc<dyn DomainNames>,
    pub(crate) verifier: Verifier,
    pub(crate) spooler: Spooler,
    /// Whether the disk has no room for mail at present.
    pub(crate) is_short_of_space: Arc<AtomicBool>,
}

impl Core {
    /// Opens the store, replaying what is to be replayed, and makes sure there is an operator.
    pub(crate) async fn open(config: &Config, mode: Mode) -> Outcome<Self> {
        let store = open_store(config).await?;
        let shared: SharedStore = store.clone();
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&shared),
            postroom_mailstore::Options {
                open_messages: usize::try_from(config.imap.open_octets / 32)?,
                column_octets: usize::try_from(config.imap.search_octets)?,
                ..postroom_mailstore::Options::default()
            },
        ));
        let (default_domain, hosted) = config.domains.split_first().ok_or("no domain to answer for")?;
        let mut options = postroom_identity::Options {
            hostname: Domain::parse(&config.hostname)?,
            hosted_domains: hosted.to_vec(),
            quota_octets: config.limits.inbox_octets,
            organization_key_login: config.limits.organization_key_login,
            ..postroom_identity::Options::new(default_domain.clone())
        };
        if mode == Mode::Dev {
            options.login_limits = None;
            options.trust_domains = true;
        }
        let identity = Arc::new(Identity::new(Arc::clone(&shared), Arc::clone(&mailstore), options));
        // Under `dev` there is no DNS to ask, and none is asked.
        let names: Arc<dyn DomainNames> = match mode {
            Mode::Dev => Arc::new(NoNames),
            Mode::Serve => Arc::new(HickoryNetwork::new(&config.dns.servers, Vec::new())?),
        };
        let operator = identity.bootstrap().await?;
        if mode == Mode::Serve {
            ensure_operator_key(&identity, operator.organization, &config.data_dir).await?;
        }
        let outbound = &config.outbound;
        let feed = Arc::new(Feed::new(Arc::clone(&shared), postroom_feed::Options::default()));
        let queue = Arc::new(Queue::new(
            shared,
            postroom_queue::Options {
                lifetime: outbound.lifetime,
                delay_notice: outbound.delay_notice,
                on_lost_reply: outbound.on_lost_reply,
                per_destination: outbound.per_destination,
                keep_history: outbound.keep_history,
                ..postroom_queue::Options::new(config.hostname.clone(), default_domain.clone())
            },
        ));
        start_queue(&queue).await?;
        let webhook_options = postroom_webhooks::Options::default();
        let hubs = Hubs::new(Arc::clone(&feed), Arc::clone(&identity), webhook_options.poll);
        let outgoing_http = OutgoingHttp::new(&postroom_outgoing_http::Options {
            reach: config.webhooks,
            servers: config.dns.servers.clone(),
            ..postroom_outgoing_http::Options::default()
        })?;
        let webhooks = Webhooks::new(
            store.clone(),
            Arc::clone(&identity),
            Arc::clone(&hubs),
            outgoing_http.clone(),
            webhook_options,
        );
        let limits = &config.limits;
        let intake = postroom_intake::Options {
            hostname: config.hostname.clone(),
            max_message_octets: limits.message_octets,
            send_limits: send_limits(limits),
            max_automated_turns: limits.automated_turns,
            save_sent: config.save_sent,
            ..postroom_intake::Options::default()
        };
        let intake = Arc::new(Intake::new(
            Arc::clone(&mailstore),
            Arc::clone(&identity),
            Arc::clone(&queue),
            intake,
        ));
        Ok(Self {
            imports: Arc::new(Imports::new(
                store.clone(),
                Arc::clone(&identity),
                Arc::clone(&intake),
                postroom_imports::Options {
                    max_file_octets: limits.import_octets,
                    max_unpacked_octets: limits.import_unpacked_octets,
                    waiting_octets: limits.import_waiting_octets,
                    ..postroom_imports::Options::new(config.data_dir.join("imports"))
                },
            )),
            queue,
            drafts: Arc::new(Drafts::new(
                Arc::clone(&mailstore),
                Arc::clone(&identity),
                Arc::clone(&intake),
            )),
            intake,
            feed,
            hubs,
            webhooks: Arc::new(webhooks),
            outgoing_http,
            names,
            verifier: if config.dns.verify {
                Verifier::dns(&config.dns.servers)?
            } else {
                Verifier::off()
            },
            spooler: Spooler::new(config.data_dir.join("spool"))?,
            is_short_of_space: Arc::default(),
            store,
            mailstore,
            identity,
        })
    }
}

/// In the configuration 0 is without limit.
fn send_limits(limits: &Limits) -> Option<SendLimits> {
    let limit = |limit: u32| if limit == 0 { u32::MAX } else { limit };
    (limits.daily_messages != 0 || limits.daily_new_recipients != 0).then(|| SendLimits {
        messages: limit(limits.daily_messages),
        new_recipients: limit(limits.daily_new_recipients),
    })
}

/// On the first start, writes an operator key to `operator-key` in the data folder, for its owner alone.
async fn ensure_operator_key(identity: &Identity, operator: OrganizationId, data_dir: &Path) -> Outcome<()> {
    let file = data_dir.join("operator-key");
    if file.exists() {
        return Ok(());
    }
    let key = identity
        .create_key(&KeyScope::Operator(operator), Some("first"))
        .await?;
    write_private(&file, format!("{}\n", key.secret.expose()).as_bytes())?;
    tracing::info!(file = %file.display(), "wrote an operator key");
    Ok(())
}

/// Without space nothing can be sent, but mail can be read, and deleted to make some: the queue begins once there is.
async fn start_queue(queue: &Arc<Queue>) -> Outcome<()> {
    match queue.start().await {
        Err(QueueError::Full) => {}
        started => return Ok(started?),
    }
    tracing::warn!("there is no space to begin with what is to be sent: it waits until there is");
    let queue = Arc::downgrade(queue);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(QUEUE_AGAIN).await;
            let Some(queue) = queue.upgrade() else { return };
            match queue.start().await {
                Ok(()) => return tracing::info!("there is space again: mail is sent"),
                Err(QueueError::Full) => {}
                Err(error) => tracing::error!(%error, "the queue does not begin"),
            }
        }
    });
    Ok(())
}

async fn open_store(config: &Config) -> Outcome<Arc<SledStore>> {
    let folder = config.data_dir.join("store");
    crate::format::check(&config.data_dir)?;
    let store = &config.store;
    let options = postroom_store_sled::Options {
        cache_octets: store.cache_octets.unwrap_or_else(memory::for_index),
        min_free_octets: store.min_free_octets,
        roll_octets: store.journal_file_octets,
        snapshot_octets: store.snapshot_octets,
        tidy_every: Some(store.upkeep_every),
        blob_grace: store.deleted_bodies_keep,
        boot_id: std::env::var("POSTROOM_BOOT_ID").ok(),
        ..postroom_store_sled::Options::default()
    };
    let progress = |progress: Progress| {
        tracing::info!(
            done_octets = progress.done_octets,
            total_octets = progress.total_octets,
            "replaying the journal"
        );
        crate::systemd::replaying(progress);
    };
    let store = tokio::task::spawn_blocking(move || SledStore::open(&folder, options, progress)).await??;
    crate::format::note(&config.data_dir)?;
    Ok(store)
}
