//! The tree of MIME parts with their exact places (RFC 2046 §5.1, RFC 9051 §6.4.5).
//!
//! What always holds:
//! - Every byte is looked for boundaries once, however deep the nesting: a boundary of any open multipart ends what is
//!   inside it.
//! - Depth and number of parts are bounded; what lies beyond stays unparsed inside the last part.
//! - A multipart has at least one part, as the grammar of BODYSTRUCTURE has it. One without delimiters is one text.
//! - For each part `header_offset <= body_offset <= end_offset`, and its children lie within it, in order.

use crate::budget::Budget;
use crate::describe::{DefaultType, describe};
use crate::transfer::decoded_octets;
use postroom_types::{Envelope, Part, PartBody};

/// Deepest nesting parsed.
const MAX_DEPTH: usize = 64;
/// Most parts parsed.
const MAX_PARTS: usize = 1_000;
/// Longest boundary; RFC 2046 §5.1.1 allows 70.
const MAX_BOUNDARY_OCTETS: usize = 250;

/// The tree of a whole message, and its envelope.
pub(crate) fn parse(content: &[u8]) -> (Envelope, Part) {
    let mut walker = Walker {
        content,
        boundaries: Vec::new(),
        parts: 0,
        depth: 0,
        budget: Budget::new(),
    };
    let (entity, _) = walker.entity(0, Default::default());
    (entity.envelope, entity.part)
}

struct Walker<'a> {
    content: &'a [u8],
    /// The boundaries of the multiparts around the place we are at, outermost first.
    boundaries: Vec<Vec<u8>>,
    parts: usize,
    depth: usize,
    budget: Budget,
}

/// What ended a part.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// The end of the message.
    End,
    /// A delimiter line.
    Delimiter {
        /// Which boundary, as an index of [`Walker::boundaries`].
        level: usize,
        /// `--boundary--`
        closing: bool,
        /// Where the line begins.
        line: usize,
        /// Where the next line begins.
        after: usize,
    },
}

struct Entity {
    part: Part,
    envelope: Envelope,
}

