//! The words of a query, where they stand in a message, and how that is shown.
//!
//! What always holds: texts are compared as the search of the mailbox compares them; what is shown is what stands in the
//! message, with `**` around what matched.

use crate::agentmail::message_view::addresses;
use postroom_message::fold;
use postroom_types::Summary;
use serde::Serialize;
use std::ops::Range;
use utoipa::ToSchema;

/// Most words of a query that count.
const MAX_WORDS: usize = 8;
/// Most fragments of a text.
const MAX_FRAGMENTS: usize = 3;
/// Characters around a match in a fragment.
const AROUND: usize = 60;

/// Where a query matched, in fragments with `**` around what did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Highlights {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    recipients: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    subject: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    text: Vec<String>,
}

/// The words of a query.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// As given.
    words: Vec<String>,
    folded: Vec<String>,
}

impl Words {
    pub(super) fn of(query: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        for word in query.split(char::is_whitespace) {
            let word = word.trim_matches(|c: char| c == '"' || c == '\'');
            if !word.is_empty() && words.len() < MAX_WORDS && !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        let folded = words.iter().map(|word| fold(word)).collect();
        Self { words, folded }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn all(&self) -> &[String] {
        &self.words
    }

    /// Where they stand; `None` if one stands nowhere.
    pub(super) fn highlights(&self, summary: &Summary, text: &str) -> Option<Highlights> {
        let envelope = &summary.envelope;
        let from = addresses(envelope.from.as_ref());
        let recipients: Vec<String> = [&envelope.to, &envelope.cc, &envelope.bcc]
            .into_iter()
            .flat_map(|list| addresses(list.as_ref()))
            .collect();
        let subject = [summary.subject_text.clone()];
        let short: Vec<String> = from
            .iter()
            .chain(&recipients)
            .chain(&subject)
            .map(|text| fold(text))
            .collect();
        let places: Vec<(usize, Range<usize>)> = self.places_of_words(text);
        for (index, word) in self.folded.iter().enumerate() {
            let stands = short.iter().any(|text| text.contains(word)) || places.iter().any(|(of, _)| *of == index);
            if !stands {
                return None;
            }
        }
        Some(Highlights {
            from: from.iter().filter_map(|text| self.marked(text)).collect(),
            recipients: recipients.iter().filter_map(|text| self.marked(text)).collect(),
            subject: subject.iter().filter_map(|text| self.marked(text)).collect(),
            text: fragments(text, places.into_iter().map(|(_, place)| place).collect()),
        })
    }

    /// A short text, if any word is in it.
    fn marked(&self, text: &str) -> Option<String> {
        let folded = fold(text);
        if !self.folded.iter().any(|word| folded.contains(word)) {
            return None;
        }
        let mut places: Vec<Range<usize>> = Vec::new();
        for word in &self.folded {
            places.extend(places_of(text, word));
        }
        Some(mark(text, 0..text.len(), &merged(places)))
    }

    /// Which words stand where in a text, as whole words; what is no word of letters with spaces around it stands anywhere.
    fn places_of_words(&self, text: &str) -> Vec<(usize, Range<usize>)> {
        let (plain, others): (Vec<usize>, Vec<usize>) =
            (0..self.folded.len()).partition(|index| self.folded[*index].chars().all(is_of_word));
        let mut places = Vec::new();
        for index in others {
            let found = places_of(text, &self.folded[index]);
            places.extend(found.into_iter().map(|place| (index, place)));
        }
        if !plain.is_empty() {
            for place in word_places(text) {
                let here = fold(&text[place.clone()]);
                let is_here = plain.iter().filter(|index| self.folded[**index] == here);
                places.extend(is_here.map(|index| (*index, place.clone())));
            }
        }
        places
    }
}

/// Whether words are made of this; scripts from U+2E80 on are written without spaces between them.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{2e80}'
}

/// The words of a text: runs of letters and digits.
fn word_places(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                places.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    places
}

/// Where a folded text stands in one that is not: compared character by character, so that places are those of the
/// original.
fn places_of(text: &str, folded: &str) -> Vec<Range<usize>> {
    let mut chars: Vec<(usize, String)> = Vec::new();
    for (at, c) in text.char_indices() {
        chars.push((at, fold(c.encode_utf8(&mut [0; 4]))));
    }
    let mut places = Vec::new();
    let mut from = 0;
    while from < chars.len() {
        match match_at(&chars[from..], folded) {
            Some(count) => {
                let end = chars.get(from + count).map_or(text.len(), |(at, _)| *at);
                places.push(chars[from].0..end);
                from += count.max(1);
            }
            None => from += 1,
        }
    }
    places
}

/// How many characters a folded text takes here.
fn match_at(chars: &[(usize, String)], folded: &str) -> Option<usize> {
    let mut rest = folded;
    for (count, (_, c)) in chars.iter().enumerate() {
        if rest.is_empty() {
            return Some(count);
        }
        rest = rest.strip_prefix(c.as_str())?;
    }
    rest.is_empty().then_some(chars.len())
}

/// Places in order, those that touch each other as one.
fn merged(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_unstable_by_key(|place| place.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for place in places {
        match merged.last_mut() {
            Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
            _ => merged.push(place),
        }
    }
    merged
}

/// A part of a text on one line with `**` around places in it.
fn mark(text: &str, part: Range<usize>, places: &[Range<usize>]) -> String {
    let mut out = String::new();
    let mut at = part.start;
    for place in places
        .iter()
        .filter(|place| place.start >= part.start && place.end <= part.end)
    {
        out.push_str(&text[at..place.start]);
        out.push_str("**");
        out.push_str(&text[place.clone()]);
        out.push_str("**");
        at = place.end;
    }
    out.push_str(&text[at..part.end]);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands around the first matches.
fn fragments(text: &str, places: Vec<Range<usize>>) -> Vec<String> {
    let places = merged(places);
    let mut fragments = Vec::new();
    let mut until = 0;
    for place in &places {
        if place.start < until {
            continue;
        }
        if fragments.len() == MAX_FRAGMENTS {
            break;
        }
        let before = text[until..place.start].char_indices().rev().take(AROUND).last();
        let start = until + before.map_or(place.start - until, |(at, _)| at);
        let after = text[place.end..].char_indices().nth(AROUND);
        let mut end = after.map_or(text.len(), |(at, _)| place.end + at);
        // No match is cut.
        for other in &places {
            if other.start < end && other.end > end {
                end = other.end;
            }
        }
        fragments.push(mark(text, start..end, &places));
        until = end;
    }
    fragments
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;
    use proptest::prelude::*;

    fn highlights(query: &str, text: &str) -> Option<Highlights> {
        let message =
            "From: Ann Example <ann@example.net>\r\nTo: Bob <bob@example.org>\r\nSubject: Your Invoice\r\n\r\n";
        Words::of(query).highlights(&summarize(message.as_bytes()), text)
    }

    #[test]
    fn what_matched_is_marked() {
        let found = highlights("invoice", "The invoice is attached. Pay the INVOICE.").unwrap();
        assert_eq!(found.subject, ["Your **Invoice**"]);
        assert_eq!(found.text, ["The **invoice** is attached. Pay the **INVOICE**."]);
        assert!(found.from.is_empty() && found.recipients.is_empty());
        let found = highlights("EXAMPLE pay", "Pay!").unwrap();
        assert_eq!(found.from, ["Ann **Example** <ann@**example**.net>"]);
        assert_eq!(found.recipients, ["Bob <bob@**example**.org>"]);
        assert_eq!(found.text, ["**Pay**!"]);
    }

    #[test]
    fn texts_match_by_words_and_the_rest_anywhere() {
        assert!(highlights("inv", "nothing").is_some());
        assert!(highlights("cat", "a concatenation").is_none());
        assert!(highlights("cat", "a Cat.").is_some());
        assert!(highlights("a.b", "x a.b y").is_some());
        assert!(highlights("invoice dog", "no").is_none());
    }

    #[test]
    fn long_texts_are_cut() {
        let text = format!("{}needle{} needle", "é ".repeat(200), " ü".repeat(200));
        let found = highlights("needle", &text).unwrap();
        assert_eq!(found.text.len(), 2);
        assert!(
            found
                .text
                .iter()
                .all(|part| part.contains("**needle**") && part.chars().count() < 200)
        );
    }

    proptest! {
        #[test]
        fn any_text_has_fragments(query in "[a-cA-Cß .İ]{1,8}", text in "[a-cA-Cßé .\nİ]{0,200}") {
            let words = Words::of(&query);
            if let Some(found) = words.highlights(&Summary::default(), &text) {
                prop_assert!(words.is_empty() || !found.text.is_empty());
                let plain: String = found.text.join("").replace("**", "");
                prop_assert!(plain.chars().all(|c| c == ' ' || text.contains(c)));
            }
        }
    }
}
