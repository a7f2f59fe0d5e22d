//! SEARCH (RFC 3501 §6.4.4): first by what the rows say, then by the header, and by the whole text only where nothing
//! less decides.

use crate::fetch::Place;
use bytes::Bytes;
use postroom_imap_proto::{PIECE, SearchKey};
use postroom_mailstore::{MailError, Meta};
use postroom_message::{body_offset, body_text, date_day, header_text, header_values};
use postroom_types::{MessageFlags, Part, Summary, Uid};
use std::collections::HashMap;

const DAY_SECONDS: i64 = 86_400;

/// What is known of a message so far; a key that needs more is undecided.
#[derive(Default)]
struct Facts<'a> {
    flags: Option<&'a MessageFlags>,
    meta: Option<&'a Meta>,
    header: Option<&'a [u8]>,
    body: Option<(&'a [u8], &'a Part)>,
}

/// Which of these messages match, ascending. Messages that are gone do not.
pub(crate) async fn search(at: Place<'_>, among: &[Uid], program: &SearchKey) -> Result<Vec<Uid>, MailError> {
    let program = &folded(program);
    let mut found = Vec::new();
    for uids in among.chunks(PIECE) {
        found.extend(search_piece(at, uids, program).await?);
    }
    Ok(found)
}

async fn search_piece(at: Place<'_>, uids: &[Uid], program: &SearchKey) -> Result<Vec<Uid>, MailError> {
    let rows = at.mailstore.flags(at.inbox, at.mailbox, uids).await?;
    let flags: HashMap<Uid, MessageFlags> = rows.into_iter().map(|(uid, flags, _)| (uid, flags)).collect();
    let mut found = Vec::new();
    let mut undecided = Vec::new();
    for uid in uids.iter().filter(|uid| flags.contains_key(uid)) {
        match matches(program, *uid, &Facts { flags: flags.get(uid), ..Facts::default() }) {
            Some(true) => found.push(*uid),
            Some(false) => {}
            None => undecided.push(*uid),
        }
    }
    for meta in at.mailstore.metadata(at.inbox, at.mailbox, &undecided, true).await? {
        if decide(at, flags.get(&meta.uid), &meta, program).await? {
            found.push(meta.uid);
        }
    }
    found.sort_unstable();
    Ok(found)
}

async fn decide(at: Place<'_>, flags: Option<&MessageFlags>, meta: &Meta, program: &SearchKey) -> Result<bool, MailError> {
    let facts = Facts { flags, meta: Some(meta), ..Facts::default() };
    if let Some(decided) = matches(program, meta.uid, &facts) {
        return Ok(decided);
    }
    let Some(root) = meta.summary.as_ref().map(|summary| &summary.root) else { return Ok(false) };
    let Some(content) = at.mailstore.content(at.inbox, meta.email_id).await? else { return Ok(false) };
    let header = at.mailstore.read(&content, 0..root.body_offset).await?.unwrap_or_default();
    let facts = Facts { header: Some(&header), ..facts };
    if let Some(decided) = matches(program, meta.uid, &facts) {
        return Ok(decided);
    }
    let whole: Bytes = at.mailstore.read(&content, 0..content.octets()).await?.unwrap_or_default();
    Ok(matches(program, meta.uid, &Facts { body: Some((&whole, root)), ..facts }).unwrap_or(false))
}

/// `None`: not decided by these facts.
fn matches(key: &SearchKey, uid: Uid, facts: &Facts<'_>) -> Option<bool> {
    let date = |of: fn(&Meta) -> Option<i64>| facts.meta.map(of);
    let received = || date(|meta| Some(meta.internal_date.div_euclid(DAY_SECONDS)));
    let sent = || date(|meta| date_day(meta.summary.as_ref()?.envelope.date.as_deref()?));
    let day = |day: Option<Option<i64>>, test: &dyn Fn(i64) -> bool| day.map(|day| day.is_some_and(test));
    match key {
        SearchKey::All => Some(true),
        SearchKey::And(keys) => all(keys.iter().map(|key| matches(key, uid, facts))),
        SearchKey::Or(keys) => {
            let negated = [&keys.0, &keys.1].map(|key| matches(key, uid, facts).map(|decided| !decided));
            all(negated.into_iter()).map(|neither| !neither)
        }
        SearchKey::Not(key) => matches(key, uid, facts).map(|decided| !decided),
        SearchKey::Uids(ranges) => Some(ranges.iter().any(|(low, high)| (*low..=*high).contains(&uid))),
        SearchKey::Has(wanted) => facts.flags.map(|flags| wanted.difference(flags.system).bits() == 0),
        SearchKey::Keyword(keyword) => facts.flags.map(|flags| flags.keywords.contains(keyword)),
        SearchKey::RecentFrom(from) => Some(from.is_some_and(|from| uid >= from)),
        SearchKey::Larger(octets) => facts.meta.map(|meta| meta.size_octets > *octets),
        SearchKey::Smaller(octets) => facts.meta.map(|meta| meta.size_octets < *octets),
        SearchKey::Before(wanted) => day(received(), &|day| day < *wanted),
        SearchKey::On(wanted) => day(received(), &|day| day == *wanted),
        SearchKey::Since(wanted) => day(received(), &|day| day >= *wanted),
        SearchKey::SentBefore(wanted) => day(sent(), &|day| day < *wanted),
        SearchKey::SentOn(wanted) => day(sent(), &|day| day == *wanted),
        SearchKey::SentSince(wanted) => day(sent(), &|day| day >= *wanted),
        SearchKey::Header { name, text } => header_matches(name, text, facts),
        SearchKey::Body(text) => facts.body.map(|(content, root)| contains(&body_text(content, root), text)),
        SearchKey::Text(text) => match facts.header.map(|header| contains(&header_text(header), text)) {
            Some(true) => Some(true),
            _ => facts.body.map(|(content, root)| {
                contains(&header_text(&content[..body_offset(content)]), text) || contains(&body_text(content, root), text)
            }),
        },
    }
}

/// All must hold; one that fails decides, whatever is not known of the others.
fn all(decisions: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for decision in decisions {
        match decision {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

fn header_matches(name: &str, text: &str, facts: &Facts<'_>) -> Option<bool> {
    let summary: Option<&Summary> = facts.meta.and_then(|meta| meta.summary.as_ref());
    if name.eq_ignore_ascii_case("Subject")
        && let Some(summary) = summary
    {
        // The one field that the summary has whole.
        return Some(summary.envelope.subject.is_some() && contains(&summary.subject_text, text));
    }
    facts.header.map(|header| header_values(header, name).iter().any(|value| contains(value, text)))
}

/// Substring without regard to case; `wanted` is folded already.
fn contains(text: &str, wanted: &str) -> bool {
    wanted.is_empty() || memchr::memmem::find(text.to_lowercase().as_bytes(), wanted.as_bytes()).is_some()
}

/// The program with its texts folded, once for all messages.
fn folded(key: &SearchKey) -> SearchKey {
    match key {
        SearchKey::And(keys) => SearchKey::And(keys.iter().map(folded).collect()),
        SearchKey::Or(keys) => SearchKey::Or(Box::new((folded(&keys.0), folded(&keys.1)))),
        SearchKey::Not(key) => SearchKey::Not(Box::new(folded(key))),
        SearchKey::Header { name, text } => SearchKey::Header { name: name.clone(), text: text.to_lowercase() },
        SearchKey::Body(text) => SearchKey::Body(text.to_lowercase()),
        SearchKey::Text(text) => SearchKey::Text(text.to_lowercase()),
        other => other.clone(),
    }
}
