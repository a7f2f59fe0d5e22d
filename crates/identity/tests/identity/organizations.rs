//! The life of organizations: hidden with everything, had back with everything, cleared away.

use crate::setup::{create, identity, on, tenant, wanted};
use postroom_identity::{
    CreateOutcome, Identity, IdentityError, KeyScope, OrganizationChange, Purpose, Resolution, Standing,
};
use postroom_mailstore::Mailstore;
use postroom_store::{CommitBuilder, MemoryStore, Store, scan_prefix};
use postroom_types::{OrganizationId, Secret};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

async fn opens(identity: &Identity, key: &Secret<String>) -> bool {
    identity.authenticate_key(key.expose()).await.unwrap().is_some()
}

async fn refused(identity: &Identity, id: OrganizationId) {
    let restored = identity.restore_organization(id).await;
    assert!(
        matches!(restored, Err(IdentityError::NoSuchOrganization)),
        "{restored:?}"
    );
}

#[tokio::test]
async fn deleted_is_hidden_and_comes_back_whole() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    identity.bootstrap().await.unwrap();
    let new = tenant(&identity, "A").await;
    let id = new.organization.id;
    let scout = create(&identity, id, "scout").await;
    let pod_key = identity.create_key(&KeyScope::Pod(id, new.default_pod.id), None).await;
    let pod_key = pod_key.unwrap().secret;
    let login = async || {
        identity
            .login(&scout.user(), &scout.password, SOURCE, Purpose::Imap)
            .await
    };
    let session = login().await.unwrap();
    let mut wakes = store.watch(Mailstore::topic(scout.inbox.id));
    wakes.borrow_and_update();
    let before = scan_prefix(&*store, b"").collect().await.unwrap();

    identity.delete_organization(id).await.unwrap();
    assert!(wakes.has_changed().unwrap(), "sessions are woken");
    assert!(!identity.credentials_current(&session).await.unwrap());
    for key in [&new.api_key, &scout.api_key, &pod_key] {
        assert!(!opens(&identity, key).await);
    }
    assert!(login().await.is_err());
    let canonical = &scout.inbox.canonical;
    assert_eq!(identity.resolve(canonical).await.unwrap(), Resolution::NoSuchMailbox);
    assert!(matches!(
        identity.inbox(scout.inbox.id).await,
        Err(IdentityError::NoSuchInbox)
    ));
    assert!(identity.is_hidden(scout.inbox.id).await.unwrap());
    assert_eq!(identity.standing(id).await.unwrap(), Standing::Deleted);
    assert!(identity.organizations().await.unwrap().is_empty());
    let deleted = identity.deleted_organizations().await.unwrap();
    assert_eq!(deleted.iter().map(|found| found.id).collect::<Vec<_>>(), [id]);
    assert!(identity.delete_organization(id).await.is_err());
    let change = identity.update_organization(id, &OrganizationChange::default()).await;
    assert!(matches!(change, Err(IdentityError::NoSuchOrganization)), "{change:?}");
    // Nobody else gets what may come back.
    let other = tenant(&identity, "B").await.organization.id;
    let mut same = wanted(other, Some("scout"));
    same.strict = true;
    let taken = identity.create_inbox(&same).await.unwrap();
    assert!(matches!(taken, CreateOutcome::UsernameTaken { .. }), "{taken:?}");
    assert_eq!(identity.purge_deleted(WEEK).await.unwrap(), 0);

    let restored = identity.restore_organization(id).await.unwrap();
    assert_eq!((restored.standing(), restored.deleted_at()), (Standing::Active, None));
    for key in [&new.api_key, &scout.api_key, &pod_key] {
        assert!(opens(&identity, key).await);
    }
    assert!(login().await.is_ok() && !identity.is_hidden(scout.inbox.id).await.unwrap());
    let found = identity.resolve(canonical).await.unwrap();
    assert_eq!(found, Resolution::Inbox(Box::new(scout.inbox.clone())));
    // All is there as it was, but for when the organization was changed and keys were used last.
    let after = scan_prefix(&*store, b"").collect().await.unwrap();
    for (key, value) in before {
        let is_stamped = key.starts_with(b"io") || key.starts_with(b"ih");
        assert!(
            is_stamped || after.contains(&(key.clone(), value)),
            "{}",
            key.escape_ascii()
        );
    }
    refused(&identity, id).await;
}

#[tokio::test]
async fn after_the_grace_period_nothing_is_left_but_the_tombstones() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    identity.delete_organization(id).await.unwrap();
    // The mail of its inboxes goes with them, not one more period later.
    assert_eq!(identity.purge_deleted(Duration::ZERO).await.unwrap(), 1);
    let rows = scan_prefix(&*store, b"").collect().await.unwrap();
    assert_eq!(
        rows.len(),
        2,
        "the tombstone, and the salt of the whole store: {rows:?}"
    );
    refused(&identity, id).await;
    assert_eq!(identity.standing(id).await.unwrap(), Standing::Gone);
    let other = tenant(&identity, "B").await.organization.id;
    let mut same = wanted(other, Some("scout"));
    same.strict = true;
    let taken = identity.create_inbox(&same).await.unwrap();
    assert!(matches!(taken, CreateOutcome::UsernameTaken { .. }), "{}", scout.user());
}

