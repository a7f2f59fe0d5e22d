//! Messages that others have expunged, of a session that was not told.

use crate::client::World;
use postroom_store::{MemoryOptions, MemoryStore};
use std::time::Duration;

/// Their bodies may go before the session was told: then they are gone for it too (RFC 5530 §3), and hide no others.
#[tokio::test]
async fn a_body_that_is_not_kept_any_more_is_no_trouble() {
    let world = World::on(MemoryStore::with_options(MemoryOptions {
        blob_grace: Duration::ZERO,
        ..MemoryOptions::default()
    }))
    .await;
    let mut one = world.selected().await;
    // The last two are too large to be read together with others.
    for lines in [1, 2, 3, 10_000, 10_001] {
        let body = "line of a body\r\n".repeat(lines);
        let told = one.append("INBOX", &format!("Subject: {lines}\r\n\r\n{body}")).await;
        assert!(told.contains("a OK"), "{told:.300}");
    }
    let mut two = world.selected().await;
    two.ok("d STORE 2,4 +FLAGS.SILENT (\\Deleted)").await;
    two.ok("x EXPUNGE").await;

    let told = one.say("f FETCH 1:* (UID BODY.PEEK[HEADER])").await;
    let header = |number, lines| {
        let header = format!("Subject: {lines}\r\n\r\n");
        let octets = header.len();
        format!("* {number} FETCH (UID {number} BODY[HEADER] {{{octets}}}\r\n{header})\r\n")
    };
    let gone = "f NO [EXPUNGEISSUED] Some of these messages have been deleted\r\n";
    let expected = [header(1, 1), header(3, 3), header(5, 10_001), gone.to_owned()];
    assert_eq!(told, expected.concat());
    for number in [2, 4] {
        for item in ["(FLAGS BODY[])", "(RFC822.SIZE BODY.PEEK[TEXT]<5.5>)", "BINARY[]"] {
            assert_eq!(one.say(&format!("f FETCH {number} {item}")).await, gone, "{item}");
        }
    }
    // What is known without the body can be had.
    let told = one.ok("f FETCH 2,4 (UID FLAGS ENVELOPE)").await;
    assert!(
        told.contains("* 2 FETCH (UID 2 ") && told.contains("* 4 FETCH (UID 4 "),
        "{told}"
    );
    assert_eq!(one.ok("n NOOP").await, "* 2 EXPUNGE\r\n* 3 EXPUNGE\r\n* 3 RECENT\r\n");
    world.check().await;
}
