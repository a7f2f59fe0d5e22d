//! Which lines of a mail are new.

use super::line::{Attribution, Hint, IMAGE, Line, Quote, Sure, is_blank, label};
use super::words::FieldName;
use std::ops::Range;

/// Lines of the longest mail that is looked at; nobody wrote more.
const MAX_LINES: usize = 100_000;
/// Lines an attribution may take.
const ATTRIBUTION_LINES: usize = 4;
/// Blank lines between an attribution and its quote.
const BLANK_LINES: usize = 3;
/// Lines the block of fields above a quoted message may take.
const FIELD_LINES: usize = 14;
/// Lines that quote in a form that citations have too, from which on they are a message at the end of a mail.
const LONG_QUOTE: usize = 3;

/// Which lines are new; `None` if all are.
pub(super) fn new_lines(lines: &[Line<'_>]) -> Option<Vec<bool>> {
    if lines.len() > MAX_LINES {
        return None;
    }
    let mut plan = Plan {
        lines,
        new: vec![true; lines.len()],
        first_line: lines.iter().position(Line::says).unwrap_or(lines.len()),
        first_said: None,
        answers: false,
        perhaps: Vec::new(),
    };
    let end = plan.history();
    if end == End::Open {
        plan.quotes_without_attribution();
        plan.signature();
    }
    plan.new.contains(&false).then_some(plan.new)
}

/// How the reading of the lines ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What follows the new text is no new text, or there is nothing.
    Open,
    /// With a forwarded message: it is content, to its last line.
    Forwarded,
}

pub(super) struct Plan<'a> {
    pub(super) lines: &'a [Line<'a>],
    pub(super) new: Vec<bool>,
    /// The first line that is not quoted and says something.
    first_line: usize,
    /// The first of them that is new.
    first_said: Option<usize>,
    /// The mail is known to quote what it answers.
    answers: bool,
    /// Quotes that may be citations.
    perhaps: Vec<Range<usize>>,
}

