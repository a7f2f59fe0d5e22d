//! The Inkbox dialect: threads and folders.

use crate::inkbox_world::{Ink, MESSAGE, THREAD, has, letter, subjects};
use axum::http::StatusCode;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
use serde_json::{Value, json};

const ARCHIVE: MailboxRef = MailboxRef::Special(SpecialUse::Archive);
const SPAM: MailboxRef = MailboxRef::Special(SpecialUse::Junk);

fn first(subject: &str) -> String {
    format!("From: a@example.net\nSubject: {subject}\nMessage-ID: <{subject}@example.net>\n\nx\n")
}

fn answer(subject: &str) -> String {
    format!("From: a@example.net\nSubject: Re: {subject}\nIn-Reply-To: <{subject}@example.net>\n\nx\n")
}

impl Ink {
    async fn thread_of(&self, subject: &str) -> Value {
        let list = self.good("threads?limit=100").await;
        let items = list["items"].as_array().unwrap().clone();
        let found = items.into_iter().find(|item| item["subject"] == subject);
        found.unwrap_or_else(|| panic!("no thread {subject} in {list}"))
    }

    async fn file(&self, subject: &str, folder: &str) -> Value {
        let id = self.thread_of(subject).await["id"].as_str().unwrap().to_owned();
        let moved = self.patch(&format!("threads/{id}"), json!({ "folder": folder })).await;
        moved.expect(StatusCode::OK);
        has(&moved.body, THREAD);
        assert_eq!(moved.body["folder"], folder);
        moved.body
    }

    async fn mailboxes_of(&self, subject: &str) -> Vec<String> {
        let messages = self.api.get(&self.path("messages"), &self.admin).await;
        let items = messages.body["items"].as_array().unwrap().clone();
        let found = items
            .iter()
            .find(|item| item["subject"] == subject)
            .expect("it is there");
        let id = found["id"].as_str().unwrap().parse().unwrap();
        let record = self.api.mailstore.message(self.inbox, id).await.unwrap().unwrap();
        let all = self.api.mailstore.mailboxes(self.inbox).await.unwrap();
        let name = |id| all.iter().find(|mailbox| mailbox.id == id).unwrap().name.clone();
        record.placements.iter().map(|(mailbox, _)| name(*mailbox)).collect()
    }
}

