//! FETCH: rows first, bodies only as places in the store.

use crate::answer::Session;
use crate::fault::of_mail;
use crate::section::{Wanted, find, header_fields, partial};
use postroom_imap_proto::{ChangeMode, Fault, FetchItems, Fetched, FlagChange, Section, SectionText};
use postroom_mailstore::{Content, FlagsAt, Meta};
use postroom_types::{BlobSpan, EmailId, Flag, Flags, MessageFlags, Part, Piece, ThreadId, Uid};
use std::collections::{HashMap, HashSet};

/// What is read of a header to choose fields from. What lies beyond is not found.
const HEADER_OCTETS: u64 = 256 << 10;
/// Bodies up to this size are read together with those of other messages.
const SMALL_OCTETS: u64 = 64 << 10;
/// What the small bodies of one answer have together at most.
const SMALL_OCTETS_OF_PIECE: u64 = 1 << 20;

impl Session {
    pub(crate) async fn fetch(&mut self, uids: &[Uid], items: &FetchItems) -> Result<Vec<Fetched>, Fault> {
        let (inbox, mailbox) = self.selected()?;
        let changed = if items.set_seen {
            self.set_seen(uids).await?
        } else {
            HashSet::new()
        };
        let mailstore = &self.service.mailstore;
        let has_sections = !items.sections.is_empty();
        let needs_meta = items.internal_date || items.size || items.summary || items.ids || has_sections;
        let flags = if items.flags || !needs_meta {
            Some(mailstore.flags(inbox, mailbox, uids).await.map_err(|e| of_mail(&e))?)
        } else {
            None
        };
        if !needs_meta {
            let rows = flags.unwrap_or_default();
            return Ok(rows.into_iter().map(|row| from_flags(row, items, &changed)).collect());
        }
        let metas = mailstore
            .metadata(inbox, mailbox, uids, items.summary || has_sections)
            .await;
        let metas = metas.map_err(|e| of_mail(&e))?;
        let contents = self.contents(&metas, has_sections).await?;
        let mut all = Vec::with_capacity(uids.len());
        for meta in metas {
            let content = contents.get(&meta.email_id);
            if has_sections && content.is_none() {
                // Expunged meanwhile.
                continue;
            }
            let row = match &flags {
                None => None,
                Some(rows) => match rows.binary_search_by_key(&meta.uid, |(uid, ..)| *uid) {
                    Ok(index) => Some(rows[index].clone()),
                    // Expunged between the two reads, or not all there at the first.
                    Err(_) => continue,
                },
            };
            all.push(self.fetched(meta, row, content, items, &changed).await?);
        }
        self.read_small_bodies(&mut all).await?;
        Ok(all)
    }

    /// Where the bytes of these messages are; empty if nobody asks.
    async fn contents(&self, metas: &[Meta], wanted: bool) -> Result<HashMap<EmailId, Content>, Fault> {
        if !wanted {
            return Ok(HashMap::new());
        }
        let ids: Vec<EmailId> = metas.iter().map(|meta| meta.email_id).collect();
        let found = self
            .service
            .mailstore
            .contents(self.inbox()?, &ids)
            .await
            .map_err(|e| of_mail(&e))?;
        Ok(ids
            .into_iter()
            .zip(found)
            .filter_map(|(id, content)| Some((id, content?)))
            .collect())
    }

    /// Reads the small bodies of all these messages in one call; large ones are streamed when their turn comes.
    async fn read_small_bodies(&self, messages: &mut [Fetched]) -> Result<(), Fault> {
        let pieces = messages
            .iter_mut()
            .flat_map(|message| &mut message.sections)
            .flatten()
            .flatten();
        let mut left = SMALL_OCTETS_OF_PIECE;
        let mut small = Vec::new();
        for piece in pieces {
            if let Piece::Stored(span) = piece
                && span.octets <= SMALL_OCTETS.min(left)
            {
                left -= span.octets;
                small.push((*span, piece));
            }
        }
        let spans: Vec<BlobSpan> = small.iter().map(|(span, _)| *span).collect();
        if spans.is_empty() {
            return Ok(());
        }
        let found = self
            .service
            .mailstore
            .read_blobs(&spans)
            .await
            .map_err(|e| of_mail(&e))?;
        for ((span, piece), bytes) in small.into_iter().zip(found) {
            // One that is gone stays a place in the store, and is found to be gone when its turn comes.
            if let Some(bytes) = bytes.filter(|bytes| bytes.len() as u64 == span.octets) {
                *piece = Piece::Inline(bytes.into());
            }
        }
        Ok(())
    }

