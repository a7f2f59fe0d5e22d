//! The sections of a FETCH: small ones of all its messages are read at once, large ones stay places in the store and are
//! streamed when their turn comes; header fields are chosen and transfer encodings undone here.
//!
//! What always holds: what is decoded at one time, over all sessions, has room in memory, and so have large headers that
//! fields are chosen of; the room is taken once for a question, and what the answer needs of it is kept until it was sent.

use crate::answer::Session;
use crate::fault::of_mail;
use crate::fetch::Source;
use crate::room::{Need, Room};
use crate::section::{HEADER_OCTETS, Wanted, choose_fields, find, is_whole, partial};
use crate::share::ANSWER_OCTETS;
use crate::transfer::Encoding;
use crate::unreadable::Unreadable;
use bytes::Bytes;
use postroom_imap_proto::{Fault, Fetched, Section, SectionData, SectionForm, SectionText};
use postroom_mailstore::{Content, MailError};
use postroom_types::{BlobSpan, Part, Piece, pieces_octets};

/// Bodies up to this size are read together with those of other messages.
const SMALL_OCTETS: u64 = 64 << 10;

/// A section whose octets have to be worked on.
struct Job {
    message: usize,
    section: usize,
    work: Work,
}

#[derive(Clone, Copy)]
enum Work {
    Choose,
    Decode(Encoding),
}

impl Session {
    /// Gives each message its sections.
    pub(crate) async fn read_sections(
        &mut self,
        messages: &mut [Fetched],
        sources: &[Source],
        sections: &[Section],
        unreadable: &mut Unreadable,
    ) -> Result<(), Fault> {
        let mut jobs = Vec::new();
        for (index, (message, source)) in messages.iter_mut().zip(sources).enumerate() {
            let Some(content) = &source.content else { continue };
            let root = match &source.summary {
                Some(summary) if !sections.iter().all(is_whole) => match summary.root() {
                    Ok(root) => Some(root),
                    // Its parts are NIL.
                    Err(error) => {
                        unreadable.note(source.email_id, error);
                        None
                    }
                },
                _ => None,
            };
            message.sections.reserve_exact(sections.len());
            for section in sections {
                let (data, work) = locate(content, root.as_ref(), section);
                jobs.extend(work.map(|work| Job {
                    message: index,
                    section: message.sections.len(),
                    work,
                }));
                message.sections.push(data);
            }
        }
        self.read_small(messages, sources, unreadable).await?;
        let room = self.make_room(messages, &jobs, sections).await?;
        for job in jobs {
            let data = &mut messages[job.message].sections[job.section];
            let SectionData::Octets(pieces) = data else { continue };
            let pieces = std::mem::take(pieces);
            *data = match self.gather(pieces).await {
                Ok(Some(bytes)) => work(bytes, job.work, &sections[job.section]).await?,
                Ok(None) => SectionData::Nothing,
                Err(error) if error.is_damage() => {
                    unreadable.note(sources[job.message].email_id, error);
                    SectionData::Unreadable
                }
                Err(error) => return Err(of_mail(&error)),
            };
        }
        self.decoded = room.decoded();
        Ok(())
    }

    /// Reads the small pieces of all messages in one call. Large ones are streamed when their turn comes, which is too late
    /// to say that they cannot be read: of these the last octet is read now.
    async fn read_small(
        &self,
        messages: &mut [Fetched],
        sources: &[Source],
        unreadable: &mut Unreadable,
    ) -> Result<(), Fault> {
        let mut left = ANSWER_OCTETS;
        let (mut spans, mut places) = (Vec::new(), Vec::new());
        for (index, message) in messages.iter().enumerate() {
            for (section, data) in message.sections.iter().enumerate() {
                let SectionData::Octets(pieces) = data else { continue };
                for (at, piece) in pieces.iter().enumerate() {
                    let Piece::Stored(span) = piece else { continue };
                    let is_small = span.octets <= SMALL_OCTETS.min(left);
                    spans.push(if is_small { *span } else { last_octet(span) });
                    left -= if is_small { span.octets } else { 0 };
                    places.push((index, section, at));
                }
            }
        }
        if spans.is_empty() {
            return Ok(());
        }
        let found = self.service.mailstore.read_blobs(&spans).await;
        for ((asked, found), (index, section, at)) in spans.into_iter().zip(found).zip(places) {
            let message = &mut messages[index];
            let data = &mut message.sections[section];
            // A piece before it may have been found unreadable.
            let SectionData::Octets(pieces) = data else { continue };
            let Some(Piece::Stored(span)) = pieces.get(at).cloned() else {
                continue;
            };
            let source = &sources[index];
            match found {
                Err(error) if !error.is_damage() => return Err(of_mail(&error)),
                Err(error) => unreadable.note(source.email_id, error),
                Ok(Some(_)) if self.is_damaged(source, &span) => {
                    unreadable.note(source.email_id, "a body is not what was stored");
                }
                Ok(Some(bytes)) if bytes.len() as u64 == asked.octets => {
                    if asked == span {
                        pieces[at] = Piece::Inline(bytes);
                    }
                    continue;
                }
                Ok(Some(_)) => unreadable.note(source.email_id, "a body is cut off"),
                Ok(None) => unreadable.has_no_body(message.uid, source),
            }
            *data = SectionData::Unreadable;
        }
        Ok(())
    }

    /// Whether this is a whole body that a connection has ended over.
    fn is_damaged(&self, source: &Source, span: &BlobSpan) -> bool {
        let is_whole = |content: &Content| span.offset == 0 && span.octets == content.body_octets;
        source.content.as_ref().is_some_and(is_whole) && self.service.damaged.has(span.id)
    }

