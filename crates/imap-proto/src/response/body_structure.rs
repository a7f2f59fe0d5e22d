//! BODY and BODYSTRUCTURE (RFC 3501 §7.4.2, RFC 9051 §7.5.2). Recursion is as deep as the stored tree, which intake bounds.

use super::envelope::write_envelope;
use super::number::write_number;
use super::string::{write_nstring, write_params, write_text};
use crate::session::Enabled;
use postroom_types::{Disposition, Envelope, Part, PartBody};

/// Writes the structure of a part as this client reads it; with `extended`, the extension data of BODYSTRUCTURE too.
pub(crate) fn write_structure(out: &mut Vec<u8>, part: &Part, extended: bool, enabled: Enabled) {
    let writer = Writer {
        extended,
        utf8: enabled.utf8_names(),
        global: enabled.rev2,
    };
    writer.part(out, part);
}

/// How structures are written in one response.
struct Writer {
    extended: bool,
    /// Quoted strings may hold UTF-8.
    utf8: bool,
    /// message/global has the form of message/rfc822: in IMAP4rev1 only the latter has it (RFC 9051 §9, `media-message`).
    global: bool,
}

fn empty_text() -> Part {
    Part {
        media_type: b"text".to_vec(),
        subtype: b"plain".to_vec(),
        ..Part::default()
    }
}

impl Writer {
    fn part(&self, out: &mut Vec<u8>, part: &Part) {
        out.push(b'(');
        match &part.body {
            PartBody::Multipart(parts) => self.multipart(out, part, parts),
            // Its boundary never came: a multipart has at least one part in the grammar.
            PartBody::Leaf if part.media_type.eq_ignore_ascii_case(b"multipart") => self.multipart(out, part, &[]),
            PartBody::Message(inner) if self.is_message(part) => self.message(out, part, &inner.0, &inner.1),
            // Not parsed, nested too deeply: still of the form that clients expect of this type.
            PartBody::Leaf if self.is_message(part) => self.message(out, part, &Envelope::default(), &empty_text()),
            PartBody::Leaf | PartBody::Message(_) => {
                self.fields(out, part);
                if part.media_type.eq_ignore_ascii_case(b"text") {
                    out.push(b' ');
                    write_number(out, part.lines);
                }
                self.single_extension(out, part);
            }
        }
        out.push(b')');
    }

    fn is_message(&self, part: &Part) -> bool {
        part.media_type.eq_ignore_ascii_case(b"message")
            && (part.subtype.eq_ignore_ascii_case(b"rfc822")
                || self.global && part.subtype.eq_ignore_ascii_case(b"global"))
    }

    fn multipart(&self, out: &mut Vec<u8>, part: &Part, parts: &[Part]) {
        for inner in parts {
            self.part(out, inner);
        }
        if parts.is_empty() {
            self.part(out, &empty_text());
        }
        out.push(b' ');
        write_text(out, &part.subtype, self.utf8);
        if self.extended {
            out.push(b' ');
            write_params(out, &part.params, self.utf8);
            self.common_extension(out, part);
        }
    }

    fn message(&self, out: &mut Vec<u8>, part: &Part, envelope: &Envelope, root: &Part) {
        self.fields(out, part);
        out.push(b' ');
        write_envelope(out, envelope, self.utf8);
        out.push(b' ');
        self.part(out, root);
        out.push(b' ');
        write_number(out, part.lines);
        self.single_extension(out, part);
    }

    /// Type, subtype and `body-fields`.
    fn fields(&self, out: &mut Vec<u8>, part: &Part) {
        write_text(out, &part.media_type, self.utf8);
        out.push(b' ');
        write_text(out, &part.subtype, self.utf8);
        out.push(b' ');
        write_params(out, &part.params, self.utf8);
        out.push(b' ');
        write_nstring(out, part.content_id.as_deref(), self.utf8);
        out.push(b' ');
        write_nstring(out, part.description.as_deref(), self.utf8);
        out.push(b' ');
        let encoding = if part.encoding.is_empty() {
            b"7BIT"
        } else {
            part.encoding.as_slice()
        };
        write_text(out, encoding, self.utf8);
        out.push(b' ');
        write_number(out, part.octets());
    }

