//! Answers the questions of the SMTP machine where mail is submitted.

use crate::reply::{self, reply_for, reply_for_hindrance, reply_for_login};
use crate::service::Service;
use bytes::Bytes;
use postroom_identity::{InboxRecord, Login, LoginError, Purpose, Standing};
use postroom_intake::{Spool, Submission, Submitted, Via, is_own_address, is_routable};
use postroom_mailstore::ThreadChoice;
use postroom_net::Answerer;
use postroom_smtp_proto::{Answer, Envelope, Question, Reply, Server};
use postroom_types::{BlobSpan, EmailAddress, ForwardPath, InboxId, Lsn, ReversePath};
use postroom_wire::{Credentials, Evidence};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// The answer to a failed login never waits longer than so many times the first.
const MOST_DELAYS: u32 = 5;

/// One session's answers.
pub struct Session {
    service: Arc<Service>,
    peer: IpAddr,
    login: Option<Login>,
    /// Tells of changes of the inbox, since the login.
    wake_ups: Option<watch::Receiver<Lsn>>,
    /// A wake-up has not been looked at.
    awake: bool,
    failed_logins: u32,
    /// Of the open transaction.
    recipients: Vec<EmailAddress>,
    spool: Spool,
}

impl Session {
    pub(crate) fn new(service: Arc<Service>, peer: IpAddr) -> Self {
        Self {
            peer,
            login: None,
            wake_ups: None,
            awake: false,
            failed_logins: 0,
            recipients: Vec::new(),
            spool: service.spooler.spool(),
            service,
        }
    }

    /// What an earlier transaction left undone is void.
    fn begin(&mut self) {
        self.recipients.clear();
        self.spool = self.service.spooler.spool();
    }

    async fn log_in(&mut self, credentials: Credentials) -> Answer {
        // A client that did not believe us may try to be somebody else.
        self.login = None;
        match self.check(&credentials).await {
            Ok((login, server_signature)) => {
                self.wake_ups = Some(self.service.identity.watch(login.inbox.id));
                // What was revoked between the check and the watch is found at the first look.
                self.awake = true;
                self.login = Some(login);
                Answer::Authenticated { server_signature }
            }
            Err(error) => {
                self.failed_logins += 1;
                tokio::time::sleep(self.service.failure_delay * self.failed_logins.min(MOST_DELAYS)).await;
                Answer::Refuse(reply_for_login(&error))
            }
        }
    }

    async fn check(&self, credentials: &Credentials) -> Result<(Login, Option<[u8; 32]>), LoginError> {
        let identity = &self.service.identity;
        let (user, peer) = (credentials.user.as_str(), self.peer);
        match &credentials.evidence {
            Evidence::Password(password) => {
                let login = identity.login(user, password, peer, Purpose::Smtp).await?;
                Ok((login, None))
            }
            Evidence::Token(token) => {
                let user = Some(user).filter(|user| !user.is_empty());
                let login = identity.login_with_token(user, token, peer, Purpose::Smtp).await?;
                Ok((login, None))
            }
            Evidence::Scram(scram) => {
                let (message, proof) = (&scram.auth_message, &scram.proof);
                let (login, signature) = identity
                    .login_with_proof(user, message, proof, peer, Purpose::Smtp)
                    .await?;
                Ok((login, Some(signature)))
            }
        }
    }

    /// The inbox as it is now, if the login still counts.
    async fn inbox(&self) -> Result<InboxRecord, Reply> {
        // The machine lets nobody come this far without one.
        let login = self.login.as_ref().ok_or(reply::NEED_LOGIN)?;
        let current = self.service.identity.current_inbox(login).await;
        let current = current.map_err(|error| {
            tracing::error!(inbox = %login.inbox.id, %error, "cannot check a login again");
            reply_for_hindrance(&error)
        })?;
        current.ok_or(reply::REVOKED)
    }

    async fn sender(&mut self, reverse_path: &ReversePath) -> Result<(), Reply> {
        self.begin();
        let inbox = self.inbox().await?;
        match reverse_path {
            ReversePath::Mailbox(address) if !is_own_address(&inbox, address) => return Err(reply::NOT_YOURS),
            // The null one is that of a read receipt (RFC 8098 §3); its From is looked at later, as with all mail.
            ReversePath::Mailbox(_) | ReversePath::Null => {}
        }
        if inbox.send_paused {
            return Err(reply::PAUSED);
        }
        let standing = self.service.identity.standing(inbox.organization).await;
        if standing.map_err(|error| reply_for_hindrance(&error))? == Standing::Suspended {
            return Err(reply::SUSPENDED);
        }
        Ok(())
    }

