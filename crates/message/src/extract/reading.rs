//! The lines of a mail as a reader sees them, with the links in them.

use crate::html::{Kind, decoded, tokens};
use std::ops::Range;

/// How many lines are looked at.
const MAX_LINES: usize = 1_000;
/// How much of them, octets.
const MAX_OCTETS: usize = 64 << 10;
/// How long a line may be, octets.
const MAX_LINE: usize = 4_096;
/// How long a link may be, octets.
const MAX_URL: usize = 4_096;

/// A line that is not blank, with single spaces.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) text: String,
    /// Where the text of a link stands, and where it leads.
    pub(super) links: Vec<(Range<usize>, String)>,
}

/// The lines of plain text but those that quote.
pub(super) fn of_text(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut left = MAX_OCTETS;
    for source in text.lines().filter(|line| !line.starts_with('>')) {
        let mut line = Line::default();
        line.add(source);
        line.end();
        if line.text.is_empty() {
            continue;
        }
        line.links = urls(&line.text);
        left = left.saturating_sub(line.text.len());
        lines.push(line);
        if lines.len() == MAX_LINES || left == 0 {
            break;
        }
    }
    lines
}

/// The lines of HTML.
pub(super) fn of_html(html: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut left = MAX_OCTETS;
    let mut line = Line::default();
    let mut link: Option<(usize, String)> = None;
    for token in tokens(html) {
        if token.breaks_line() {
            let open = link.as_mut().map(|(start, url)| (std::mem::take(start), url.clone()));
            let mut ended = std::mem::take(&mut line);
            if let Some((start, url)) = open {
                ended.link(start, url);
            }
            ended.end();
            if !ended.text.is_empty() {
                left = left.saturating_sub(ended.text.len());
                lines.push(ended);
            }
            if lines.len() == MAX_LINES || left == 0 {
                break;
            }
        }
        match (token.kind, &*token.name) {
            (Kind::Text, _) => line.add(&decoded(token.source)),
            (Kind::Open, "img") => line.add(&token.attribute("alt").unwrap_or_default()),
            (Kind::Open, "a") => {
                let url = token.attribute("href").and_then(|url| web_url(&url));
                link = url.map(|url| (line.text.len(), url));
            }
            (Kind::Close, "a") => {
                if let Some((start, url)) = link.take() {
                    line.link(start, url);
                }
            }
            (Kind::Close, "td" | "th") => line.add(" "),
            _ => {}
        }
    }
    line.end();
    if !line.text.is_empty() {
        lines.push(line);
    }
    for line in &mut lines {
        if line.links.is_empty() {
            line.links = urls(&line.text);
        }
    }
    lines
}

impl Line {
    fn add(&mut self, text: &str) {
        for c in text.chars() {
            // Invisible characters keep previews apart from what follows.
            if matches!(
                c,
                '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{34f}'
            ) {
                continue;
            }
            let c = if c.is_whitespace() || c.is_control() { ' ' } else { c };
            if self.text.len() >= MAX_LINE || (c == ' ' && (self.text.is_empty() || self.text.ends_with(' '))) {
                continue;
            }
            self.text.push(c);
        }
    }

    /// Notes a link whose text begins at `start` and ends here.
    fn link(&mut self, start: usize, url: String) {
        if start < self.text.trim_end().len() {
            self.links.push((start..self.text.trim_end().len(), url));
        }
    }

    fn end(&mut self) {
        self.text.truncate(self.text.trim_end().len());
    }
}

fn web_url(url: &str) -> Option<String> {
    let url = url.trim();
    let head = url.get(..8).map(str::to_ascii_lowercase)?;
    let plain = url.len() <= MAX_URL && !url.contains(|c: char| c.is_whitespace() || c.is_control());
    (plain && (head.starts_with("http://") || head.starts_with("https://"))).then(|| url.to_owned())
}

/// The links in a line of text.
fn urls(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("http").map(|at| at + from) {
        let rest = &text[at..];
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '（' | '）' | '。' | '」' | '、'))
            .unwrap_or(rest.len());
        let mut url = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
        for (open, close) in [('(', ')'), ('[', ']')] {
            if url.ends_with(close) && !url.contains(open) {
                url = url.trim_end_matches([close, '.', ',']);
            }
        }
        from = at + url.len().max(4);
        if let Some(whole) = web_url(url) {
            found.push((at..at + url.len(), whole));
        }
    }
    found
}
