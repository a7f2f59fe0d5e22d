//! Where a line speaks of a one-time code.

use super::words::{CODE, CODE_PHRASES, OTHER_CODE, each};
use std::ops::Range;

/// A line in lower case, with the way back to where each octet stands in the line itself.
pub(super) struct Folded {
    text: String,
    origin: Vec<usize>,
}

impl Folded {
    pub(super) fn of(text: &str) -> Folded {
        let mut folded = Folded {
            text: String::with_capacity(text.len()),
            origin: Vec::with_capacity(text.len() + 1),
        };
        for (at, c) in text.char_indices() {
            for lower in c.to_lowercase() {
                folded.text.push(lower);
                folded.origin.resize(folded.text.len(), at);
            }
        }
        folded.origin.push(text.len());
        folded
    }

    fn range(&self, range: Range<usize>) -> Range<usize> {
        self.origin[range.start]..self.origin[range.end]
    }
}

/// Where a line speaks of a one-time code.
pub(super) fn nouns(line: &Folded) -> Vec<Range<usize>> {
    let text = line.text.as_str();
    let mut found: Vec<Range<usize>> = Vec::new();
    for phrase in each(CODE_PHRASES) {
        found.extend(
            text.match_indices(phrase)
                .map(|(at, _)| line.range(at..at + phrase.len())),
        );
    }
    let words: Vec<Range<usize>> = words(text).collect();
    for (number, word) in words.iter().enumerate() {
        let is_code = each(CODE).any(|code| is_code_word(&text[word.clone()], code));
        if !is_code {
            continue;
        }
        // Two words before (`promo code`, `zip or postal code`), one behind (`code postal`).
        let around = number.saturating_sub(2)..(number + 2).min(words.len());
        let other = around.clone().any(|at| {
            let near = &text[words[at].clone()];
            let adjoins = at + 1 >= number && (at == number || is_one_phrase(text, &words[at], word));
            adjoins && each(OTHER_CODE).any(|other| near == other)
        });
        let of_something = words.get(number + 1).is_some_and(|next| &text[next.clone()] == "of");
        if !other && !of_something {
            found.push(line.range(word.clone()));
        }
    }
    found.sort_by_key(|range| range.start);
    found
}

/// Whether only a space or a hyphen stands between two words.
fn is_one_phrase(text: &str, one: &Range<usize>, other: &Range<usize>) -> bool {
    let (from, to) = (one.end.min(other.end), one.start.max(other.start));
    text.get(from..to)
        .is_some_and(|gap| gap.chars().count() == 1 && gap.trim_matches([' ', '-']).is_empty())
}

/// `code`, or a compound that ends so, as Germanic languages and Finnish make them.
fn is_code_word(word: &str, code: &str) -> bool {
    match word.strip_suffix(code) {
        Some("") => true,
        // `tan`, `pin` and `otp` are ends of too many words.
        Some(head) if code.len() > 3 || code == "kod" || code == "kód" => {
            head.chars().count() >= 3
                && !each(OTHER_CODE)
                    .any(|other| other == word || head == other || head.strip_suffix('s') == Some(other))
        }
        _ => false,
    }
}

fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text[from..].find(char::is_alphanumeric)?;
        let octets = text[start..]
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(text.len() - start);
        from = start + octets;
        Some(start..from)
    })
}
