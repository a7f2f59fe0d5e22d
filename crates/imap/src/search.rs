//! SEARCH: rows first, headers only if rows do not decide, bodies last (RFC 3501 §6.4.4).
//!
//! Each step tries the whole program on what is known of a message; a key that needs more than is known is undecided,
//! and an AND with a false side or an OR with a true one is decided all the same.

use crate::answer::Session;
use crate::fault::of_mail;
use bytes::Bytes;
use postroom_imap_proto::{Fault, PIECE, SearchKey};
use postroom_mailstore::{FlagsAt, Meta};
use postroom_message::{body_text, date_day, header_text, header_values};
use postroom_types::{Flags, Part, Uid};
use std::sync::Arc;

/// What is read of a header.
const HEADER_OCTETS: u64 = 1 << 20;
/// Octets of header that are compared on the executor, over all keys of a program.
const COMPARED_IN_PLACE: usize = 256 << 10;
const SECONDS_A_DAY: i64 = 86_400;

/// What is known of a message.
struct Known {
    uid: Uid,
    flags: Option<FlagsAt>,
    meta: Option<Meta>,
    /// The header section, as it stands.
    header: Option<Bytes>,
    /// Header and body as text, case folded.
    texts: Option<Texts>,
}

struct Texts {
    header: String,
    body: String,
}

/// Which rows a program asks for.
#[derive(Clone, Copy, Default)]
struct Needs {
    flags: bool,
    meta: bool,
    summary: bool,
}

impl Session {
    pub(crate) async fn search(&self, among: &[Uid], program: &SearchKey) -> Result<Vec<Uid>, Fault> {
        let program = Arc::new(folded(program));
        let mut needs = Needs::default();
        needs.of(&program);
        let mut found = Vec::new();
        for piece in among.chunks(PIECE) {
            for known in self.rows(piece, needs).await? {
                let uid = known.uid;
                if self.matches(known, &program).await? {
                    found.push(uid);
                }
            }
            // A program that needs no rows waits for nothing.
            tokio::task::yield_now().await;
        }
        Ok(found)
    }

    /// The rows of messages that are still there. A program that needs none takes the client's word for it.
    async fn rows(&self, uids: &[Uid], needs: Needs) -> Result<Vec<Known>, Fault> {
        let (inbox, mailbox) = self.selected()?;
        let mailstore = &self.service.mailstore;
        let empty = |uid| Known {
            uid,
            flags: None,
            meta: None,
            header: None,
            texts: None,
        };
        let mut known: Vec<Known> = uids.iter().copied().map(empty).collect();
        if needs.flags {
            let rows = mailstore.flags(inbox, mailbox, uids).await.map_err(|e| of_mail(&e))?;
            let mut rows = rows.into_iter().peekable();
            for message in &mut known {
                message.flags = rows.next_if(|(uid, ..)| *uid == message.uid);
            }
            known.retain(|message| message.flags.is_some());
        }
        if needs.meta {
            let uids: Vec<Uid> = known.iter().map(|message| message.uid).collect();
            let rows = mailstore
                .metadata(inbox, mailbox, &uids, needs.summary)
                .await
                .map_err(|e| of_mail(&e))?;
            let mut rows = rows.into_iter().peekable();
            for message in &mut known {
                message.meta = rows.next_if(|meta| meta.uid == message.uid);
            }
            known.retain(|message| message.meta.is_some());
        }
        Ok(known)
    }

    async fn matches(&self, mut known: Known, program: &Arc<SearchKey>) -> Result<bool, Fault> {
        if let Some(decided) = known.decide(program) {
            return Ok(decided);
        }
        let (inbox, _) = self.selected()?;
        let Some(meta) = &known.meta else { return Ok(false) };
        let root = meta
            .summary
            .as_ref()
            .map(|summary| summary.root.clone())
            .unwrap_or_default();
        let mailstore = &self.service.mailstore;
        let content = mailstore.content(inbox, meta.email_id).await.map_err(|e| of_mail(&e))?;
        let Some(content) = content else { return Ok(false) };
        let header = mailstore.read(&content, 0..root.body_offset.min(HEADER_OCTETS)).await;
        let header = header.map_err(|e| of_mail(&e))?.unwrap_or_default();
        let is_short = header.len().saturating_mul(keys(program)) <= COMPARED_IN_PLACE;
        known.header = Some(header);
        let (mut known, decided) = if is_short {
            let decided = known.decide(program);
            (known, decided)
        } else {
            decide_elsewhere(known, program).await?
        };
        if let Some(decided) = decided {
            return Ok(decided);
        }
        // The semaphore is never closed.
        let _turn = self
            .service
            .whole_messages
            .acquire()
            .await
            .map_err(|_| Fault::Internal)?;
        let whole = mailstore
            .read(&content, 0..content.octets())
            .await
            .map_err(|e| of_mail(&e))?;
        known.texts = Some(texts(whole.unwrap_or_default(), root).await);
        let (_, decided) = decide_elsewhere(known, program).await?;
        Ok(decided.unwrap_or(false))
    }
}

/// Compares off the executor: a message may have megabytes of text, a program thousands of keys.
async fn decide_elsewhere(known: Known, program: &Arc<SearchKey>) -> Result<(Known, Option<bool>), Fault> {
    let program = Arc::clone(program);
    let decide = move || {
        let decided = known.decide(&program);
        (known, decided)
    };
    tokio::task::spawn_blocking(decide).await.map_err(|_| Fault::Internal)
}

/// How many keys a program has.
fn keys(program: &SearchKey) -> usize {
    match program {
        SearchKey::And(all) => all.iter().map(keys).sum(),
        SearchKey::Or(both) => keys(&both.0) + keys(&both.1),
        SearchKey::Not(key) => keys(key),
        _ => 1,
    }
}

