//! FETCH: rows first, bodies only as places in the store.

use crate::answer::Session;
use crate::fault::of_mail;
use crate::section::{Wanted, find, header_fields, partial};
use postroom_imap_proto::{ChangeMode, Fault, FetchItems, Fetched, FlagChange, Section, SectionText};
use postroom_mailstore::{Content, FlagsAt, Meta};
use postroom_types::{EmailId, Flag, Flags, MessageFlags, Part, Piece, ThreadId, Uid};
use std::collections::HashSet;

/// What is read of a header to choose fields from. What lies beyond is not found.
const HEADER_OCTETS: u64 = 256 << 10;

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
        let mut all = Vec::with_capacity(uids.len());
        for meta in metas.map_err(|e| of_mail(&e))? {
            let row = match &flags {
                None => None,
                Some(rows) => match rows.binary_search_by_key(&meta.uid, |(uid, ..)| *uid) {
                    Ok(index) => Some(rows[index].clone()),
                    // Expunged between the two reads, or not all there at the first.
                    Err(_) => continue,
                },
            };
            all.extend(self.fetched(meta, row, items, &changed).await?);
        }
        Ok(all)
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

    /// One message's data. `None`: it was expunged meanwhile.
    async fn fetched(
        &self,
        meta: Meta,
        row: Option<FlagsAt>,
        items: &FetchItems,
        changed: &HashSet<Uid>,
    ) -> Result<Option<Fetched>, Fault> {
        let summary = meta.summary.unwrap_or_default();
        let mut sections = Vec::with_capacity(items.sections.len());
        if !items.sections.is_empty() {
            let content = self.service.mailstore.content(self.inbox()?, meta.email_id).await;
            let Some(content) = content.map_err(|e| of_mail(&e))? else {
                return Ok(None);
            };
            for section in &items.sections {
                sections.push(self.section(&content, &summary.root, section).await?);
            }
        }
        let modseq = row.as_ref().map_or_else(Default::default, |(.., modseq)| *modseq);
        Ok(Some(Fetched {
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
        }))
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
