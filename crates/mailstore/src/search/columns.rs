//! What SEARCH, SORT and THREAD need of the messages of a mailbox beside their flags, in memory: about 120 octets a message,
//! and each text once.
//!
//! What always holds: lines ascend by UID; a line says nothing about whether its message is still there.

use super::texts::{TextId, Texts};
use postroom_message::{address_text, base_subject, display_text, fold, normal_message_id, sent_date};
use postroom_types::{AddressEntry, AddressField, EmailId, Summary, ThreadId, Uid};
use std::hash::{BuildHasher, RandomState};

/// Longest folded text that is searched here; longer ones are looked for in the header.
const MAX_TEXT_OCTETS: usize = 2 << 10;
/// With a longer header, and a longer list, it is not certain that all of it is in the summary.
const MAX_HEADER_OCTETS: u64 = 16 << 10;
const MAX_ADDRESSES: usize = 1_000;
/// Longest subject whose base is extracted, in characters.
const MAX_SUBJECT_CHARS: usize = 1_000;

/// What is known of one message.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) email_id: EmailId,
    pub(super) thread_id: ThreadId,
    /// Seconds since 1970 UTC, if the Date field says so.
    pub(super) sent_at: Option<i64>,
    /// Hash of the Message-ID; 0 if there is none.
    pub(super) message_id: u64,
    /// Where its references begin in [`Columns::references`].
    references: u32,
    pub(super) uid: Uid,
    /// Where the body begins.
    pub(super) body_offset: u32,
    /// The day in the Date field; [`NO_DAY`] without one.
    sent_day: i32,
    /// From, To, Cc, Bcc.
    addresses: [TextId; 4],
    pub(super) subject: TextId,
    pub(super) base_subject: TextId,
    pub(super) first_from: TextId,
    pub(super) first_to: TextId,
    pub(super) first_cc: TextId,
    pub(super) display_from: TextId,
    pub(super) display_to: TextId,
    reference_count: u8,
    /// The subject is that of a reply or forward.
    pub(super) is_reply: bool,
}

const NO_DAY: i32 = i32::MIN;

impl Line {
    /// The text of an address field.
    pub(super) const fn address(&self, field: AddressField) -> TextId {
        self.addresses[field as usize]
    }

    /// The day in the Date field, in days since 1970-01-01.
    pub(super) fn sent_day(&self) -> Option<i64> {
        (self.sent_day != NO_DAY).then(|| i64::from(self.sent_day))
    }
}

/// The lines of a mailbox.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) lines: Vec<Line>,
    pub(super) texts: Texts,
    references: Vec<u64>,
    /// The highest UID that was looked at.
    looked: Option<Uid>,
}

/// A line whose texts are not numbered yet, so that they can be made without holding the columns.
pub(super) struct NewLine {
    line: Line,
    /// From, To, Cc, Bcc, subject; `Err` is the id it gets.
    searched: [Result<String, TextId>; 5],
    base_subject: String,
    /// First From, To, Cc; displayed From, To.
    sorted: [Option<String>; 5],
    references: Vec<u64>,
}

/// Makes lines.
#[derive(Clone, Default)]
pub(super) struct LineMaker(RandomState);

impl LineMaker {
    pub(super) fn make(&self, uid: Uid, email_id: EmailId, thread_id: ThreadId, summary: &Summary) -> NewLine {
        let envelope = &summary.envelope;
        let is_whole = summary.root.body_offset <= MAX_HEADER_OCTETS;
        let searched = |text: Option<String>, is_whole: bool| match text {
            None if is_whole => Err(TextId::NONE),
            Some(text) if is_whole && text.len() <= MAX_TEXT_OCTETS => Ok(text),
            _ => Err(TextId::LONG),
        };
        let addresses = |entries: &Option<Vec<AddressEntry>>| {
            let is_whole = is_whole && entries.as_ref().is_none_or(|entries| entries.len() < MAX_ADDRESSES);
            let text = is_whole.then(|| entries.as_deref().map(|entries| fold(&address_text(entries))));
            searched(text.flatten(), is_whole)
        };
        let subject = envelope.subject.as_deref().map(postroom_message::decode_words);
        let base = match &subject {
            Some(subject) => {
                let end = subject
                    .char_indices()
                    .nth(MAX_SUBJECT_CHARS)
                    .map_or(subject.len(), |(at, _)| at);
                base_subject(&subject[..end])
            }
            None => Default::default(),
        };
        let first = |entries: &Option<Vec<AddressEntry>>| entries.as_ref().and_then(|entries| entries.first().cloned());
        let (from, to, cc) = (first(&envelope.from), first(&envelope.to), first(&envelope.cc));
        let mailbox = |entry: &Option<AddressEntry>| {
            let mailbox = entry.as_ref()?.mailbox.as_deref()?;
            Some(fold(&String::from_utf8_lossy(mailbox)))
        };
        let display = |entry: &Option<AddressEntry>| Some(fold(&display_text(entry.as_ref()?)));
        let sent = envelope.date.as_deref().and_then(sent_date);
        let references: Vec<u64> = summary.references.iter().map(|id| self.hash(id)).collect();
        let none = TextId::NONE;
        let line = Line {
            email_id,
            thread_id,
            sent_at: sent.map(|sent| sent.at),
            message_id: summary.message_id.as_deref().map_or(0, |id| self.hash(id)),
            references: 0,
            uid,
            body_offset: u32::try_from(summary.root.body_offset).unwrap_or(u32::MAX),
            sent_day: sent.and_then(|sent| i32::try_from(sent.day).ok()).unwrap_or(NO_DAY),
            addresses: [none; 4],
            subject: none,
            base_subject: none,
            first_from: none,
            first_to: none,
            first_cc: none,
            display_from: none,
            display_to: none,
            // At most 32 are kept.
            reference_count: references.len().min(255) as u8,
            is_reply: base.is_reply,
        };
        NewLine {
            line,
            searched: [
                addresses(&envelope.from),
                addresses(&envelope.to),
                addresses(&envelope.cc),
                addresses(&envelope.bcc),
                searched(subject.as_deref().map(fold), is_whole),
            ],
            base_subject: fold(&base.text),
            sorted: [mailbox(&from), mailbox(&to), mailbox(&cc), display(&from), display(&to)],
            references,
        }
    }

