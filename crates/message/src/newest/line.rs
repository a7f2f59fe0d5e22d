//! What a single line of a mail is, or a few of them.

use super::words::{
    ATTRIBUTION_STARTS, DEVICES, FORWARDED, FieldName, ORIGINAL, SENT_FROM, SENT_FROM_AT_END, WROTE, WROTE_UNSPACED,
    each, field_name,
};
use std::borrow::Cow;

/// Longest attribution, octets.
const MAX_ATTRIBUTION: usize = 600;
/// Longest line that may be a separator or a signature of a program, octets.
const MAX_MARK: usize = 240;
/// Stands for an image in the text of a line of HTML.
pub(super) const IMAGE: char = '\u{fffc}';

/// Whether a line quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    /// It does not.
    No,
    /// It is set off as a quote, as citations in new mail are too.
    Block,
    /// It begins with `>`.
    Marked,
    /// It is of the message that is answered.
    Yes,
}

/// What markup says of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// `On …, … wrote:`.
    Attribution,
    /// From here on it is history.
    History,
    /// The block of fields above a quoted message may begin here.
    Fields,
    /// It belongs to a signature.
    Signature,
    /// A forwarded message begins.
    Forwarded,
}

/// A line as it reads.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Without the mark of the quote.
    pub(super) text: Cow<'a, str>,
    pub(super) quote: Quote,
    pub(super) hint: Option<Hint>,
}

impl Line<'_> {
    pub(super) fn is_blank(&self) -> bool {
        self.text.chars().all(is_blank)
    }

    /// New text or an image, not only a rule.
    pub(super) fn says(&self) -> bool {
        self.quote == Quote::No && !self.is_blank() && !self.is_separator()
    }

    /// A line of nothing but dashes or the like.
    pub(super) fn is_separator(&self) -> bool {
        let text = self.text.trim();
        text.len() >= 5
            && text.len() <= MAX_MARK
            && text.chars().all(|c| matches!(c, '_' | '-' | '=' | '*' | '—' | '─'))
    }

    /// `-----Original Message-----`.
    pub(super) fn is_original_mark(&self) -> bool {
        let Some(inner) = between_dashes(&self.text) else {
            return false;
        };
        let inner = inner.to_lowercase();
        each(ORIGINAL).any(|words| inner == words)
    }

    /// `---------- Forwarded message ---------`, `Begin forwarded message:`.
    pub(super) fn is_forward_mark(&self) -> bool {
        let text = self.text.trim();
        if text.len() > MAX_MARK {
            return false;
        }
        let inner = between_dashes(text).or_else(|| text.strip_suffix([':', '：']).filter(|inner| inner.len() < 90));
        let Some(inner) = inner.map(str::to_lowercase) else {
            return false;
        };
        each(FORWARDED).any(|words| inner.contains(words))
    }

    /// `-- `, as RFC 3676 §4.3 has it, or what is left of it.
    pub(super) fn is_signature_mark(&self) -> Option<SignatureMark> {
        match &*self.text {
            "-- " | "-- \r" => Some(SignatureMark::Whole),
            text if text.trim_matches(is_blank) == "--" => Some(SignatureMark::Trimmed),
            _ => None,
        }
    }

    /// `Sent from my …`.
    pub(super) fn is_program_signature(&self) -> bool {
        let text = self
            .text
            .trim_matches(|c: char| is_blank(c) || matches!(c, '*' | '_' | '<' | '>' | '[' | ']' | '.'));
        if text.len() > MAX_MARK || text.split_whitespace().count() > 14 {
            return false;
        }
        let text = text.to_lowercase();
        let named = each(DEVICES).any(|device| text.contains(device));
        let sent = each(SENT_FROM).any(|words| text.starts_with(words))
            || each(SENT_FROM_AT_END).any(|words| text.ends_with(words));
        let shop = text.contains("outlook") && (text.contains("ios") || text.contains("android"));
        (named && sent) || (shop && text.split_whitespace().count() <= 9)
    }

    /// The field and the value of a line like `Sent: today`, in bold perhaps.
    pub(super) fn field(&self) -> Option<(FieldName, &str)> {
        let (label, value) = label(&self.text)?;
        Some((field_name(&label.to_lowercase())?, value))
    }
}

/// The two forms of the mark above a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureMark {
    Whole,
    /// The space that belongs to it was lost on the way, or it is something else.
    Trimmed,
}

pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// What stands before the colon, if it is short, and what stands behind it.
pub(super) fn label(text: &str) -> Option<(&str, &str)> {
    // Deeper within a line it is an example of a header.
    if text.starts_with("  ") || text.starts_with('\t') {
        return None;
    }
    let text = text.trim_start_matches(|c: char| is_blank(c) || c == '*');
    let end = text
        .char_indices()
        .take(24)
        .find(|(_, c)| matches!(c, ':' | '：'))
        .map(|(at, _)| at)?;
    let label = text[..end].trim_end_matches(|c: char| is_blank(c) || c == '*');
    let value = text[end..].trim_start_matches([':', '：', '*']);
    (!label.is_empty()).then(|| (label, value.trim_matches(is_blank)))
}

