//! A bound on what a summary keeps of one message, so that a FETCH of many hostile messages fits into memory.
//!
//! What always holds: whatever the content, the texts of a summary are together at most [`KEPT_OCTETS`] and a little
//! for each part. Nobody's real mail comes near: it is room for over two thousand recipients.

use postroom_types::{AddressEntry, Envelope, Part};

/// Octets of texts kept of one message.
pub(crate) const KEPT_OCTETS: usize = 128 << 10;
/// What an entry or a parameter costs beside its text.
const ENTRY_OCTETS: usize = 16;
/// Longest media type, encoding and the like kept of a part for which there is no room.
const SHORT_OCTETS: usize = 127;

/// What is left of the bound.
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) const fn new() -> Self {
        Self(KEPT_OCTETS)
    }

    /// Takes from the budget what a part costs; cuts away what there is no room for.
    pub(crate) fn spend(&mut self, part: &mut Part, envelope: &mut Envelope) {
        for name in [&mut part.media_type, &mut part.subtype, &mut part.encoding] {
            if !self.take(name.len()) {
                name.truncate(SHORT_OCTETS);
            }
        }
        for text in [
            &mut envelope.date,
            &mut envelope.message_id,
            &mut envelope.in_reply_to,
            &mut envelope.subject,
            &mut part.content_id,
            &mut part.md5,
            &mut part.description,
            &mut part.location,
        ] {
            if !self.take(text.as_ref().map_or(0, Vec::len)) {
                *text = None;
            }
        }
        self.spend_params(&mut part.params);
        if let Some(disposition) = &mut part.disposition {
            if !self.take(disposition.kind.len()) {
                disposition.kind.truncate(SHORT_OCTETS);
            }
            self.spend_params(&mut disposition.params);
        }
        part.language.retain(|tag| self.take(tag.len() + ENTRY_OCTETS));
        let lists = [
            &mut envelope.from,
            &mut envelope.sender,
            &mut envelope.reply_to,
            &mut envelope.to,
            &mut envelope.cc,
            &mut envelope.bcc,
        ];
        for entries in lists.into_iter().flatten() {
            self.spend_list(entries);
        }
    }

    fn spend_params(&mut self, params: &mut Vec<(Vec<u8>, Vec<u8>)>) {
        params.retain(|(name, value)| self.take(name.len() + value.len() + ENTRY_OCTETS));
    }

    fn spend_list(&mut self, entries: &mut Vec<AddressEntry>) {
        let octets = |text: &Option<Vec<u8>>| text.as_ref().map_or(0, Vec::len);
        let cost =
            |entry: &AddressEntry| ENTRY_OCTETS + octets(&entry.name) + octets(&entry.mailbox) + octets(&entry.host);
        let room = entries.iter().take_while(|entry| self.take(cost(entry))).count();
        if room == entries.len() {
            return;
        }
        entries.truncate(room);
        // A group that was cut is closed, or what follows would seem to belong to it.
        let mut marks = entries.iter().rev().filter(|entry| entry.host.is_none());
        if marks.next().is_some_and(|mark| mark.mailbox.is_some()) {
            entries.push(AddressEntry::default());
        }
    }

    /// Whether there is room for so much.
    fn take(&mut self, octets: usize) -> bool {
        match self.0.checked_sub(octets) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::summarize;
    use postroom_types::{AddressEntry, Part, PartBody};

    fn entries(list: &Option<Vec<AddressEntry>>) -> usize {
        list.as_ref().map_or(0, Vec::len)
    }

    #[test]
    fn large_but_honest_mail_is_kept_whole() {
        let to: Vec<String> = (0..1_500)
            .map(|number| format!("recipient{number}@example.net"))
            .collect();
        let content = format!(
            "From: a@b\r\nSubject: s\r\nTo: {}\r\nCc: c@d\r\n\r\n",
            to.join(",\r\n ")
        );
        let envelope = summarize(content.as_bytes()).envelope;
        assert_eq!((entries(&envelope.to), entries(&envelope.cc)), (1_500, 1));
    }

    #[test]
    fn a_cut_group_is_closed() {
        let members: Vec<String> = (0..1_900)
            .map(|number| format!("{number}@{}", "x".repeat(200)))
            .collect();
        let content = format!(
            "From: a@b\r\nTo: friends: {};\r\nCc: c@d\r\nSubject: s\r\n\r\n",
            members.join(",")
        );
        let envelope = summarize(content.as_bytes()).envelope;
        let to = envelope.to.unwrap();
        assert!(to.len() > 500 && to.len() < 1_900);
        assert_eq!(to.last(), Some(&AddressEntry::default()));
        assert_eq!(
            (entries(&envelope.from), envelope.subject.as_deref()),
            (1, Some(&b"s"[..]))
        );
    }

    #[test]
    fn many_parts_with_much_to_say_are_cut_but_counted() {
        let long = "x".repeat(10_000);
        let part =
            format!("--b\r\nContent-Type: text/plain; name={long}\r\nContent-Description: {long}\r\n\r\nbody\r\n");
        let content = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
            part.repeat(500)
        );
        let root = summarize(content.as_bytes()).root;
        let PartBody::Multipart(children) = &root.body else {
            panic!("{root:?}")
        };
        assert_eq!(children.len(), 500);
        let said = |part: &Part| {
            part.description.as_ref().map_or(0, Vec::len)
                + part
                    .params
                    .iter()
                    .map(|(name, value)| name.len() + value.len())
                    .sum::<usize>()
        };
        assert!(children.iter().map(said).sum::<usize>() <= super::KEPT_OCTETS);
        assert_eq!(children[499].octets(), 4);
    }
}
