//! Bodies in base64 as list software and damage leave them (RFC 2045 §6.8), and headers larger than most.

use crate::client::World;

/// `body` in base64 as a text.
fn message(body: &str) -> String {
    format!("Subject: s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}")
}

#[tokio::test]
async fn what_is_not_of_the_alphabet_hides_nothing() {
    const TEXT: &str = "zebra and quagga";
    let world = World::new().await;
    let mut client = world.selected().await;
    let mut expected = String::new();
    for (uid, (body, text)) in (1..).zip([
        ("emVicmEgYW5kIHF1YWdnYQ==\r\n", TEXT),
        (
            "emVicmEgYW5kIHF1YWdnYQ==\r\n\r\n-- \r\nlist footer, unsubscribe here\r\n",
            TEXT,
        ),
        ("emVicmEgYW5kIHF1YWdnYQ==\r\n______\r\nList mailing list\r\n", TEXT),
        ("emVicmEgYW5k*IHF1YWdnYQ==\r\n", TEXT),
        ("emVicmEgYW5k\u{e9}IHF1YWdnYQ==\r\n", TEXT),
        ("\u{e9}emVicmEgYW5kIHF1YWdnYQ==\r\n", TEXT),
        ("-emVicmEg\r\n YW5k=IHF1YWdnYQ==extra", TEXT),
        // A short line after the padding is data, if it is no word.
        ("emVicmEg\r\nYW5kIA==\r\ncXVhZ2dh", TEXT),
        ("emVicmEg\r\nYW5kIA==\r\nList", "zebra and "),
    ]) {
        let told = client.append("INBOX", &message(body)).await;
        assert!(told.contains("a OK"), "{told}");
        let (octets, preview) = (text.len(), text.trim_end());
        expected += &format!(
            "* {uid} FETCH (UID {uid} BINARY[1] {{{octets}}}\r\n{text} BINARY.SIZE[1] {octets} PREVIEW \"{preview}\")\r\n"
        );
    }
    let told = client
        .ok("f UID FETCH 1:* (BINARY.PEEK[1] BINARY.SIZE[1] PREVIEW)")
        .await;
    assert!(told.ends_with(&expected), "{told}\n{expected}");
    for (search, expected) in [
        ("BODY \"zebra and quagga\"", "* SEARCH 1 2 3 4 5 6 7 8\r\n"),
        ("BODY zebra", "* SEARCH 1 2 3 4 5 6 7 8 9\r\n"),
        ("TEXT emVicmEg", "* SEARCH\r\n"),
    ] {
        assert_eq!(client.ok(&format!("s SEARCH {search}")).await, expected, "{search}");
    }
    // In pieces it is the same.
    let told = client
        .ok("f UID FETCH 2 (BINARY.PEEK[1]<6.4> BINARY.PEEK[1]<10.99>)")
        .await;
    assert_eq!(
        told,
        "* 2 FETCH (UID 2 BINARY[1]<6> {4}\r\nand  BINARY[1]<10> {6}\r\nquagga)\r\n"
    );
    world.check().await;
}

/// What is chosen of a header does not depend on how large it is.
#[tokio::test]
async fn fields_of_large_headers_are_found() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let filler = format!("X-Filler: {}\r\n", "x".repeat(988)).repeat(3_000);
    let subject = "Subject: at\r\n the end\r\n";
    for header in [String::new(), filler] {
        let told = client
            .append("INBOX", &format!("To: a@example.net\r\n{header}{subject}\r\nbody"))
            .await;
        assert!(told.contains("a OK"), "{told}");
    }
    let told = client
        .ok("f UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (Subject)] BINARY.SIZE[HEADER.FIELDS (subject)])")
        .await;
    let answer = |uid: usize| {
        let octets = subject.len() + 2;
        format!(
            "* {uid} FETCH (UID {uid} BODY[HEADER.FIELDS (Subject)] {{{octets}}}\r\n{subject}\r\n \
             BINARY.SIZE[HEADER.FIELDS (subject)] {octets})\r\n"
        )
    };
    assert!(told.ends_with(&(answer(1) + &answer(2))), "{told}");
    let told = client
        .ok("f UID FETCH 2 (BODY.PEEK[HEADER.FIELDS.NOT (X-Filler)] BODY.PEEK[HEADER.FIELDS (X-Filler)]<2990000.99>)")
        .await;
    let others = format!("To: a@example.net\r\n{subject}\r\n");
    let expected = format!(
        "* 2 FETCH (UID 2 BODY[HEADER.FIELDS.NOT (X-Filler)] {{{}}}\r\n{others} \
         BODY[HEADER.FIELDS (X-Filler)]<2990000> {{99}}\r\n",
        others.len()
    );
    assert!(told.starts_with(&expected), "{told}");
    // A URL names the same.
    let told = client
        .say("a APPEND Drafts CATENATE (URL \"/INBOX/;UID=2/;SECTION=HEADER.FIELDS%20(Subject)\")")
        .await;
    assert!(told.contains("a OK"), "{told}");
    client.ok("s SELECT Drafts").await;
    let told = client.ok("f UID FETCH 1 (BODY.PEEK[])").await;
    assert!(told.contains(&format!("}}\r\n{subject}\r\n)")), "{told}");
    world.check().await;
}