fn between_dashes(text: &str) -> Option<&str> {
    let text = text.trim();
    if text.len() > MAX_MARK {
        return None;
    }
    let dash = |c: char| matches!(c, '-' | '—' | '–' | '_' | '=');
    let (head, tail) = (text.trim_start_matches(dash), text.trim_end_matches(dash));
    let enough = text.len() - head.len() >= 2 && text.len() - tail.len() >= 2;
    enough.then(|| head.trim_end_matches(dash).trim())
}

/// How sure it is that some lines are an attribution: `On …, … wrote:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sure {
    /// If it begins the mail and a quote follows.
    AtTheTop,
    /// If a quote follows.
    BeforeQuote,
    /// Even without the marks of a quote, if it is a paragraph of its own.
    Paragraph,
    /// Even without the marks of a quote.
    Alone,
}

/// What an attribution of one or several lines says.
pub(super) struct Attribution {
    text: String,
}

impl Attribution {
    pub(super) fn of(line: &Line<'_>) -> Option<Attribution> {
        let text = line.text.trim_matches(is_blank);
        let ends = text.ends_with([':', '：'])
            || each(WROTE_UNSPACED).any(|words| text.trim_end_matches('。').ends_with(words));
        // `wrote` alone may be the end of any sentence; with the time before it, it is not.
        let ends = ends || (text.len() <= MAX_ATTRIBUTION && ends_with_wrote(text));
        (ends && text.len() <= MAX_ATTRIBUTION).then(|| Attribution {
            text: text.to_lowercase(),
        })
    }

    /// Takes in the line before, if it brings what is missing.
    pub(super) fn extend(&mut self, line: &Line<'_>) -> bool {
        let text = line.text.trim_matches(is_blank);
        if text.is_empty() || text.len() > 200 || text.len() + self.text.len() > MAX_ATTRIBUTION || self.has_start() {
            return false;
        }
        let before = text.to_lowercase();
        let ends_itself = before.ends_with(['.', '!', '?', '。', '！', '？', ':', '：']);
        let brings = (has_time(&before) && !has_time(&self.text))
            || (has_date(&before) && !has_date(&self.text))
            || (before.contains('@') && !self.text.contains('@'))
            || ATTRIBUTION_STARTS.split('|').any(|start| before.starts_with(start));
        if ends_itself || !brings {
            return false;
        }
        self.text.insert(0, ' ');
        self.text.insert_str(0, &before);
        true
    }

    fn has_start(&self) -> bool {
        let by_word = each(ATTRIBUTION_STARTS).any(|start| self.text.starts_with(start));
        by_word && has_date(&self.text) || starts_with_date(&self.text)
    }

    pub(super) fn sure(&self) -> Option<Sure> {
        let (time, date) = (has_time(&self.text), has_date(&self.text));
        let address = self.text.contains('@');
        if !says_wrote(&self.text) {
            return (time && date && address).then_some(Sure::BeforeQuote);
        }
        let start = self.has_start();
        Some(if time && date && start {
            Sure::Alone
        } else if time && date && address {
            Sure::Paragraph
        } else if time || address || (date && start) {
            Sure::BeforeQuote
        } else {
            Sure::AtTheTop
        })
    }
}

fn ends_with_wrote(text: &str) -> bool {
    let tail: String = text.chars().rev().take(16).collect();
    let tail: String = tail.chars().rev().collect::<String>().to_lowercase();
    each(WROTE).any(|words| tail.ends_with(words)) && (has_time(text) || text.contains('@'))
}

fn says_wrote(text: &str) -> bool {
    let alone = |at: usize, words: &str| {
        let before = text[..at].chars().next_back();
        let after = text[at + words.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    };
    each(WROTE).any(|words| text.match_indices(words).any(|(at, _)| alone(at, words)))
        || each(WROTE_UNSPACED).any(|words| text.contains(words))
}

/// `10:00`, `10.00`, `10h00`, `10時`.
fn has_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (1..bytes.len()).any(|at| {
        matches!(bytes[at], b':' | b'.' | b'h') && digit(at - 1) && digit(at + 1) && digit(at + 2) && !digit(at + 3)
            // 21.11.26 is a date.
            && (bytes[at] != b'.' || (bytes.get(at + 3) != Some(&b'.') && (at < 3 || bytes[at - 3] != b'.')))
    }) || text.contains('時')
        || text.contains("点")
}

/// A year, or a day written in digits.
fn has_date(text: &str) -> bool {
    let mut numbers = 0;
    let mut last = 0;
    for (at, digits) in runs_of_digits(text) {
        let year = digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"));
        let joined = last > 0
            && at - last <= 2
            && text
                .get(last..at)
                .is_some_and(|gap| gap.trim_end().len() == 1 && gap.starts_with(['.', '/', '-']));
        numbers = if joined { numbers + 1 } else { 1 };
        if year || numbers == 3 {
            return true;
        }
        last = at + digits.len();
    }
    false
}

fn starts_with_date(text: &str) -> bool {
    let head = text
        .get(..text.char_indices().nth(14).map_or(text.len(), |(at, _)| at))
        .unwrap_or_default();
    head.starts_with(|c: char| c.is_ascii_digit()) && has_date(head)
}

fn runs_of_digits(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text.get(rest..)?.find(|c: char| c.is_ascii_digit())?;
        let octets = text[start..]
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len() - start);
        rest = start + octets;
        Some((start, &text[start..rest]))
    })
}