    /// Waits until all that is large may be worked on.
    async fn make_room(&self, messages: &[Fetched], jobs: &[Job], sections: &[Section]) -> Result<Room, Fault> {
        let mut need = Need::default();
        for job in jobs {
            let SectionData::Octets(pieces) = &messages[job.message].sections[job.section] else {
                continue;
            };
            let octets = pieces_octets(pieces);
            if matches!(job.work, Work::Choose) && octets <= HEADER_OCTETS {
                continue;
            }
            let section = &sections[job.section];
            let kept = match (section.form, section.partial) {
                (SectionForm::BinarySize, _) => 0,
                (_, Some((_, count))) => count,
                (_, None) => u64::MAX,
            };
            need.add(octets, kept);
        }
        need.room(&self.service.decoding).await
    }

    /// The octets of pieces, read as far as need be. `None`: they are gone.
    async fn gather(&self, mut pieces: Vec<Piece>) -> Result<Option<Bytes>, MailError> {
        if let [Piece::Inline(_)] = pieces.as_slice()
            && let Some(Piece::Inline(bytes)) = pieces.pop()
        {
            return Ok(Some(bytes));
        }
        // What is larger than memory has got no room.
        let mut all = Vec::with_capacity(pieces_octets(&pieces) as usize);
        for piece in pieces {
            match piece {
                Piece::Inline(bytes) => all.extend(bytes),
                Piece::Stored(span) => match self.read_whole(span).await? {
                    Some(bytes) => all.extend_from_slice(&bytes),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(all.into()))
    }

    async fn read_whole(&self, span: BlobSpan) -> Result<Option<Bytes>, MailError> {
        let bytes = self.service.mailstore.read_blob(span).await?;
        Ok(bytes.filter(|bytes| bytes.len() as u64 == span.octets))
    }
}

async fn work(bytes: Bytes, work: Work, section: &Section) -> Result<SectionData, Fault> {
    let measure = section.form == SectionForm::BinarySize;
    let encoding = match (work, &section.text) {
        (Work::Choose, SectionText::HeaderFields { names, not }) => {
            let chosen = choose_fields(bytes, names, *not).await?;
            return Ok(match measure {
                true => SectionData::Size(chosen.len() as u64),
                false => SectionData::Octets(vec![Piece::Inline(cut(chosen, section))]),
            });
        }
        (Work::Choose, _) => return Err(Fault::Internal),
        (Work::Decode(encoding), _) => encoding,
    };
    let is_small = bytes.len() as u64 <= SMALL_OCTETS;
    let decode = move || {
        let decoded = encoding.decode(&bytes)?;
        Some(match measure {
            true => SectionData::Size(decoded.len() as u64),
            false => SectionData::Decoded(decoded.into_owned().into()),
        })
    };
    let decoded = match is_small {
        true => decode(),
        false => tokio::task::spawn_blocking(decode).await.map_err(|_| Fault::Internal)?,
    };
    Ok(match decoded {
        None => SectionData::UnknownEncoding,
        Some(SectionData::Decoded(whole)) => SectionData::Decoded(cut(whole, section)),
        Some(data) => data,
    })
}

const fn last_octet(span: &BlobSpan) -> BlobSpan {
    let before = span.octets.saturating_sub(1);
    BlobSpan {
        offset: span.offset.saturating_add(before),
        octets: span.octets - before,
        ..*span
    }
}

/// What is asked of octets that were made here. A part is copied, so that the whole, for which no room is held, goes.
fn cut(whole: Bytes, section: &Section) -> Bytes {
    let Some((origin, octets)) = section.partial else {
        return whole;
    };
    match partial(vec![Piece::Inline(whole)], origin, octets).pop() {
        Some(Piece::Inline(bytes)) => Bytes::copy_from_slice(&bytes),
        _ => Bytes::new(),
    }
}

/// Where a section is, and what is to be done with its octets once they are here.
fn locate(content: &Content, root: Option<&Part>, section: &Section) -> (SectionData, Option<Work>) {
    let wanted = match root {
        _ if is_whole(section) => Wanted::Octets(0..content.octets()),
        Some(root) => find(root, section),
        None => Wanted::Nothing,
    };
    match wanted {
        Wanted::Nothing => (SectionData::Nothing, None),
        Wanted::Decoded(_, Encoding::Unknown) => (SectionData::UnknownEncoding, None),
        Wanted::Octets(range) | Wanted::Decoded(range, Encoding::Identity) => {
            if section.form == SectionForm::BinarySize {
                return (SectionData::Size(range.end.saturating_sub(range.start)), None);
            }
            let pieces = content.pieces(range);
            let pieces = match section.partial {
                Some((origin, octets)) => partial(pieces, origin, octets),
                None => pieces,
            };
            (SectionData::Octets(pieces), None)
        }
        Wanted::Fields(range) => {
            let pieces = content.pieces(range);
            (SectionData::Octets(pieces), Some(Work::Choose))
        }
        Wanted::Decoded(range, encoding) => (SectionData::Octets(content.pieces(range)), Some(Work::Decode(encoding))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_does_not_keep_the_whole() {
        let asked = |partial| Section {
            part: vec![1],
            text: SectionText::All,
            form: SectionForm::Binary,
            partial,
        };
        let whole = Bytes::from(b"decoded".repeat(1000));
        for (partial, expected) in [
            ((0, 1), &b"d"[..]),
            ((8, 3), b"eco"),
            ((6998, 100), b"ed"),
            ((7000, 1), b""),
        ] {
            assert_eq!(cut(whole.clone(), &asked(Some(partial))), expected, "{partial:?}");
            let part = cut(whole.clone(), &asked(Some(partial)));
            assert!(whole.is_unique(), "{partial:?} keeps the whole");
            drop(part);
        }
        assert_eq!(cut(whole.clone(), &asked(None)), whole);
    }
}
