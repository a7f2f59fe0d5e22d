//! HTML as a row of tokens: tags, text, and what is neither.
//!
//! The tokens side by side are the source, octet for octet, whatever it holds. Each octet is looked at a bounded number
//! of times, and nesting is followed to a bounded depth; what lies deeper has no partner.

use crate::decode::guarded;
use mail_parser::decoders::html::html_to_text;
use memchr::{memchr, memchr2, memmem};
use std::borrow::Cow;

/// How deep elements are followed.
const MAX_DEPTH: usize = 200;
/// Longest entity, from `&` to `;`: `&CounterClockwiseContourIntegral;` is the longest that has a name.
const MAX_ENTITY: usize = 34;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `<name …>`.
    Open,
    /// `</name>`.
    Close,
    /// Text between tags; within `pre` it ends after each line end.
    Text,
    /// Comments, declarations, scripts, styles, titles, broken tags.
    Other,
}

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The element's name in lower case; empty for text and others.
    pub(crate) name: Cow<'a, str>,
    /// As it was written.
    pub(crate) source: &'a str,
    /// The token that closes (or opened) this one, if there is one.
    pub(crate) partner: Option<usize>,
}

impl<'a> Token<'a> {
    /// The value of an attribute with its entities decoded.
    pub(crate) fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.source.get(self.name.len() + 1..)?;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))?;
            let (key, after) = rest.split_at(end);
            let after_space = after.trim_start();
            let value;
            (value, rest) = match after_space.strip_prefix('=') {
                Some(after) => attribute_value(after.trim_start()),
                None if key.is_empty() => return None,
                None => ("", after),
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(decoded(value));
            }
        }
    }

    /// Whether the token ends a line, or begins one.
    pub(crate) fn breaks_line(&self) -> bool {
        matches!(self.kind, Kind::Open | Kind::Close) && is_block(&self.name)
    }
}

fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner.trim_end_matches('>'), ""));
        }
    }
    text.split_at(
        text.find(|c: char| c.is_ascii_whitespace() || c == '>')
            .unwrap_or(text.len()),
    )
}

/// Elements that begin and end lines.
const BLOCKS: &str = "address article aside blockquote body br center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 \
    head header hr html li main nav ol p pre section table tbody tr ul";
/// Elements without content.
const VOID: &str = "area base br col embed hr img input link meta source wbr";

fn is_block(name: &str) -> bool {
    BLOCKS.split(' ').any(|block| block == name)
}

fn is_void(name: &str) -> bool {
    VOID.split(' ').any(|void| void == name)
}

/// The tokens of a document.
pub(crate) fn tokens(html: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut reader = Reader {
        html,
        at: 0,
        quotes_end: true,
    };
    let mut open: Vec<usize> = Vec::new();
    let mut pre = 0_usize;
    while let Some(mut token) = reader.next(pre > 0) {
        let index = tokens.len();
        match token.kind {
            Kind::Open if !is_void(&token.name) && !token.source.ends_with("/>") => {
                close_what_ends_by_itself(&tokens, &mut open, &token);
                if open.len() < MAX_DEPTH {
                    open.push(index);
                }
                pre += usize::from(token.name == "pre");
            }
            Kind::Close => {
                if let Some(place) = open.iter().rposition(|&at: &usize| {
                    let candidate: &Token<'_> = &tokens[at];
                    candidate.name == token.name
                }) {
                    let partner = open[place];
                    open.truncate(place);
                    tokens[partner].partner = Some(index);
                    token.partner = Some(partner);
                }
                pre = pre.saturating_sub(usize::from(token.name == "pre"));
            }
            _ => {}
        }
        let raw = (token.kind == Kind::Open).then(|| token.name.clone());
        tokens.push(token);
        if let Some(name) = raw {
            tokens.extend(reader.raw_text(&name));
        }
    }
    tokens
}

