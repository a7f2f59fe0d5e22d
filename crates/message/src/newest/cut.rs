//! What is taken out of the source of HTML with some of its lines.

use super::line::is_blank;
use crate::html::{Kind, Token, decoded};
use std::ops::Range;

/// Which tokens stay.
pub(super) struct Cut<'a, 't> {
    tokens: &'a [Token<'t>],
    pub(super) stays: Vec<bool>,
    /// For each token, how many with something to see stand before it.
    seen_before: Vec<usize>,
}

impl<'a, 't> Cut<'a, 't> {
    pub(super) fn of(tokens: &'a [Token<'t>]) -> Cut<'a, 't> {
        let mut seen = 0;
        let mut seen_before = Vec::with_capacity(tokens.len());
        for token in tokens {
            seen_before.push(seen);
            seen += usize::from(is_seen(token));
        }
        Cut {
            tokens,
            stays: vec![true; tokens.len()],
            seen_before,
        }
    }

    /// Takes a range of tokens out, and the elements that are empty without it.
    pub(super) fn take(&mut self, range: Range<usize>) {
        let mut start = range.start;
        let mut end = self.end_with_closing(start, range.end);
        while let Some(before) = start.checked_sub(1) {
            let token = &self.tokens[before];
            match token.partner {
                Some(close) if close >= end && !is_frame(token) && self.is_empty(end, close) => {
                    end = self.end_with_closing(before, close + 1);
                    start = before;
                }
                _ => break,
            }
        }
        for at in start..end {
            self.drop_if_within(at, start..end);
        }
    }

    /// Takes out the line ends, rules and empty elements that stood between the last that stays and what was taken out.
    pub(super) fn trim_end(&mut self) {
        let seen = |at: &usize| is_seen(&self.tokens[*at]);
        let Some(last) = (0..self.tokens.len()).rev().find(seen) else {
            return;
        };
        if self.stays[last] {
            return;
        }
        let kept = (0..last).rev().find(|at| self.stays[*at] && seen(at));
        let after = kept.map_or(0, |kept| kept + 1);
        let breaks = self.tokens[after..].iter().position(Token::breaks_line);
        let from = breaks.map_or(self.tokens.len(), |at| after + at);
        for at in from..self.tokens.len() {
            self.drop_if_within(at, from..self.tokens.len());
        }
    }

    /// A tag goes only with its partner.
    fn drop_if_within(&mut self, at: usize, range: Range<usize>) {
        let token = &self.tokens[at];
        if token.partner.is_none_or(|partner| range.contains(&partner)) && !is_frame(token) {
            self.stays[at] = false;
        }
    }

    /// Takes in the tags that close what was opened within.
    fn end_with_closing(&self, start: usize, mut end: usize) -> usize {
        for (at, token) in self.tokens.iter().enumerate().skip(end) {
            match (token.kind, token.partner) {
                (Kind::Close, Some(open)) if open >= start => end = at + 1,
                (Kind::Text | Kind::Other, _) if !is_seen(token) => {}
                _ => break,
            }
        }
        end
    }

    fn is_empty(&self, from: usize, to: usize) -> bool {
        from >= to || self.seen_before[from] == self.seen_before[to]
    }
}

/// Whether the tag belongs to the frame of every document.
fn is_frame(token: &Token<'_>) -> bool {
    matches!(&*token.name, "html" | "head" | "body")
}

fn is_seen(token: &Token<'_>) -> bool {
    match token.kind {
        Kind::Text => !decoded(token.source).chars().all(is_blank),
        Kind::Open => token.name == "img",
        Kind::Close | Kind::Other => false,
    }
}
