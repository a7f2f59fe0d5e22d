//! The new content of HTML: its lines as a reader sees them, and what of the source stays.

use super::cut::Cut;
use super::line::{Hint, Line, Quote, is_blank};
use super::plan::new_lines;
use crate::html::{Kind, Token, decoded, tokens};
use std::borrow::Cow;
use std::ops::Range;

/// How many quotes and marked elements within each other are told apart.
const MAX_MARKS: usize = 64;

/// As [`extract_text`](crate::extract_text), for HTML: what stays is as it was written, and no tag loses its partner.
#[must_use]
pub fn extract_html(html: &str) -> Cow<'_, str> {
    let tokens = tokens(html);
    let lines = Lines::of(&tokens);
    let Some(new) = new_lines(&lines.lines) else {
        return Cow::Borrowed(html);
    };
    let mut cut = Cut::of(&tokens);
    for range in gaps(&new) {
        let from = lines.tokens[range.start].start;
        let to = lines.tokens[range.end - 1].end;
        cut.take(from..to);
    }
    cut.trim_end();
    let stays = cut.stays;
    let kept = tokens.iter().zip(stays).filter(|(_, stays)| *stays);
    Cow::Owned(kept.map(|(token, _)| token.source).collect())
}

/// The runs of lines that are not new.
fn gaps(new: &[bool]) -> Vec<Range<usize>> {
    let mut gaps: Vec<Range<usize>> = Vec::new();
    for at in (0..new.len()).filter(|&at| !new[at]) {
        match gaps.last_mut() {
            Some(gap) if gap.end == at => gap.end += 1,
            _ => gaps.push(at..at + 1),
        }
    }
    gaps
}

/// The lines of a document and the tokens they come from.
struct Lines<'a> {
    lines: Vec<Line<'a>>,
    tokens: Vec<Range<usize>>,
}

/// What is known at a place in the document.
struct Reading {
    text: String,
    /// The first token of the line.
    start: usize,
    /// Open quotes and marked elements, innermost last: the token that ends each, and what it says.
    within: Vec<(usize, Mark)>,
    /// What the next line begins.
    pending: Option<Hint>,
    /// Open `pre` elements.
    pre: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Quote(Quote),
    Hint(Hint),
    /// A container of quotes that says nothing of its other lines.
    Container,
}

