//! Signatures, and the keys that webhooks are signed with.

use crate::setup::{create, identity, tenant};
use postroom_identity::{IdentityError, KeyScope, KeyWish, PageOf, Signature, SignatureChange};
use std::sync::Arc;
use tokio::task::JoinSet;

#[tokio::test]
async fn long_signatures_are_kept_whole() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox;
    assert_eq!(identity.signature(inbox.id).await.unwrap(), Signature::default());
    let long = "ä".repeat(16_384);
    let change = SignatureChange {
        html: Some(Some(long.clone())),
        text: Some(Some("Scout".into())),
        enabled: Some(true),
    };
    let set = identity.set_signature(inbox.id, &change).await.unwrap();
    assert_eq!(set.html, Some(long.clone()));
    assert_eq!(identity.signature(inbox.id).await.unwrap(), set);
    let changed = identity.inbox(inbox.id).await.unwrap();
    assert!(changed.updated_at() > inbox.updated_at());
    let too_long = SignatureChange {
        text: Some(Some(format!("{long}x"))),
        ..SignatureChange::default()
    };
    let refused = identity.set_signature(inbox.id, &too_long).await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    let clear = SignatureChange {
        html: Some(None),
        ..SignatureChange::default()
    };
    let kept = identity.set_signature(inbox.id, &clear).await.unwrap();
    assert_eq!(
        (kept.html, kept.text.as_deref(), kept.enabled),
        (None, Some("Scout"), true)
    );
    identity.delete_inbox(inbox.id).await.unwrap();
    identity.purge_deleted(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(identity.signature(inbox.id).await.unwrap(), Signature::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_signing_keys_one_is_made() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox.id;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let identity = Arc::clone(&identity);
        tasks.spawn(async move { identity.first_signing_key(inbox).await.unwrap() });
    }
    let made: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let [first] = made.as_slice() else {
        panic!("{} were made", made.len());
    };
    let kept = identity.signing_key(inbox).await.unwrap().unwrap();
    assert_eq!(kept.secret.expose(), first.secret.expose());
    assert!(kept.secret.expose().starts_with("whsec_") && kept.secret.expose().len() == 38);
    let new = identity.rotate_signing_key(inbox).await.unwrap();
    assert_ne!(new.secret.expose(), first.secret.expose());
    assert!(!format!("{new:?}").contains(new.secret.expose().as_str()));
    identity.delete_inbox(inbox).await.unwrap();
    let gone = identity.rotate_signing_key(inbox).await;
    assert!(matches!(gone, Err(IdentityError::NoSuchInbox)), "{gone:?}");
}

#[tokio::test]
async fn keys_of_agents_are_listed_with_the_organizations_own() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    let inbox = create(&identity, a, "scout").await.inbox.id;
    create(&identity, b, "other").await;
    let wish = KeyWish {
        name: Some("ci".into()),
        description: Some("x".repeat(1000)),
        ..KeyWish::default()
    };
    let made = identity
        .create_wished_key(&KeyScope::Inbox(a, inbox), &wish)
        .await
        .unwrap();
    assert!(made.secret.expose().starts_with("ak_"));
    assert!(made.secret.expose().ends_with(&made.record.last4) && made.record.last4.len() == 4);
    assert_eq!(made.record.description, wish.description);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = PageOf {
            after,
            ascending: false,
            limit: 1,
        };
        let page = identity.tenant_keys(a, &page).await.unwrap();
        seen.extend(page.keys);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // The one just made, that of the inbox, and the organization's.
    let shown: Vec<_> = seen.iter().map(|key| &key.prefix[..3]).collect();
    assert_eq!(shown, ["ak_", "ak_", "tk_"]);
    assert_eq!(seen[0], made.record);
    let foreign = identity.tenant_key(b, made.record.id).await;
    assert!(matches!(foreign, Err(IdentityError::NoSuchKey)), "{foreign:?}");
    identity
        .revoke_key(&KeyScope::Inbox(a, inbox), made.record.id)
        .await
        .unwrap();
    let gone = identity.tenant_key(a, made.record.id).await;
    assert!(matches!(gone, Err(IdentityError::NoSuchKey)), "{gone:?}");
    let too_long = KeyWish {
        description: Some("x".repeat(1001)),
        ..KeyWish::default()
    };
    let refused = identity.create_wished_key(&KeyScope::Inbox(a, inbox), &too_long).await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
}