    /// Sets `\Seen` where it is not set, and says where that was.
    async fn set_seen(&mut self, uids: &[Uid]) -> Result<HashSet<Uid>, Fault> {
        let (inbox, mailbox) = self.selected()?;
        let rows = self
            .service
            .mailstore
            .flags(inbox, mailbox, uids)
            .await
            .map_err(|e| of_mail(&e))?;
        let is_unseen = |(_, flags, _): &&FlagsAt| !flags.system.contains(Flag::Seen);
        let unseen: Vec<Uid> = rows.iter().filter(is_unseen).map(|(uid, ..)| *uid).collect();
        if unseen.is_empty() {
            return Ok(HashSet::new());
        }
        let flags = MessageFlags::system(Flags::NONE.with(Flag::Seen));
        self.change_flags(
            &unseen,
            &FlagChange {
                mode: ChangeMode::Add,
                flags,
            },
        )
        .await?;
        Ok(unseen.into_iter().collect())
    }

    /// One message's data.
    async fn fetched(
        &self,
        meta: Meta,
        row: Option<FlagsAt>,
        content: Option<&Content>,
        items: &FetchItems,
        changed: &HashSet<Uid>,
    ) -> Result<Fetched, Fault> {
        let summary = meta.summary.unwrap_or_default();
        let mut sections = Vec::with_capacity(items.sections.len());
        if let Some(content) = content {
            for section in &items.sections {
                sections.push(self.section(content, &summary.root, section).await?);
            }
        }
        let modseq = row.as_ref().map_or_else(Default::default, |(.., modseq)| *modseq);
        Ok(Fetched {
            uid: meta.uid,
            flags: row.map(|(_, flags, _)| flags),
            modseq,
            flags_changed: changed.contains(&meta.uid),
            internal_date: meta.internal_date,
            size_octets: meta.size_octets,
            email_id: meta.email_id,
            thread_id: meta.thread_id,
            summary: items.summary.then(|| Box::new((summary.envelope, summary.root))),
            sections,
        })
    }

    async fn section(&self, content: &Content, root: &Part, section: &Section) -> Result<Option<Vec<Piece>>, Fault> {
        let pieces = match (find(root, section), &section.text) {
            (Wanted::Nothing, _) => return Ok(None),
            (Wanted::Fields(range), SectionText::HeaderFields { names, not }) => {
                let end = range.end.min(range.start.saturating_add(HEADER_OCTETS));
                let header = self.service.mailstore.read(content, range.start..end).await;
                let header = header.map_err(|e| of_mail(&e))?.unwrap_or_default();
                vec![Piece::Inline(header_fields(&header, names, *not))]
            }
            (Wanted::Octets(range) | Wanted::Fields(range), _) => content.pieces(range),
        };
        Ok(Some(match section.partial {
            Some((origin, octets)) => partial(pieces, origin, octets),
            None => pieces,
        }))
    }
}

fn from_flags((uid, flags, modseq): FlagsAt, items: &FetchItems, changed: &HashSet<Uid>) -> Fetched {
    Fetched {
        uid,
        flags: items.flags.then_some(flags),
        modseq,
        flags_changed: changed.contains(&uid),
        // Not asked for.
        internal_date: 0,
        size_octets: 0,
        email_id: EmailId::from_bytes([0; 16]),
        thread_id: ThreadId::from_bytes([0; 16]),
        summary: None,
        sections: Vec::new(),
    }
}
