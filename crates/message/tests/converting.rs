//! What a client submits in 8 bits leaves in 7, with the same meaning.

mod meaning;

use meaning::meaning;
use postroom_message::{complete, decoded_body, fields, leaf, plain_text, summarize, without_nul};
use postroom_types::Domain;
use proptest::prelude::*;

const WHOLE: &str = "From: a@b\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <one@b>\r\n";

/// The completed content, and whether it needs 8BITMIME.
fn completed(content: &[u8]) -> (Vec<u8>, bool) {
    let completed = complete(content.to_vec().into(), &Domain::parse("example.test").unwrap(), 0).unwrap();
    (completed.content.to_vec(), completed.eight_bit)
}

/// What became of a message that begins with [`WHOLE`], without those fields.
fn converted(rest: impl AsRef<[u8]>) -> String {
    let (content, eight_bit) = completed(&[WHOLE.as_bytes(), rest.as_ref()].concat());
    assert_eq!(eight_bit, !content.is_ascii());
    String::from_utf8_lossy(content.strip_prefix(WHOLE.as_bytes()).unwrap()).into_owned()
}

#[test]
fn leaves_are_encoded() {
    let version = "MIME-Version: 1.0\r\n";
    let utf8 = "Content-Type: text/plain; charset=utf-8\r\n";
    let html = "Content-Type: text/html; charset=iso-8859-1\r\n";
    let image = "Content-Type: image/x; a=b\r\n";
    let label = |name: &str| format!("Content-Transfer-Encoding: {name}\r\n");
    let printable = label("quoted-printable");
    let cases: [(Vec<u8>, String); 9] = [
        // Not MIME at all: it becomes so.
        (
            "Subject: x\r\n\r\ncaf\u{e9}\r\n".into(),
            format!("Subject: x\r\n{version}{utf8}{printable}\r\ncaf=C3=A9\r\n"),
        ),
        // Not UTF-8: nothing is claimed of it.
        (
            b"X: y\r\n\r\ncaf\xe9 = \r\n".into(),
            format!("X: y\r\n{version}{printable}\r\ncaf=E9 =3D=20\r\n"),
        ),
        // The labels 8bit, 7bit, binary, and none.
        (
            [
                version.as_bytes(),
                html.as_bytes(),
                b"content-transfer-encoding: 8BIT (x)\r\nX: y\r\n\r\n\xe9\r\n",
            ]
            .concat(),
            format!("{version}{html}{printable}X: y\r\n\r\n=E9\r\n"),
        ),
        (
            format!("{version}{}{utf8}\r\n\u{e9}", label("7bit")).into(),
            format!("{version}{printable}{utf8}\r\n=C3=A9\r\n"),
        ),
        (
            [
                version.as_bytes(),
                image.as_bytes(),
                label("binary").as_bytes(),
                b"\r\n\xff\xfe--\r\n",
            ]
            .concat(),
            format!("{version}{image}{}\r\n//4tLQ0K\r\n", label("base64")),
        ),
        (
            [version.as_bytes(), image.as_bytes(), b"\r\n\xff\xfe--\r\n"].concat(),
            format!("{version}{image}{}\r\n//4tLQ0K\r\n", label("base64")),
        ),
        // Of two labels one is left.
        (
            format!(
                "{version}{}{}X: y\r\n{utf8}\r\n\u{e9}\r\n",
                label("8bit"),
                label("7bit")
            )
            .into(),
            format!("{version}{printable}X: y\r\n{utf8}\r\n=C3=A9\r\n"),
        ),
        // Half encoded.
        (
            format!("{version}{utf8}{printable}\r\n\u{e9}=C3=\r\n=A9=\r\n").into(),
            format!("{version}{utf8}{printable}\r\n=C3=A9=C3=A9=\r\n"),
        ),
        // ASCII stays as it is, whatever its label.
        (
            format!("{version}{html}{}\r\na=b\r\n", label("8bit")).into(),
            format!("{version}{html}{}\r\na=b\r\n", label("8bit")),
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(converted(&given), expected, "{:?}", String::from_utf8_lossy(&given));
    }
}

#[test]
fn what_is_not_a_leaf_stays() {
    let cases = [
        // The labels of what is around go down with it; a part without Content-Type gets one.
        (
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n--b\r\n\r\n\
             \u{e9}\r\n--b  \r\nX: y\r\nContent-Type: a/b\r\n\r\n\u{e9}\r\n\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             Subject: in\r\n\r\n\u{e9}\r\n--b--\r\nepilogue\r\n",
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\npreamble\r\n--b\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
             =C3=A9\r\n--b  \r\nX: y\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nw6kNCg==\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
             Subject: in\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b--\r\nepilogue\r\n",
        ),
        // Fields of parts, preamble and epilogue are not ours; while they are 8-bit, so is what is around them.
        (
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\npr\u{e9}\r\n--b\r\n\
             Content-Type: text/plain; name=\u{e9}\r\n\r\n\u{e9}\r\n--b--\r\n\u{e9}pi\r\n",
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\npr\u{e9}\r\n--b\r\n\
             Content-Type: text/plain; name=\u{e9}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b--\r\n\u{e9}pi\r\n",
        ),
        // A line of the text does not become a delimiter by where it is broken, or by how it is written.
        (
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"3D=3D\"\r\n\r\n--3D=3D\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
             --3D=\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\u{e9}--3D=3D\r\n--3D=3D--\r\n",
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"3D=3D\"\r\n\r\n--3D=3D\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
             =2D-3D=3D\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=C3=A9=\r\n=2D-3D=3D3D\r\n--3D=3D--\r\n",
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(converted(given), expected);
        assert_eq!(converted(expected), expected);
    }
}

/// Composite types cannot be encoded (RFC 2045 §6.4); and of an unknown or broken encoding nobody knows what is in it.
#[test]
fn what_cannot_be_encoded_stays() {
    for rest in [
        "Content-Type: message/delivery-status\r\n\r\nX: \u{e9}\r\n",
        "Content-Type: multipart/mixed\r\n\r\n\u{e9}\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\nno part \u{e9}\r\n",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-own\r\n\r\n\u{e9}\r\n",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\u{e9}\r\n",
    ] {
        let given = format!("MIME-Version: 1.0\r\n{rest}");
        assert_eq!(converted(&given), given);
    }
}

/// What encodes nothing stands for itself.
#[test]
fn damaged_quoted_printable_is_mended() {
    let head = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    let mended = converted(format!("{head}=xy \u{e9}=3D\r\n"));
    assert_eq!(mended, format!("{head}=3Dxy =C3=A9=3D\r\n"));
}

#[test]
fn what_is_signed_or_encrypted_survives_bit_for_bit() {
    let signed = "Content-Type: multipart/signed; boundary=s; micalg=pgp-sha256;\r\n protocol=\"application/pgp-signature\"\r\n\r\n--s\r\n\
        Content-Type: multipart/mixed; boundary=i\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--i\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
        Gr\u{fc}\u{df}e \r\n--i\r\nContent-Type: message/rfc822\r\n\r\nSubject: \u{e9}\r\n\r\n\u{e9}\r\n--i--\r\n\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nabc\r\n--s--\r\n";
    let kinds = [
        signed.to_owned(),
        signed.replace("multipart/signed", "Multipart/Encrypted"),
        "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\n\u{e9}\r\n".to_owned(),
        "Content-Type: application/x-pkcs7-mime\r\nContent-Transfer-Encoding: binary\r\n\r\n\u{e9}\r\n".to_owned(),
    ];
    for sealed in kinds {
        let alone = format!("MIME-Version: 1.0\r\n{sealed}");
        assert_eq!(converted(&alone), alone);
        // Beside it, everything else is converted; what holds it stays 8-bit.
        let around = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--o\r\n";
        let footer = "--o\r\nContent-Type: text/plain; charset=utf-8\r\n";
        let mixed = format!("{around}{sealed}\r\n{footer}\r\n\u{e9}\r\n--o--\r\n");
        assert_eq!(
            converted(&mixed),
            format!(
                "{around}{sealed}\r\n{footer}Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--o--\r\n"
            )
        );
    }
}

#[test]
fn raw_header_fields_stay_and_are_told() {
    let (content, eight_bit) = completed(format!("{WHOLE}Subject: \u{e9}\r\n\r\n\u{e9}\r\n").as_bytes());
    let text = String::from_utf8(content.clone()).unwrap();
    assert!(
        eight_bit && text.contains("Subject: \u{e9}\r\n") && text.ends_with("\r\n=C3=A9\r\n"),
        "{text}"
    );
    assert_eq!(plain_text(&content, &summarize(&content).root).unwrap(), "\u{e9}\r\n");
    // Those of a part make the message 8-bit too.
    let part =
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: \u{e9}\r\n\r\nx\r\n--b--\r\n";
    assert_eq!(converted(part), part);
}

#[test]
fn bombs_end_soon() {
    let wide = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        "--b\r\n\r\n\u{e9}\r\n".repeat(100_000)
    );
    let deep: String = (0..3_000)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b{level}\r\n"))
        .collect();
    let labels = format!(
        "{}\r\n\u{e9}\r\n",
        "Content-Transfer-Encoding: 8bit\r\n".repeat(100_000)
    );
    let nested = format!(
        "{}\r\n\u{e9}\r\n",
        "Content-Type: message/rfc822\r\n\r\n".repeat(100_000)
    );
    for content in [
        wide,
        format!("{deep}\r\n{}", "\u{e9}\r\n".repeat(200_000)),
        labels,
        nested,
    ] {
        let started = std::time::Instant::now();
        completed(format!("{WHOLE}MIME-Version: 1.0\r\n{content}").as_bytes());
        assert!(started.elapsed().as_secs() < 5, "{content:.100}");
    }
}

/// A random MIME entity, header and body.
fn entity() -> impl Strategy<Value = Vec<u8>> {
    let label = prop_oneof![
        3 => Just(""),
        2 => Just("Content-Transfer-Encoding: 8bit\r\n"),
        1 => Just("Content-Transfer-Encoding: binary\r\n"),
        1 => Just("content-transfer-encoding: 7bit\r\n"),
    ];
    let kind = prop_oneof![
        Just(""),
        Just("Content-Type: text/plain; charset=utf-8\r\n"),
        Just("Content-Type: text/html\r\n"),
        Just("Content-Type: application/octet-stream; name=x\r\n"),
    ];
    let line = prop_oneof![
        // None is a delimiter, but some come near.
        "(--[x=])?[ -~\t\u{e9}\u{65e5}]{0,90}".prop_map(String::into_bytes),
        proptest::collection::vec(prop_oneof![Just(b'='), Just(b'\t'), Just(b' '), 0x80..=0xff_u8], 0..80),
    ];
    let body = proptest::collection::vec(line, 0..4).prop_map(|lines| lines.join(&b"\r\n"[..]));
    let leaf = (kind, label.clone(), body)
        .prop_map(|(kind, label, body)| [kind.as_bytes(), label.as_bytes(), b"\r\n", &body].concat());
    leaf.prop_recursive(4, 16, 4, move |inner| {
        let composite = |head: String, label: &str| format!("{head}{label}\r\n").into_bytes();
        let multipart = (
            label.clone(),
            "[a-d]{1,2}|=3D",
            proptest::collection::vec(inner.clone(), 1..4),
        )
            .prop_map(move |(label, boundary, children)| {
                let head = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n");
                let mut out = composite(head, label);
                for child in children {
                    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                    out.extend_from_slice(&child);
                    out.extend_from_slice(b"\r\n");
                }
                [out, format!("--{boundary}--").into_bytes()].concat()
            });
        let message = (label.clone(), inner).prop_map(move |(label, inner)| {
            [
                composite("Content-Type: message/rfc822\r\n".into(), label),
                b"Subject: x\r\n".into(),
                inner,
            ]
            .concat()
        });
        prop_oneof![2 => multipart, 1 => message]
    })
}

/// The fields of the header section that say nothing of the encoding.
fn other_fields(content: &[u8]) -> Vec<Vec<u8>> {
    let ours = ["Content-Transfer-Encoding", "Content-Type", "MIME-Version"];
    fields(content)
        .filter(|field| ours.iter().all(|name| !field.is(name)))
        .map(|field| content[field.start..field.end].to_vec())
        .collect()
}

proptest! {
    #[test]
    fn converting_keeps_the_meaning(entity in entity()) {
        // The end is one that `complete` leaves alone.
        let given = [WHOLE.as_bytes(), b"MIME-Version: 1.0\r\n", &entity, b"\r\n.\r\n"].concat();
        let (once, eight_bit) = completed(&given);
        prop_assert!(once.is_ascii() && !eight_bit, "{}", String::from_utf8_lossy(&once));
        prop_assert_eq!(meaning(&once), meaning(&given), "{}", String::from_utf8_lossy(&once));
        prop_assert_eq!(other_fields(&once), other_fields(&given));
        prop_assert_eq!(given.is_ascii(), once == given);
        prop_assert_eq!(completed(&once).0, once);
    }
}

/// What quoted-printable would make three times as large goes as base64; what is short stays readable.
#[test]
fn text_in_another_script_is_not_blown_up() {
    let check = |text: &str, expected: &str| {
        let content = format!(
            "From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n{text}"
        );
        let octets = content.len();
        let converted = complete(content.into(), &Domain::parse("b").unwrap(), 0)
            .unwrap()
            .content;
        let converted = String::from_utf8(converted.to_vec()).unwrap();
        assert!(
            converted.contains(&format!("Content-Transfer-Encoding: {expected}\r\n")),
            "{converted:.400}"
        );
        assert!(
            octets < 4096 || converted.len() < octets * 3 / 2,
            "{octets} became {}",
            converted.len()
        );
    };
    check("Привет, мир\r\n", "quoted-printable");
    check(&"Привет, мир, как дела сегодня утром\r\n".repeat(500), "base64");
    check(
        &"Grüße aus München, es regnet hier schon wieder\r\n".repeat(500),
        "quoted-printable",
    );
}

/// Whoever gets an enclosed message may want to verify its signatures.
#[test]
fn an_enclosed_signed_message_stays() {
    for (field, stays) in [("DKIM-Signature: v=1", true), ("X-Other: v=1", false)] {
        let inner = format!("{field}\r\nFrom: c@d\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u{fc}\u{df}e\r\n");
        let content = format!(
            "From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{inner}"
        );
        let completed = complete(content.into(), &Domain::parse("b").unwrap(), 0).unwrap();
        assert_eq!(completed.content.ends_with(inner.as_bytes()), stays, "{field}");
        assert_eq!(completed.eight_bit, stays, "{field}");
    }
}

#[test]
fn parts_with_nul_are_encoded() {
    let cases: [(&str, Option<&str>); 8] = [
        ("Subject: x\r\n\r\nplain\r\n", Some("Subject: x\r\n\r\nplain\r\n")),
        (
            "Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\r\u{e9}",
            Some("Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\nMIME-Version: 1.0\r\n\r\nAAoNw6k=\r\n"),
        ),
        // Short text stays readable; lines may end as they do elsewhere.
        (
            "Subject: x\n\na\0b\r\n",
            Some(
                "Subject: x\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\na=00b\r\n",
            ),
        ),
        (
            "MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ncaf\u{e9}\r\n--b\r\n\
             Content-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n--b--\r\n",
            Some(
                "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ncaf\u{e9}\r\n--b\r\n\
                 Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nAA==\r\n--b--\r\n",
            ),
        ),
        // Where it cannot be encoded.
        ("Subject: \0\r\n\r\nx", None),
        (
            "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\0\r\n--b--\r\n",
            None,
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n\0\r\n--b\r\n\r\nx\r\n--b--\r\n",
            None,
        ),
        ("Content-Transfer-Encoding: x-uuencode\r\n\r\n\0", None),
    ];
    for (content, expected) in cases {
        let made = without_nul(content.as_bytes()).map(|made| String::from_utf8(made.into_owned()).unwrap());
        assert_eq!(made.as_deref(), expected, "{content:?}");
    }
}

proptest! {
    #[test]
    fn encoded_parts_decode_to_what_they_were(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let content = [&b"Content-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\n"[..], &body].concat();
        let made = without_nul(&content).unwrap();
        prop_assert!(!made.contains(&0));
        let root = summarize(&made).root;
        let part = leaf(&root, 0).unwrap();
        let decoded = decoded_body(&made, part).into_owned();
        prop_assert_eq!(decoded, body);
    }
}
