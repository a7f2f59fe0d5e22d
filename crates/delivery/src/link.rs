//! One connection to another server, kept by a task of its own; workers hand it messages one after the other.
//!
//! What always holds:
//! - A link gives exactly one answer for each message handed to it, or is gone; if it is gone, it is known whether the
//!   final dot may have left.
//! - A link without work ends after [`Options::idle_connection`](crate::Options::idle_connection), or when nobody holds it any more.

use crate::a_label;
use crate::body::Content;
use crate::classify::Setback;
use crate::delivery::{Delivery, Permit};
use crate::dialogue::{Correspondent, Work};
use crate::hop::{HopKey, Terms, TlsPolicy};
use crate::line::Opened;
use crate::network::BoxStream;
use crate::tls::{self, TlsClient};
use postroom_net::Limits;
use postroom_queue::{Contact, Job};
use postroom_smtp_proto::client::{Client, Failure, Phase, SessionFailure, Transaction, TransactionResult};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection on which mail may be sent.
pub(crate) struct Link {
    pub(crate) key: HopKey,
    pub(crate) contact: Contact,
    work: mpsc::Sender<Work>,
    sent: usize,
}

/// The link ended without an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    /// Whether the final dot may have left.
    pub(crate) ended: bool,
}

/// Why there is no link.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// TLS did not come up; without it there might be one.
    Tls(Setback),
    /// Something else.
    Host(Setback),
}

/// What came of TLS.
#[derive(Clone, Default)]
struct TlsRecord {
    /// For the history.
    description: Arc<OnceLock<String>>,
    failure: Arc<OnceLock<String>>,
}

impl Link {
    /// Connects, and goes on until mail may be sent. Every wait in it has an end.
    ///
    /// # Errors
    /// [`OpenError`]; nothing of a message was sent.
    pub(crate) async fn open(
        delivery: &Delivery,
        key: HopKey,
        address: SocketAddr,
        terms: &Terms,
        permit: Permit,
    ) -> Result<Self, OpenError> {
        let options = &delivery.options;
        let patience = delivery.patience();
        let stream = tokio::select! {
            biased;
            () = delivery.shutdown.cancelled() => return Err(OpenError::Host(Setback::shutdown())),
            stream = timeout(patience.connect, delivery.network.connect(address)) => stream,
        };
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let mut stream = stream.map_err(|error| OpenError::Host(Setback::connect(&error)))?;
        let record = TlsRecord::default();
        let upgrade = Upgrade {
            tls: Arc::clone(&delivery.tls),
            policy: terms.tls,
            host: key.host.clone(),
            record: record.clone(),
        };
        let now = tokio::time::Instant::now().into_std();
        let client = if terms.tls == TlsPolicy::Implicit {
            let secured = timeout(patience.client.handshake_timeout, upgrade.clone().run(stream)).await;
            let secured = secured.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            stream = Box::new(secured.map_err(|error| OpenError::Tls(tls_setback(&error.to_string())))?);
            Client::over_tls(Arc::clone(&patience.client), now)
        } else {
            Client::new(Arc::clone(&patience.client), now)
        };
        let (work, waiting) = mpsc::channel(1);
        let (opened, opening) = oneshot::channel();
        let correspondent = Correspondent {
            tls: terms.tls,
            login: terms.login.clone(),
            idle: options.idle_connection,
            shutdown: delivery.shutdown.clone(),
            opened: Some(opened),
            waiting,
            at_hand: None,
        };
        let (kill, shutdown) = (delivery.kill.clone(), delivery.shutdown.clone());
        let limits = Limits {
            write_timeout: patience.write,
            ..Limits::default()
        };
        delivery.tasks.spawn(async move {
            let dialogue = postroom_net::dial(stream, client, correspondent, |s| upgrade.run(s), &limits, shutdown);
            tokio::select! {
                () = kill.cancelled() => {}
                _ = dialogue => {}
            }
            drop(permit);
        });
        match opening.await {
            Ok(Ok(())) => Ok(Self {
                contact: Contact {
                    host: key.host.clone(),
                    address: address.to_string(),
                    tls: record.description.get().cloned().unwrap_or_default(),
                },
                key,
                work,
                sent: 0,
            }),
            Ok(Err(failure)) => {
                if let (Phase::Auth, Some(reply)) = (failure.phase, &failure.reply) {
                    tracing::warn!(route = key.host, code = reply.code, "the relay refuses our login");
                }
                Err(open_error(&failure, record.failure.get()))
            }
            Err(_) => Err(OpenError::Host(Setback::shutdown())),
        }
    }