    /// Keyed, so that nobody can make two Message-IDs meet.
    fn hash(&self, id: &str) -> u64 {
        self.0.hash_one(normal_message_id(id).as_bytes()).max(1)
    }
}

impl Columns {
    /// Adds a line at its place; mostly the end.
    pub(super) fn add(&mut self, new: NewLine) {
        let NewLine {
            mut line,
            searched,
            base_subject,
            sorted,
            references,
        } = new;
        let place = match self.lines.last() {
            Some(last) if last.uid >= line.uid => match self.place(line.uid) {
                Ok(_) => return,
                Err(place) => place,
            },
            _ => self.lines.len(),
        };
        let texts = &mut self.texts;
        let [from, to, cc, bcc, subject] = searched.map(|text| match text {
            Ok(text) => texts.intern(text.as_bytes()),
            Err(id) => id,
        });
        line.addresses = [from, to, cc, bcc];
        line.subject = subject;
        line.base_subject = texts.intern(base_subject.as_bytes());
        let sorted = sorted.map(|text| text.map_or(TextId::NONE, |text| texts.intern(text.as_bytes())));
        [
            line.first_from,
            line.first_to,
            line.first_cc,
            line.display_from,
            line.display_to,
        ] = sorted;
        match u32::try_from(self.references.len()) {
            Ok(start) => line.references = start,
            Err(_) => line.reference_count = 0,
        }
        self.references.extend(&references[..usize::from(line.reference_count)]);
        self.lines.insert(place, line);
    }

    fn place(&self, uid: Uid) -> Result<usize, usize> {
        self.lines.binary_search_by_key(&uid, |line| line.uid)
    }

    /// The line of a message. `hint` is where it is looked for first, and becomes the place after it.
    pub(super) fn find(&self, uid: Uid, hint: &mut usize) -> Option<&Line> {
        let place = match self.lines.get(*hint) {
            Some(line) if line.uid == uid => *hint,
            _ => self.place(uid).ok()?,
        };
        *hint = place + 1;
        Some(&self.lines[place])
    }

    /// Hashes of the Message-IDs that a message refers to, the parent last.
    pub(super) fn references(&self, line: &Line) -> &[u64] {
        &self.references[line.references as usize..][..usize::from(line.reference_count)]
    }

    /// Notes that all messages up to this one were looked at; one that is damaged has no line, and is not read again.
    pub(super) fn looked(&mut self, uid: Uid) {
        self.looked = self.looked.max(Some(uid));
    }

    /// The highest UID of which there is a line, or that was looked at.
    pub(super) fn last(&self) -> Option<Uid> {
        self.lines.last().map(|line| line.uid).max(self.looked)
    }

    /// About how much memory it takes.
    pub(super) fn octets(&self) -> usize {
        self.lines.capacity() * size_of::<Line>() + 8 * self.references.capacity() + self.texts.octets()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_small() {
        assert!(size_of::<Line>() <= 128, "{}", size_of::<Line>());
    }

    #[test]
    fn lines_are_kept_in_order_and_once() {
        let maker = LineMaker::default();
        let mut columns = Columns::default();
        for uid in [3, 7, 5, 7, 1] {
            let content = format!(
                "Subject: Re: [x] s{uid}\r\nReferences: <a@x> <\"b{uid}\"@x>\r\nMessage-ID: <b{uid}@x>\r\n\r\n"
            );
            let summary = postroom_message::summarize(content.as_bytes());
            let uid = Uid::new(uid).unwrap();
            columns.add(maker.make(uid, EmailId::new(), ThreadId::new(), &summary));
        }
        let uids: Vec<u32> = columns.lines.iter().map(|line| line.uid.get()).collect();
        assert_eq!(uids, [1, 3, 5, 7]);
        let mut hint = 0;
        for line in &columns.lines {
            let found = columns.find(line.uid, &mut hint).unwrap();
            assert_eq!(
                columns.texts.get(found.base_subject),
                format!("S{}", line.uid).as_bytes()
            );
            assert!(found.is_reply);
            let references = columns.references(found);
            assert_eq!(references.len(), 2);
            assert_eq!(references[1], found.message_id, "quoting makes no difference");
        }
        assert!(columns.find(Uid::new(2).unwrap(), &mut hint).is_none());
        for (uid, last) in [(5, 7), (9, 9), (8, 9)] {
            columns.looked(Uid::new(uid).unwrap());
            assert_eq!(columns.last(), Uid::new(last), "{uid} has no line");
        }
    }
}
