//! Answers the questions of the SMTP machine.

use crate::reply::{self, reply_for, reply_for_hindrance, reply_for_several};
use crate::service::Service;
use bytes::Bytes;
use postroom_intake::{Accepted, Incoming, LocalRecipient, Spool};
use postroom_message::SmtpPeer;
use postroom_net::Answerer;
use postroom_smtp_proto::{Answer, Envelope, Question, Reply, Server};
use postroom_types::{BlobSpan, ForwardPath, ReversePath};
use std::net::IpAddr;
use std::sync::Arc;

/// Most octets of a Message-ID in the log.
const LOGGED_ID_OCTETS: usize = 256;

/// One session's answers.
pub struct Session {
    service: Arc<Service>,
    peer: IpAddr,
    /// Of the open transaction.
    recipients: Vec<LocalRecipient>,
    spool: Spool,
}

impl Session {
    pub(crate) fn new(service: Arc<Service>, peer: IpAddr) -> Self {
        Self {
            peer,
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

    async fn recipient(&mut self, forward_path: &ForwardPath, declared_size: Option<u64>) -> Result<(), Reply> {
        let recipient = self.service.recipient(forward_path, declared_size).await?;
        self.recipients.push(recipient);
        Ok(())
    }

    async fn message(&mut self, envelope: Envelope) -> Result<Accepted, Reply> {
        let service = Arc::clone(&self.service);
        let spool = std::mem::replace(&mut self.spool, service.spooler.spool());
        let recipients = std::mem::take(&mut self.recipients);
        // The room is kept until the message is stored.
        let (content, _room) = spool.finish().await.map_err(|error| {
            tracing::error!(peer = %self.peer, %error, "cannot spool a message");
            reply_for_hindrance(&error)
        })?;
        let peer = SmtpPeer {
            ip: self.peer,
            client: envelope.client.clone(),
            hostname: service.intake.options().hostname.clone(),
        };
        let verdict = service.verifier.verify(&peer, &envelope.reverse_path, &content).await;
        let octets = content.len();
        let from = envelope.reverse_path.clone();
        let several = recipients.iter().any(|other| other.inbox != recipients[0].inbox);
        let incoming = Incoming {
            client: envelope.client,
            extended: envelope.extended,
            peer: self.peer,
            tls: envelope.tls,
            smtputf8: envelope.params.smtputf8,
            reverse_path: envelope.reverse_path,
            recipients,
            content,
            verdict,
        };
        service.intake.deliver_local(incoming).await.map_err(|error| {
            let reply = if several {
                reply_for_several(&error)
            } else {
                reply_for(&error)
            };
            tracing::info!(peer = %self.peer, %from, code = reply.code, octets, reason = %error, "rejected");
            reply
        })
    }

    /// One line for each inbox. The Message-ID is text of the sender, which the log escapes.
    fn log_accepted(&self, from: &ReversePath, recipients: usize, accepted: &Accepted) {
        let (msg, peer, octets) = (&accepted.id, &self.peer, accepted.octets);
        let message_id = accepted.message_id.as_deref().map(|id| start_of(id, LOGGED_ID_OCTETS));
        for inbox in accepted.placed.iter().map(|placed| placed.inbox) {
            tracing::info!(%msg, %inbox, %peer, %from, recipients, message_id, code = 250, octets, "accepted");
        }
        for inbox in &accepted.queued {
            tracing::info!(%msg, %inbox, %peer, %from, recipients, message_id, code = 250, octets, "accepted, queued");
        }
    }
}

impl Answerer for Session {
    type Machine = Server;

    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            // Asked only where mail is submitted.
            Question::Authenticate(_) => Answer::Refuse(reply::NO_LOGIN),
            Question::Mail { .. } => {
                self.begin();
                Answer::Accept
            }
            Question::Recipient {
                reverse_path,
                forward_path,
                declared_size,
            } => match self.recipient(&forward_path, declared_size).await {
                Ok(()) => Answer::Accept,
                Err(reply) => {
                    let (from, to, reason) = (&reverse_path, &forward_path, &reply.text);
                    tracing::info!(peer = %self.peer, %from, %to, code = reply.code, %reason, "rejected");
                    Answer::Refuse(reply)
                }
            },
            Question::Data(_) => Answer::Accept,
            Question::Message(envelope) => {
                let (from, recipients) = (envelope.reverse_path.clone(), envelope.forward_paths.len());
                match self.message(envelope).await {
                    Ok(accepted) => {
                        self.log_accepted(&from, recipients, &accepted);
                        Answer::AcceptWith(Reply {
                            code: 250,
                            enhanced: "2.0.0".into(),
                            text: format!("Accepted, id {}", accepted.id).into(),
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

    async fn news(&mut self) -> Reply {
        std::future::pending().await
    }

    async fn read_blob(&mut self, _span: BlobSpan) -> Option<Bytes> {
        None
    }
}

/// The beginning of a text, of so many octets at most.
fn start_of(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_of_a_text_is_bounded() {
        for (text, most, expected) in [
            ("abc", 4, "abc"),
            ("abcd", 3, "abc"),
            ("ab\u{e9}", 3, "ab"),
            ("", 3, ""),
        ] {
            assert_eq!(start_of(text, most), expected, "{text}");
        }
    }
}