impl<'a> Lines<'a> {
    fn of(tokens: &[Token<'_>]) -> Lines<'a> {
        let mut out = Lines {
            lines: Vec::new(),
            tokens: Vec::new(),
        };
        let mut reading = Reading {
            text: String::new(),
            start: 0,
            within: Vec::new(),
            pending: None,
            pre: 0,
        };
        for (at, token) in tokens.iter().enumerate() {
            if token.breaks_line() {
                out.end_line(&mut reading, at, token.name == "br");
            }
            reading.leave(at);
            match (token.kind, &*token.name) {
                (Kind::Text, _) => {
                    reading.add(token.source);
                    if reading.pre > 0 && token.source.ends_with('\n') {
                        out.end_line(&mut reading, at, true);
                    }
                }
                (Kind::Open, "img") => reading.add("\u{fffc}"),
                // What the head holds is no part of a line.
                (Kind::Open, "body") | (Kind::Close, "head") => reading.start = at + 1,
                (Kind::Open, _) => reading.open(at, token),
                (Kind::Close, "td" | "th") => reading.space(),
                (Kind::Close, "pre") => reading.pre = reading.pre.saturating_sub(1),
                (Kind::Close | Kind::Other, _) => {}
            }
        }
        out.end_line(&mut reading, tokens.len(), false);
        out
    }

    /// Ends the line before this token, or with it if it is a line end by itself; only those make empty lines.
    fn end_line(&mut self, reading: &mut Reading, at: usize, is_line_end: bool) {
        let text = std::mem::take(&mut reading.text);
        let empty = text.chars().all(is_blank);
        let next = at + usize::from(is_line_end);
        if !empty || is_line_end {
            self.lines.push(reading.line(text, empty));
            self.tokens.push(reading.start..next);
            reading.start = next;
        } else if reading.pending.is_none() {
            reading.start = next;
        }
    }
}

impl Reading {
    fn add(&mut self, source: &str) {
        let text = decoded(source);
        if self.text.is_empty() && text.chars().all(is_blank) {
            return;
        }
        if text.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.space();
        }
        for (number, word) in text.split_ascii_whitespace().enumerate() {
            if number > 0 {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
        if text.ends_with(|c: char| c.is_ascii_whitespace()) {
            self.space();
        }
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
    }

    fn open(&mut self, at: usize, token: &Token<'_>) {
        self.pre += usize::from(token.name == "pre");
        let in_container = self.within.iter().any(|(_, mark)| *mark == Mark::Container);
        let Some(mark) = mark_of(token, in_container) else {
            return;
        };
        if let Mark::Hint(hint @ (Hint::History | Hint::Fields | Hint::Forwarded)) = mark {
            // Of these the first line is what counts.
            if self.pending.is_none() && self.text.is_empty() {
                self.start = at;
            }
            self.pending = Some(hint);
        } else if self.within.len() < MAX_MARKS {
            let outer = self.within.last().map_or(usize::MAX, |(end, _)| *end);
            self.within.push((token.partner.unwrap_or(usize::MAX).min(outer), mark));
        }
    }

    fn leave(&mut self, at: usize) {
        while self.within.last().is_some_and(|(end, _)| *end <= at) {
            self.within.pop();
        }
    }

    fn line<'a>(&mut self, text: String, empty: bool) -> Line<'a> {
        let quotes = self.within.iter().filter_map(|(_, mark)| match mark {
            Mark::Quote(quote) => Some(*quote),
            _ => None,
        });
        let mut quote = quotes.fold(Quote::No, |all, quote| if all == Quote::Yes { all } else { quote });
        let within = self.within.iter().rev().find_map(|(_, mark)| match mark {
            Mark::Hint(hint) => Some(*hint),
            _ => None,
        });
        let hint = if empty { within } else { self.pending.take().or(within) };
        let mut text = text;
        if quote == Quote::No && text.starts_with('>') {
            quote = Quote::Marked;
            text = text.trim_start_matches(['>', ' ']).to_owned();
        }
        Line {
            text: Cow::Owned(text),
            quote,
            hint,
        }
    }
}

/// What the markup of the mail programs says. Those that rewrite what they quote put something before the names.
fn mark_of(token: &Token<'_>, in_container: bool) -> Option<Mark> {
    let id = token.attribute("id").unwrap_or_default();
    let class = token.attribute("class").unwrap_or_default();
    let is = |name: &str| class.split_ascii_whitespace().any(|class| class.ends_with(name));
    if is("moz-forward-container") {
        return Some(Mark::Hint(Hint::Forwarded));
    }
    if token.name == "blockquote" {
        let cites = token
            .attribute("type")
            .is_some_and(|value| value.eq_ignore_ascii_case("cite"));
        let of_program = cites || is("protonmail_quote") || is("tutanota_quote") || is("yahoo_quoted");
        let answered = of_program || (is("gmail_quote") && in_container);
        return Some(Mark::Quote(if answered { Quote::Yes } else { Quote::Block }));
    }
    if is("gmail_quote") || is("gmail_quote_container") || is("gmail_extra") || is("protonmail_quote") {
        return Some(Mark::Container);
    }
    if is("moz-cite-prefix") || is("gmail_attr") || id == "reply-intro" {
        return Some(Mark::Hint(Hint::Attribution));
    }
    let history = [
        "appendonsend",
        "divRplyFwdMsg",
        "mail-editor-reference-message-container",
        "OLK_SRC_BODY_SECTION",
    ];
    if history.contains(&&*id) || is("yahoo_quoted") || is("ms-outlook-mobile-reference-message") || is("zmail_extra") {
        return Some(Mark::Hint(Hint::History));
    }
    let signature_ids = [
        "ms-outlook-mobile-signature",
        "AppleMailSignature",
        "Signature",
        "protonmail_mobile_signature_block",
    ];
    let signature_classes = [
        "moz-signature",
        "gmail_signature",
        "gmail_signature_prefix",
        "protonmail_signature_block",
        "tutanota_signature",
    ];
    if signature_ids.contains(&&*id) || signature_classes.into_iter().any(is) {
        return Some(Mark::Hint(Hint::Signature));
    }
    let style = || token.attribute("style").unwrap_or_default().to_ascii_lowercase();
    (token.name == "div" && {
        let style = style();
        style.contains("border-top:solid") && style.contains("border:none")
    })
    .then_some(Mark::Hint(Hint::Fields))
}