    /// Sends a message to all recipients of the job; they have one envelope.
    ///
    /// # Errors
    /// [`Gone`]: the connection ended without a word on this message.
    pub(crate) async fn send(&mut self, delivery: &Delivery, opened: &Opened<'_>) -> Result<TransactionResult, Gone> {
        let job = opened.job;
        self.sent += 1;
        let ended = Arc::new(AtomicBool::new(false));
        let (told, answer) = oneshot::channel();
        let work = Work {
            transaction: transaction(job),
            content: Content::of(job, Arc::clone(&delivery.store)),
            mark: delivery.queue.content_mark(&opened.attempt),
            told,
            ended: Arc::clone(&ended),
        };
        if self.work.send(work).await.is_err() {
            return Err(Gone { ended: false });
        }
        answer.await.map_err(|_| Gone {
            ended: ended.load(Ordering::Acquire),
        })
    }

    /// Whether another message may be handed to it.
    pub(crate) fn is_good(&self, most_messages: usize) -> bool {
        self.sent < most_messages && !self.work.is_closed()
    }
}

fn transaction(job: &Job) -> Transaction {
    let recipients = job.items.iter().map(|item| a_label::forward_path(&item.address));
    let envelope_from = job.items.first().map(|item| item.envelope_from.clone());
    Transaction {
        reverse_path: a_label::reverse_path(envelope_from.unwrap_or_else(|| job.reverse_path.clone())),
        forward_paths: recipients.collect(),
        size_octets: job.prefix.len() as u64 + job.body.octets,
        eight_bit: job.eight_bit,
        smtputf8: job.smtputf8,
    }
}

fn tls_setback(why: &str) -> Setback {
    Setback::ours(false, "4.7.5", format!("TLS failed: {why}"))
}

fn open_error(failure: &SessionFailure, tls_failure: Option<&String>) -> OpenError {
    if let Some(why) = tls_failure {
        return OpenError::Tls(tls_setback(why));
    }
    let setback = Setback::session(failure);
    // A server that speaks in clear behind STARTTLS is attacked or broken: rather wait than let whoever did it read on.
    let in_clear = matches!(failure.failure, Some(Failure::Protocol(_)));
    if failure.phase == Phase::StartTls && !in_clear {
        OpenError::Tls(setback)
    } else {
        OpenError::Host(setback)
    }
}

/// Makes TLS out of a connection, and keeps what came of it.
#[derive(Clone)]
struct Upgrade {
    tls: Arc<TlsClient>,
    policy: TlsPolicy,
    host: String,
    record: TlsRecord,
}

impl Upgrade {
    async fn run(self, stream: BoxStream) -> io::Result<TlsStream<BoxStream>> {
        let (config, noted) = self.tls.settings(self.policy.demands_certificate());
        let secured = match tls::server_name(&self.host) {
            Some(name) => TlsConnector::from(config).connect(name, stream).await,
            None => Err(io::Error::other("no name for a certificate")),
        };
        let _ = match &secured {
            Ok(stream) => self.record.description.set(tls::describe(stream.get_ref().1, &noted)),
            Err(error) => self.record.failure.set(error.to_string()),
        };
        secured
    }
}