impl Walker<'_> {
    /// Parses the part whose header begins here.
    fn entity(&mut self, start: usize, default_type: DefaultType) -> (Entity, Stop) {
        self.parts += 1;
        let (body, early) = self.header(start);
        let (mut part, mut envelope) = describe(&self.content[start..body], default_type);
        part.header_offset = start as u64;
        part.body_offset = body as u64;
        self.depth += 1;
        let kind = kind(&part, self.depth);
        self.budget.spend(&mut part, &mut envelope);
        let stop = match (early, kind) {
            (Some(stop), _) => stop,
            (None, Kind::Multipart(boundary)) if self.parts < MAX_PARTS => self.multipart(&mut part, body, boundary),
            (None, Kind::Message) if self.parts < MAX_PARTS => {
                let (inner, stop) = self.entity(body, DefaultType::Text);
                part.body = PartBody::Message(Box::new((inner.envelope, inner.part)));
                stop
            }
            (None, _) => self.next_stop(body),
        };
        self.depth -= 1;
        // An empty part right before an outer delimiter ends where that begins, after the line end we would cut.
        let end = self.part_end(stop, body).max(children_end(&part.body));
        part.end_offset = end as u64;
        if has_no_parts(&part) {
            part.body = PartBody::Multipart(vec![self.whole_text(&part)]);
        }
        self.measure(&mut part);
        (Entity { part, envelope }, stop)
    }

    /// All that is within a multipart in which no part can be told from another. Its encoding is the only one that anybody
    /// has named, though a multipart has none (RFC 2045 §6.4).
    fn whole_text(&mut self, multipart: &Part) -> Part {
        self.parts += 1;
        let (mut text, _) = describe(b"", DefaultType::Text);
        (text.header_offset, text.body_offset) = (multipart.body_offset, multipart.body_offset);
        text.end_offset = multipart.end_offset;
        text.encoding.clone_from(&multipart.encoding);
        self.measure(&mut text);
        text
    }

    /// Counts what is in a part whose end is known.
    fn measure(&self, part: &mut Part) {
        let place = |offset: u64| usize::try_from(offset).expect("lies within the content");
        let body = &self.content[place(part.body_offset)..place(part.end_offset)];
        if matches!(part.body, PartBody::Leaf) {
            part.decoded_octets = decoded_octets(&part.encoding, body);
        }
        if counts_lines(part) {
            part.lines = memchr::memchr_iter(b'\n', body).count() as u64;
        }
    }

    /// Where the header that begins here ends, and the delimiter that ended it before an empty line could.
    fn header(&self, start: usize) -> (usize, Option<Stop>) {
        let mut line = start;
        loop {
            let rest = &self.content[line..];
            if rest.starts_with(b"--")
                && let Some(stop) = self.delimiter(line)
            {
                return (self.part_end(stop, start), Some(stop));
            }
            match rest {
                [b'\r', b'\n', ..] => return (line + 2, None),
                [b'\n', ..] => return (line + 1, None),
                _ => match memchr::memchr(b'\n', rest) {
                    Some(newline) => line += newline + 1,
                    None => return (self.content.len(), None),
                },
            }
        }
    }

    fn multipart(&mut self, part: &mut Part, body: usize, boundary: Vec<u8>) -> Stop {
        let digest = part.subtype.eq_ignore_ascii_case(b"digest");
        let default_type = if digest {
            DefaultType::Message
        } else {
            DefaultType::Text
        };
        let level = self.boundaries.len();
        self.boundaries.push(boundary);
        let mut children = Vec::new();
        // What comes before the first delimiter is the preamble.
        let mut stop = self.next_stop(body);
        while let Stop::Delimiter {
            level: stopped,
            closing: false,
            after,
            ..
        } = stop
        {
            if stopped != level {
                break;
            }
            // The message was cut off here: there is nothing that could be a further part.
            if after == self.content.len() && !children.is_empty() {
                stop = Stop::End;
                break;
            }
            stop = if self.parts < MAX_PARTS {
                let (child, stop) = self.entity(after, default_type);
                children.push(child.part);
                stop
            } else {
                self.next_stop(after)
            };
        }
        self.boundaries.pop();
        if let Stop::Delimiter {
            level: stopped,
            closing: true,
            after,
            ..
        } = stop
            && stopped == level
        {
            // What comes after the closing delimiter is the epilogue; only an outer boundary ends it.
            stop = self.next_stop(after);
        }
        part.body = PartBody::Multipart(children);
        stop
    }

    /// Where a part with this stop ends: the line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1).
    fn part_end(&self, stop: Stop, not_before: usize) -> usize {
        let Stop::Delimiter { line, .. } = stop else {
            return self.content.len();
        };
        let before = &self.content[..line];
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        let before = before.strip_suffix(b"\r").unwrap_or(before);
        before.len().max(not_before)
    }

    /// The next delimiter line of any open multipart, from a line's beginning on.
    fn next_stop(&self, from: usize) -> Stop {
        if self.boundaries.is_empty() {
            return Stop::End;
        }
        let mut at = from;
        loop {
            if self.content[at..].starts_with(b"--")
                && let Some(stop) = self.delimiter(at)
            {
                return stop;
            }
            match memchr::memmem::find(&self.content[at..], b"\n--") {
                Some(newline) => at += newline + 1,
                None => return Stop::End,
            }
        }
    }

    fn delimiter(&self, line: usize) -> Option<Stop> {
        let rest = &self.content[line..];
        let octets = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        let text = rest[2..octets].trim_ascii_end();
        let closes = |boundary: &Vec<u8>| {
            text.strip_prefix(boundary.as_slice())
                .is_some_and(|tail| tail.starts_with(b"--"))
        };
        let matches = |boundary: &Vec<u8>| text == boundary.as_slice() || closes(boundary);
        let level = self.boundaries.iter().rposition(matches)?;
        let closing = text != self.boundaries[level].as_slice();
        Some(Stop::Delimiter {
            level,
            closing,
            line,
            after: line + octets,
        })
    }
}

fn children_end(body: &PartBody) -> usize {
    let end = match body {
        PartBody::Leaf => 0,
        PartBody::Multipart(children) => children.last().map_or(0, |child| child.end_offset),
        PartBody::Message(inner) => inner.1.end_offset,
    };
    usize::try_from(end).unwrap_or(usize::MAX)
}