/// `p` ends where another block begins, list items and table cells where the next does.
fn close_what_ends_by_itself(tokens: &[Token<'_>], open: &mut Vec<usize>, token: &Token<'_>) {
    let Some(top) = open.last().map(|&at| &tokens[at].name) else {
        return;
    };
    let again = matches!(&**top, "li" | "td" | "th" | "tr" | "dt" | "dd" | "option") && *top == token.name;
    if again || (top == "p" && is_block(&token.name)) {
        open.pop();
    }
}

struct Reader<'a> {
    html: &'a str,
    at: usize,
    /// Whether quotes within tags have been seen to end; after one that did not, none is followed.
    quotes_end: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, octets: usize) -> &'a str {
        let from = self.at;
        self.at = (from + octets).min(self.html.len());
        // Whoever calls gives an end next to an ASCII octet or the end of the text.
        self.html.get(from..self.at).unwrap_or_default()
    }

    fn next(&mut self, lines: bool) -> Option<Token<'a>> {
        let rest = self.html.get(self.at..).filter(|rest| !rest.is_empty())?;
        let bytes = rest.as_bytes();
        if bytes[0] == b'<' {
            match bytes.get(1) {
                Some(b'!' | b'?') => return Some(self.other(rest)),
                Some(b'/') if bytes.get(2).is_some_and(u8::is_ascii_alphabetic) => {
                    return Some(self.tag(rest, Kind::Close));
                }
                Some(byte) if byte.is_ascii_alphabetic() => return Some(self.tag(rest, Kind::Open)),
                _ => {}
            }
        }
        // A `<` that begins nothing is text.
        let stop = if lines {
            memchr2(b'<', b'\n', &bytes[1..]).map(|at| at + 1 + usize::from(bytes[at + 1] == b'\n'))
        } else {
            memchr(b'<', &bytes[1..]).map(|at| at + 1)
        };
        let own_line = lines && bytes[0] == b'\n';
        let octets = if own_line { 1 } else { stop.unwrap_or(bytes.len()) };
        Some(plain(Kind::Text, self.take(octets)))
    }

    fn other(&mut self, rest: &'a str) -> Token<'a> {
        let end = match rest.strip_prefix("<!--") {
            Some(inner) => memmem::find(inner.as_bytes(), b"-->").map(|at| at + 7),
            None => memchr(b'>', rest.as_bytes()).map(|at| at + 1),
        };
        plain(Kind::Other, self.take(end.unwrap_or(rest.len())))
    }

    fn tag(&mut self, rest: &'a str, kind: Kind) -> Token<'a> {
        let start = if kind == Kind::Close { 2 } else { 1 };
        let octets = rest[start..]
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/' | '<'))
            .unwrap_or(rest.len() - start);
        let name = &rest[start..start + octets];
        let end = if self.quotes_end {
            let end = quoted_end(rest.as_bytes());
            self.quotes_end = end.is_some();
            end
        } else {
            None
        };
        let Some(end) = end.or_else(|| memchr(b'>', rest.as_bytes())) else {
            return plain(Kind::Other, self.take(rest.len()));
        };
        let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        Token {
            kind,
            name,
            source: self.take(end + 1),
            partner: None,
        }
    }

    /// What follows the tag of an element whose content is no markup.
    fn raw_text(&mut self, name: &str) -> Option<Token<'a>> {
        if !matches!(name, "script" | "style" | "title" | "textarea") {
            return None;
        }
        let rest = self.html.get(self.at..)?;
        let ends = |at: &usize| {
            let after = rest.as_bytes().get(at + 2..at + 2 + name.len());
            rest.as_bytes().get(at + 1) == Some(&b'/')
                && after.is_some_and(|after| after.eq_ignore_ascii_case(name.as_bytes()))
        };
        let end = memchr::memchr_iter(b'<', rest.as_bytes()).find(ends);
        let octets = end.unwrap_or(rest.len());
        (octets > 0).then(|| plain(Kind::Other, self.take(octets)))
    }
}

fn plain(kind: Kind, source: &str) -> Token<'_> {
    Token {
        kind,
        name: Cow::Borrowed(""),
        source,
        partner: None,
    }
}

