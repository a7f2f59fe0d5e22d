//! Our side of the dialogue with a server: what the client's machine asks is answered from the work at hand.
//!
//! What always holds: a password leaves only after TLS, whose certificate was demanded to be good for the name where a route
//! has a password; that the final dot may have left is noted before it can; and that content may have, durably, where a
//! crash must not end what never left.

use crate::body::Content;
use crate::hop::TlsPolicy;
use bytes::Bytes;
use postroom_net::{Answerer, CancellationToken};
use postroom_queue::ContentMark;
use postroom_smtp_proto::client::{
    Client, ClientAnswer, ClientQuestion, SessionFailure, Transaction, TransactionResult,
};
use postroom_types::{BlobSpan, Secret};
use postroom_wire::Unsent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// One message on its way.
pub(crate) struct Work {
    pub(crate) transaction: Transaction,
    pub(crate) content: Content,
    /// To be written before the first octet of content leaves.
    pub(crate) mark: Option<ContentMark>,
    pub(crate) told: oneshot::Sender<TransactionResult>,
    /// Whether the final dot may have left.
    pub(crate) ended: Arc<AtomicBool>,
}

/// Our side of the dialogue.
pub(crate) struct Correspondent {
    pub(crate) tls: TlsPolicy,
    pub(crate) login: Option<(String, Secret<String>)>,
    pub(crate) idle: Duration,
    pub(crate) shutdown: CancellationToken,
    pub(crate) opened: Option<oneshot::Sender<Result<(), SessionFailure>>>,
    pub(crate) waiting: mpsc::Receiver<Work>,
    pub(crate) at_hand: Option<Work>,
}

impl Correspondent {
    async fn next(&mut self, starttls: bool, tls: bool, authenticated: bool) -> ClientAnswer {
        let wants_tls = match self.tls {
            TlsPolicy::Opportunistic => starttls,
            TlsPolicy::Clear => false,
            TlsPolicy::Demanded | TlsPolicy::Implicit => true,
        };
        if wants_tls && !tls {
            // Where it is demanded and not offered, the machine ends the session.
            return ClientAnswer::StartTls;
        }
        if let Some((user, password)) = self.login.as_ref().filter(|_| !authenticated) {
            return ClientAnswer::Authenticate {
                user: user.clone(),
                password: password.clone(),
            };
        }
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Ok(()));
        }
        let work = tokio::select! {
            biased;
            work = self.waiting.recv() => work,
            () = self.shutdown.cancelled() => None,
            () = tokio::time::sleep(self.idle) => None,
        };
        let Some(work) = work else {
            return ClientAnswer::Quit;
        };
        ClientAnswer::Send(self.at_hand.insert(work).transaction.clone())
    }

    async fn content(&mut self, octets: usize) -> ClientAnswer {
        let Some(work) = &mut self.at_hand else {
            return ClientAnswer::ContentUnreadable;
        };
        if let Some(mark) = work.mark.take()
            && let Err(error) = mark.write().await
        {
            tracing::error!(%error, "cannot note that content follows");
            return ClientAnswer::ContentUnreadable;
        }
        match work.content.next(octets).await {
            Ok(chunk) => {
                if chunk.is_empty() {
                    work.ended.store(true, Ordering::Release);
                }
                ClientAnswer::Content(chunk)
            }
            Err(_) => ClientAnswer::ContentUnreadable,
        }
    }
}

impl Answerer for Correspondent {
    type Machine = Client;

    async fn answer(&mut self, question: ClientQuestion) -> ClientAnswer {
        match question {
            ClientQuestion::Next {
                extensions,
                tls,
                authenticated,
            } => self.next(extensions.starttls, tls, authenticated).await,
            ClientQuestion::Content { octets } => self.content(octets).await,
            ClientQuestion::Result(result) => {
                if let Some(work) = self.at_hand.take() {
                    let _ = work.told.send(result);
                }
                ClientAnswer::Done
            }
            ClientQuestion::Failed(failure) => {
                if let Some(opened) = self.opened.take() {
                    let _ = opened.send(Err(failure));
                }
                ClientAnswer::Done
            }
        }
    }

    /// The client's machine receives no bodies.
    async fn body(&mut self, _chunk: Bytes) {}

    async fn body_end(&mut self) {}

    /// News come from the driver itself.
    async fn news(&mut self) -> Unsent {
        std::future::pending().await
    }

    /// Content is given in answers, so that it can be dot-stuffed.
    async fn read_blob(&mut self, _span: BlobSpan) -> Option<Bytes> {
        None
    }
}
