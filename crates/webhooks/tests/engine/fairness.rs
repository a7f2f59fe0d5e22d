//! An organization whose endpoints hang does not keep others waiting.

use crate::receiver::{Reaction, Receiver};
use crate::setup::Setup;
use postroom_feed::{NewEvent, What, announce};
use postroom_store::CommitBuilder;
use postroom_types::{EmailId, OrganizationId};
use postroom_webhooks::{Scope, WebhookWish};
use std::time::{Duration, Instant};

async fn happen(setup: &Setup, organization: OrganizationId) {
    let event = NewEvent {
        at: 0,
        inbox: None,
        what: What::Rejected {
            message: EmailId::new(),
            reason: "1".into(),
        },
    };
    let mut builder = CommitBuilder::new();
    announce(&mut builder, organization, &[event]);
    setup.store.commit(builder.build()).await.expect("a store");
}

#[tokio::test]
async fn forty_dead_endpoints_of_one_delay_no_other() {
    let setup = Setup::new().await;
    let other = setup
        .identity
        .create_organization("two", None)
        .await
        .expect("another")
        .organization
        .id;
    let (dead, alive) = (
        Receiver::start(|_| Reaction::Hang).await,
        Receiver::start(|_| Reaction::Status(200)).await,
    );
    let mut options = setup.options();
    options.at_once = 8;
    options.deadline = Duration::from_secs(30);
    let working = setup.start_with(options);
    let wish = |receiver: &Receiver| WebhookWish {
        url: receiver.url(),
        ..WebhookWish::default()
    };
    for _ in 0..40 {
        working
            .webhooks
            .create(&setup.scope(), &wish(&dead))
            .await
            .expect("a webhook");
    }
    let whole = Scope::organization(other);
    working.webhooks.create(&whole, &wish(&alive)).await.expect("a webhook");
    happen(&setup, setup.organization).await;
    dead.wait_for(2).await;
    let began = Instant::now();
    for _ in 0..10 {
        happen(&setup, other).await;
    }
    alive.wait_for(10).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(dead.requests().len(), 2, "a quarter of eight");
}