#[tokio::test]
async fn lists_and_their_order() {
    let ink = Ink::new().await;
    ink.receive(&first("one")).await;
    ink.receive(&first("two")).await;
    ink.receive(&answer("one")).await;
    let list = ink.good("threads").await;
    assert_eq!(subjects(&list["items"]), ["one", "two"]);
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .for_each(|item| has(item, THREAD));
    assert_eq!(list["items"][0]["message_count"], json!(2));
    let id = list["items"][0]["id"].as_str().unwrap();
    let shown = ink.good(&format!("threads/{id}")).await;
    has(&shown, THREAD);
    assert_eq!(subjects(&shown["messages"]), ["one", "Re: one"]);
    shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .for_each(|message| has(message, MESSAGE));
    assert_eq!(
        shown["messages"][0]["is_read"],
        json!(false),
        "looking at a thread reads nothing"
    );
    let page = ink.good("threads?limit=1").await;
    assert_eq!(
        (subjects(&page["items"]), &page["has_more"]),
        (vec!["one".to_owned()], &json!(true))
    );
    ink.receive(&first("three")).await;
    let next = ink
        .good(&format!(
            "threads?limit=1&cursor={}",
            page["next_cursor"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (subjects(&next["items"]), &next["has_more"]),
        (vec!["two".to_owned()], &json!(false))
    );
    ink.get("threads/x").await.fails(404, "not_found");
}

#[tokio::test]
async fn a_next_page_has_something_on_it() {
    let ink = Ink::new().await;
    for subject in ["one", "two", "three", "four"] {
        ink.receive(&first(subject)).await;
    }
    ink.file("one", "archive").await;
    ink.file("three", "archive").await;
    for (query, pages) in [
        ("folder=inbox&limit=1", &[&["four"][..], &["two"]][..]),
        ("folder=inbox&limit=2", &[&["four", "two"]]),
        ("folder=archive&limit=1", &[&["three"], &["one"]]),
        ("folder=archive&limit=2", &[&["three", "one"]]),
        ("folder=spam&limit=1", &[&[]]),
        ("limit=2", &[&["four", "three"], &["two", "one"]]),
        ("limit=3", &[&["four", "three", "two"], &["one"]]),
        ("limit=4", &[&["four", "three", "two", "one"]]),
    ] {
        let mut next = String::new();
        for (at, expected) in pages.iter().enumerate() {
            let page = ink.good(&format!("threads?{query}{next}")).await;
            assert_eq!(subjects(&page["items"]), *expected, "{query}");
            let is_last = at + 1 == pages.len();
            assert_eq!(page["has_more"], json!(!is_last), "{query} {at}");
            next = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
        }
    }
}

#[tokio::test]
async fn folders_are_mailboxes() {
    let ink = Ink::new().await;
    ink.receive(&first("one")).await;
    ink.put(&first("old"), Origin::Received, ARCHIVE).await;
    ink.put(&first("junk"), Origin::Received, SPAM).await;
    ink.put(&first("bad"), Origin::Received, MailboxRef::Blocked).await;
    for (folder, expected) in [
        ("inbox", "one"),
        ("archive", "old"),
        ("spam", "junk"),
        ("blocked", "bad"),
    ] {
        let list = ink.good(&format!("threads?folder={folder}")).await;
        assert_eq!(subjects(&list["items"]), [expected]);
        assert_eq!(list["items"][0]["folder"], folder);
    }
    assert_eq!(ink.good("threads/folders").await, json!(["archive", "inbox", "spam"]));
    let all = ink.api.get(&ink.path("threads/folders"), &ink.admin).await;
    assert_eq!(all.body, json!(["archive", "blocked", "inbox", "spam"]));
    assert_eq!(ink.good("threads").await["items"].as_array().unwrap().len(), 3);
    ink.get("threads?folder=trash").await.fails(422, "validation_error");

    ink.file("one", "archive").await;
    assert_eq!(ink.mailboxes_of("one").await, ["Archive"]);
    ink.file("junk", "inbox").await;
    assert_eq!(ink.mailboxes_of("junk").await, ["INBOX"]);
    ink.file("old", "spam").await;
    assert_eq!(ink.mailboxes_of("old").await, ["Spam"]);
    ink.file("old", "archive").await;
    ink.file("one", "inbox").await;
    assert_eq!(ink.mailboxes_of("one").await, ["INBOX"]);
    let id = ink.thread_of("one").await["id"].as_str().unwrap().to_owned();
    let path = format!("threads/{id}");
    for bad in [
        json!({ "folder": "blocked" }),
        json!({ "folder": "x" }),
        json!({ "labels": [] }),
    ] {
        ink.patch(&path, bad).await.fails(422, "validation_error");
    }
    assert_eq!(ink.patch(&path, json!({})).await.body["folder"], "inbox");
    ink.check().await;
}

#[tokio::test]
async fn folders_of_old_threads_are_in_use_too() {
    let ink = Ink::new().await;
    ink.put(&first("old"), Origin::Received, ARCHIVE).await;
    ink.put(&first("junk"), Origin::Received, SPAM).await;
    for number in 0..510 {
        ink.receive(&first(&format!("s{number}"))).await;
    }
    assert_eq!(ink.good("threads/folders").await, json!(["archive", "inbox", "spam"]));
}

#[tokio::test]
async fn new_mail_brings_an_archived_thread_back() {
    let ink = Ink::new().await;
    ink.receive(&first("one")).await;
    ink.file("one", "archive").await;
    let reply = json!({ "recipients": { "to": ["a@example.net"] }, "subject": "Re: one", "body_text": "x",
        "in_reply_to_message_id": "<one@example.net>" });
    ink.made("messages", reply).await;
    let thread = ink.thread_of("one").await;
    assert_eq!(
        (&thread["folder"], &thread["message_count"]),
        (&json!("archive"), &json!(2))
    );
    ink.receive(&answer("one")).await;
    assert_eq!(ink.thread_of("one").await["folder"], "inbox");
    ink.file("one", "archive").await;
    assert_eq!(ink.mailboxes_of("Re: one").await, ["Archive"]);
    ink.check().await;
}

#[tokio::test]
async fn threads_of_sent_mail_alone() {
    let ink = Ink::new().await;
    ink.made("messages", letter("out")).await;
    assert_eq!(ink.thread_of("out").await["folder"], "inbox");
    ink.file("out", "archive").await;
    assert_eq!(ink.mailboxes_of("out").await, ["Archive"]);
    ink.file("out", "inbox").await;
    assert_eq!(ink.mailboxes_of("out").await, ["Sent"]);
    ink.check().await;
}

#[tokio::test]
async fn blocked_mail_does_not_hide_among_other_mail() {
    let ink = Ink::new().await;
    ink.receive(&first("one")).await;
    ink.put(&answer("one"), Origin::Received, MailboxRef::Blocked).await;
    ink.put(&first("bad"), Origin::Received, MailboxRef::Blocked).await;
    let thread = ink.thread_of("one").await;
    assert_eq!(
        (&thread["folder"], &thread["message_count"]),
        (&json!("inbox"), &json!(1))
    );
    let shown = ink.good(&format!("threads/{}", thread["id"].as_str().unwrap())).await;
    assert_eq!(subjects(&shown["messages"]), ["one"]);
    let blocked = ink.good("threads?folder=blocked").await;
    assert_eq!(subjects(&blocked["items"]), ["bad"]);
    let path = format!("threads/{}", blocked["items"][0]["id"].as_str().unwrap());
    assert_eq!(ink.good(&path).await["folder"], "blocked");
    ink.patch(&path, json!({ "folder": "inbox" }))
        .await
        .fails(404, "not_found");
    let freed = ink
        .api
        .patch(&ink.path(&path), &ink.admin, json!({ "folder": "inbox" }))
        .await;
    freed.expect(StatusCode::OK);
    assert_eq!(ink.mailboxes_of("bad").await, ["INBOX"]);
    ink.check().await;
}

#[tokio::test]
async fn deleting_a_thread() {
    let ink = Ink::new().await;
    ink.receive(&first("one")).await;
    ink.receive(&answer("one")).await;
    ink.receive(&first("two")).await;
    let path = format!("threads/{}", ink.thread_of("one").await["id"].as_str().unwrap());
    ink.delete(&path).await.expect(StatusCode::NO_CONTENT);
    ink.get(&path).await.fails(404, "not_found");
    ink.delete(&path).await.fails(404, "not_found");
    assert_eq!(ink.subjects("").await, ["two"]);
    ink.check().await;
}
