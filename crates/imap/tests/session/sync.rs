//! Several clients on one mailbox, and clients that come back.

use crate::client::{Client, World};
use crate::fetch::number_after;
use crate::mirror::{Known, Mirror};

/// The same numbers in every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

/// A client that believes what it is told.
struct Believer {
    client: Client,
    mirror: Mirror,
}

impl Believer {
    async fn new(world: &World) -> Self {
        let mut client = world.selected().await;
        let told = client.ok("f UID FETCH 1:* (FLAGS)").await;
        Self {
            mirror: Mirror::whole(&told),
            client,
        }
    }

    /// Does something at random.
    async fn act(&mut self, dice: &mut Dice) {
        let count = self.mirror.messages.len();
        let some = 1 + dice.roll(count.max(1));
        let flag = ["\\Flagged", "\\Answered", "\\Deleted", "work"][dice.roll(4)];
        let mode = [
            "+FLAGS",
            "-FLAGS",
            "FLAGS",
            "+FLAGS.SILENT",
            "-FLAGS.SILENT",
            "FLAGS.SILENT",
        ][dice.roll(6)];
        let line = match dice.roll(10) {
            _ if count == 0 => "x NOOP".to_owned(),
            0 | 1 => format!("x STORE {some} {mode} ({flag})"),
            2 => format!("x STORE {some}:{count} {mode} ({flag})"),
            3 => format!("x FETCH {some} (UID FLAGS)"),
            4 => "x EXPUNGE".to_owned(),
            5 => format!("x COPY {some} INBOX"),
            6 => format!("x MOVE {some} Archive"),
            7 => "x SEARCH ALL".to_owned(),
            8 => {
                let told = self.client.append("INBOX", "Subject: new\r\n\r\n").await;
                assert!(told.contains("a OK"), "{told}");
                return self.mirror.hear(&told);
            }
            _ => "x NOOP".to_owned(),
        };
        let told = self.client.say(&line).await;
        let last = told.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("x OK") || last.starts_with("x NO [EXPUNGEISSUED]"),
            "{line}: {told}"
        );
        if line.contains(" FETCH ") || line.contains(" STORE ") || line.contains(" SEARCH ") {
            assert!(!told.contains(" EXPUNGE\r\n"), "RFC 3501 §7.4.1: {line}: {told}");
        }
        self.mirror.hear(&told);
        self.silent(&line, last.starts_with("x OK"), &told);
    }

    /// After `.SILENT` the client works out the flags itself; what else is told comes on top.
    fn silent(&mut self, line: &str, done: bool, told: &str) {
        let Some((_, rest)) = line.split_once("STORE ").filter(|_| line.contains(".SILENT")) else {
            return;
        };
        let mut words = rest.split(' ');
        let (set, mode, flag) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let (first, last) = set.split_once(':').unwrap_or((set, set));
        let flag = flag.trim_matches(['(', ')']).to_owned();
        for number in first.parse::<usize>().unwrap()..=last.parse::<usize>().unwrap() {
            let known = &mut self.mirror.messages[number - 1];
            if told.contains(&format!("* {number} FETCH (")) {
                continue;
            }
            if !done {
                // Which of them are gone it does not know.
                known.flags = None;
                continue;
            }
            let Some(flags) = &mut known.flags else { continue };
            if mode.starts_with('-') {
                flags.remove(&flag);
            } else {
                if !mode.starts_with('+') {
                    flags.clear();
                }
                flags.insert(flag.clone());
            }
        }
    }
}

async fn clients_agree(world: World, seed: u64) {
    let mut dice = Dice(seed);
    let mut first = world.selected().await;
    for number in 1..=8 {
        first.append("INBOX", &format!("Subject: {number}\r\n\r\n")).await;
    }
    let mut believers = Vec::new();
    for _ in 0..3 {
        believers.push(Believer::new(&world).await);
    }
    for _ in 0..60 {
        let who = dice.roll(believers.len());
        believers[who].act(&mut dice).await;
    }
    let fresh = Believer::new(&world).await.mirror;
    for (who, believer) in believers.iter_mut().enumerate() {
        let told = believer.client.ok("n NOOP").await;
        believer.mirror.hear(&told);
        assert_eq!(
            believer.mirror.messages.len(),
            fresh.messages.len(),
            "seed {seed}, client {who}"
        );
        for (known, truth) in believer.mirror.messages.iter().zip(&fresh.messages) {
            assert!(
                known.uid.is_none() || known.uid == truth.uid,
                "seed {seed}, client {who}"
            );
            let Known { flags, .. } = known;
            assert!(
                flags.is_none() || *flags == truth.flags,
                "seed {seed}, client {who}: {known:?} {truth:?}"
            );
        }
    }
    world.check().await;
}

