//! Identities for inboxes that were made without one.

use crate::agent_identities::{agent, named};
use crate::setup::{address, check, create, identity, on, tenant, wanted};
use crate::visibility::finds;
use postroom_identity::{
    CreateOutcome, GivenIdentity, Handle, Identity, IdentityChange, IdentityError, InboxRecord, Namespace, PageOf,
};
use postroom_store::MemoryStore;
use postroom_types::{InboxId, OrganizationId};
use std::sync::Arc;
use tokio::task::JoinSet;

async fn give(identity: &Identity, inbox: InboxId, handle: &str) -> Result<GivenIdentity, IdentityError> {
    identity
        .give_identity(inbox, &Handle::parse(handle).unwrap(), Some("what for"))
        .await
}

#[track_caller]
fn blocked_by(result: Result<GivenIdentity, IdentityError>) -> Namespace {
    match result {
        Err(IdentityError::HandleTaken(namespace)) => namespace,
        other => panic!("not taken: {other:?}"),
    }
}

async fn listed(identity: &Identity, organization: OrganizationId) -> Vec<String> {
    let page = PageOf {
        after: None,
        ascending: true,
        limit: 100,
    };
    let found = identity.identities(organization, &page).await.unwrap().identities;
    found.iter().map(|(agent, _)| agent.handle.to_string()).collect()
}

#[tokio::test]
async fn an_inbox_becomes_an_agents() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let made = create(&identity, a, "scout").await;
    let given = give(&identity, made.inbox.id, "@Scout").await.unwrap();
    assert!(given.is_new);
    assert_eq!(given.identity.handle.as_str(), "scout");
    assert_eq!(given.identity.description.as_deref(), Some("what for"));
    // All that the inbox was it is still, its name for people included.
    let kept = |inbox: &InboxRecord| {
        let addresses: Vec<_> = inbox.addresses().cloned().collect();
        (
            addresses,
            inbox.display_name.clone(),
            inbox.pod,
            inbox.created_at,
            inbox.send_paused,
        )
    };
    assert_eq!(kept(&given.inbox), kept(&made.inbox));
    assert!(given.inbox.updated_at() > made.inbox.updated_at());
    assert!(
        identity
            .authenticate_key(made.api_key.expose())
            .await
            .unwrap()
            .is_some()
    );
    let (found, inbox) = identity.identity_by_handle(a, &given.identity.handle).await.unwrap();
    assert_eq!((&found, inbox.id), (&given.identity, made.inbox.id));
    assert_eq!(identity.identity_of(made.inbox.id).await.unwrap().unwrap(), found);
    assert_eq!(listed(&identity, a).await, ["scout"]);
    let other = agent(&identity, a, "other").await;
    assert!(!finds(&identity, &other, &found).await);

    let again = give(&identity, made.inbox.id, "scout").await.unwrap();
    assert!(!again.is_new && again.identity == found);
    let another = give(&identity, made.inbox.id, "ranger").await;
    assert!(matches!(another, Err(IdentityError::HasIdentity)), "{another:?}");
    check(&identity).await;
}

#[tokio::test]
async fn the_handle_may_be_another_name() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    let inbox = create(&identity, a, "desk").await.inbox;
    let given = give(&identity, inbox.id, "scout").await.unwrap();
    assert_eq!(given.inbox.canonical, address("desk@example.test"));
    // The address that the handle would be is kept back for it.
    for organization in [a, b] {
        let request = postroom_identity::CreateInbox {
            strict: true,
            ..wanted(organization, Some("scout"))
        };
        let taken = identity.create_inbox(&request).await.unwrap();
        assert!(matches!(taken, CreateOutcome::UsernameTaken { .. }), "{taken:?}");
    }
    let elsewhere = create(&identity, b, "theirs").await.inbox.id;
    assert_eq!(
        blocked_by(give(&identity, elsewhere, "scout").await),
        Namespace::Identities
    );
    assert_eq!(blocked_by(give(&identity, elsewhere, "desk").await), Namespace::Mail);
    assert_eq!(
        blocked_by(give(&identity, elsewhere, "postmaster").await),
        Namespace::Identities
    );
    // It may be renamed, goes with its inbox, and leaves the name to its organization.
    let change = IdentityChange {
        handle: Some(Handle::parse("walker").unwrap()),
        ..IdentityChange::default()
    };
    identity.update_identity(a, given.identity.id, &change).await.unwrap();
    let ranger = create(&identity, a, "ranger").await.inbox.id;
    assert_eq!(
        blocked_by(give(&identity, elsewhere, "scout").await),
        Namespace::Identities
    );
    assert!(give(&identity, ranger, "scout").await.unwrap().is_new);
    identity.delete_identity(a, given.identity.id).await.unwrap();
    let gone = give(&identity, inbox.id, "walker").await;
    assert!(matches!(gone, Err(IdentityError::NoSuchInbox)), "{gone:?}");
    assert!(identity.create_identity(&named(b, "walker")).await.is_err());
    agent(&identity, a, "walker").await;
    check(&identity).await;
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox;
    let long = "x".repeat(1001);
    let refused = identity
        .give_identity(inbox.id, &Handle::parse("ranger").unwrap(), Some(&long))
        .await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    let nowhere = give(&identity, InboxId::new(), "ranger").await;
    assert!(matches!(nowhere, Err(IdentityError::NoSuchInbox)), "{nowhere:?}");
    assert!(listed(&identity, a).await.is_empty());
    assert_eq!(identity.inbox(inbox.id).await.unwrap(), inbox);
    // The name is free: nothing of it was taken.
    agent(&identity, a, "ranger").await;
    identity.delete_organization(a).await.unwrap();
    let gone = give(&identity, inbox.id, "scout").await;
    assert!(matches!(gone, Err(IdentityError::NoSuchInbox)), "{gone:?}");
}

/// Sixteen at once, for eight inboxes: one identity has the handle, and everybody is told the same.
async fn race(identity: Arc<Identity>, organization: OrganizationId, handle: &'static str) {
    let mut inboxes = Vec::new();
    for n in 0..8 {
        let made = create(&identity, organization, &format!("{handle}-desk-{n}")).await;
        inboxes.push(made.inbox.id);
    }
    let mut tasks = JoinSet::new();
    for n in 0..16 {
        let (identity, inbox) = (Arc::clone(&identity), inboxes[n % 8]);
        tasks.spawn(async move {
            match give(&identity, inbox, handle).await {
                Ok(given) => Some((given.identity.id, given.is_new)),
                Err(IdentityError::HandleTaken(_)) => None,
                Err(error) => panic!("{error}"),
            }
        });
    }
    let told: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(told.iter().filter(|(_, is_new)| *is_new).count(), 1, "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].0, told[1].0);
    assert_eq!(
        listed(&identity, organization)
            .await
            .iter()
            .filter(|one| *one == handle)
            .count(),
        1
    );
    check(&identity).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gets_the_handle() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    race(identity, a, "scout").await;
    for seed in 40..43 {
        let identity = on(MemoryStore::hostile(seed), |_| {});
        identity.bootstrap().await.unwrap();
        let a = tenant(&identity, "A").await.organization.id;
        race(identity, a, "scout").await;
    }
}
