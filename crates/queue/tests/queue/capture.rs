//! Captured mail, and forgetting.

use crate::setup::*;
use postroom_queue::{Cursor, ItemState, ListFilter};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(start_paused = true)]
async fn captured_mail_is_readable_for_a_week() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut messages = Vec::new();
    for n in 0..3 {
        let new = message(&options, n, &["a@peer.test", "b@peer.test"]);
        put(&queue, &store, &new).await;
        let (_turn, job) = job(&queue).await;
        queue.capture(&job).await.unwrap();
        queue.capture(&job).await.unwrap();
        let statuses = queue.recipients(new.id).await.unwrap();
        assert!(
            statuses
                .iter()
                .all(|status| status.state == ItemState::Delivered && status.attempts == 1)
        );
        assert!(statuses.iter().all(|status| status.contact.host == "captured"));
        messages.push(new);
    }
    let first = queue.captured(None, 4).await.unwrap();
    let rest = queue.captured(first.next, 4).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (4, 2, None));
    assert_eq!(first.items[0].id.message, messages[2].id, "newest first");
    let content = queue.captured_content(first.items[0].id).await.unwrap().unwrap();
    assert_eq!(content, [&messages[2].prefix[..], BODY].concat());
    assert_eq!(first.items[0].size_octets, content.len() as u64);

    tokio::time::advance(6 * DAY).await;
    while !queue.maintain(2).await.unwrap() {}
    assert_eq!(queue.captured(None, 10).await.unwrap().items.len(), 6);
    assert!(is_kept(&store, messages[0].body.blob).await);
    tokio::time::advance(2 * DAY).await;
    while !queue.maintain(2).await.unwrap() {}
    assert_eq!(queue.captured(None, 10).await.unwrap().items.len(), 0);
    assert!(!is_kept(&store, messages[0].body.blob).await);
    assert_eq!(queue.captured_content(first.items[0].id).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn history_goes_when_it_is_old_and_final() {
    let options = options();
    let (queue, store) = started(&store(), &options).await;
    let mut held = message(&options, 0, &["held@peer.test"]);
    held.held = Some("a loop".into());
    put(&queue, &store, &held).await;
    for n in 1..4 {
        put(&queue, &store, &message(&options, n, &["a@peer.test"])).await;
        work(&queue, delivered()).await;
        tokio::time::advance(10 * DAY).await;
    }
    let all = ListFilter::default();
    let first = queue.list(&all, None, 2).await.unwrap();
    let rest = queue.list(&all, first.next, 2).await.unwrap();
    assert_eq!(first.items.len() + rest.items.len(), 4);
    let delivered = rest.items.iter().find(|item| item.id.message != held.id).unwrap();
    tokio::time::advance(DAY).await;
    while !queue.maintain(1).await.unwrap() {}
    let left = queue.list(&all, None, 10).await.unwrap();
    assert_eq!(
        left.items.len(),
        3,
        "one of three was older than 30 days; what is on hold stays"
    );
    assert!(queue.attempts(delivered.id).await.unwrap().is_empty());
    assert_eq!(queue.recipients(held.id).await.unwrap()[0].reason.text, "a loop");
}

#[test]
fn cursors_have_a_text_form() {
    let cursor = Cursor(postroom_queue::ItemId {
        message: id(EPOCH, 5),
        recipient: 12,
    });
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    for bad in [
        "",
        ".",
        "x.1",
        &format!("{}.70000", id(EPOCH, 5)),
        &id(EPOCH, 5).to_string(),
    ] {
        assert!(bad.parse::<Cursor>().is_err(), "{bad}");
    }
}
