//! What the model asks of a server.

use crate::mail::Moment;
pub(crate) use crate::server::World;
use bytes::Bytes;
use postroom_mailstore::{MailError, MailboxRef, NewMessage, Origin, Placed, Placing, ThreadChoice};
use postroom_types::{EmailId, InternalDate, MessageFlags};
use std::sync::Arc;

impl World {
    pub(crate) fn login(&self) -> String {
        format!("LOGIN scout@example.test {}", self.api_key.expose())
    }

    /// Mail comes in from elsewhere.
    pub(crate) async fn deliver(
        &self,
        octets: &[u8],
        date: Moment,
        mailbox: MailboxRef,
    ) -> Result<Vec<Placed>, MailError> {
        let message = NewMessage {
            body: Bytes::copy_from_slice(octets),
            prefix: Vec::new(),
            summary: Arc::new(postroom_message::summarize(octets)),
            origin: Origin::Received,
            received_at: date.seconds * 1000,
            verdict: Vec::new(),
            shared_body: None,
        };
        let placing = Placing {
            inbox: self.inbox.id,
            mailbox,
            email_id: EmailId::new(),
            flags: MessageFlags::default(),
            internal_date: InternalDate::new(date.seconds, date.zone_minutes),
            thread: ThreadChoice::Find,
            announce: None,
        };
        self.mailstore.deliver(&message, vec![placing]).await
    }

    /// Modseq of the last change in the inbox.
    pub(crate) async fn modseq(&self) -> u64 {
        self.mailstore
            .modseq(self.inbox.id)
            .await
            .expect("the inbox is there")
            .0
    }

    pub(crate) async fn check_consistency(&self) -> Result<(), String> {
        let wrong = self.mailstore.check_consistency(self.inbox.id).await;
        match wrong.map_err(|e| e.to_string())? {
            wrong if wrong.is_empty() => Ok(()),
            wrong => Err(format!("the store is inconsistent: {wrong:#?}")),
        }
    }
}
