//! What FETCH can be asked for.

use crate::client::{Client, World};
use postroom_store::{CommitBuilder, scan_prefix};

const PARTS: &str = "From: a@example.net\r\nSubject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nfirst=20part=\r\n, read\r\n\
    --b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\naABsbG8=\r\n\
    --b\r\nContent-Type: application/y\r\nContent-Transfer-Encoding: x-unknown\r\n\r\nwhatever\r\n\
    --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n--b--\r\n";

async fn with(message: &str) -> (World, Client) {
    let world = World::new().await;
    let mut client = world.selected().await;
    let told = client.append("INBOX", message).await;
    assert!(told.contains("a OK"), "{told}");
    client.ok("n NOOP").await;
    (world, client)
}

#[tokio::test]
async fn parts_without_their_encoding() {
    let (_world, mut client) = with(PARTS).await;
    for (item, expected) in [
        ("BINARY.PEEK[1]", "BINARY[1] {16}\r\nfirst part, read"),
        ("BINARY.SIZE[1]", "BINARY.SIZE[1] 16"),
        ("BINARY.PEEK[1]<6.4>", "BINARY[1]<6> {4}\r\npart"),
        ("BINARY.PEEK[1]<100.4>", "BINARY[1]<100> {0}\r\n"),
        ("BINARY.PEEK[2]", "BINARY[2] ~{5}\r\nh\0llo"),
        ("BINARY.PEEK[2]<2.2>", "BINARY[2]<2> {2}\r\nll"),
        ("BINARY.SIZE[2]", "BINARY.SIZE[2] 5"),
        ("BINARY.PEEK[4.1]", "BINARY[4.1] {6}\r\ninside"),
    ] {
        let told = client.ok(&format!("f UID FETCH 1 ({item})")).await;
        assert_eq!(told, format!("* 1 FETCH (UID 1 {expected})\r\n"), "{item}");
    }
    let told = client.say("f FETCH 1 (BINARY.PEEK[3])").await;
    assert!(told.contains("f NO [UNKNOWN-CTE]"), "{told}");
    // As it stands, it can be had.
    let told = client.ok("f FETCH 1 (BODY.PEEK[3])").await;
    assert_eq!(told, "* 1 FETCH (BODY[3] {8}\r\nwhatever)\r\n");
    // Without PEEK it counts as read.
    let told = client.ok("f FETCH 1 (BINARY[1]<0.5>)").await;
    assert!(
        told.contains("BINARY[1]<0> {5}\r\nfirst") && told.contains("\\Seen"),
        "{told}"
    );
}

/// RFC 3516 has numbers alone; with the rest of a section it is as BODY has it.
#[tokio::test]
async fn binary_of_any_section() {
    let (_world, mut client) = with(PARTS).await;
    let octets = PARTS.len();
    let text = PARTS.split_once("\r\n\r\n").unwrap().1;
    let header = octets - text.len();
    let mime = "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    let tail = &text[20..];
    for (item, expected) in [
        ("BINARY.PEEK[]", format!("BINARY[] {{{octets}}}\r\n{PARTS}")),
        ("BINARY.SIZE[]", format!("BINARY.SIZE[] {octets}")),
        (
            "binary.peek[text]",
            format!("BINARY[TEXT] {{{}}}\r\n{text}", text.len()),
        ),
        (
            "BINARY.PEEK[TEXT]<20>",
            format!("BINARY[TEXT]<20> {{{}}}\r\n{tail}", tail.len()),
        ),
        (
            "BODY.PEEK[TEXT]<20>",
            format!("BODY[TEXT]<20> {{{}}}\r\n{tail}", tail.len()),
        ),
        ("BINARY.SIZE[TEXT]", format!("BINARY.SIZE[TEXT] {}", text.len())),
        ("BINARY.SIZE[HEADER]", format!("BINARY.SIZE[HEADER] {header}")),
        (
            "BINARY.PEEK[1.MIME]",
            format!("BINARY[1.MIME] {{{}}}\r\n{mime}", mime.len()),
        ),
        ("BINARY.PEEK[1.MIME]<0.9>", "BINARY[1.MIME]<0> {9}\r\nContent-T".into()),
        ("BINARY.SIZE[1.MIME]", format!("BINARY.SIZE[1.MIME] {}", mime.len())),
        ("BINARY.PEEK[1]<6>", "BINARY[1]<6> {10}\r\npart, read".into()),
        ("BINARY.PEEK[4.TEXT]", "BINARY[4.TEXT] {6}\r\ninside".into()),
        (
            "BINARY.PEEK[4.HEADER]",
            "BINARY[4.HEADER] {18}\r\nSubject: inner\r\n\r\n".into(),
        ),
        (
            "BINARY.PEEK[HEADER.FIELDS (from)]",
            "BINARY[HEADER.FIELDS (from)] {23}\r\nFrom: a@example.net\r\n\r\n".into(),
        ),
        (
            "BINARY.SIZE[HEADER.FIELDS (FROM)]",
            "BINARY.SIZE[HEADER.FIELDS (FROM)] 23".into(),
        ),
        (
            "BINARY.SIZE[4.HEADER.FIELDS.NOT (X)]",
            "BINARY.SIZE[4.HEADER.FIELDS.NOT (X)] 18".into(),
        ),
        // No message, so no text of its own.
        ("BINARY.PEEK[2.TEXT]", "BINARY[2.TEXT] NIL".into()),
        ("BINARY.SIZE[2.TEXT]", "BINARY.SIZE[2.TEXT] 0".into()),
        ("BINARY.SIZE[3.MIME]", "BINARY.SIZE[3.MIME] 69".into()),
    ] {
        let told = client.ok(&format!("f UID FETCH 1 ({item})")).await;
        assert_eq!(told, format!("* 1 FETCH (UID 1 {expected})\r\n"), "{item}");
    }
    let told = client.ok("f FETCH 1 (BINARY[TEXT]<0.3>)").await;
    assert!(
        told.contains("BINARY[TEXT]<0> {3}\r\n--b") && told.contains("\\Seen"),
        "{told}"
    );
}

