//! APPEND: what is handed over goes into one spool, message after message, and from there into the store in one commit.
//!
//! What always holds: all messages of a command together are not larger than one message may be, so they fit into one
//! commit, and into memory when their turn comes.

use crate::answer::Session;
use crate::fault::of_intake;
use bytes::Bytes;
use postroom_imap_proto::{Appending as About, Fault};
use postroom_intake::{Appended, Spool};
use postroom_mailstore::is_reserved_keyword;
use postroom_message::without_nul;
use postroom_types::{MailboxId, Uid, UidValidity};
use std::borrow::Cow;

/// Most messages of one command.
const MESSAGES: usize = 5_000;

/// What was handed over so far.
pub(crate) struct Appending {
    spool: Spool,
    /// Where each complete message ends.
    ends: Vec<u64>,
}

impl Appending {
    const fn new(spool: Spool) -> Self {
        Self {
            spool,
            ends: Vec::new(),
        }
    }

    pub(crate) async fn push(&mut self, chunk: &[u8]) {
        self.spool.push(chunk).await;
    }

    pub(crate) fn end_message(&mut self) {
        self.ends.push(self.spool.octets());
    }

    /// Whether so much more may come.
    fn has_room(&self, octets: u64, most: u64) -> Result<(), Fault> {
        if self.ends.len() >= MESSAGES {
            Err(Fault::Limit)
        } else if self.spool.octets().saturating_add(octets) > most {
            Err(Fault::TooBig)
        } else {
            Ok(())
        }
    }
}

impl Session {
    pub(crate) async fn append_start(&mut self, name: &str, octets: u64) -> Result<(), Fault> {
        // What was handed over and not appended is void.
        self.appending = None;
        if octets > self.most_octets() {
            return Err(Fault::TooBig);
        }
        let (inbox, _) = self.find(name).await?;
        let room = self.service.intake.check_room(inbox).await;
        room.map_err(|error| of_intake(&error))?;
        self.appending = Some(Box::new(Appending::new(self.service.spooler.spool())));
        Ok(())
    }

    pub(crate) fn append_more(&self, octets: u64) -> Result<(), Fault> {
        let appending = self.appending.as_ref().ok_or(Fault::Internal)?;
        appending.has_room(octets, self.most_octets())
    }

    /// Largest message, and most octets of one command.
    fn most_octets(&self) -> u64 {
        self.service.intake.options().max_message_octets
    }

    /// Adds what a URL names (RFC 4469).
    pub(crate) async fn append_url(&mut self, url: &str) -> Result<(), Fault> {
        let mut named = self.resolve(url).await?;
        let most = self.most_octets();
        let appending = self.appending.as_mut().ok_or(Fault::Internal)?;
        appending.has_room(named.octets(), most)?;
        while let Some(chunk) = named.next(&self.service.mailstore).await? {
            appending.push(&chunk).await;
        }
        Ok(())
    }

    pub(crate) async fn append(
        &mut self,
        name: &str,
        messages: Vec<About>,
        replaces: Option<Uid>,
    ) -> Result<(UidValidity, Vec<Uid>), Fault> {
        let Appending { spool, ends } = *self.appending.take().ok_or(Fault::Internal)?;
        if ends.len() != messages.len() {
            return Err(Fault::Internal);
        }
        let (content, _room) = spool.finish().await.map_err(|error| {
            tracing::error!(%error, "cannot spool a message");
            Fault::Unavailable
        })?;
        let mut appended = Vec::with_capacity(messages.len());
        let mut from = 0;
        for (mut about, end) in messages.into_iter().zip(ends) {
            // Keywords that would be taken for labels of ours mean something else where the message comes from. It is not
            // refused for them, since who moves from one server to another would lose it.
            about.flags.keywords.retain(|keyword| !is_reserved_keyword(keyword));
            // An octet count of what is in memory.
            let end = end as usize;
            appended.push(Appended {
                content: storable(content.slice(from..end)).await?,
                flags: about.flags,
                internal_date: about.internal_date,
            });
            from = end;
        }
        let replaces = match replaces {
            Some(uid) => Some((self.selected_id().ok_or(Fault::Internal)?, uid)),
            None => None,
        };
        self.hand_in(name, appended, replaces).await
    }

    async fn hand_in(
        &self,
        name: &str,
        mut messages: Vec<Appended>,
        replaces: Option<(MailboxId, Uid)>,
    ) -> Result<(UidValidity, Vec<Uid>), Fault> {
        let (inbox, peer, intake) = (self.inbox()?, self.peer, &self.service.intake);
        let octets: usize = messages.iter().map(|message| message.content.len()).sum();
        if messages.len() == 1
            && replaces.is_none()
            && let Some(only) = messages.pop()
        {
            let placed = intake
                .append(inbox, name, only.content, only.flags, only.internal_date)
                .await;
            let placed = placed.map_err(|error| of_intake(&error))?;
            tracing::info!(msg = %placed.email_id, %inbox, %peer, octets, "appended");
            return Ok((placed.uid_validity, vec![placed.uid]));
        }
        let messages_count = messages.len();
        let appended = intake.append_many(inbox, name, messages, replaces).await;
        let appended = appended.map_err(|error| of_intake(&error))?;
        tracing::info!(%inbox, %peer, octets, messages = messages_count, "appended");
        Ok(appended)
    }
}

/// Content as it can be kept: parts with NUL, which a literal8 may hold (RFC 3516 §4.4), are encoded.
async fn storable(content: Bytes) -> Result<Bytes, Fault> {
    if memchr::memchr(0, &content).is_none() {
        return Ok(content);
    }
    // As rare as it is long.
    let encode = move || without_nul(&content).map(Cow::into_owned);
    let encoded = tokio::task::spawn_blocking(encode).await;
    encoded.ok().flatten().map(Bytes::from).ok_or(Fault::UnknownCte)
}
