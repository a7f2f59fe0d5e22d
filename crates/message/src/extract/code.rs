//! One-time codes.

use super::candidate::{Candidate, candidates};
use super::context::{is_alone, is_part_of_more};
use super::expiry::valid_seconds;
use super::noun::{Folded, nouns};
use super::reading::{Line, of_html, of_text};
use super::sentence::{sentence_around, sentence_end};
use std::ops::Range;

/// How far a code may stand from the word for it, characters.
const NEAR: usize = 64;
/// How many lines above a code that stands alone may speak of it.
const LINES_ABOVE: usize = 3;
/// How many codes are told.
const MAX_CODES: usize = 10;
/// Longest evidence, characters.
const MAX_EVIDENCE: usize = 300;

/// A one-time code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code as it is to be typed: without the spaces and hyphens that only group its digits.
    pub code: String,
    /// The sentence it stands in; for one that stands alone, with the line that speaks of it.
    pub evidence: String,
    /// For how long the mail says it holds.
    pub valid_seconds: Option<u32>,
}

/// The one-time codes of a mail, the likeliest first. A number that may be something else is no code.
#[must_use]
pub fn extract_codes(text: Option<&str>, html: Option<&str>, subject: &str) -> Vec<Code> {
    let subject = of_text(subject);
    let bodies = [text.map(of_text), html.map(of_html)];
    let valid = bodies.iter().flatten().find_map(|lines| valid_seconds(lines));
    let mut found: Vec<(Bond, String, String)> = Vec::new();
    for lines in bodies.iter().flatten().chain([&subject]) {
        for code in codes(lines, &subject) {
            match found.iter_mut().find(|(_, known, _)| *known == code.1) {
                Some(known) if code.0 < known.0 => *known = code,
                Some(_) => {}
                None => found.push(code),
            }
        }
    }
    // The sort is stable: among equals the first comes first.
    found.sort_by_key(|(bond, _, _)| *bond);
    // What the subject speaks of is the code that the mail itself speaks of, if it does.
    if found.first().is_some_and(|(bond, _, _)| *bond != Bond::Subject) {
        found.retain(|(bond, _, _)| *bond != Bond::Subject);
    }
    let code = |(_, code, evidence): (Bond, String, String)| Code {
        code,
        evidence: evidence.chars().take(MAX_EVIDENCE).collect(),
        valid_seconds: valid,
    };
    found.into_iter().take(MAX_CODES).map(code).collect()
}

/// What ties a number to the word `code`, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    /// `Your code is 123456`.
    Said,
    /// A line of its own below `Your code:`.
    Alone,
    /// A line of its own, in a mail whose subject speaks of a code.
    Subject,
}

fn codes(lines: &[Line], subject: &[Line]) -> Vec<(Bond, String, String)> {
    let folded: Vec<Folded> = lines.iter().map(|line| Folded::of(&line.text)).collect();
    let mut search = Search {
        lines,
        nouns: folded.iter().map(nouns).collect(),
        subject: subject.iter().find(|line| !nouns(&Folded::of(&line.text)).is_empty()),
        told_of: None,
    };
    let mut found = Vec::new();
    for at in 0..lines.len() {
        if search.is_worth_a_look(at) {
            search.line(at, &mut found);
        }
    }
    found
}

/// The search through the lines of a body.
struct Search<'a> {
    lines: &'a [Line],
    /// Where each line speaks of a code.
    nouns: Vec<Vec<Range<usize>>>,
    /// The subject, if it speaks of a code, until one was found for it.
    subject: Option<&'a Line>,
    /// The last line that spoke of a code that stood alone: it spoke of that one and no other.
    told_of: Option<usize>,
}

