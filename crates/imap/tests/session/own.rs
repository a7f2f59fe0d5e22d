//! A change of many messages is several commits: all of them are the session's own, and what others do is told all the same.

use crate::client::{Client, World};
use crate::mirror::Mirror;
use postroom_store::{Hostile, MemoryOptions, MemoryStore};
use std::collections::BTreeSet;

const MESSAGES: usize = 900;

/// A client of a mailbox that has so many messages, and knows them.
async fn of_many(world: &World) -> Client {
    let mut client = world.selected().await;
    let message = " {6+}\r\na: b\r\n".repeat(MESSAGES);
    client.ok(&format!("a APPEND INBOX{message}")).await;
    client.ok("n NOOP").await;
    client
}

/// How many FETCH responses were told, and how many of them with flags.
fn fetched(told: &str) -> (usize, usize) {
    let keywords = |line: &&str| line.starts_with("* FLAGS ") || line.starts_with("* OK [PERMANENTFLAGS ");
    let lines = told.lines().filter(|line| !keywords(line));
    // After a literal the flags are on a line of their own.
    let with = |what: &str| lines.clone().filter(|line| line.contains(what)).count();
    (with(" FETCH ("), with("FLAGS ("))
}

#[tokio::test]
async fn what_a_client_did_itself_is_told_once() {
    let world = World::new().await;
    let mut client = of_many(&world).await;
    for (line, expected) in [
        ("STORE 1:900 +FLAGS.SILENT (k1)", (0, 0)),
        ("STORE 1:900 +FLAGS (k2)", (900, 900)),
        ("UID STORE 500:1,300:700 -FLAGS.SILENT (k1)", (0, 0)),
        ("FETCH 1:900 (UID BODY[])", (900, 900)),
        ("STORE 1:900 FLAGS.SILENT (\\Flagged)", (0, 0)),
    ] {
        assert_eq!(fetched(&client.ok(&format!("c {line}")).await), expected, "{line}");
        assert_eq!(client.ok("n NOOP").await, "", "{line}");
    }
    client.ok("e ENABLE CONDSTORE").await;
    for (line, expected) in [
        ("STORE 1:900 +FLAGS.SILENT (k3)", (900, 0)),
        ("STORE 1:900 (UNCHANGEDSINCE 999999) +FLAGS.SILENT (k4)", (900, 0)),
        ("UID STORE 1:900 +FLAGS (k5)", (900, 900)),
        ("UID FETCH 1:900 BODY[]", (900, 900)),
        ("COPY 1:600 INBOX", (0, 0)),
        ("MOVE 1:600 Archive", (0, 0)),
        ("STORE 1:600 +FLAGS.SILENT (\\Deleted)", (600, 0)),
        ("EXPUNGE", (0, 0)),
    ] {
        let told = client.ok(&format!("c {line}")).await;
        assert_eq!(fetched(&told), expected, "{line}");
        let expunges = if matches!(line, "EXPUNGE" | "MOVE 1:600 Archive") {
            600
        } else {
            0
        };
        assert_eq!(told.matches(" EXPUNGE\r\n").count(), expunges, "{line}");
        assert_eq!(client.ok("n NOOP").await, "", "{line}");
    }
    world.check().await;
}

/// Another session changes every hundredth message while this one changes all of them, in both orders.
#[tokio::test]
async fn what_others_do_meanwhile_is_told() {
    // Nothing goes wrong, but each commit lets others go on.
    let hostile = Hostile {
        seed: 0,
        conflict_percent: 0,
        unknown_percent: 0,
        short_page_percent: 0,
        late_percent: 0,
    };
    let store = MemoryStore::with_options(MemoryOptions {
        hostile: Some(hostile),
        ..MemoryOptions::default()
    });
    let world = World::on(store).await;
    let mut one = of_many(&world).await;
    let mut two = world.selected().await;
    let theirs: BTreeSet<usize> = (1..=9).map(|hundred| hundred * 100 - 50).collect();
    for (flag, label) in [("\\Answered", "first"), ("\\Flagged", "second")] {
        let others = async {
            for (at, number) in theirs.iter().enumerate() {
                // From the end and from the beginning, so that some are before the change of all and some after it.
                let number = if at % 2 == 0 { *number } else { MESSAGES - number };
                two.ok(&format!("o STORE {number} +FLAGS.SILENT ({label})")).await;
            }
        };
        let line = format!("c STORE 1:900 +FLAGS.SILENT ({flag})");
        let (told, ()) = tokio::join!(one.ok(&line), others);
        let told = told + &one.ok("n NOOP").await;
        let news = told.lines().filter(|line| line.contains(" FETCH ("));
        let numbers = news.map(|line| line.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap());
        assert_eq!(numbers.collect::<BTreeSet<usize>>(), theirs, "{told}");

        let mut fresh = world.selected().await;
        let truth = fresh.ok("f UID FETCH 1:* (FLAGS MODSEQ)").await;
        let mut mirror = Mirror::whole(&truth);
        let known = mirror.clone();
        mirror.hear(&told);
        assert_eq!(mirror, known, "what was told last is how it is");
        let modseqs = |is_theirs: bool| -> BTreeSet<u64> {
            let of = |line: &str| crate::fetch::number_after(line, "MODSEQ (");
            let lines = truth.lines().filter(|line| line.contains(" FETCH (")).enumerate();
            let lines = lines.filter(|(index, _)| theirs.contains(&(index + 1)) == is_theirs);
            lines.map(|(_, line)| of(line)).collect()
        };
        let (ours, after) = (modseqs(false), modseqs(true));
        assert!(ours.len() > 1, "it was several commits: {ours:?}");
        let between =
            |modseq: &u64| ours.first() < Some(modseq) && Some(modseq) < ours.last() && !ours.contains(modseq);
        assert!(after.iter().any(between), "none came between: {ours:?}, {after:?}");
    }
    world.check().await;
}
