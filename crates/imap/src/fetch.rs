//! FETCH: rows, summaries and sections of at most a piece of messages.

use crate::section::{Wanted, find, header_fields, partial};
use postroom_imap_proto::{FetchItems, Fetched, Section, SectionText};
use postroom_mailstore::{Content, FlagMode, FlagsAt, MailError, Mailstore, Meta};
use postroom_types::{EmailId, Flag, Flags, InboxId, MailboxId, MessageFlags, ModSeq, Part, Piece, ThreadId, Uid};
use std::collections::{HashMap, HashSet};

/// A mailbox of an inbox.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) mailstore: &'a Mailstore,
    pub(crate) inbox: InboxId,
    pub(crate) mailbox: MailboxId,
}

/// What [`fetch`] found, and the flags it changed on the way.
pub(crate) struct Found {
    pub(crate) messages: Vec<Fetched>,
    pub(crate) stored: Vec<FlagsAt>,
}

/// Reads what a FETCH wants. Messages that are gone are left out.
pub(crate) async fn fetch(at: Place<'_>, uids: &[Uid], items: &FetchItems) -> Result<Found, MailError> {
    let stored = if items.set_seen { set_seen(at, uids).await? } else { Vec::new() };
    let needs_flags = items.flags || items.ids || items.set_seen;
    let mut flags: HashMap<Uid, (MessageFlags, ModSeq)> = HashMap::new();
    if needs_flags {
        let rows = at.mailstore.flags(at.inbox, at.mailbox, uids).await?;
        flags.extend(rows.into_iter().map(|(uid, flags, modseq)| (uid, (flags, modseq))));
    }
    let changed: HashSet<Uid> = stored.iter().map(|(uid, ..)| *uid).collect();
    let needs_metadata = items.internal_date || items.size || items.summary || items.ids || !items.sections.is_empty();
    let mut messages = Vec::with_capacity(uids.len());
    if needs_metadata {
        let summaries = items.summary || items.sections.iter().any(needs_structure);
        for meta in at.mailstore.metadata(at.inbox, at.mailbox, uids, summaries).await? {
            let flags = flags.remove(&meta.uid);
            if needs_flags && flags.is_none() {
                continue;
            }
            messages.push(message(at, meta, flags, items, &changed).await?);
        }
    } else {
        let rows = uids.iter().filter_map(|uid| Some((*uid, flags.remove(uid)?)));
        messages.extend(rows.map(|(uid, (flags, modseq))| flags_only(uid, flags, modseq, changed.contains(&uid))));
    }
    Ok(Found { messages, stored })
}

/// `BODY[]` alone needs no structure.
fn needs_structure(section: &Section) -> bool {
    !section.part.is_empty() || section.text != SectionText::All
}

/// Sets `\Seen` where it is not set, and gives those messages.
async fn set_seen(at: Place<'_>, uids: &[Uid]) -> Result<Vec<FlagsAt>, MailError> {
    let unseen = |(uid, flags, _): FlagsAt| (!flags.system.contains(Flag::Seen)).then_some(uid);
    let rows = at.mailstore.flags(at.inbox, at.mailbox, uids).await?;
    let unseen: Vec<Uid> = rows.into_iter().filter_map(unseen).collect();
    if unseen.is_empty() {
        return Ok(Vec::new());
    }
    let seen = MessageFlags::system(Flags::NONE.with(Flag::Seen));
    at.mailstore.store_flags(at.inbox, at.mailbox, &unseen, FlagMode::Add, &seen).await
}

fn flags_only(uid: Uid, flags: MessageFlags, modseq: ModSeq, flags_changed: bool) -> Fetched {
    Fetched {
        uid,
        flags: Some(flags),
        modseq,
        flags_changed,
        internal_date: 0,
        size_octets: 0,
        email_id: EmailId::from_bytes([0; 16]),
        thread_id: ThreadId::from_bytes([0; 16]),
        summary: None,
        sections: Vec::new(),
    }
}

async fn message(
    at: Place<'_>,
    meta: Meta,
    flags: Option<(MessageFlags, ModSeq)>,
    items: &FetchItems,
    changed: &HashSet<Uid>,
) -> Result<Fetched, MailError> {
    let root = meta.summary.as_ref().map(|summary| &summary.root);
    let sections = sections(at, meta.email_id, root, &items.sections).await?;
    let modseq = flags.as_ref().map_or(ModSeq(0), |(_, modseq)| *modseq);
    Ok(Fetched {
        uid: meta.uid,
        flags: flags.map(|(flags, _)| flags),
        modseq,
        flags_changed: changed.contains(&meta.uid),
        internal_date: meta.internal_date,
        size_octets: meta.size_octets,
        email_id: meta.email_id,
        thread_id: meta.thread_id,
        sections,
        summary: meta.summary.filter(|_| items.summary).map(|summary| Box::new((summary.envelope, summary.root))),
    })
}

async fn sections(
    at: Place<'_>,
    email_id: EmailId,
    root: Option<&Part>,
    wanted: &[Section],
) -> Result<Vec<Option<Vec<Piece>>>, MailError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let Some(content) = at.mailstore.content(at.inbox, email_id).await? else {
        // Expunged since its row was read: nothing of it can be had any more.
        return Ok(vec![None; wanted.len()]);
    };
    let mut found = Vec::with_capacity(wanted.len());
    for section in wanted {
        let pieces = pieces(at, &content, root, section).await?;
        found.push(match section.partial {
            Some((origin, count)) => pieces.map(|pieces| partial(pieces, origin, count)),
            None => pieces,
        });
    }
    Ok(found)
}

async fn pieces(at: Place<'_>, content: &Content, root: Option<&Part>, section: &Section) -> Result<Option<Vec<Piece>>, MailError> {
    let Some(root) = root.filter(|_| needs_structure(section)) else {
        return Ok(Some(content.pieces(0..content.octets())));
    };
    match (find(root, section), &section.text) {
        (Wanted::Nothing, _) => Ok(None),
        (Wanted::Fields(range), SectionText::HeaderFields { names, not }) => {
            let header = at.mailstore.read(content, range).await?;
            Ok(header.map(|header| vec![Piece::Inline(header_fields(&header, names, *not))]))
        }
        (Wanted::Octets(range) | Wanted::Fields(range), _) => Ok(Some(content.pieces(range))),
    }
}
