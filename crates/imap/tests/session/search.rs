//! SEARCH over real mail.

use crate::client::World;
use std::time::{Duration, Instant};

#[tokio::test]
async fn keys() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let mails = [
        (
            "(\\Seen) \"01-Jan-2026 23:59:59 +0000\"",
            "From: Ann <ann@a.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Wed, 31 Dec 2025 23:00:00 -0500\r\n\r\nHello World\r\n",
        ),
        (
            "(\\Flagged) \"02-Jan-2026 00:00:00 +0000\"",
            "From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: Invoice\r\n\r\nTotal: 42\r\n",
        ),
        (
            "(work) \"03-Jan-2026 10:00:00 +0000\"",
            "From: Bob <bob@b.example>\r\nDate: 3 Jan 2026 10:00 +0000\r\nContent-Transfer-Encoding: base64\r\n\r\nSGlkZGVuIHRyZWFzdXJl\r\n",
        ),
    ];
    for (arguments, mail) in mails {
        let told = client.append(&format!("INBOX {arguments}"), mail).await;
        assert!(told.contains("a OK"), "{told}");
    }
    for (program, found) in [
        ("ALL", " 1 2 3"),
        ("SEEN", " 1"),
        ("UNSEEN FLAGGED", " 2"),
        ("KEYWORD Work", " 3"),
        ("UNKEYWORD work", " 1 2"),
        ("FROM bob", " 2 3"),
        ("FROM BOB TO ann", " 2"),
        ("SUBJECT {6+}\r\ngr\u{fc}\u{df}", " 1"),
        ("HEADER to \"\"", " 2"),
        ("BODY \"hello w\"", " 1"),
        ("BODY treasure", " 3"),
        ("TEXT invoice", " 2"),
        ("TEXT ann", " 1 2"),
        ("NOT TEXT ann", " 3"),
        ("OR BODY 42 BODY treasure", " 2 3"),
        ("SINCE 2-Jan-2026", " 2 3"),
        ("BEFORE 2-Jan-2026", " 1"),
        ("ON 2-Jan-2026", " 2"),
        ("SENTON 31-Dec-2025", " 1"),
        ("SENTSINCE 1-Jan-2026", " 3"),
        ("LARGER 90 SMALLER 1000", " 1 3"),
        ("2:3 UID 1:2", " 2"),
        ("NOT 2", " 1 3"),
        ("RECENT", " 1 2 3"),
        ("OLD", ""),
        ("FROM nobody", ""),
    ] {
        let charset = if program.is_ascii() { "" } else { "CHARSET UTF-8 " };
        let told = client.say(&format!("x SEARCH {charset}{program}")).await;
        assert_eq!(
            told,
            format!("* SEARCH{found}\r\nx OK SEARCH completed\r\n"),
            "{program:?}"
        );
    }
}

/// Texts are compared off the executor: whoever searches a long header for many words does not stop the server.
#[tokio::test]
async fn a_long_search_lets_others_work() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let mail = format!(
        "{}\r\nbody\r\n",
        "X-Long: =?utf-8?q?all_work_and_no_pl=C3=A4y?=\r\n".repeat(5_000)
    );
    assert!(client.append("INBOX", &mail).await.contains("a OK"));
    let longest_wait = std::sync::Arc::new(std::sync::Mutex::new(Duration::ZERO));
    let noted = std::sync::Arc::clone(&longest_wait);
    let other = tokio::spawn(async move {
        loop {
            let before = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut longest = noted.lock().expect("nobody panics with it");
            *longest = longest.max(before.elapsed());
        }
    });
    // The other begins.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let begun = Instant::now();
    let told = client
        .say(&format!("x SEARCH ALL{}", " NOT TEXT nowhere".repeat(30)))
        .await;
    let took = begun.elapsed();
    // The other notes its last wait.
    tokio::time::sleep(Duration::from_millis(5)).await;
    other.abort();
    assert_eq!(told, "* SEARCH 1\r\nx OK SEARCH completed\r\n");
    let waited = *longest_wait.lock().expect("nobody panics with it");
    assert!(waited < took / 2, "waited {waited:?} of {took:?}");
}

#[tokio::test]
async fn orders_and_threads() {
    let world = World::new().await;
    let mut client = world.selected().await;
    for (number, (from, subject, reply_to)) in [
        ("zoe@a.example", "apples", ""),
        ("ann@a.example", "Re: apples", "<1@a.example>"),
        ("bob@a.example", "Bees", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let mail = format!(
            "From: {from}\r\nSubject: {subject}\r\nMessage-ID: <{}@a.example>\r\nReferences: {reply_to}\r\n\
             Date: {} Jan 2026 10:00 +0000\r\n\r\n{}\r\n",
            number + 1,
            9 - number,
            "x".repeat(number * 50),
        );
        client.append("INBOX", &mail).await;
    }
    for (command, told) in [
        ("SORT (FROM) UTF-8 ALL", "* SORT 2 3 1"),
        ("SORT (DATE) UTF-8 ALL", "* SORT 3 2 1"),
        ("UID SORT (SUBJECT REVERSE ARRIVAL) UTF-8 NOT FROM zoe", "* SORT 2 3"),
        ("SORT (REVERSE SIZE) US-ASCII SUBJECT apples", "* SORT 2 1"),
        ("THREAD REFERENCES UTF-8 ALL", "* THREAD (3)(1 2)"),
        ("UID THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (3)(2 1)"),
    ] {
        let lines = client.ok(&format!("o {command}")).await;
        assert_eq!(lines, format!("{told}\r\n"), "{command}");
    }
    let told = client
        .ok("s UID SEARCH RETURN (MIN MAX COUNT SAVE) SUBJECT apples")
        .await;
    assert!(
        told.contains("UID") && told.contains("MIN 1") && told.contains("MAX 2"),
        "{told}"
    );
    assert_eq!(client.ok("f UID FETCH $ (UID)").await.matches("FETCH").count(), 2);
}