impl Plan<'_> {
    /// Takes away what is known to be history.
    fn history(&mut self) -> End {
        let mut at = 0;
        while let Some(line) = self.lines.get(at) {
            if line.quote != Quote::No {
                if self.first_of_quote(at).is_some_and(Line::is_forward_mark) {
                    return End::Forwarded;
                }
                at = self.quoted(at);
                continue;
            }
            if line.is_blank() {
                at += 1;
                continue;
            }
            if line.hint == Some(Hint::Forwarded) || line.is_forward_mark() {
                return End::Forwarded;
            }
            if self.message_follows(at) {
                // Nothing new before it: someone passes a message on.
                if !self.said_before(at) {
                    return End::Forwarded;
                }
                self.drop_from(at);
                return End::Open;
            }
            if let Some((start, sure)) = self.attribution(at)
                && let Some(end) = self.after_attribution(start, at, sure)
            {
                at = end;
                continue;
            }
            if line.says() && line.hint != Some(Hint::Signature) {
                self.first_said.get_or_insert(at);
            }
            at += 1;
        }
        End::Open
    }

    fn said_before(&self, at: usize) -> bool {
        self.first_said.is_some_and(|first| {
            let only_image = |line: &Line<'_>| line.text.chars().all(|c| is_blank(c) || c == IMAGE);
            first < at
                && self.lines[first..at]
                    .iter()
                    .any(|line| line.says() && !only_image(line))
        })
    }

    /// The first line of a quote that is not blank.
    fn first_of_quote(&self, at: usize) -> Option<&Line<'_>> {
        let head = self.lines[at..].iter().take(BLANK_LINES);
        head.take_while(|line| line.quote != Quote::No)
            .find(|line| !line.is_blank())
    }

    /// Drops a run of quoted lines, or notes it; returns where it ends.
    fn quoted(&mut self, at: usize) -> usize {
        let rest = &self.lines[at..];
        let octets = rest.iter().position(|line| line.quote == Quote::No);
        let end = at + octets.unwrap_or(rest.len());
        let run = &self.lines[at..end];
        // Some programs put the attribution within the quote.
        let attributed = || {
            let first = run
                .iter()
                .take(ATTRIBUTION_LINES + 1)
                .take_while(|line| !line.is_blank());
            first
                .scan(String::new(), |text, line| {
                    text.push_str(&line.text);
                    text.push(' ');
                    Some(text.clone())
                })
                .any(|text| {
                    let line = Line {
                        text: text.into(),
                        quote: Quote::No,
                        hint: None,
                    };
                    Attribution::of(&line).and_then(|found| found.sure()) >= Some(Sure::BeforeQuote)
                })
        };
        if run.iter().any(|line| line.quote == Quote::Yes) || attributed() {
            self.answers = true;
            self.new[at..end].fill(false);
        } else {
            self.perhaps.push(at..end);
        }
        end
    }

    /// Whether a quoted message without marks begins, to the end of the mail.
    fn message_follows(&self, at: usize) -> bool {
        let line = &self.lines[at];
        line.hint == Some(Hint::History) || line.is_original_mark() || self.block_of_fields(at)
    }

    /// `From: … Sent: … To: … Subject: …`.
    fn block_of_fields(&self, at: usize) -> bool {
        let first = &self.lines[at];
        let block = || {
            self.lines[at..]
                .iter()
                .take(FIELD_LINES)
                .take_while(|line| line.quote == Quote::No && !line.is_blank())
        };
        if first.hint == Some(Hint::Fields) {
            return block().filter(|line| label(&line.text).is_some()).count() >= 3;
        }
        if !first
            .field()
            .is_some_and(|(name, value)| name == FieldName::From && !value.is_empty())
        {
            return false;
        }
        let mut seen = [false; 3];
        for (name, value) in block().skip(1).filter_map(Line::field) {
            match name {
                FieldName::Date => seen[0] |= value.contains(|c: char| c.is_ascii_digit()),
                FieldName::To => seen[1] = true,
                FieldName::Subject => seen[2] = true,
                FieldName::Copy | FieldName::From => {}
            }
        }
        seen[0] && (seen[1] || seen[2])
    }

    /// Drops everything from here on, with the rules and marks before it.
    fn drop_from(&mut self, at: usize) {
        let before = self.lines[..at].iter().rev();
        let marks = before.take_while(|line| line.quote == Quote::No && (line.is_blank() || line.is_separator()));
        let start = at - marks.count();
        self.new[start..].fill(false);
    }

    /// Where the attribution begins that ends with this line.
    fn attribution(&self, at: usize) -> Option<(usize, Sure)> {
        let line = &self.lines[at];
        if line.hint == Some(Hint::Attribution) {
            return Some((at, Sure::BeforeQuote));
        }
        let mut found = Attribution::of(line)?;
        let mut start = at;
        while let Some(before) = start.checked_sub(1).map(|before| &self.lines[before]) {
            let taken = at - start + 1 < ATTRIBUTION_LINES
                && before.quote == Quote::No
                && before.hint == line.hint
                && found.extend(before);
            if !taken {
                break;
            }
            start -= 1;
        }
        Some((start, found.sure()?))
    }

    /// Drops the attribution if a quote follows, or if it is sure without one; returns where reading goes on.
    fn after_attribution(&mut self, start: usize, at: usize, sure: Sure) -> Option<usize> {
        let after = &self.lines[at + 1..];
        let blank = after
            .iter()
            .take_while(|line| line.quote == Quote::No && line.is_blank())
            .count();
        let quote_follows = blank <= BLANK_LINES && after.get(blank).is_some_and(|line| line.quote != Quote::No);
        let at_top = start <= self.first_line;
        if quote_follows && (sure >= Sure::BeforeQuote || at_top) {
            let quote = at + 1 + blank;
            let end = quote
                + self.lines[quote..]
                    .iter()
                    .take_while(|line| line.quote != Quote::No)
                    .count();
            self.answers = true;
            self.new[start..end].fill(false);
            if self.first_said >= Some(start) {
                self.first_said = None;
            }
            return Some(end);
        }
        let paragraph = start == 0 || self.lines[start - 1].is_blank() || self.lines[at].hint.is_some();
        let sure = sure == Sure::Alone || (sure == Sure::Paragraph && paragraph);
        let said = self.first_said.is_some_and(|first| first < start);
        if sure && said && blank < after.len() && !quote_follows {
            self.drop_from(start);
            return Some(self.lines.len());
        }
        None
    }

    /// Decides on quotes that nothing introduces.
    fn quotes_without_attribution(&mut self) {
        let perhaps = std::mem::take(&mut self.perhaps);
        let Some(first) = perhaps.first() else {
            return;
        };
        let said = |mut range: Range<usize>| range.any(|at| self.new[at] && self.lines[at].says());
        let marked = |range: &Range<usize>| self.lines[range.clone()].iter().all(|line| line.quote == Quote::Marked);
        let begins = marked(first) && !said(0..first.start) && said(first.end..self.lines.len());
        let dropped: Vec<Range<usize>> = if self.answers || begins {
            perhaps
        } else {
            let last = perhaps.last().filter(|last| {
                let introduced = self.lines[..last.start]
                    .last()
                    .is_some_and(|line| line.text.trim_end().ends_with([':', '：']));
                let below = self.signature_start(self.lines.len());
                marked(last)
                    && last.len() >= LONG_QUOTE
                    && !introduced
                    && said(0..last.start)
                    && !said(last.end..below.max(last.end))
            });
            last.cloned().into_iter().collect()
        };
        for range in dropped {
            self.new[range].fill(false);
        }
    }
}