/// Where the `>` of a tag stands that is in no quoted value.
fn quoted_end(tag: &[u8]) -> Option<usize> {
    let mut at = 1;
    let mut after_equals = false;
    loop {
        let byte = *tag.get(at)?;
        match byte {
            b'>' => return Some(at),
            b'"' | b'\'' if after_equals => {
                at += 1 + memchr(byte, tag.get(at + 1..)?)?;
                after_equals = false;
            }
            b'=' => after_equals = true,
            byte if byte.is_ascii_whitespace() => {}
            _ => after_equals = false,
        }
        at += 1;
    }
}

/// Text with its entities decoded.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let end = after.bytes().take(MAX_ENTITY).position(|byte| !is_of_entity(byte));
        match end.filter(|&end| end > 0 && after.as_bytes()[end] == b';') {
            Some(end) => {
                out.push_str(&entity(&after[..end]));
                rest = &after[end + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn is_of_entity(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'#'
}

fn entity(name: &str) -> Cow<'_, str> {
    match name {
        "amp" => Cow::Borrowed("&"),
        "lt" => Cow::Borrowed("<"),
        "gt" => Cow::Borrowed(">"),
        "quot" => Cow::Borrowed("\""),
        "nbsp" | "#160" | "#xA0" => Cow::Borrowed("\u{a0}"),
        _ => {
            let whole = format!("&{name};");
            Cow::Owned(guarded(|| html_to_text(&whole)).unwrap_or(whole))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str) -> Vec<String> {
        let tokens = tokens(html);
        let source: String = tokens.iter().map(|token| token.source).collect();
        assert_eq!(source, html);
        tokens
            .iter()
            .map(|token| match token.kind {
                Kind::Open => format!("+{}", token.name),
                Kind::Close => format!("-{}", token.name),
                Kind::Text => token.source.to_owned(),
                Kind::Other => format!("?{}", token.source),
            })
            .collect()
    }

    #[test]
    fn tokens_of_documents() {
        for (html, expected) in [
            ("a<b>c</B >d", &["a", "+b", "c", "-b", "d"][..]),
            ("1 < 2 <3", &["1 ", "< 2 ", "<3"]),
            ("<a title=\"x>y\" href='>'>z", &["+a", "z"]),
            ("<a title=\"x>y</a>z", &["+a", "y", "-a", "z"]),
            (
                "<!-- <b> --><!doctype html><i>",
                &["?<!-- <b> -->", "?<!doctype html>", "+i"],
            ),
            ("<style>a<b</style>c", &["+style", "?a<b", "-style", "c"]),
            (
                "<pre>a\nb\n\nc</pre>d\ne",
                &["+pre", "a\n", "b\n", "\n", "c", "-pre", "d\ne"],
            ),
            ("<p", &["?<p"]),
            ("é<!--", &["é", "?<!--"]),
        ] {
            assert_eq!(shown(html), expected, "{html}");
        }
    }

    #[test]
    fn partners() {
        let of = |html: &str| -> Vec<_> { tokens(html).iter().map(|token| token.partner).collect() };
        assert_eq!(of("<i><b></b></i>"), [Some(3), Some(2), Some(1), Some(0)]);
        assert_eq!(of("<i><b></i></b>"), [Some(2), None, Some(0), None]);
        assert_eq!(of("<p><p></p>"), [None, Some(2), Some(1)]);
        assert_eq!(of("<br><br/></br>"), [None, None, None]);
    }

    #[test]
    fn attributes() {
        let html = "<a  HREF = \"x?a=1&amp;b=2\" disabled class=big id='it' alt>";
        let token = &tokens(html)[0];
        for (name, value) in [
            ("href", Some("x?a=1&b=2")),
            ("disabled", Some("")),
            ("class", Some("big")),
            ("id", Some("it")),
            ("alt", Some("")),
            ("title", None),
        ] {
            assert_eq!(token.attribute(name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn entities() {
        for (text, expected) in [
            ("a &eacute;crit&nbsp;:", "a écrit\u{a0}:"),
            ("&#233;&#xe9;&amp;lt;", "éé&lt;"),
            ("&nosuchthing; &; & &amp", "&nosuchthing; &; & &amp"),
        ] {
            assert_eq!(decoded(text), expected);
        }
    }
}