    /// `body-ext-1part`, with the space before it.
    fn single_extension(&self, out: &mut Vec<u8>, part: &Part) {
        if self.extended {
            out.push(b' ');
            write_nstring(out, part.md5.as_deref(), self.utf8);
            self.common_extension(out, part);
        }
    }

    /// Disposition, language and location, each with the space before it.
    fn common_extension(&self, out: &mut Vec<u8>, part: &Part) {
        out.push(b' ');
        match &part.disposition {
            Some(Disposition { kind, params }) => {
                out.push(b'(');
                write_text(out, kind, self.utf8);
                out.push(b' ');
                write_params(out, params, self.utf8);
                out.push(b')');
            }
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        match part.language.as_slice() {
            [] => out.extend_from_slice(b"NIL"),
            [tag] => write_text(out, tag, self.utf8),
            tags => {
                let mut separator = b'(';
                for tag in tags {
                    out.push(separator);
                    write_text(out, tag, self.utf8);
                    separator = b' ';
                }
                out.push(b')');
            }
        }
        out.push(b' ');
        write_nstring(out, part.location.as_deref(), self.utf8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(media_type: &str, subtype: &str, octets: u64, lines: u64) -> Part {
        Part {
            media_type: media_type.into(),
            subtype: subtype.into(),
            end_offset: octets,
            lines,
            ..Part::default()
        }
    }

    fn check(part: &Part, extended: bool, expected: &str) {
        let mut out = Vec::new();
        write_structure(&mut out, part, extended, Enabled::default());
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn text_as_in_the_rfc() {
        let mut part = leaf("TEXT", "PLAIN", 2279, 48);
        part.params = vec![(b"CHARSET".to_vec(), b"US-ASCII".to_vec())];
        check(
            &part,
            false,
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48)",
        );
        part.disposition = Some(Disposition {
            kind: b"inline".to_vec(),
            params: Vec::new(),
        });
        part.language = vec![b"en".to_vec(), b"de".to_vec()];
        part.md5 = Some(b"x".to_vec());
        check(
            &part,
            true,
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48 \"x\" (\"inline\" NIL) (\"en\" \"de\") NIL)",
        );
    }

    #[test]
    fn multipart() {
        let mut part = leaf("multipart", "mixed", 10, 0);
        part.params = vec![(b"boundary".to_vec(), b"b".to_vec())];
        part.body = PartBody::Multipart(vec![leaf("text", "plain", 1, 1), leaf("image", "png", 5, 0)]);
        let inner = "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 1 1)(\"image\" \"png\" NIL NIL NIL \"7BIT\" 5)";
        check(&part, false, &format!("({inner} \"mixed\")"));
        let inner = "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 1 1 NIL NIL NIL NIL)\
                     (\"image\" \"png\" NIL NIL NIL \"7BIT\" 5 NIL NIL NIL NIL)";
        check(
            &part,
            true,
            &format!("({inner} \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"),
        );
        part.body = PartBody::Leaf;
        check(
            &part,
            false,
            "((\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0) \"mixed\")",
        );
    }

    #[test]
    fn messages() {
        let mut part = leaf("message", "rfc822", 30, 4);
        let expected = "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 30 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
                        (\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0) 4)";
        check(&part, false, expected);
        part.body = PartBody::Message(Box::new((Envelope::default(), empty_text())));
        check(&part, false, expected);
        // To a client of IMAP4rev1 only RFC822 has the longer form.
        part.subtype = b"global".to_vec();
        check(&part, false, "(\"message\" \"global\" NIL NIL NIL \"7BIT\" 30)");
        let rev2 = Enabled {
            rev2: true,
            ..Enabled::default()
        };
        let mut out = Vec::new();
        write_structure(&mut out, &part, false, rev2);
        assert_eq!(String::from_utf8_lossy(&out), expected.replace("rfc822", "global"));
    }
}