    async fn recipient(&mut self, forward_path: &ForwardPath) -> Result<(), Reply> {
        let address = match forward_path {
            ForwardPath::Mailbox(address) if !is_routable(address.domain()) => return Err(reply::BAD_DOMAIN),
            ForwardPath::Mailbox(address) => address.clone(),
            ForwardPath::Postmaster => {
                let found = self.service.identity.postmaster().await;
                found.map_err(|error| reply_for_hindrance(&error))?.primary
            }
        };
        let found = self.service.intake.destination(&address).await;
        found.map_err(|error| reply_for(&error))?;
        self.recipients.push(address);
        Ok(())
    }

    async fn message(&mut self, envelope: Envelope) -> Result<Submitted, Reply> {
        let inbox = self.inbox().await?;
        let spool = std::mem::replace(&mut self.spool, self.service.spooler.spool());
        let recipients = std::mem::take(&mut self.recipients);
        // The room is kept until the message is stored.
        let (content, _room) = spool.finish().await.map_err(|error| {
            tracing::error!(peer = %self.peer, %error, "cannot spool a message");
            reply_for_hindrance(&error)
        })?;
        let (octets, from) = (content.len(), envelope.reverse_path.clone());
        let submission = Submission {
            inbox,
            via: Via::Smtp {
                client: envelope.client,
                tls: envelope.tls,
                smtputf8: envelope.params.smtputf8,
            },
            reverse_path: envelope.reverse_path,
            recipients,
            content,
            thread: ThreadChoice::Find,
            idempotency: None,
            answers: None,
        };
        self.service.intake.submit(submission).await.map_err(|error| {
            let reply = reply_for(&error);
            tracing::info!(peer = %self.peer, %from, code = reply.code, octets, reason = %error, "rejected");
            reply
        })
    }

    fn inbox_id(&self) -> Option<InboxId> {
        self.login.as_ref().map(|login| login.inbox.id)
    }
}

impl Answerer for Session {
    type Machine = Server;

    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Authenticate(credentials) => self.log_in(credentials).await,
            Question::Mail { reverse_path, .. } => match self.sender(&reverse_path).await {
                Ok(()) => Answer::Accept,
                Err(reply) => {
                    let (from, reason) = (&reverse_path, &reply.text);
                    tracing::info!(peer = %self.peer, %from, code = reply.code, %reason, "rejected");
                    Answer::Refuse(reply)
                }
            },
            Question::Recipient {
                reverse_path,
                forward_path,
                ..
            } => match self.recipient(&forward_path).await {
                Ok(()) => Answer::Accept,
                Err(reply) => {
                    let (from, to, reason) = (&reverse_path, &forward_path, &reply.text);
                    tracing::info!(peer = %self.peer, %from, %to, code = reply.code, %reason, "rejected");
                    Answer::Refuse(reply)
                }
            },
            Question::Data(_) => Answer::Accept,
            Question::Message(envelope) => {
                let count = envelope.forward_paths.len();
                match self.message(envelope).await {
                    Ok(taken) => {
                        let (msg, inbox, octets) = (taken.id, self.inbox_id(), taken.octets);
                        let inbox = inbox.map(tracing::field::display);
                        tracing::info!(%msg, inbox, peer = %self.peer, code = 250, octets, recipients = count, "accepted");
                        Answer::AcceptWith(Reply {
                            text: format!("Accepted, id {}", taken.id).into(),
                            ..Reply::new(250, "2.0.0", "")
                        })
                    }
                    Err(reply) => Answer::Refuse(reply),
                }
            }
            Question::Refused { envelope, reply } => {
                let (from, octets, reason) = (&envelope.reverse_path, self.spool.octets(), &reply.text);
                tracing::info!(peer = %self.peer, %from, code = reply.code, octets, %reason, "rejected");
                self.begin();
                Answer::Accept
            }
        }
    }

    async fn body(&mut self, chunk: Bytes) {
        self.spool.push(&chunk).await;
    }

    async fn body_end(&mut self) {}

    /// Cancel safe: a wake-up stays to be looked at until it was.
    async fn news(&mut self) -> Reply {
        loop {
            if !self.awake {
                let Some(wake_ups) = &mut self.wake_ups else {
                    return std::future::pending().await;
                };
                if wake_ups.changed().await.is_err() {
                    // The store is closing; the shutdown ends the session.
                    return std::future::pending().await;
                }
                self.awake = true;
            }
            match self.inbox().await {
                Err(goodbye) if goodbye == reply::REVOKED => return goodbye,
                // What cannot be found out now is asked again before mail is taken.
                Ok(_) | Err(_) => self.awake = false,
            }
        }
    }

    async fn read_blob(&mut self, _span: BlobSpan) -> Option<Bytes> {
        None
    }
}
