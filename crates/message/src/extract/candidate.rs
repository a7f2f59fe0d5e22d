//! What has the form of a code.

use std::ops::Range;

/// How many numbers of a line are looked at.
const MAX_CANDIDATES: usize = 50;

/// Something that may be a code.
pub(super) struct Candidate {
    pub(super) range: Range<usize>,
    pub(super) code: String,
    /// It is made of digits.
    pub(super) digits: bool,
}

impl Candidate {
    pub(super) fn is_year(&self) -> bool {
        self.digits && self.code.len() == 4 && (self.code.starts_with("19") || self.code.starts_with("20"))
    }
}

/// Digits, capitals and digits, groups of them.
pub(super) fn candidates(text: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut from = 0;
    while found.len() < MAX_CANDIDATES {
        let Some(start) = text[from..]
            .find(|c: char| c.is_ascii_alphanumeric())
            .map(|at| at + from)
        else {
            break;
        };
        let run = |at: usize| {
            at + text[at..]
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(text.len() - at)
        };
        let mut groups = Vec::from([Range { start, end: run(start) }]);
        // Groups of the same length, with one space or hyphen between them: `123-456`, `1 2 3 4`.
        let mut mark = None;
        while let Some(last) = groups.last().cloned() {
            let rest = &text[last.end..];
            let Some(gap) = rest
                .chars()
                .next()
                .filter(|c| matches!(c, ' ' | '-' | '\u{2011}' | '–'))
            else {
                break;
            };
            let next = last.end + gap.len_utf8();
            let end = if next < text.len() { run(next) } else { next };
            let length = last.end - last.start;
            let alike = end - next == length && length <= 5 && mark.is_none_or(|mark| mark == gap) && groups.len() < 10;
            let kinds = is_digits(&text[next..end]) == is_digits(&text[last.clone()]);
            if !alike || !(kinds || gap == '-') || (gap == ' ' && !is_digits(&text[next..end])) {
                break;
            }
            mark = Some(gap);
            groups.push(next..end);
        }
        let end = groups.last().map_or(start, |last| last.end);
        if let Some(candidate) = candidate(text, start..end, &groups) {
            found.push(candidate);
            from = end;
        } else if let Some(inner) = google(text, start) {
            from = inner.range.end;
            found.push(inner);
        } else {
            from = groups[0].end;
        }
    }
    found
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn candidate(text: &str, range: Range<usize>, groups: &[Range<usize>]) -> Option<Candidate> {
    let bare: String = groups.iter().map(|group| &text[group.clone()]).collect();
    let digits = is_digits(&bare);
    let has_digit = bare.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = bare.bytes().any(|byte| byte.is_ascii_alphabetic());
    let lower = bare.bytes().any(|byte| byte.is_ascii_lowercase());
    let mixed = has_digit && has_letter;
    let fits = if digits {
        (4..=10).contains(&bare.len()) && (groups.len() == 1 || groups[0].len() != 1 || bare.len() <= 8)
    } else if mixed {
        (4..=12).contains(&bare.len()) && (!lower || bare.len() >= 5)
    } else {
        // Letters alone are a code only in groups, and in capitals.
        !lower && groups.len() > 1 && groups[0].len() >= 3 && bare.len() <= 12
    };
    // `Q3 2026`, `21st`: numbers with a word's letter.
    let ordinal = mixed && lower && bare.trim_start_matches(|c: char| c.is_ascii_digit()).len() <= 2;
    (fits && !ordinal).then(|| Candidate {
        // Only what groups digits is not typed.
        code: if digits { bare } else { text[range.clone()].to_owned() },
        range,
        digits,
    })
}

/// `G-123456`: a letter that is not typed.
fn google(text: &str, start: usize) -> Option<Candidate> {
    let rest = text.get(start..)?.strip_prefix("G-")?;
    let octets = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let code = &rest[..octets];
    (is_digits(code) && (4..=8).contains(&octets)).then(|| Candidate {
        range: start..start + 2 + octets,
        code: code.to_owned(),
        digits: true,
    })
}
