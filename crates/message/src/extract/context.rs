//! What stands around a number and makes another thing of it.

use super::expiry::is_unit;
use super::words::{AMOUNT, AMOUNT_MARKS, REFERENCE, each};
use std::ops::Range;

/// Whether a number is a part of an address, a date, an amount, a name, a telephone number.
pub(super) fn is_part_of_more(text: &str, range: &Range<usize>) -> bool {
    let (before, number, after) = (&text[..range.start], &text[range.clone()], &text[range.end..]);
    is_joined(before, after)
        || is_marked(before, after)
        || counts(after)
        || goes_on(before, after)
        || follows_reference(before)
        || is_postcode(before, number)
}

/// Whether it is one word with what stands beside it.
fn is_joined(before: &str, after: &str) -> bool {
    let joins = |c: Option<char>, beyond: Option<char>| match c {
        Some('/' | '@' | '_' | '&' | '=' | '\\' | '#' | '+' | '~' | '%' | '-') => true,
        // A stop ends a sentence, unless something follows at once.
        Some('.' | ',' | ':' | '\'') => beyond.is_some_and(|c| c.is_ascii_alphanumeric() || c == '/'),
        // Words of other scripts may stand right beside a code.
        Some(c) => c.is_alphanumeric() && (c.is_ascii() || is_of_spaced_script(c)),
        None => false,
    };
    let (mut ahead, mut behind) = (after.chars(), before.chars().rev());
    if joins(ahead.next(), ahead.next()) {
        return true;
    }
    let (last, beyond) = (behind.next(), behind.next());
    // `code:123456` and `code=123456` do not join.
    let is_given = matches!(last, Some(':' | '=')) && beyond.is_some_and(|c| !c.is_ascii_digit());
    !is_given && joins(last, beyond)
}

/// Whether a currency or the like stands beside it.
fn is_marked(before: &str, after: &str) -> bool {
    let marks = |c: Option<char>| c.is_some_and(|c| AMOUNT_MARKS.contains(c));
    let before = before.strip_suffix(' ').unwrap_or(before);
    let after = after.strip_prefix(' ').unwrap_or(after);
    marks(before.chars().next_back()) || marks(after.chars().next())
}

/// Whether it counts something: `1440 minutes`, `5000 points`.
fn counts(after: &str) -> bool {
    let after = after.strip_prefix(' ').unwrap_or(after);
    let octets = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
    let word = after[..octets].to_lowercase();
    !word.is_empty() && (is_unit_word(&word) || each(AMOUNT).any(|counted| word == counted))
}

/// Whether the digits go on on one side: `555 123 4567`, `(555) 123-4567`.
fn goes_on(before: &str, after: &str) -> bool {
    let gap = [' ', '-', '(', ')'];
    let more = after.trim_start_matches(gap).starts_with(|c: char| c.is_ascii_digit());
    let less = before.trim_end_matches(gap).ends_with(|c: char| c.is_ascii_digit());
    (more && after.starts_with(gap)) || (less && before.ends_with(gap))
}

/// Whether the letter is of a script that separates words with spaces.
fn is_of_spaced_script(c: char) -> bool {
    !matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

fn is_unit_word(word: &str) -> bool {
    is_unit(word) && !word.starts_with("den") && !word.starts_with("to")
}

/// Whether the word before says that the number names something: `order 12345`, `ref: 12345`.
fn follows_reference(before: &str) -> bool {
    let before = before.trim_end_matches([' ', ':', '.', '#', '(', '*', '：']);
    let from = before.char_indices().rev().take(40).last().map_or(0, |(at, _)| at);
    let tail = before[from..].to_lowercase();
    let mut words = tail
        .rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '°' | 'º' | '№')))
        .filter(|word| !word.is_empty());
    words
        .next()
        .is_some_and(|last| each(REFERENCE).any(|word| last == word))
}

/// `CA 94107`, `75001 Paris` after a comma: five digits behind a state.
fn is_postcode(before: &str, number: &str) -> bool {
    let state: Vec<char> = before.trim_end().chars().rev().take(3).collect();
    number.len() == 5
        && state.len() >= 2
        && state[..2].iter().all(char::is_ascii_uppercase)
        && state.get(2).is_none_or(|c| *c == ' ')
}

/// Whether nothing else stands in the line.
pub(super) fn is_alone(text: &str, range: &Range<usize>) -> bool {
    let rest = text[..range.start].chars().chain(text[range.end..].chars());
    rest.filter(|c| !c.is_whitespace()).all(|c| !c.is_alphanumeric())
}