#[tokio::test]
async fn what_an_older_release_was_clearing_away_does_not_come_back() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let id = tenant(&identity, "A").await.organization.id;
    create(&identity, id, "scout").await;
    identity.delete_organization(id).await.unwrap();
    let key = [b"io", &id.as_bytes()[..]].concat();
    let row = String::from_utf8(store.get(&key).await.unwrap().unwrap()).unwrap();
    assert!(row.contains(",\"restorable\":true"), "{row}");
    let mut builder = CommitBuilder::new();
    builder.put(key, row.replace(",\"restorable\":true", "").into_bytes());
    store.commit(builder.build()).await.unwrap();
    refused(&identity, id).await;
    identity.purge_deleted(WEEK).await.unwrap();
    assert!(identity.inbox_ids(id).await.unwrap().is_empty());
    assert_eq!(identity.standing(id).await.unwrap(), Standing::Gone);
}

#[tokio::test]
async fn suspended_can_do_all_but_leave() {
    let identity = identity().await;
    let new = tenant(&identity, "A").await;
    let id = new.organization.id;
    let switch = async |suspended| {
        let change = OrganizationChange {
            suspended: Some(suspended),
            ..OrganizationChange::default()
        };
        identity.update_organization(id, &change).await.unwrap()
    };
    let first = switch(true).await.suspended_at;
    assert!(first.is_some());
    assert_eq!(switch(true).await.suspended_at, first, "since when does not change");
    assert_eq!(identity.standing(id).await.unwrap(), Standing::Suspended);
    assert!(opens(&identity, &new.api_key).await);
    create(&identity, id, "scout").await;
    // Deleted and had back, it is still suspended.
    identity.delete_organization(id).await.unwrap();
    assert_eq!(
        identity.restore_organization(id).await.unwrap().standing(),
        Standing::Suspended
    );
    assert_eq!(switch(false).await.standing(), Standing::Active);
    let operator = identity.bootstrap().await.unwrap().organization;
    let change = OrganizationChange {
        suspended: Some(true),
        ..OrganizationChange::default()
    };
    assert!(identity.update_organization(operator, &change).await.is_err());
}

#[tokio::test]
async fn storage_is_summed_and_kept_for_a_while() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    create(&identity, id, "scout").await;
    assert_eq!(identity.storage(id).await.unwrap().octets, 0);
    // Without a limit nothing counts.
    identity.note_stored(id, u64::MAX);
    assert!(identity.has_storage(id).await.unwrap());
    let limit = async |max_octets| {
        let change = OrganizationChange {
            max_octets: Some(max_octets),
            ..OrganizationChange::default()
        };
        identity.update_organization(id, &change).await.unwrap();
    };
    limit(Some(1000)).await;
    assert!(identity.has_storage(id).await.unwrap());
    identity.note_stored(id, 999);
    assert!(identity.has_storage(id).await.unwrap());
    identity.note_stored(id, 1);
    assert!(!identity.has_storage(id).await.unwrap());
    limit(Some(1001)).await;
    assert!(identity.has_storage(id).await.unwrap());
    limit(Some(0)).await;
    assert!(!identity.has_storage(id).await.unwrap());
    limit(None).await;
    assert!(identity.has_storage(id).await.unwrap());
}

/// Deleting, having back and clearing away at once, on a store that makes trouble: either all is there or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn races_leave_all_or_nothing() {
    let (mut whole, mut gone) = (0, 0);
    for seed in 0..30 {
        let identity = on(MemoryStore::hostile(seed), |_| {});
        identity.bootstrap().await.unwrap();
        let new = tenant(&identity, "A").await;
        let id = new.organization.id;
        let scout = create(&identity, id, "scout").await;
        identity.delete_organization(id).await.unwrap();
        let (restoring, purging) = (Arc::clone(&identity), Arc::clone(&identity));
        let (restored, purged) = tokio::join!(
            tokio::spawn(async move { restoring.restore_organization(id).await }),
            tokio::spawn(async move { purging.purge_deleted(Duration::ZERO).await }),
        );
        purged.unwrap().unwrap();
        match restored.unwrap() {
            Ok(_) => {
                whole += 1;
                assert!(opens(&identity, &new.api_key).await && opens(&identity, &scout.api_key).await);
                assert!(identity.inbox(scout.inbox.id).await.is_ok());
            }
            Err(IdentityError::NoSuchOrganization) => {
                gone += 1;
                identity.purge_deleted(Duration::ZERO).await.unwrap();
                assert_eq!(identity.standing(id).await.unwrap(), Standing::Gone);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(whole + gone == 30, "{whole} {gone}");
}