/// RFC 9051 §6.3.12: the date is told as it was given, in its zone; COPY and MOVE keep it (§6.4.7).
#[tokio::test]
async fn dates_keep_their_zone() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let dates = [
        "24-Dec-2025 23:00:00 +0200",
        "25-Dec-2025 00:00:00 +0200",
        " 1-Feb-1994 21:52:25 -0800",
        "24-Dec-2025 05:45:00 +0545",
    ];
    for (number, date) in dates.iter().enumerate() {
        client
            .append(&format!("INBOX \"{date}\""), &format!("Subject: {number}\r\n\r\n"))
            .await;
    }
    let shown = |first: usize| -> String {
        let dates = dates.iter().enumerate().skip(first - 1);
        dates
            .map(|(at, date)| format!("* {} FETCH (INTERNALDATE \"{date}\")\r\n", at + 2 - first))
            .collect()
    };
    assert_eq!(client.ok("f FETCH 1:* INTERNALDATE").await, shown(1));
    assert_eq!(client.ok("f SEARCH ON 24-Dec-2025").await, "* SEARCH 1 4\r\n");
    assert_eq!(client.ok("f SEARCH ON 25-Dec-2025").await, "* SEARCH 2\r\n");
    assert_eq!(client.ok("f SEARCH BEFORE 2-Feb-1994").await, "* SEARCH 3\r\n");
    assert_eq!(client.ok("f SEARCH SINCE 25-Dec-2025").await, "* SEARCH 2\r\n");
    client.ok("c COPY 1:4 Archive").await;
    client.ok("m MOVE 2:4 Trash").await;
    for (mailbox, first) in [("Archive", 1), ("Trash", 2)] {
        client.ok(&format!("s SELECT {mailbox}")).await;
        assert_eq!(client.ok("f FETCH 1:* INTERNALDATE").await, shown(first), "{mailbox}");
    }
    world.check().await;
}

#[tokio::test]
async fn large_parts_without_their_encoding() {
    let lines = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5\r\n".repeat(40_000);
    let message = format!("Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n{lines}");
    let (_world, mut client) = with(&message).await;
    let told = client.ok("f FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])").await;
    let octets = 40_000 * 51;
    let head = format!("* 1 FETCH (BINARY.SIZE[1] {octets} BINARY[1] {{{octets}}}\r\nABCDEF");
    assert!(told.starts_with(&head), "{}", &told[..80]);
    assert_eq!(told.len(), head.len() - 6 + octets + 3);
    let told = client.ok("f FETCH 1 (BINARY.PEEK[1]<51.3>)").await;
    assert_eq!(told, "* 1 FETCH (BINARY[1]<51> {3}\r\nABC)\r\n");
}

#[tokio::test]
async fn previews_ids_and_dates() {
    let (world, mut client) = with("Subject: x\r\n\r\nHello  there,\r\nreader\r\n").await;
    let told = client.ok("f FETCH 1 (PREVIEW)").await;
    assert_eq!(told, "* 1 FETCH (PREVIEW \"Hello there, reader\")\r\n");
    let told = client.ok("f FETCH 1 (SAVEDATE)").await;
    assert!(
        told.starts_with("* 1 FETCH (SAVEDATE \"") && told.contains(" +0000\")"),
        "{told}"
    );
    let ids = client.ok("f FETCH 1 (EMAILID THREADID)").await;
    assert!(ids.contains("EMAILID (") && ids.contains(" THREADID ("), "{ids}");
    client.ok("c COPY 1 Archive").await;
    client.ok("s SELECT Archive").await;
    assert_eq!(
        client.ok("f FETCH 1 (EMAILID THREADID)").await,
        ids,
        "a copy is the same message"
    );
    world.check().await;
}

