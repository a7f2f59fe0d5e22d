//! Keys of agents: listed, gone with what they are for, noted when used.

use crate::permissions::{now_ms, only, root};
use crate::proofs::prove_for;
use crate::setup::{create, identity, made, on, tenant, wanted};
use postroom_identity::{CreateInbox, IdentityError, KeyScope, KeyWish, NewKey, PageOf, Permission, Purpose};
use postroom_store::{CommitBuilder, MemoryStore, Store, scan_prefix};
use std::time::Duration;

#[tokio::test]
async fn keys_are_listed_for_their_organization_and_pod() {
    let identity = identity().await;
    let (id, root, pod) = root(&identity).await;
    let other = identity.create_pod(id, "Other", None).await.unwrap().id;
    let scout = create(&identity, id, "scout").await.inbox;
    let mut all = vec![root.key];
    let mut of_pod = Vec::new();
    for scope in [
        KeyScope::AgentPod(id, pod),
        KeyScope::Organization(id),
        KeyScope::AgentInbox(id, pod, scout.id),
        KeyScope::AgentPod(id, other),
        KeyScope::Organization(id),
    ] {
        let key = identity
            .create_key_with(&root, &scope, &KeyWish::default())
            .await
            .unwrap();
        assert_eq!(key.record.scope(), scope);
        assert_eq!(identity.key(id, key.record.id).await.unwrap().scope(), scope);
        all.push(key.record.id);
        of_pod.extend((key.record.pod == Some(pod)).then_some(key.record.id));
    }
    let (own, of_inbox) = (KeyScope::AgentPod(id, pod), KeyScope::AgentInbox(id, pod, scout.id));
    for (within, expected) in [
        (KeyScope::Organization(id), &all),
        (own, &of_pod),
        (of_inbox, &of_pod[1..].to_vec()),
    ] {
        for ascending in [true, false] {
            for limit in 1..=7 {
                let (mut after, mut listed) = (None, Vec::new());
                loop {
                    let page = PageOf {
                        after,
                        ascending,
                        limit,
                    };
                    let page = identity.key_page(&within, &page).await.unwrap();
                    assert!(page.keys.len() <= limit);
                    listed.extend(page.keys.iter().map(|key| key.id));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                if !ascending {
                    listed.reverse();
                }
                assert_eq!(&listed, expected, "{within:?} {ascending} {limit}");
            }
        }
    }
    let keyed = identity.keys(&KeyScope::AgentInbox(id, pod, scout.id)).await.unwrap();
    assert_eq!(keyed.len(), 1);
    identity.revoke_key(&keyed[0].scope(), keyed[0].id).await.unwrap();
    assert!(matches!(
        identity.key(id, keyed[0].id).await,
        Err(IdentityError::NoSuchKey)
    ));
}

#[tokio::test]
async fn keys_go_with_what_they_are_for() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let (id, root, _) = root(&identity).await;
    let pod = identity.create_pod(id, "P", None).await.unwrap().id;
    let request = CreateInbox {
        pod: Some(pod),
        ..wanted(id, Some("scout"))
    };
    let scout = made(identity.create_inbox(&request).await.unwrap()).inbox.id;
    let make = async |scope| {
        identity
            .create_key_with(&root, &scope, &KeyWish::default())
            .await
            .unwrap()
    };
    let of_inbox = make(KeyScope::AgentInbox(id, pod, scout)).await;
    let of_pod = make(KeyScope::AgentPod(id, pod)).await;
    let opens = async |key: &NewKey| identity.authenticate_key(key.secret.expose()).await.unwrap().is_some();
    assert!(opens(&of_inbox).await && opens(&of_pod).await);
    let busy = identity.delete_pod(id, pod).await;
    assert!(matches!(busy, Err(IdentityError::CannotDelete(_))), "{busy:?}");
    identity.delete_inbox(scout).await.unwrap();
    assert!(!opens(&of_inbox).await && opens(&of_pod).await);
    identity.delete_pod(id, pod).await.unwrap();
    assert!(!opens(&of_pod).await);
    let gone = identity.delete_pod(id, pod).await;
    assert!(matches!(gone, Err(IdentityError::NoSuchPod)), "{gone:?}");
    let left = identity
        .key_page(
            &KeyScope::Organization(id),
            &PageOf {
                after: None,
                ascending: true,
                limit: 9,
            },
        )
        .await
        .unwrap();
    assert_eq!(left.keys.iter().map(|key| key.id).collect::<Vec<_>>(), [root.key]);
    identity.delete_organization(id).await.unwrap();
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    let rows = scan_prefix(&*store, b"ij").collect().await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_an_hour() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let id = tenant(&identity, "A").await.organization.id;
    let key = identity.create_key(&KeyScope::Organization(id), None).await.unwrap();
    let used = async || identity.key(id, key.record.id).await.unwrap().used_at;
    assert_eq!(used().await, None);
    let before = now_ms();
    for _ in 0..3 {
        identity.authenticate_key(key.secret.expose()).await.unwrap().unwrap();
    }
    let first = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match used().await {
                Some(used) => break used,
                None => tokio::task::yield_now().await,
            }
        }
    });
    let first = first.await.expect("it is noted soon");
    assert!(first >= before);
    let lsn = postroom_store::Store::stable_lsn(&*store);
    for _ in 0..20 {
        identity.authenticate_key(key.secret.expose()).await.unwrap().unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(used().await, Some(first));
    assert_eq!(postroom_store::Store::stable_lsn(&*store), lsn, "nothing was written");
}

#[tokio::test]
async fn proofs_by_agents_keys() {
    let identity = identity().await;
    let (id, root, pod) = root(&identity).await;
    let scout = create(&identity, id, "scout").await;
    let read = only(&[Permission::MessageRead]);
    for scope in [
        KeyScope::AgentPod(id, pod),
        KeyScope::AgentInbox(id, pod, scout.inbox.id),
        KeyScope::Organization(id),
    ] {
        let key = identity.create_key_with(&root, &scope, &read).await.unwrap().secret;
        let key = key.expose().as_str();
        let opens = async |key: &str, purpose| prove_for(&identity, &scout.user(), key, purpose).await.is_ok();
        assert!(opens(key, Purpose::Imap).await, "{scope:?}");
        assert!(!opens(key, Purpose::Smtp).await, "{scope:?}");
        assert!(!opens(&format!("{key}x"), Purpose::Imap).await);
    }
}

#[tokio::test]
async fn keys_that_older_servers_made_are_listed() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    let key = identity
        .keys(&KeyScope::Inbox(id, scout.inbox.id))
        .await
        .unwrap()
        .remove(0);
    let mut older = CommitBuilder::new();
    for (row, _) in scan_prefix(&*store, b"iE").collect().await.unwrap() {
        older.delete(row);
    }
    store.commit(older.build()).await.unwrap();
    let unlisted = identity.tenant_key(id, key.id).await;
    assert!(matches!(unlisted, Err(IdentityError::NoSuchKey)), "{unlisted:?}");
    let listed = async || {
        let page = PageOf {
            after: None,
            ascending: true,
            limit: 9,
        };
        let page = identity.tenant_keys(id, &page).await.unwrap();
        page.keys.iter().any(|listed| listed.id == key.id)
    };
    assert!(!listed().await);
    identity.bootstrap().await.unwrap();
    assert_eq!(identity.tenant_key(id, key.id).await.unwrap(), key);
    assert!(listed().await);
    identity.revoke_key(&key.scope(), key.id).await.unwrap();
    identity.bootstrap().await.unwrap();
    assert!(!listed().await);
}
