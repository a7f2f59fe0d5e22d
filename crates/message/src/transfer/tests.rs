use super::*;
use proptest::prelude::*;

/// What a body becomes that comes in these pieces.
fn decoded<'a>(encoding: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut decoder = TransferDecoder::of(encoding.as_bytes());
    let mut out = Vec::new();
    pieces.into_iter().for_each(|piece| decoder.push(piece, &mut out));
    decoder.finish(&mut out);
    out
}

fn check(encoding: &str, body: &[u8], expected: &[u8]) {
    let shown = String::from_utf8_lossy(body);
    let read = decoded(encoding, [body]);
    assert_eq!(
        read,
        expected,
        "{encoding} {shown:?}: {:?}",
        String::from_utf8_lossy(&read)
    );
    assert_eq!(
        transfer_decode(encoding.as_bytes(), body),
        expected,
        "{encoding} {shown:?}"
    );
    let octets = decoded_octets(encoding.as_bytes(), body);
    assert_eq!(octets, expected.len() as u64, "size of {encoding} {shown:?}");
}

/// Another block after the end, in lines of any width that encoders make, and set in.
#[test]
fn base64_goes_on_in_lines_of_any_width() {
    let text = "YWJj".repeat(90);
    for (width, indent) in [
        (12, ""),
        (60, ""),
        (64, ""),
        (70, ""),
        (74, ""),
        (75, ""),
        (76, "  "),
        (76, "\t"),
        (360, ""),
    ] {
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(width)
            .map(|line| [indent.as_bytes(), line].concat())
            .collect();
        let body = [&b"YQ==\r\n"[..], &lines.join(&b"\r\n"[..])].concat();
        check("base64", &body, &[&b"a"[..], &b"abc".repeat(90)].concat());
    }
    // So many are no words, whatever they look like.
    let body = [&b"YQ==\r\n"[..], &b"Word\r\n".repeat(1000)].concat();
    check("base64", &body, &[&b"a"[..], &b"\x5a\x8a\xdd".repeat(1000)].concat());
}

/// Where no line says otherwise this is what Python's `email` makes of it.
#[test]
fn base64() {
    for (body, expected) in [
        (&b""[..], &b""[..]),
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"YQ==", b"a"),
        // RFC 2045 §6.8: what is not of the alphabet is ignored, wherever it stands.
        (b"aGVs*bG8=", b"hello"),
        (b"aGVs\xffbG8=", b"hello"),
        (b"\xff\xfeaGVsbG8=", b"hello"),
        (b"-aGV sbG8\t=", b"hello"),
        (b"aGVsbG8\0=", b"hello"),
        (b"!!", b""),
        // Padding ends the data, and the footer is none.
        (b"aGVsbG8=\r\nextra", b"hello"),
        (b"aGVsbG8=\r\n-- \r\nlist footer, unsubscribe here\r\n", b"hello"),
        (b"YQ==\r\n____\r\nList mailing list\r\n", b"a"),
        (b"YQ==*YWFh", b"a"),
        (b"YQ==\r\n\r\nRegards\r\n", b"a"),
        (b"YQ==\r\nList\r\nlists\r\nYWFhYQ==\r\n", b"a"),
        (b"YQ==\r\nList\r\n", b"a"),
        (b"YQ==\r\nNOTE\r\n", b"a"),
        (b"YQ==\r\n2026\r\nYWJj", b"a"),
        (b"YQ==\r\n////////////////\r\nYWJj", b"a"),
        (b"YQ==\r\nReplyToAllOfThem/lists\r\nYWJj", b"a"),
        (b"YQ= =\r\nextra", b"a"),
        // Padding that completes nothing is none.
        (b"=aGVsbG8=", b"hello"),
        (b"aG=VsbG8=", b"hello"),
        (b"aGVs====bG8=", b"hello"),
        (b"a=GVs", b"hel"),
        (b"YQ=\r\nYQ==", b"a\x06\x10"),
        (b"aG=", b"h"),
        // One digit alone is no octet; Python gives such a body as it stands.
        (b"aGVsb", b"hel"),
        (b"a===", b""),
        // Parts that were put together, of which Python has the first.
        (b"YQ==YQ==", b"aa"),
        (b"YQ==\r\nYmI=\r\n", b"abb"),
        (b"YQ==YmI=Y2NjZA==\r\nZWU=\r\nname=x==\r\n", b"abbcccdee"),
        (b"YQ==\r\n==\r\n \r\nYmI= \r\nYw==\r\nfooter", b"abbc"),
        (b"YQ==\nYWFhYWFhYWFhYWFh\nYWFh", b"aaaaaaaaaaaaaaaa"),
        // Lines that were encoded each for itself, and short last ones.
        (b"aGVsbG8=\r\nYWJj\r\nd29ybGQ=", b"helloabcworld"),
        (b"YQ==\r\nYWFh\r\n", b"aaaa"),
        (b"YQ==\r\nYWFhYWFh", b"aaaaaaa"),
        (b"YQ==\r\nYWFhYWFhYWFh\r\nYWFh\r\n-- \r\nlist footer", b"aaaaaaaaaaaaa"),
        (b"YQ==\r\nYWFh\r\nList\r\nYWFh\r\n", b"aaaa"),
        (
            b"YQ==\r\nYWFh\r\n\r\nNOTE\r\nYWFhYWFhYWFhYWFh\r\nYg",
            b"aaaa4\xe4\xc4aaaaaaaaaaaab",
        ),
        (b"YQ==\r\nYWFhYWFhYWFhYWF=\r\nYg==\r\n", b"aaaaaaaaaaaab"),
    ] {
        check("Base64", body, expected);
    }
    // A second block of one long line.
    let long = [&b"YQ==\r\n"[..], &b"YWFh".repeat(1000)].concat();
    check("base64", &long, &b"a".repeat(3001));
}

