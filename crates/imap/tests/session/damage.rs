//! What is told of messages whose stored bodies are damaged, and of their neighbours.

use crate::client::World;
use postroom_store_sled::{Options, SledStore};
use postroom_types::EmailId;
use std::fs;
use std::path::PathBuf;

/// A folder that goes away.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn message(number: usize) -> String {
    let lines = if number.is_multiple_of(2) { 30_000 + number } else { 3 };
    let line = format!("line of message {number}, one of very many, zebra\r\n");
    format!("Subject: number {number}\r\n\r\n{}", line.repeat(lines))
}

/// Changes an octet of what was written in a file.
fn flip(path: &PathBuf, written: &str) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes
        .windows(written.len())
        .position(|window| window == written.as_bytes());
    bytes[at.expect("it is there") + written.len() - 3] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn one_harms_nothing_but_itself() {
    let folder = Folder(std::env::temp_dir().join(format!("postroom-imap-{}", EmailId::new())));
    let options = Options {
        min_free_octets: 0,
        tidy_every: None,
        ..Options::default()
    };
    let store = SledStore::open(&folder.0, options, |_| ()).unwrap();
    let world = World::on(store).await;
    let mut client = world.selected().await;
    for number in 1..=6 {
        let told = client.append("INBOX", &message(number)).await;
        assert!(told.contains("a OK"), "{told}");
    }
    let own = |number: usize| -> PathBuf {
        let files = fs::read_dir(folder.0.join("bodies")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let octets = message(number).len() as u64;
        files.find(|path| fs::metadata(path).unwrap().len() == octets).unwrap()
    };
    flip(&own(2), &message(2));
    fs::remove_file(own(4)).unwrap();
    flip(&folder.0.join("journal/00000000000000000001.log"), &message(5));
    let subject = |number| {
        let field = format!("Subject: number {number}\r\n\r\n");
        format!(
            "* {number} FETCH (UID {number} BODY[HEADER.FIELDS (SUBJECT)] {{{}}}\r\n{field})\r\n",
            field.len()
        )
    };
    let whole = |number| {
        let message = message(number);
        format!(
            "* {number} FETCH (UID {number} BODY[] {{{}}}\r\n{message})\r\n",
            message.len()
        )
    };
    let none = |number| format!("* {number} FETCH (UID {number})\r\n");
    let no = |tag| format!("{tag} NO [SERVERBUG] Trouble on our side, it has been logged\r\n");

    let told = client.say("a FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await;
    let expected = [
        subject(1),
        subject(2),
        subject(3),
        none(4),
        subject(5),
        subject(6),
        no("a"),
    ];
    assert_eq!(told, expected.concat());
    for search in ["SEARCH TEXT \"zebra\"", "SORT (SIZE) UTF-8 BODY zebra"] {
        let told = client.ok(&format!("a {search}")).await;
        for number in ["1", "3", "6"] {
            assert!(
                told.trim_end().split(' ').any(|found| found == number),
                "{search}: {told}"
            );
        }
        assert!(!told.contains('5'), "{search}: {told}");
    }
    assert!(
        client
            .ok("a SORT (SIZE) UTF-8 BODY zzz")
            .await
            .starts_with("* SORT\r\n")
    );

    // Only at its end is it known that it is damaged: the connection ends before that, once.
    let told = client.say("b UID FETCH 2 BODY.PEEK[]").await;
    let expected = whole(2);
    assert!(
        client.is_closed() && told.len() < expected.len() - 9,
        "{} octets",
        told.len()
    );
    let mut client = world.selected().await;
    let told = client.say("c FETCH 1:* (UID BODY.PEEK[])").await;
    let expected = [whole(1), none(2), whole(3), none(4), none(5), whole(6), no("c")];
    assert!(told == expected.concat(), "{} octets: {told:.300}", told.len());
    // What can be had of it can be had.
    let told = client.ok("d FETCH 2 BODY.PEEK[]<0.9>").await;
    assert_eq!(told, "* 2 FETCH (BODY[]<0> {9}\r\nSubject: )\r\n");
    assert!(!client.is_closed());

    let wrong = world.mailstore.check_consistency(world.inbox.id).await.unwrap();
    assert_eq!(
        wrong
            .iter()
            .filter(|wrong| wrong.contains("its body is damaged"))
            .count(),
        3,
        "{wrong:?}"
    );
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}
