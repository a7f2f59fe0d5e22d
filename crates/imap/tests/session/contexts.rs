//! Parts of results, and searches that a client follows (RFC 9394, RFC 5267), over real mail.

use crate::client::{Client, World};

async fn mail(client: &mut Client, subject: &str) {
    let mail = format!("Subject: {subject}\r\n\r\n");
    assert!(client.append("INBOX", &mail).await.contains("a OK"));
}

#[tokio::test]
async fn parts_of_results() {
    let world = World::new().await;
    let mut client = world.selected().await;
    for subject in ["cherry", "apple", "date", "banana", "elder"] {
        mail(&mut client, subject).await;
    }
    for (command, told) in [
        ("SEARCH RETURN (PARTIAL -1:-2) ALL", "PARTIAL (-1:-2 4:5)"),
        ("SEARCH RETURN (PARTIAL 2:9 COUNT) NOT 3", "PARTIAL (2:9 2,4:5) COUNT 4"),
        ("SORT RETURN (PARTIAL 1:3) (SUBJECT) UTF-8 ALL", "PARTIAL (1:3 2,4,1)"),
        ("SORT RETURN (PARTIAL -1:-1) (SUBJECT) UTF-8 ALL", "PARTIAL (-1:-1 5)"),
    ] {
        let heard = client.ok(&format!("p {command}")).await;
        assert_eq!(heard, format!("* ESEARCH (TAG \"p\") {told}\r\n"), "{command}");
    }
    let heard = client.ok("f UID FETCH 1:4 (UID) (PARTIAL -1:-2)").await;
    assert_eq!(heard, "* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\n");
}

#[tokio::test]
async fn another_client_changes_what_is_followed() {
    let world = World::new().await;
    let mut follower = world.selected().await;
    let mut actor = world.selected().await;
    mail(&mut actor, "cherry").await;
    mail(&mut actor, "apple").await;
    let heard = follower.ok("n NOOP").await;
    assert!(heard.starts_with("* 2 EXISTS"), "{heard}");
    let heard = follower.ok("c1 SEARCH RETURN (UPDATE) UNSEEN").await;
    assert_eq!(heard, "* ESEARCH (TAG \"c1\")\r\n");
    let heard = follower.ok("c2 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 ALL").await;
    assert_eq!(heard, "* ESEARCH (TAG \"c2\") UID ALL 2,1\r\n");
    assert_eq!(follower.say("i IDLE").await, "+ idling\r\n");
    mail(&mut actor, "banana").await;
    let heard = follower.listen().await;
    let expected = "* 3 EXISTS\r\n* 0 RECENT\r\n* ESEARCH (TAG \"c1\") ADDTO (0 3)\r\n\
                    * ESEARCH (TAG \"c2\") UID ADDTO (2 3)\r\n";
    assert_eq!(heard, expected);
    actor.ok("s STORE 1 +FLAGS (\\Seen \\Deleted)").await;
    let heard = follower.listen().await;
    assert!(
        heard.ends_with(")\r\n* ESEARCH (TAG \"c1\") REMOVEFROM (0 1)\r\n"),
        "{heard}"
    );
    actor.ok("e EXPUNGE").await;
    let heard = follower.listen().await;
    assert_eq!(heard, "* ESEARCH (TAG \"c2\") UID REMOVEFROM (3 1)\r\n* 1 EXPUNGE\r\n");
    follower.say("DONE").await;
    // What it does itself counts as well, and so does what is seen by being read.
    let heard = follower.ok("f FETCH 1 BODY[TEXT]").await;
    assert!(
        heard.ends_with("* ESEARCH (TAG \"c1\") REMOVEFROM (0 1)\r\n"),
        "{heard}"
    );
    let heard = follower.ok("u CANCELUPDATE \"c1\" \"c2\"").await;
    assert_eq!(heard, "");
    let heard = follower.ok("f STORE 1:2 -FLAGS.SILENT (\\Seen)").await;
    assert_eq!(heard, "");
}

/// The UIDs of a result in its order.
fn members(heard: &str) -> Vec<u32> {
    let Some((_, set)) = heard.lines().next().and_then(|line| line.split_once(" ALL ")) else {
        return Vec::new();
    };
    runs(set)
}

fn runs(set: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        first.parse().unwrap()..=last.parse().unwrap()
    };
    set.split(',').flat_map(range).collect()
}

/// Does with a sorted result as it is told.
fn follow(result: &mut Vec<u32>, heard: &str) {
    for line in heard.lines() {
        let Some((_, items)) = line.split_once("(TAG \"c\") UID ") else {
            continue;
        };
        let (item, list) = items.split_once(" (").unwrap();
        let words: Vec<&str> = list.trim_end_matches(')').split(' ').collect();
        for pair in words.chunks(2) {
            let (at, run) = (pair[0].parse::<usize>().unwrap() - 1, runs(pair[1]));
            if item == "ADDTO" {
                result.splice(at..at, run);
            } else {
                let gone: Vec<u32> = result.drain(at..at + run.len()).collect();
                assert_eq!(gone, run, "{line}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_followed_is_what_is_found() {
    const SEARCH: &str = "(SUBJECT REVERSE ARRIVAL) UTF-8 OR FLAGGED SUBJECT a";
    for seed in 0..4_u64 {
        let world = World::hostile(seed).await;
        let mut follower = world.selected().await;
        let mut actor = world.selected().await;
        let heard = follower.ok(&format!("c UID SORT RETURN (UPDATE ALL) {SEARCH}")).await;
        let mut result = members(&heard);
        let mut dice = seed * 7 + 1;
        for step in 0..40 {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let chosen = (dice >> 33) as usize;
            let by_follower = chosen.is_multiple_of(3);
            let client = if by_follower { &mut follower } else { &mut actor };
            let range = format!("{}:{}", chosen % 11 + 1, chosen % 5 + 1);
            let heard = match chosen % 7 {
                0..=2 => {
                    let subject = ["apple", "plum", "date", "fig"][chosen % 4];
                    client
                        .append("INBOX", &format!("Subject: {subject}\r\n\r\n{step}\r\n"))
                        .await
                }
                3 => {
                    client
                        .say(&format!("t UID STORE {range} +FLAGS.SILENT (\\Flagged)"))
                        .await
                }
                4 => client.say(&format!("t UID STORE {range} -FLAGS (\\Flagged)")).await,
                5 => client.say(&format!("t UID STORE {range} +FLAGS (\\Deleted)")).await,
                _ => client.say("t EXPUNGE").await,
            };
            if by_follower {
                follow(&mut result, &heard);
            }
            if chosen.is_multiple_of(2) {
                follow(&mut result, &follower.say("n NOOP").await);
                let heard = follower.ok(&format!("f UID SORT RETURN () {SEARCH}")).await;
                assert_eq!(result, members(&heard), "seed {seed}, step {step}");
            }
        }
        assert!(!result.is_empty(), "seed {seed} finds something to follow");
    }
}