#[test]
fn quoted_printable() {
    for (body, expected) in [
        (&b""[..], &b""[..]),
        (b"a=3Db=\r\nc", b"a=bc"),
        (b"=C3=a9=", b"\xc3\xa9"),
        (b"caf\xc3\xa9 =C3=A9", b"caf\xc3\xa9 \xc3\xa9"),
        // RFC 2045 §6.7 (3): white space at the end of a line was put there on the way.
        (b"a= \t\r\nb", b"ab"),
        (b"a  \r\nb \nc  ", b"a\r\nb\nc"),
        (b"a \t=20 \t \r\nend= ", b"a \t \r\nend"),
        (b"a \rb \r\r\n\n", b"a \rb \r\r\n\n"),
        (b"a=\r", b"a"),
        // RFC 2045 §6.7, notes (1) and (2): what encodes nothing stands for itself.
        (b"=ZZ a= \t\r\nb=\nc", b"=ZZ abc"),
        (b"50% =3D = 3=4", b"50% = = 3=4"),
        (b"a=3D==41=", b"a==A"),
        (b"=zz=4 =\nx", b"=zz=4 x"),
        (b"==41", b"=A"),
        (b"=4=41", b"=4A"),
        (b"a= b =\xe9", b"a= b =\xe9"),
        (b"url?a=b&c=de x", b"url?a=b&c\xde x"),
    ] {
        check("Quoted-Printable", body, expected);
    }
    // So much white space is not held for ever, and no line end takes it back.
    let blanks = [&b"x"[..], &b" ".repeat(2500), b"\r\n"].concat();
    check(
        "quoted-printable",
        &blanks,
        &[&b"x"[..], &b" ".repeat(2000), b"\r\n"].concat(),
    );
}

#[test]
fn as_it_stands() {
    for encoding in ["", "7bit", "8BIT", "binary", "x-uuencode", "base64 "] {
        check(encoding, b"=3D aGVs \r\n", b"=3D aGVs \r\n");
        assert!(matches!(transfer_decode(encoding.as_bytes(), b"x"), Cow::Borrowed(_)));
    }
    for encoding in ["base64", "quoted-printable"] {
        assert!(matches!(transfer_decode(encoding.as_bytes(), b""), Cow::Owned(_)));
    }
}

/// What bodies are made of, rightly and wrongly.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[=A-Fa-f0-9 \t\r\n]{0,9}".prop_map(String::into_bytes),
        "([A-Za-z0-9+/]{4}){0,30}={0,2}\r?\n?".prop_map(String::into_bytes),
        " {990,1100}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..9),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

/// Octets that are not of the alphabet; `=` may be padding.
fn foreign() -> impl Strategy<Value = u8> {
    any::<u8>().prop_filter("of the alphabet", |octet| {
        !octet.is_ascii_alphanumeric() && !b"+/=".contains(octet)
    })
}

proptest! {
    #[test]
    fn any_division_gives_the_same(
        body in bodies(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        for encoding in ["base64", "quoted-printable", "8bit"] {
            let whole = transfer_decode(encoding.as_bytes(), &body);
            prop_assert_eq!(&decoded(encoding, cuts.windows(2).map(|ends| &body[ends[0]..ends[1]])), &*whole);
            prop_assert_eq!(&decoded(encoding, body.chunks(1)), &*whole);
            prop_assert_eq!(decoded_octets(encoding.as_bytes(), &body), whole.len() as u64);
        }
    }

    #[test]
    fn what_is_foreign_changes_nothing(
        octets in proptest::collection::vec(any::<u8>(), 0..200),
        strangers in proptest::collection::vec((any::<prop::sample::Index>(), foreign()), 0..20),
    ) {
        let mut body = Vec::new();
        crate::encode::add_base64_lines(&mut body, &octets);
        for (place, stranger) in strangers {
            body.insert(place.index(body.len() + 1), stranger);
        }
        prop_assert_eq!(transfer_decode(b"base64", &body).into_owned(), octets);
    }

    /// Whatever follows the padding, what comes before it is whole; and base64 that follows is there, too.
    #[test]
    fn blocks_follow_each_other(
        blocks in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 12..200), "[ \t\r\n]{0,3}\n"), 1..4),
        footer in "-- \r\n\\PC{0,60}",
    ) {
        let (mut body, mut expected) = (Vec::new(), Vec::new());
        for (mut octets, between) in blocks {
            if octets.len().is_multiple_of(3) {
                octets.push(0);
            }
            crate::encode::add_base64_lines(&mut body, &octets);
            body.extend(between.as_bytes());
            expected.extend(octets);
        }
        body.extend(footer.as_bytes());
        prop_assert_eq!(transfer_decode(b"base64", &body).into_owned(), expected);
    }
}
