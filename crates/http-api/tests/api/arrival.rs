//! Mail that is put into an inbox as if it had come there.

use crate::setup::Api;
use postroom_feed::ReceivedAs;
use postroom_mailstore::{Announce, MailboxRef, NewMessage, Origin, Placing, ThreadChoice};
use postroom_message::summarize;
use postroom_types::{EmailId, InboxId, InternalDate, MessageFlags};
use std::sync::Arc;

/// How and when a message came.
pub(crate) struct Arrival {
    pub(crate) origin: Origin,
    pub(crate) mailbox: MailboxRef,
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) verdict: Vec<u8>,
    /// What it is to those who hear of it, if it is announced.
    pub(crate) received_as: Option<ReceivedAs>,
}

impl Arrival {
    /// At this time, with nothing known of it and nobody told.
    pub(crate) const fn at(at_ms: i64, origin: Origin, mailbox: MailboxRef) -> Self {
        Self {
            origin,
            mailbox,
            at_ms,
            verdict: Vec::new(),
            received_as: None,
        }
    }

    pub(crate) fn now(origin: Origin, mailbox: MailboxRef) -> Self {
        Self::at(jiff::Timestamp::now().as_millisecond(), origin, mailbox)
    }

    /// The lines of the text end with LF or CRLF.
    pub(crate) async fn put(self, api: &Api, inbox: InboxId, text: &str) -> EmailId {
        let content = text.replace("\r\n", "\n").replace('\n', "\r\n");
        let announce = match self.received_as {
            Some(received_as) => Some(Announce {
                organization: api.identity.inbox(inbox).await.unwrap().organization,
                received_as,
            }),
            None => None,
        };
        let message = NewMessage {
            summary: Arc::new(summarize(content.as_bytes())),
            body: content.into(),
            prefix: Vec::new(),
            origin: self.origin,
            received_at: self.at_ms,
            verdict: self.verdict,
            shared_body: None,
        };
        let placing = Placing {
            inbox,
            mailbox: self.mailbox,
            email_id: EmailId::new(),
            flags: MessageFlags::default(),
            internal_date: InternalDate::utc(self.at_ms / 1000),
            thread: ThreadChoice::Find,
            announce,
        };
        api.mailstore.deliver(&message, vec![placing]).await.unwrap()[0].email_id
    }
}