/// Whether a multipart has no parts: its boundary is missing or was never used, or it lies too deep to be looked into.
fn has_no_parts(part: &Part) -> bool {
    match &part.body {
        PartBody::Leaf => is_multipart(part),
        PartBody::Multipart(children) => children.is_empty(),
        PartBody::Message(_) => false,
    }
}

/// Whether a multipart is one text from its first octet on: what is within has no header of its own, nor room for one.
pub(crate) fn is_undivided(part: &Part) -> bool {
    match &part.body {
        PartBody::Multipart(children) => children
            .first()
            .is_some_and(|child| child.header_offset == part.body_offset),
        PartBody::Leaf | PartBody::Message(_) => false,
    }
}

fn is_multipart(part: &Part) -> bool {
    part.media_type.eq_ignore_ascii_case(b"multipart")
}

enum Kind {
    Multipart(Vec<u8>),
    Message,
    Leaf,
}

fn kind(part: &Part, depth: usize) -> Kind {
    if depth > MAX_DEPTH {
        return Kind::Leaf;
    }
    if is_multipart(part) {
        let boundary = part
            .params
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(b"boundary"));
        let usable = boundary
            .map(|(_, value)| value.trim_ascii_end())
            .filter(|value| (1..=MAX_BOUNDARY_OCTETS).contains(&value.len()));
        return usable.map_or(Kind::Leaf, |value| Kind::Multipart(value.to_vec()));
    }
    // A message in an encoding cannot be looked into at offsets (RFC 2046 §5.2.1 forbids it anyway).
    let plain = ["", "7bit", "8bit", "binary"]
        .iter()
        .any(|name| part.encoding.eq_ignore_ascii_case(name.as_bytes()));
    if is_message(part) && plain {
        Kind::Message
    } else {
        Kind::Leaf
    }
}

fn is_message(part: &Part) -> bool {
    let subtype = |name: &[u8]| part.subtype.eq_ignore_ascii_case(name);
    part.media_type.eq_ignore_ascii_case(b"message") && (subtype(b"rfc822") || subtype(b"global"))
}

