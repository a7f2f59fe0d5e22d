//! How many of the messages asked for one answer holds.
//!
//! What always holds: an answer holds at least one message; beyond a few, which hostile mail may make large, only what is
//! small.

use postroom_imap_proto::{FetchItems, Section, SectionText};

/// Sections in one answer, over all its messages, however large these are: of large ones only the place is held.
const SECTIONS: usize = 128;
/// The same if header fields are chosen: what was chosen is held until it is sent.
const CHOSEN_SECTIONS: usize = 32;
/// Then a message of so many octets counts as one more: should all of it be header, an answer still finds room.
const CHOSEN_OCTETS: u64 = 2 << 20;
/// Envelopes and structures in one answer, however large these are.
const SUMMARIES: usize = 50;
/// More messages than that are answered at once if all together are not larger than this.
pub(crate) const ANSWER_OCTETS: u64 = 1 << 20;

/// What is left of one answer.
pub(crate) struct Share {
    /// Messages that have their place whatever their size.
    messages: usize,
    octets: u64,
    /// Sections of each message.
    sections: u64,
    /// Header fields are chosen.
    chooses: bool,
}

impl Share {
    pub(crate) fn of(items: &FetchItems) -> Self {
        let sections = items.sections.len();
        let any = |is: fn(&Section) -> bool| items.sections.iter().any(is);
        let chooses = any(|section| matches!(section.text, SectionText::HeaderFields { .. }));
        let messages = if any(Section::is_decoded) {
            // Decoded parts are held whole, and may be as large as messages get.
            1
        } else if chooses {
            CHOSEN_SECTIONS / sections
        } else if items.summary || items.preview {
            SUMMARIES.min(SECTIONS / sections.max(1))
        } else {
            SECTIONS.checked_div(sections).unwrap_or(usize::MAX)
        };
        Self {
            messages: messages.max(1),
            octets: ANSWER_OCTETS,
            sections: sections.max(1) as u64,
            chooses,
        }
    }

    /// Whether one more message, of this size, has its place in the answer.
    pub(crate) fn take(&mut self, octets: u64) -> bool {
        self.octets = self.octets.saturating_sub(octets.saturating_mul(self.sections));
        let has_place = self.messages > 0 || self.octets > 0;
        let more = if self.chooses { octets / CHOSEN_OCTETS } else { 0 };
        let places = usize::try_from(more.saturating_add(1)).unwrap_or(usize::MAX);
        self.messages = self.messages.saturating_sub(places);
        has_place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_imap_proto::SectionForm;

    fn section(form: SectionForm, text: SectionText) -> Section {
        Section {
            part: vec![1],
            text,
            form,
            partial: None,
        }
    }

    #[test]
    fn small_messages_are_many_and_large_ones_few() {
        let fields = || SectionText::HeaderFields {
            names: vec!["SUBJECT".to_owned()],
            not: false,
        };
        let sections = |sections| FetchItems {
            sections,
            ..FetchItems::default()
        };
        let summaries = FetchItems {
            summary: true,
            ..FetchItems::default()
        };
        let whole = || section(SectionForm::Body, SectionText::All);
        let huge = 1 << 30;
        for (items, octets, expected) in [
            (sections(vec![whole()]), huge, 128),
            (sections(vec![whole(), whole()]), huge, 64),
            (sections(vec![whole()]), 1 << 10, 1023),
            (sections(vec![whole(), whole()]), 1 << 10, 511),
            (sections(vec![section(SectionForm::Body, fields())]), 2 << 20, 16),
            (sections(vec![section(SectionForm::Body, fields())]), 50 << 20, 2),
            (sections(vec![section(SectionForm::Body, fields())]), 1 << 20, 32),
            (sections(vec![section(SectionForm::Binary, SectionText::All)]), huge, 1),
            (summaries, huge, 50),
            (FetchItems::default(), huge, 2_000),
        ] {
            let mut share = Share::of(&items);
            let taken = (0..2_000).take_while(|_| share.take(octets)).count();
            assert_eq!(taken, expected, "{items:?}, {octets} octets each");
        }
    }
}
