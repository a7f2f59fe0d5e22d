//! Many at once, also on a store in which everything goes wrong that may.

use crate::setup::{address, check, create, identity, made, on, tenant, wanted};
use postroom_identity::{
    CreateInbox, CreateOutcome, Identity, IdentityError, KeyChange, KeyScope, KeyWish, Permissions, Rotate,
};
use postroom_store::{MemoryStore, SharedStore};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::task::JoinSet;

async fn all_at_once(
    identity: &Arc<Identity>,
    requests: Vec<CreateInbox>,
) -> Vec<Result<CreateOutcome, IdentityError>> {
    let mut tasks = JoinSet::new();
    for request in requests {
        let identity = Arc::clone(identity);
        tasks.spawn(async move { identity.create_inbox(&request).await });
    }
    tasks.join_all().await
}

async fn twenty_tenants_want_one_name(store: SharedStore, requests: usize) {
    let identity = on(store, |_| {});
    identity.bootstrap().await.unwrap();
    let mut tenants = Vec::new();
    for n in 0..20 {
        tenants.push(tenant(&identity, &format!("Tenant {n}")).await.organization.id);
    }
    let wanted = (0..requests)
        .map(|n| wanted(tenants[n % tenants.len()], Some("scout")))
        .collect();
    let (mut made, mut ids) = (HashMap::new(), HashMap::new());
    for outcome in all_at_once(&identity, wanted).await {
        let (inbox, is_new) = match outcome.unwrap() {
            CreateOutcome::Created { inbox, .. } => (inbox, true),
            CreateOutcome::Existed(inbox) => (inbox, false),
            taken => panic!("{taken:?}"),
        };
        assert_eq!(
            *ids.entry(inbox.organization).or_insert(inbox.id),
            inbox.id,
            "one inbox for each tenant"
        );
        if is_new {
            let other = made.insert(inbox.canonical.local_part().to_owned(), inbox.organization);
            assert_eq!(other, None, "an address twice");
        }
    }
    // No gaps: scout, scout1 … scout19.
    let expected = (0..20).map(|n| {
        if n == 0 {
            "scout".to_owned()
        } else {
            format!("scout{n}")
        }
    });
    assert_eq!(made.keys().cloned().collect::<HashSet<_>>(), expected.collect());
    check(&identity).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_creates_of_one_name() {
    twenty_tenants_want_one_name(MemoryStore::new(), 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_on_a_hostile_store() {
    for seed in 1..=3 {
        twenty_tenants_want_one_name(MemoryStore::hostile(seed), 60).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_requests_make_one_also_for_a_fallback() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    create(&identity, a.organization.id, "scout").await;
    let outcomes = all_at_once(&identity, vec![wanted(b.organization.id, Some("scout")); 16]).await;
    let (mut new, mut ids) = (0, HashSet::new());
    for outcome in outcomes {
        match outcome.unwrap() {
            CreateOutcome::Created { inbox, .. } => {
                new += 1;
                ids.insert(inbox.id);
            }
            CreateOutcome::Existed(inbox) => {
                ids.insert(inbox.id);
            }
            taken => panic!("{taken:?}"),
        }
    }
    assert_eq!((new, ids.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_creates_with_room_for_five() {
    let identity = identity().await;
    let id = identity
        .create_organization("A", Some(5))
        .await
        .unwrap()
        .organization
        .id;
    let names: Vec<String> = (0..16).map(|n| format!("agent{n}")).collect();
    let outcomes = all_at_once(&identity, names.iter().map(|name| wanted(id, Some(name))).collect()).await;
    let refused = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(IdentityError::PlanLimit)))
        .count();
    assert_eq!((outcomes.into_iter().flatten().map(made).count(), refused), (5, 11));
    check(&identity).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unnamed_creates_at_once_get_a_name_each() {
    let identity = identity().await;
    let id = tenant(&identity, "Acme").await.organization.id;
    let outcomes = all_at_once(&identity, vec![wanted(id, None); 12]).await;
    let names: HashSet<String> = outcomes
        .into_iter()
        .map(|outcome| made(outcome.unwrap()).user())
        .collect();
    let expected = (0..12).map(|n| {
        if n == 0 {
            "acme@example.test".into()
        } else {
            format!("acme{n}@example.test")
        }
    });
    assert_eq!(names, expected.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_works_on_a_hostile_store() {
    for seed in 10..14 {
        let identity = on(MemoryStore::hostile(seed), |_| {});
        identity.bootstrap().await.unwrap();
        assert_eq!(identity.bootstrap().await.unwrap(), identity.bootstrap().await.unwrap());
        let id = identity
            .create_organization("A", Some(3))
            .await
            .unwrap()
            .organization
            .id;
        let pod = identity.create_pod(id, "P", None).await.unwrap();
        let one = create(&identity, id, "one").await;
        identity
            .add_address(one.inbox.id, "alias@example.test", true)
            .await
            .unwrap();
        let rotated = identity.rotate_credentials(one.inbox.id, Rotate::Both).await.unwrap();
        let new = rotated.api_key.unwrap();
        assert!(identity.authenticate_key(one.api_key.expose()).await.unwrap().is_none());
        assert_eq!(
            identity.authenticate_key(new.expose()).await.unwrap().unwrap().inbox,
            Some(one.inbox.id)
        );
        identity
            .remove_address(one.inbox.id, &address("alias@example.test"))
            .await
            .unwrap();
        let key = identity.create_key(&KeyScope::Pod(id, pod.id), None).await.unwrap();
        identity
            .revoke_key(&KeyScope::Pod(id, pod.id), key.record.id)
            .await
            .unwrap();
        let root = identity.create_key(&KeyScope::Organization(id), None).await.unwrap();
        let root = identity.authenticate_key(root.secret.expose()).await.unwrap().unwrap();
        for scope in [
            KeyScope::AgentPod(id, pod.id),
            KeyScope::AgentInbox(id, one.inbox.pod, one.inbox.id),
        ] {
            let key = identity
                .create_key_with(&root, &scope, &KeyWish::default())
                .await
                .unwrap();
            let change = KeyChange {
                permissions: Some(Some(Permissions::NONE)),
                ..KeyChange::default()
            };
            let changed = identity.update_key(&root, key.record.id, &change).await.unwrap();
            assert_eq!(changed.permissions, Some(Permissions::NONE));
            identity.revoke_key(&scope, key.record.id).await.unwrap();
            assert!(identity.authenticate_key(key.secret.expose()).await.unwrap().is_none());
            assert!(identity.keys(&scope).await.unwrap().is_empty());
        }
        identity.delete_inbox(one.inbox.id).await.unwrap();
        check(&identity).await;
        for name in ["a", "b", "c"] {
            create(&identity, id, name).await;
        }
        let full = identity.create_inbox(&wanted(id, Some("d"))).await;
        assert!(matches!(full, Err(IdentityError::PlanLimit)), "{full:?}");
        assert_eq!(identity.purge_deleted(std::time::Duration::ZERO).await.unwrap(), 1);
        identity.delete_organization(id).await.unwrap();
        assert!(identity.organizations().await.unwrap().is_empty());
    }
}
