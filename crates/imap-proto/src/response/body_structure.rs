//! BODY and BODYSTRUCTURE (RFC 3501 §7.4.2). Recursion is as deep as the stored tree, which intake bounds.

use super::envelope::write_envelope;
use super::string::{write_nstring, write_params, write_string};
use postroom_types::{Disposition, Envelope, Part, PartBody};

/// Writes the structure of a part; with `extended`, the extension data of BODYSTRUCTURE too.
pub(crate) fn write_structure(out: &mut Vec<u8>, part: &Part, extended: bool) {
    let is = |name: &[u8], value: &[u8]| name.eq_ignore_ascii_case(value);
    out.push(b'(');
    match &part.body {
        PartBody::Multipart(parts) => write_multipart(out, part, parts, extended),
        // Its boundary never came: a multipart has at least one part in the grammar.
        PartBody::Leaf if is(&part.media_type, b"multipart") => write_multipart(out, part, &[], extended),
        PartBody::Message(inner) if is(&part.media_type, b"message") && is(&part.subtype, b"rfc822") => {
            write_message(out, part, &inner.0, &inner.1, extended);
        }
        // Not parsed, nested too deeply: still of the form that clients expect of this type.
        PartBody::Leaf if is(&part.media_type, b"message") && is(&part.subtype, b"rfc822") => {
            write_message(out, part, &Envelope::default(), &empty_text(), extended);
        }
        _ => {
            write_fields(out, part);
            if is(&part.media_type, b"text") {
                write_number(out, part.lines);
            }
            if extended {
                write_single_extension(out, part);
            }
        }
    }
    out.push(b')');
}

fn empty_text() -> Part {
    Part {
        media_type: b"text".to_vec(),
        subtype: b"plain".to_vec(),
        ..Part::default()
    }
}

fn write_multipart(out: &mut Vec<u8>, part: &Part, parts: &[Part], extended: bool) {
    for inner in parts {
        write_structure(out, inner, extended);
    }
    if parts.is_empty() {
        write_structure(out, &empty_text(), extended);
    }
    out.push(b' ');
    write_string(out, &part.subtype);
    if extended {
        out.push(b' ');
        write_params(out, &part.params);
        write_common_extension(out, part);
    }
}

fn write_message(out: &mut Vec<u8>, part: &Part, envelope: &Envelope, root: &Part, extended: bool) {
    write_fields(out, part);
    out.push(b' ');
    write_envelope(out, envelope);
    out.push(b' ');
    write_structure(out, root, extended);
    write_number(out, part.lines);
    if extended {
        write_single_extension(out, part);
    }
}

/// Type, subtype and `body-fields`.
fn write_fields(out: &mut Vec<u8>, part: &Part) {
    write_string(out, &part.media_type);
    out.push(b' ');
    write_string(out, &part.subtype);
    out.push(b' ');
    write_params(out, &part.params);
    out.push(b' ');
    write_nstring(out, part.content_id.as_deref());
    out.push(b' ');
    write_nstring(out, part.description.as_deref());
    out.push(b' ');
    let encoding = if part.encoding.is_empty() {
        b"7BIT"
    } else {
        part.encoding.as_slice()
    };
    write_string(out, encoding);
    write_number(out, part.octets());
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(format!(" {number}").as_bytes());
}

/// `body-ext-1part`, with the space before it.
fn write_single_extension(out: &mut Vec<u8>, part: &Part) {
    out.push(b' ');
    write_nstring(out, part.md5.as_deref());
    write_common_extension(out, part);
}

/// Disposition, language and location, each with the space before it.
fn write_common_extension(out: &mut Vec<u8>, part: &Part) {
    out.push(b' ');
    match &part.disposition {
        Some(Disposition { kind, params }) => {
            out.push(b'(');
            write_string(out, kind);
            out.push(b' ');
            write_params(out, params);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    match part.language.as_slice() {
        [] => out.extend_from_slice(b"NIL"),
        [tag] => write_string(out, tag),
        tags => {
            out.push(b'(');
            for (index, tag) in tags.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                write_string(out, tag);
            }
            out.push(b')');
        }
    }
    out.push(b' ');
    write_nstring(out, part.location.as_deref());
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
        write_structure(&mut out, part, extended);
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
    }
}
