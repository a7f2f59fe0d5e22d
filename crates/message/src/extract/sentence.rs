//! Sentences.

use std::ops::Range;

/// Pieces of a line that end with a full stop or the like.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let sentence = &rest[..sentence_end(rest)];
        rest = &rest[sentence.len()..];
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// Where the first sentence ends, with its stop.
pub(super) fn sentence_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let stops = match c {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' => next.is_none_or(|next| next == ' '),
            _ => false,
        };
        if stops {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// The sentence that this piece of the text stands in, or the first that it does.
pub(super) fn sentence_around<'a>(text: &'a str, range: &Range<usize>) -> &'a str {
    let mut start = 0;
    loop {
        let end = start + sentence_end(&text[start..]);
        if end >= range.end || end == start {
            return text[start..end.max(range.end)].trim();
        }
        start = end;
    }
}