#[tokio::test]
async fn clients_agree_in_the_end() {
    for seed in 0..12 {
        clients_agree(World::new().await, seed).await;
    }
}

#[tokio::test]
async fn clients_agree_on_a_hostile_store() {
    for seed in 100..104 {
        clients_agree(World::hostile(seed).await, seed).await;
    }
}

/// A client that comes back is told what a fresh one would find (RFC 7162 §3.2.5).
async fn comes_back(world: World, seed: u64) {
    let mut dice = Dice(seed);
    let mut other = Believer::new(&world).await;
    for _ in 0..12 {
        other.client.append("INBOX", "Subject: x\r\n\r\n").await;
    }
    let told = other.client.ok("f UID FETCH 1:* (FLAGS)").await;
    other.mirror = Mirror::whole(&told);
    let (mut known, mut modseq, validity) = {
        let mut client = world.log_in().await;
        client.ok("e ENABLE QRESYNC").await;
        let told = client.ok("s SELECT INBOX").await;
        let mirror = Mirror::whole(&client.ok("f UID FETCH 1:* (FLAGS)").await);
        (
            mirror,
            number_after(&told, "[HIGHESTMODSEQ "),
            number_after(&told, "[UIDVALIDITY "),
        )
    };
    for _ in 0..6 {
        for _ in 0..10 {
            other.act(&mut dice).await;
        }
        let mut client = world.log_in().await;
        client.ok("e ENABLE QRESYNC").await;
        let told = client
            .ok(&format!("s SELECT INBOX (QRESYNC ({validity} {modseq}))"))
            .await;
        for line in told.lines() {
            if let Some(set) = line.strip_prefix("* VANISHED (EARLIER) ") {
                let gone = crate::mirror::numbers(set);
                known
                    .messages
                    .retain(|message| message.uid.is_none_or(|uid| !gone.contains(&uid)));
            }
        }
        // Numbers are those of the mailbox now: what it did not know comes behind.
        let rest: String = told
            .lines()
            .filter(|line| !line.contains("VANISHED"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        known.hear(&rest);
        modseq = number_after(&told, "[HIGHESTMODSEQ ");
        let fresh = Mirror::whole(&client.ok("f UID FETCH 1:* (FLAGS)").await);
        assert_eq!(known.messages, fresh.messages, "seed {seed}: {told}");
    }
    world.check().await;
}

#[tokio::test]
async fn a_client_that_comes_back_finds_what_a_fresh_one_does() {
    for seed in 0..10 {
        comes_back(World::new().await, seed).await;
    }
    for seed in 20..23 {
        comes_back(World::hostile(seed).await, seed).await;
    }
}

#[tokio::test]
async fn a_conditional_change_leaves_alone_what_has_changed() {
    let world = World::new().await;
    let mut one = world.selected().await;
    let mut two = world.selected().await;
    for number in 1..=3 {
        one.append("INBOX", &format!("Subject: {number}\r\n\r\n")).await;
    }
    two.ok("n NOOP").await;
    let told = two.ok("f FETCH 1 (MODSEQ)").await;
    assert!(number_after(&told, "MODSEQ (") > 0);
    let told = two.ok("s STATUS INBOX (HIGHESTMODSEQ)").await;
    let modseq = number_after(&told, "HIGHESTMODSEQ ");
    one.ok("s STORE 2 +FLAGS (\\Flagged)").await;
    let told = two
        .say(&format!("s STORE 1:3 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (\\Seen)"))
        .await;
    assert!(told.contains("s OK [MODIFIED 2] "), "{told}");
    // Also when silent, the modseqs of what has changed are told (RFC 7162 §3.1.3).
    assert!(told.contains("* 1 FETCH (") && told.contains("* 3 FETCH ("), "{told}");
    let told = two.ok("f FETCH 1:3 (FLAGS)").await;
    assert_eq!(told.matches("\\Seen").count(), 2, "{told}");
    world.check().await;
}

/// Changes of one commit of another session that this one did in part itself are all told.
#[tokio::test]
async fn a_change_that_was_there_hides_no_other() {
    let world = World::new().await;
    let mut one = world.selected().await;
    let mut two = world.selected().await;
    for number in 1..=2 {
        one.append("INBOX", &format!("Subject: {number}\r\n\r\n")).await;
    }
    two.ok("n NOOP").await;
    one.ok("s STORE 1:2 +FLAGS (\\Flagged)").await;
    let told = two.ok("s STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    assert!(told.contains("* 2 FETCH (") && told.contains("\\Flagged"), "{told}");
}
