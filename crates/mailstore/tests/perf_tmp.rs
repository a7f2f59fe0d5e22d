mod common;
use common::*;
use postroom_mailstore::*;
use postroom_types::*;
use std::time::Instant;
#[tokio::test]
async fn perf() {
    let f = Fixture::new().await;
    let body = "x".repeat(76) + "\r\n";
    let messages: Vec<_> = (0..2000).map(|n| message(&format!("From: Ann <ann@example.net>\r\nTo: Bob <bob@example.org>\r\nSubject: number {n}\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <m{n}@x>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}", body.repeat(62)))).collect();
    let t = Instant::now();
    for m in &messages { f.deliver(m).await; }
    println!("deliver {:?} each", t.elapsed() / 2000);
    let inbox = f.id("INBOX").await;
    let t = Instant::now();
    let open = f.mail.open(f.inbox, inbox).await.unwrap();
    println!("open 2000 {:?}", t.elapsed());
    for s in [false, true] {
    let t = Instant::now();
    for p in open.uids.chunks(300) { f.mail.metadata(f.inbox, inbox, p, s).await.unwrap(); }
    println!("metadata {s} {:?} each", t.elapsed() / 2000);
    }
    let t = Instant::now();
    for p in open.uids.chunks(300) { f.mail.store_flags(f.inbox, inbox, p, FlagMode::Add, &seen()).await.unwrap(); }
    println!("store {:?} each", t.elapsed() / 2000);
    let t = Instant::now();
    for u in &open.uids { f.mail.store_flags(f.inbox, inbox, &[*u], FlagMode::Remove, &seen()).await.unwrap(); }
    println!("store single {:?} each", t.elapsed() / 2000);
    let t = Instant::now();
    let a = f.id("Archive").await;
    for p in open.uids.chunks(300) { f.mail.move_messages(f.inbox, inbox, p, a).await.unwrap(); }
    println!("move {:?} each", t.elapsed() / 2000);
    let t = Instant::now();
    for m in &messages { postroom_message::summarize(&m.body); }
    println!("summarize {:?} each", t.elapsed() / 2000);
}
