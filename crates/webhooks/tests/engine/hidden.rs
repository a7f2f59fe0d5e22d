//! What is hidden by the time it is told is told to those alone who may see it.

use crate::receiver::{Reaction, Receiver};
use crate::setup::Setup;
use postroom_feed::{ReceivedAs, What};
use postroom_types::EmailId;
use postroom_webhooks::{Dialect, EventType, Hidden, LabelRights, WebhookWish};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

#[tokio::test]
async fn what_became_spam_meanwhile_is_not_told_and_holds_nothing_up() {
    let setup = Setup::new().await;
    let status = Arc::new(AtomicU16::new(500));
    let answers = Arc::clone(&status);
    let receiver = Receiver::start(move |_| Reaction::Status(answers.load(Ordering::Relaxed))).await;
    let mut options = setup.options();
    options.waits = vec![Duration::from_millis(2500); 3];
    let working = setup.start_with(options);
    let wish = |event_types: Vec<EventType>, rights| WebhookWish {
        url: receiver.url(),
        event_types,
        rights,
        ..WebhookWish::default()
    };
    let scope = setup.scope();
    let narrow = wish(vec![EventType::MessageReceived], LabelRights::default());
    let spam = LabelRights {
        spam: true,
        ..LabelRights::default()
    };
    let wide = wish(vec![EventType::MessageReceived], spam);
    let named = wish(
        vec![EventType::MessageReceived, EventType::MessageReceivedSpam],
        LabelRights::default(),
    );
    for wish in [&narrow, &wide, &named] {
        working.webhooks.create(&scope, wish).await.expect("a webhook");
    }
    let received = || What::Received {
        message: EmailId::new(),
        received_as: ReceivedAs::Plain,
    };
    setup.announce(received()).await;
    receiver.wait_for(3).await;
    *setup.numbers.hidden.lock().expect("no panic") = Hidden {
        spam: true,
        ..Hidden::default()
    };
    status.store(200, Ordering::Relaxed);
    // Tried again: not with the one that may not see it now.
    receiver.wait_for(5).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(
        (receiver.requests().len(), setup.retries().await),
        (5, 0),
        "and it is done with"
    );
    // The next is visible, and comes to all.
    *setup.numbers.hidden.lock().expect("no panic") = Hidden::default();
    setup.announce(received()).await;
    receiver.wait_for(8).await;
}

#[tokio::test]
async fn a_body_is_shared_while_it_is_fresh() {
    let setup = Setup::new().await;
    let working = setup.start();
    let hub = working.hubs.of(setup.organization);
    setup.happen(1..2).await;
    let mut news = hub.news();
    let page = loop {
        let page = hub.page(crate::setup::START, 10).await.expect("a page");
        if !page.events.is_empty() {
            break page;
        }
        news.changed().await.expect("news");
    };
    let told = async |rights| {
        let told = hub
            .body(&*setup.numbers, Dialect::AgentMail, &page.events[0], rights)
            .await;
        told.expect("a body").is_some()
    };
    let trash = LabelRights {
        trash: true,
        ..LabelRights::default()
    };
    assert!(told(LabelRights::default()).await && told(trash).await);
    assert_eq!(setup.numbers.rendered.load(Ordering::Relaxed), 1);
    *setup.numbers.hidden.lock().expect("no panic") = Hidden {
        trash: true,
        ..Hidden::default()
    };
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(!told(LabelRights::default()).await && told(trash).await);
    assert_eq!(setup.numbers.rendered.load(Ordering::Relaxed), 2);
}