impl Search<'_> {
    fn is_worth_a_look(&self, at: usize) -> bool {
        let near = at.saturating_sub(LINES_ABOVE)..(at + 2).min(self.lines.len());
        self.subject.is_some() || self.nouns[near].iter().any(|nouns| !nouns.is_empty())
    }

    /// Finds the codes of a line.
    fn line(&mut self, at: usize, found: &mut Vec<(Bond, String, String)>) {
        let text = &self.lines[at].text;
        let mut taken = None;
        for candidate in candidates(text) {
            if is_part_of_more(text, &candidate.range) {
                continue;
            }
            let said = self.said(at, &candidate, taken);
            let tied = match said {
                Some(evidence) => {
                    taken = Some(candidate.range.end);
                    Some((Bond::Said, evidence))
                }
                None if is_alone(text, &candidate.range) && !candidate.is_year() => self.alone(at, &candidate),
                None => None,
            };
            if let Some((bond, evidence)) = tied {
                found.push((bond, candidate.code, evidence));
            }
        }
    }

    /// The sentence that says that this is a code; it may begin at the end of the line above.
    fn said(&mut self, at: usize, candidate: &Candidate, taken: Option<usize>) -> Option<String> {
        let text = &self.lines[at].text;
        let sentence = sentence_around(text, &candidate.range);
        if candidate.range.start == 0
            && let Some(above) = at.checked_sub(1)
            && continues(&self.lines[above].text, &self.nouns[above])
        {
            self.told_of = Some(above);
            return Some(format!("{} {sentence}", self.lines[above].text));
        }
        said(text, &self.nouns[at], candidate, taken).then(|| sentence.to_owned())
    }

    /// What ties a code that stands alone to the mail: a line above, the line below, or the subject.
    fn alone(&mut self, at: usize, candidate: &Candidate) -> Option<(Bond, String)> {
        let text = &self.lines[at].text;
        let first = self
            .told_of
            .map_or(0, |told| told + 1)
            .max(at.saturating_sub(LINES_ABOVE));
        let speaks = |above: &usize| speaks_of_what_follows(&self.lines[*above], &self.nouns[*above]);
        if let Some(above) = (first..at).rev().find(speaks) {
            self.told_of = Some(above);
            return Some((Bond::Alone, format!("{} {text}", self.lines[above].text)));
        }
        let below = self.nouns.get(at + 1).and_then(|nouns| nouns.first());
        if below.is_some_and(|noun| noun.start < NEAR) {
            self.told_of = Some(at + 1);
            return Some((Bond::Alone, format!("{text} {}", self.lines[at + 1].text)));
        }
        let subject = self.subject.filter(|_| candidate.digits)?;
        self.subject = None;
        Some((Bond::Subject, format!("{} {text}", subject.text)))
    }
}

/// Whether the line speaks of a code next to this one, in the same sentence.
fn said(text: &str, nouns: &[Range<usize>], candidate: &Candidate, taken: Option<usize>) -> bool {
    let range = &candidate.range;
    nouns.iter().any(|noun| {
        if noun.start < range.end && range.start < noun.end {
            return false;
        }
        let before = noun.end <= range.start;
        let gap = if before {
            &text[noun.end..range.start]
        } else {
            &text[range.end..noun.start]
        };
        if gap.len() > 4 * NEAR || gap.chars().count() > NEAR || sentence_end(gap) < gap.trim_end().len() {
            return false;
        }
        // Another code stands between.
        if before && taken.is_some_and(|taken| taken > noun.end) {
            return false;
        }
        if before {
            return is_naming(gap);
        }
        // What has small letters may be any word.
        is_said_after(gap) && !candidate.code.bytes().any(|byte| byte.is_ascii_lowercase())
    })
}

/// `: `, ` is: `, ` lautet `: few words, and a colon or the like or a verb at the end.
fn is_naming(gap: &str) -> bool {
    let gap = gap.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '*' | '“' | '„' | '«' | '「' | '【' | '[' | '(')
    });
    let words = gap.split_whitespace().count();
    let ends = gap.ends_with([':', '：', '=', '-', '–', '—', '>', '→']);
    let verb = [
        "is", "ist", "lautet", "est", "es", "è", "é", "to", "er", "är", "on", "je", "は", "是", "为", "為", "은", "는",
        "—",
    ]
    .iter()
    .any(|verb| gap.split_whitespace().next_back() == Some(verb));
    gap.is_empty() || (ends && words <= 10) || (verb && words <= 8)
}

/// Between a code and the word for it there is no other number and no new clause.
fn is_said_after(gap: &str) -> bool {
    !gap.contains(|c: char| c.is_ascii_digit() || matches!(c, ':' | '：' | ';' | ',' | '、'))
        && gap.chars().count() <= 44
}

/// Whether a line leads to what the next begins with: `Your code is`.
fn continues(text: &str, nouns: &[Range<usize>]) -> bool {
    nouns.last().is_some_and(|noun| {
        let gap = &text[noun.end..];
        gap.chars().count() <= 24 && is_naming(gap) && !text.ends_with(['.', '!', '?'])
    })
}

/// Whether a line above a code that stands alone is about it: not about another that it holds itself.
fn speaks_of_what_follows(line: &Line, nouns: &[Range<usize>]) -> bool {
    !nouns.is_empty()
        && !candidates(&line.text)
            .iter()
            .any(|found| found.digits && !is_part_of_more(&line.text, &found.range))
}