fn counts_lines(part: &Part) -> bool {
    part.media_type.eq_ignore_ascii_case(b"text") || is_message(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(content: &str) -> String {
        fn show(content: &str, part: &Part, out: &mut String) {
            let slice = |from: u64, to: u64| &content[from as usize..to as usize];
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            out.push_str(&format!("({}/{}", text(&part.media_type), text(&part.subtype)));
            match &part.body {
                PartBody::Leaf => out.push_str(&format!(
                    " {:?} {}",
                    slice(part.body_offset, part.end_offset),
                    part.lines
                )),
                PartBody::Multipart(children) => children.iter().for_each(|child| show(content, child, out)),
                PartBody::Message(inner) => show(content, &inner.1, out),
            }
            out.push(')');
        }
        let mut out = String::new();
        show(content, &parse(content.as_bytes()).1, &mut out);
        out
    }

    #[test]
    fn trees() {
        let cases = [
            ("Subject: x\r\n\r\nhi\r\n", r#"(text/plain "hi\r\n" 1)"#),
            ("", r#"(text/plain "" 0)"#),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n\
                 two\r\n\r\n--b--\r\nepilogue\r\n--b\r\nnot a part",
                r#"(multipart/mixed(text/plain "one" 0)(text/html "two\r\n" 1))"#,
            ),
            // The closing delimiter is missing.
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none",
                r#"(multipart/mixed(text/plain "one" 0))"#,
            ),
            // An outer boundary ends an inner multipart; `b` is a prefix of `bb`.
            (
                "Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n1\r\n\
                 --bb\r\n\r\n2\r\n--bb--\r\n",
                r#"(multipart/mixed(multipart/alternative(text/plain "1" 0))(text/plain "2" 0))"#,
            ),
            (
                "Content-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: multipart/x; boundary=q\r\n\r\n--q\r\n\r\nx\r\n--q--\r\n",
                r#"(message/rfc822(multipart/x(text/plain "x" 0)))"#,
            ),
            (
                "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: a\r\n\r\nA\r\n--b--",
                r#"(multipart/digest(message/rfc822(text/plain "A" 0)))"#,
            ),
            // No parts at all: the grammar wants one, and people want to read it.
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\nsome\r\nthing",
                r#"(multipart/mixed(text/plain "some\r\nthing" 1))"#,
            ),
            (
                "Content-Type: multipart/mixed\r\n\r\n--\r\n",
                r#"(multipart/mixed(text/plain "--\r\n" 1))"#,
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\ntext\r\n--b--\r\n",
                r#"(multipart/mixed(text/plain "text\r\n--b--\r\n" 2))"#,
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\ninner\r\n--b--\r\n",
                r#"(multipart/mixed(multipart/mixed(text/plain "inner" 0)))"#,
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
                r#"(multipart/mixed(text/plain "" 0))"#,
            ),
            // Cut off within the closing delimiter, and before a first part.
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b",
                r#"(multipart/mixed(text/plain "one" 0))"#,
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n",
                r#"(multipart/mixed(text/plain "one" 0))"#,
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\nbefore\r\n--b",
                r#"(multipart/mixed(text/plain "" 0))"#,
            ),
            // A delimiter within the header of a part; and two in a row.
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n--b\r\n--b--\r\n",
                r#"(multipart/mixed(text/plain "" 0)(text/plain "" 0))"#,
            ),
            (
                "Content-Type: text\r\nContent-Type: image/png\r\n\r\nx",
                r#"(text/plain "x" 0)"#,
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\ntwo\n--b--\n",
                r#"(multipart/mixed(text/plain "one\ntwo" 1))"#,
            ),
        ];
        for (content, expected) in cases {
            assert_eq!(tree(content), expected, "{content:?}");
        }
    }

    #[test]
    fn an_encoded_message_is_not_looked_into() {
        let content = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n";
        assert_eq!(tree(content), r#"(message/rfc822 "AAAA\r\n" 1)"#);
    }

    #[test]
    fn bombs_are_bounded_and_quick() {
        let mut deep = String::new();
        for level in 0..5_000 {
            deep.push_str(&format!(
                "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
            ));
        }
        let rfc822 = "Content-Type: message/rfc822\r\n\r\n".repeat(5_000);
        let wide = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
            "--b\r\n\r\n".repeat(100_000)
        );
        for content in [deep, rfc822, wide] {
            let started = std::time::Instant::now();
            let (_, root) = parse(content.as_bytes());
            assert!(count(&root) <= MAX_PARTS + 1, "{}", count(&root));
            assert!(started.elapsed().as_secs() < 5);
        }
    }

    fn count(part: &Part) -> usize {
        1 + match &part.body {
            PartBody::Leaf => 0,
            PartBody::Multipart(children) => children.iter().map(count).sum(),
            PartBody::Message(inner) => count(&inner.1),
        }
    }

    fn check(part: &Part, from: u64, to: u64) {
        assert!(from <= part.header_offset && part.header_offset <= part.body_offset);
        assert!(
            part.body_offset <= part.end_offset && part.end_offset <= to,
            "{part:?} {to}"
        );
        let mut at = part.body_offset;
        match &part.body {
            PartBody::Leaf => {}
            PartBody::Message(inner) => check(&inner.1, at, part.end_offset),
            PartBody::Multipart(children) => {
                for child in children {
                    check(child, at, part.end_offset);
                    at = child.end_offset;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn places_are_in_order(pieces in proptest::collection::vec(prop_oneof![
            Just("\r\n"), Just("\n"), Just("--a"), Just("--b"), Just("--a--"), Just("--b--"), Just("x"), Just(": "),
            Just("Content-Type: multipart/mixed; boundary=a\r\n"), Just("Content-Type: multipart/digest; boundary=b\r\n"),
            Just("Content-Type: message/rfc822\r\n"), Just("\r\n\r\n"),
        ], 0..60)) {
            let content = pieces.concat();
            check(&parse(content.as_bytes()).1, 0, content.len() as u64);
        }

        #[test]
        fn any_bytes_parse(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            check(&parse(&content).1, 0, content.len() as u64);
        }
    }
}
