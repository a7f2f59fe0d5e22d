//! A reader that decides by reading: plainly right, and slow.

use postroom_message::{
    RawMessage, SearchText, address_text, fold, header_values, parse_address_list, search_text, sent_date, summarize,
};
use postroom_types::{EmailId, Flags, InternalDate, MessageFlags, ModSeq, SearchKey, Summary, ThreadId, Uid};
use std::sync::Arc;

pub(crate) const DAY: i64 = 86_400;

/// What the naive reader knows of a message.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) uid: Uid,
    pub(crate) read: Arc<ReadMessage>,
    pub(crate) flags: MessageFlags,
    pub(crate) modseq: ModSeq,
    pub(crate) internal_date: InternalDate,
    pub(crate) saved_at: i64,
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
}

/// A message as it reads.
#[derive(Debug)]
pub(crate) struct ReadMessage {
    pub(crate) content: Vec<u8>,
    pub(crate) summary: Summary,
    pub(crate) text: SearchText,
}

impl ReadMessage {
    pub(crate) fn new(content: Vec<u8>) -> Self {
        let summary = summarize(&content);
        let raw = RawMessage {
            prefix: b"",
            body: &content,
        };
        let text = search_text(raw, &summary.root);
        Self { content, summary, text }
    }
}

fn is_in(text: &str, wanted: &str) -> bool {
    fold(text).contains(&fold(wanted))
}

pub(crate) fn naive(known: &Known, key: &SearchKey, now: i64) -> bool {
    let ReadMessage { content, summary, text } = &*known.read;
    let header = &content[..usize::try_from(summary.root.body_offset).unwrap()];
    let sent = || {
        summary
            .envelope
            .date
            .as_deref()
            .and_then(sent_date)
            .map(|sent| sent.day)
    };
    let local = known.internal_date.seconds + i64::from(known.internal_date.zone_minutes()) * 60;
    let arrived = local.div_euclid(DAY);
    let saved = known.saved_at.div_euclid(DAY);
    match key {
        SearchKey::All | SearchKey::SaveDateSupported => true,
        SearchKey::And(keys) => keys.iter().all(|key| naive(known, key, now)),
        SearchKey::Or(both) => naive(known, &both.0, now) || naive(known, &both.1, now),
        SearchKey::Not(key) => !naive(known, key, now),
        SearchKey::Uids(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&known.uid)),
        SearchKey::RecentFrom(from) => from.is_some_and(|from| known.uid >= from),
        SearchKey::Has(flags) => flags.difference(known.flags.system) == Flags::NONE,
        SearchKey::Keyword(keyword) => known.flags.keywords.contains(keyword),
        SearchKey::Address { field, text } => {
            let name = ["From", "To", "Cc", "Bcc"][*field as usize];
            let values = header_values(header, name);
            if text.contains('"') {
                return values.iter().any(|value| is_in(value, text));
            }
            let raw = postroom_message::fields(header).filter(|field| field.is(name));
            let entries: Vec<_> = raw.flat_map(|field| parse_address_list(field.value)).collect();
            !values.is_empty() && is_in(&address_text(&entries), text)
        }
        SearchKey::Subject(text) => header_values(header, "Subject")
            .first()
            .is_some_and(|value| is_in(value, text)),
        SearchKey::Header { name, text } => header_values(header, name).iter().any(|value| is_in(value, text)),
        SearchKey::Body(wanted) => text.body.contains(&fold(wanted)),
        SearchKey::Text(wanted) => text.header.contains(&fold(wanted)) || text.body.contains(&fold(wanted)),
        SearchKey::Larger(octets) => content.len() as u64 > *octets,
        SearchKey::Smaller(octets) => (content.len() as u64) < *octets,
        SearchKey::Before(day) => arrived < *day,
        SearchKey::On(day) => arrived == *day,
        SearchKey::Since(day) => arrived >= *day,
        SearchKey::SentBefore(day) => sent().is_some_and(|sent| sent < *day),
        SearchKey::SentOn(day) => sent().is_some_and(|sent| sent == *day),
        SearchKey::SentSince(day) => sent().is_some_and(|sent| sent >= *day),
        SearchKey::SavedBefore(day) => saved < *day,
        SearchKey::SavedOn(day) => saved == *day,
        SearchKey::SavedSince(day) => saved >= *day,
        SearchKey::Younger(seconds) => known.internal_date.seconds >= now - *seconds as i64,
        SearchKey::Older(seconds) => known.internal_date.seconds <= now - *seconds as i64,
        SearchKey::ModSeq(modseq) => known.modseq >= *modseq,
        SearchKey::EmailId(id) => Some(known.email_id) == *id,
        SearchKey::ThreadId(id) => Some(known.thread_id) == *id,
    }
}
