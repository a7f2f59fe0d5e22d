//! What a URL of CATENATE names, read from the store bit by bit.

use crate::answer::Session;
use crate::fault::of_mail;
use crate::room::{Need, Room};
use crate::section::{HEADER_OCTETS, Wanted, choose_fields, find, partial};
use crate::url::MessageUrl;
use bytes::Bytes;
use postroom_imap_proto::{Fault, SectionText};
use postroom_mailstore::{BlobReader, Mailstore};
use postroom_types::{BlobSpan, Piece, pieces_octets};
use std::collections::VecDeque;
use tokio::sync::OwnedSemaphorePermit;

/// Most octets read at once.
const READ_OCTETS: u64 = 256 << 10;

/// Octets of a stored message, still to be read.
pub(crate) struct Stretch {
    pieces: VecDeque<Piece>,
    octets: u64,
    /// How far the stored body has come: a whole one that is damaged is not copied.
    reader: Option<BlobReader>,
    /// For what is held here, if that is much.
    _room: Option<OwnedSemaphorePermit>,
}

impl Stretch {
    fn new(pieces: Vec<Piece>, room: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            octets: pieces_octets(&pieces),
            pieces: pieces.into(),
            reader: None,
            _room: room,
        }
    }

    /// How much there was in the beginning.
    pub(crate) const fn octets(&self) -> u64 {
        self.octets
    }

    /// The next octets; `None` at the end.
    pub(crate) async fn next(&mut self, mailstore: &Mailstore) -> Result<Option<Bytes>, Fault> {
        let span = match self.pieces.pop_front() {
            None => return Ok(None),
            Some(Piece::Inline(bytes)) => return Ok(Some(bytes)),
            Some(Piece::Stored(span)) => span,
        };
        let octets = span.octets.min(READ_OCTETS);
        if octets < span.octets {
            self.pieces.push_front(Piece::Stored(BlobSpan {
                offset: span.offset + octets,
                octets: span.octets - octets,
                ..span
            }));
        }
        let mut reader = self.reader.take().filter(|reader| reader.is_at(span.id, span.offset));
        let reader = reader.get_or_insert(BlobReader::at(span.id, span.offset));
        let bytes = mailstore.read_on(reader, octets).await;
        self.reader = Some(*reader);
        let bytes = bytes.map_err(|e| of_mail(&e))?.ok_or(Fault::BadUrl)?;
        if bytes.len() as u64 == octets {
            Ok(Some(bytes))
        } else {
            Err(Fault::Corruption)
        }
    }
}

impl Session {
    /// Finds what a URL names.
    pub(crate) async fn resolve(&self, url: &str) -> Result<Stretch, Fault> {
        let login = self.login.as_ref().ok_or(Fault::Internal)?;
        let user = login.inbox.canonical.to_string();
        let url = MessageUrl::parse(url, &user, self.service.hostname()).ok_or(Fault::BadUrl)?;
        let (inbox, mailstore) = (login.inbox.id, &self.service.mailstore);
        let mailbox = match &url.mailbox {
            None => self.selected_id().ok_or(Fault::BadUrl)?,
            Some(name) => match self.find(name).await {
                Ok((_, id)) => id,
                Err(Fault::NoSuchMailbox) => return Err(Fault::BadUrl),
                Err(fault) => return Err(fault),
            },
        };
        if let Some(uid_validity) = url.uid_validity {
            let status = mailstore.status(inbox, mailbox).await.map_err(|e| of_mail(&e))?;
            if status.uid_validity != uid_validity {
                return Err(Fault::BadUrl);
            }
        }
        let metas = mailstore.metadata(inbox, mailbox, &[url.uid], true).await;
        let meta = metas.map_err(|e| of_mail(&e))?.pop().ok_or(Fault::BadUrl)?;
        let content = mailstore.content(inbox, meta.email_id).await.map_err(|e| of_mail(&e))?;
        let content = content.ok_or(Fault::BadUrl)?;
        let root = meta.summary.unwrap_or_default().root;
        let mut room = Room::default();
        let pieces = match (find(&root, &url.section), &url.section.text) {
            (Wanted::Nothing, _) => return Err(Fault::BadUrl),
            (Wanted::Fields(range), SectionText::HeaderFields { names, not }) => {
                let mut need = Need::default();
                let octets = range.end.saturating_sub(range.start);
                if octets > HEADER_OCTETS {
                    need.add(octets, octets);
                }
                room = need.room(&self.service.decoding).await?;
                let header = mailstore.read(&content, range).await;
                let header = header.map_err(|e| of_mail(&e))?.ok_or(Fault::BadUrl)?;
                vec![Piece::Inline(choose_fields(header, names, *not).await?)]
            }
            (Wanted::Octets(range) | Wanted::Fields(range), _) => content.pieces(range),
            // A URL has no word for this.
            (Wanted::Decoded(..), _) => return Err(Fault::BadUrl),
        };
        let pieces = match url.section.partial {
            Some((origin, octets)) => partial(pieces, origin, octets),
            None => pieces,
        };
        Ok(Stretch::new(pieces, room.decoded()))
    }
}