/// RFC 2180 §4.1.2: a client that was not told yet can still have all of it.
#[tokio::test]
async fn expunged_messages_can_be_fetched_until_they_are_told() {
    let (world, mut one) = with(PARTS).await;
    let mut two = world.selected().await;
    let items = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[1] BODY.PEEK[HEADER.FIELDS (Subject)] \
                 BINARY.PEEK[2] PREVIEW SAVEDATE EMAILID THREADID)";
    one.ok("s STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    two.ok("n NOOP").await;
    let before = two.ok(&format!("f FETCH 1 {items}")).await;
    assert!(before.contains(PARTS), "{before}");
    one.ok("e EXPUNGE").await;
    // No news is told by FETCH with sequence numbers.
    let after = two.ok(&format!("f FETCH 1 {items}")).await;
    assert_eq!(after, before);
    let told = two.ok(&format!("f UID FETCH 1 {items}")).await;
    assert!(told.starts_with(&before[..20]), "{told}");
    let told = two.ok("n NOOP").await;
    assert!(told.is_empty() || told == "* 1 EXPUNGE\r\n", "{told}");
    let told = two.ok("f UID FETCH 1 (FLAGS)").await;
    assert_eq!(told, "");
    world.check().await;
}

#[tokio::test]
async fn only_what_has_changed() {
    let world = World::new().await;
    let mut client = world.selected().await;
    for number in 1..=3 {
        client.append("INBOX", &format!("Subject: {number}\r\n\r\n")).await;
    }
    let told = client.ok("s SELECT INBOX (CONDSTORE)").await;
    let modseq = number_after(&told, "[HIGHESTMODSEQ ");
    let stored = client.ok("s STORE 2 +FLAGS (\\Flagged)").await;
    let now = number_after(&stored, "MODSEQ (");
    assert!(now > modseq);
    let told = client.ok(&format!("f FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})")).await;
    assert_eq!(told.matches("FETCH").count(), 1, "{told}");
    assert!(
        told.starts_with("* 2 FETCH (") && told.contains(&format!("MODSEQ ({now})")),
        "{told}"
    );
    // What did not change is not read either.
    let told = client.ok(&format!("f FETCH 1:* (BODY[]) (CHANGEDSINCE {now})")).await;
    assert_eq!(told, "");
    let told = client.ok("f SEARCH SEEN").await;
    assert_eq!(told, "* SEARCH\r\n");
}

pub(crate) fn number_after(told: &str, mark: &str) -> u64 {
    let rest = told.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {told}")).1;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end]
        .parse()
        .unwrap_or_else(|_| panic!("no number after {mark} in {told}"))
}

/// What is kept of one message is damaged: the others are told, that one as far as it can be, and the command fails.
#[tokio::test]
async fn one_that_cannot_be_read_hides_no_other() {
    let (world, mut client) = with(PARTS).await;
    for subject in ["second", "third"] {
        let told = client
            .append("INBOX", &format!("Subject: {subject}\r\n\r\ntext of the {subject}\r\n"))
            .await;
        assert!(told.contains("a OK"), "{told}");
    }
    client.ok("n NOOP").await;
    let store = world.mailstore.store();
    let metadata = [&b"m"[..], world.inbox.id.as_bytes(), b"d"].concat();
    let (key, mut value) = scan_prefix(&**store, &metadata).collect().await.unwrap().remove(1);
    let subject = value.windows(6).position(|window| window == b"second").unwrap();
    value[subject..].fill(0xff);
    let mut bent = CommitBuilder::new();
    bent.put(key, value);
    store.commit(bent.build()).await.unwrap();
    for (items, of_third) in [
        ("ENVELOPE", "third"),
        ("BODYSTRUCTURE", "\"TEXT\" \"PLAIN\""),
        ("PREVIEW", "text of the third"),
        ("BODY.PEEK[1]", "text of the third"),
        ("BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "Subject: third"),
    ] {
        let told = client.say(&format!("f FETCH 1:3 (UID {items})")).await;
        for part in ["* 1 FETCH (UID 1 ", "* 2 FETCH (UID 2 ", "* 3 FETCH (UID 3 ", of_third] {
            assert!(told.to_uppercase().contains(&part.to_uppercase()), "{items}: {told}");
        }
        assert!(told.contains("\r\nf NO "), "{items}: {told}");
    }
    // What needs no summary is as ever.
    let told = client.ok("f FETCH 2 (BODY.PEEK[])").await;
    assert!(told.contains("text of the second"), "{told}");
    client.ok("f FETCH 1,3 (ENVELOPE)").await;
}