/// Decodes off the executor: a large message takes a while.
async fn texts(content: Bytes, root: Part) -> Texts {
    let decode = move || {
        let header_end = usize::try_from(root.body_offset)
            .unwrap_or(usize::MAX)
            .min(content.len());
        Texts {
            header: header_text(&content[..header_end]).to_lowercase(),
            body: body_text(&content, &root).to_lowercase(),
        }
    };
    // A message that makes the decoder panic has no text.
    let decoded = tokio::task::spawn_blocking(decode).await;
    decoded.unwrap_or_else(|_| Texts {
        header: String::new(),
        body: String::new(),
    })
}

impl Needs {
    fn of(&mut self, key: &SearchKey) {
        match key {
            SearchKey::All | SearchKey::Uids(_) | SearchKey::RecentFrom(_) => {}
            SearchKey::And(keys) => keys.iter().for_each(|key| self.of(key)),
            SearchKey::Or(both) => {
                self.of(&both.0);
                self.of(&both.1);
            }
            SearchKey::Not(key) => self.of(key),
            SearchKey::Has(_) | SearchKey::Keyword(_) => self.flags = true,
            SearchKey::Larger(_)
            | SearchKey::Smaller(_)
            | SearchKey::Before(_)
            | SearchKey::On(_)
            | SearchKey::Since(_) => self.meta = true,
            SearchKey::Header { .. }
            | SearchKey::Body(_)
            | SearchKey::Text(_)
            | SearchKey::SentBefore(_)
            | SearchKey::SentOn(_)
            | SearchKey::SentSince(_) => (self.meta, self.summary) = (true, true),
        }
    }
}

impl Known {
    /// Whether the message matches; `None` if more has to be known.
    fn decide(&self, key: &SearchKey) -> Option<bool> {
        match key {
            SearchKey::All => Some(true),
            SearchKey::And(keys) => self.all(keys),
            SearchKey::Or(both) => match self.decide(&both.0) {
                Some(true) => Some(true),
                Some(false) => self.decide(&both.1),
                None => self.decide(&both.1).filter(|decided| *decided),
            },
            SearchKey::Not(key) => self.decide(key).map(|decided| !decided),
            SearchKey::Uids(ranges) => {
                let at = ranges.partition_point(|(_, last)| *last < self.uid);
                Some(ranges.get(at).is_some_and(|(first, _)| *first <= self.uid))
            }
            SearchKey::RecentFrom(from) => Some(from.is_some_and(|from| self.uid >= from)),
            SearchKey::Has(wanted) => {
                let (_, flags, _) = self.flags.as_ref()?;
                Some(wanted.difference(flags.system) == Flags::NONE)
            }
            SearchKey::Keyword(keyword) => {
                let (_, flags, _) = self.flags.as_ref()?;
                Some(flags.keywords.contains(keyword))
            }
            SearchKey::Larger(octets) => Some(self.meta.as_ref()?.size_octets > *octets),
            SearchKey::Smaller(octets) => Some(self.meta.as_ref()?.size_octets < *octets),
            SearchKey::Before(day) => Some(self.arrived()? < *day),
            SearchKey::On(day) => Some(self.arrived()? == *day),
            SearchKey::Since(day) => Some(self.arrived()? >= *day),
            SearchKey::SentBefore(day) => self.sent(|sent| sent < *day),
            SearchKey::SentOn(day) => self.sent(|sent| sent == *day),
            SearchKey::SentSince(day) => self.sent(|sent| sent >= *day),
            SearchKey::Header { name, text } => {
                let values = header_values(self.header.as_ref()?, name);
                Some(values.iter().any(|value| contains(&value.to_lowercase(), text)))
            }
            SearchKey::Body(text) => Some(contains(&self.texts.as_ref()?.body, text)),
            SearchKey::Text(text) => self.has_text(text),
        }
    }

    fn all(&self, keys: &[SearchKey]) -> Option<bool> {
        let mut all = Some(true);
        for key in keys {
            match self.decide(key) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }

    /// The header alone may say yes, but not no.
    fn has_text(&self, text: &str) -> Option<bool> {
        if let Some(texts) = &self.texts {
            return Some(contains(&texts.header, text) || contains(&texts.body, text));
        }
        let header = header_text(self.header.as_ref()?).to_lowercase();
        contains(&header, text).then_some(true)
    }

    /// The day of INTERNALDATE.
    fn arrived(&self) -> Option<i64> {
        Some(self.meta.as_ref()?.internal_date.div_euclid(SECONDS_A_DAY))
    }

    /// Asks of the day of the Date field; a message without one never matches.
    fn sent(&self, asked: impl Fn(i64) -> bool) -> Option<bool> {
        let summary = self.meta.as_ref()?.summary.as_ref()?;
        Some(summary.envelope.date.as_deref().and_then(date_day).is_some_and(asked))
    }
}

fn contains(text: &str, wanted: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), wanted.as_bytes()).is_some()
}

/// The program with its texts case folded, once for all messages.
fn folded(key: &SearchKey) -> SearchKey {
    match key {
        SearchKey::And(keys) => SearchKey::And(keys.iter().map(folded).collect()),
        SearchKey::Or(both) => SearchKey::Or(Box::new((folded(&both.0), folded(&both.1)))),
        SearchKey::Not(key) => SearchKey::Not(Box::new(folded(key))),
        SearchKey::Header { name, text } => SearchKey::Header {
            name: name.clone(),
            text: text.to_lowercase(),
        },
        SearchKey::Body(text) => SearchKey::Body(text.to_lowercase()),
        SearchKey::Text(text) => SearchKey::Text(text.to_lowercase()),
        other => other.clone(),
    }
}
