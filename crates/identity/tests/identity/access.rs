//! Keys and passwords: what opens what, and what stops at once.

use crate::setup::{create, identity, on, tenant};
use crate::who::{SOURCE, cases, succeeded};
use postroom_identity::{Identity, IdentityError, KeyKind, KeyScope, LoginError, LoginLimits, Purpose, Rotate};
use postroom_store::{MemoryStore, scan_prefix};
use postroom_types::Secret;
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn opens(identity: &Identity, user: &str, password: &str) -> bool {
    let secret = Secret::new(password.to_owned());
    let login = identity.login(user, &secret, SOURCE, Purpose::Imap).await;
    succeeded(identity, user, login).await
}

#[tokio::test]
async fn who_may_log_in() {
    let identity = identity().await;
    let (_, cases) = cases(&identity).await;
    for (user, password, expected) in cases {
        let shown = password.get(..3).unwrap_or("");
        assert_eq!(opens(&identity, user, &password).await, expected, "{user} {shown}");
    }
}

#[tokio::test]
async fn organization_keys_can_be_kept_out() {
    let identity = on(MemoryStore::new(), |options| options.organization_key_login = false);
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    let key = identity.create_key(&KeyScope::Organization(id), None).await.unwrap();
    assert!(!opens(&identity, &scout.user(), key.secret.expose()).await);
    assert!(opens(&identity, &scout.user(), scout.api_key.expose()).await);
}

#[tokio::test]
async fn rotation_and_deletion_end_sessions() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    let login = async |secret: &Secret<String>| identity.login(&scout.user(), secret, SOURCE, Purpose::Imap).await;
    let by_password = login(&scout.password).await.unwrap();
    let by_key = login(&scout.api_key).await.unwrap();
    let current = async |login| identity.credentials_current(login).await.unwrap();

    let new_key = identity
        .rotate_credentials(scout.inbox.id, Rotate::ApiKey)
        .await
        .unwrap();
    assert!(new_key.password.is_none());
    assert_eq!((current(&by_password).await, current(&by_key).await), (true, false));
    let new_key = new_key.api_key.unwrap();
    let by_key = login(&new_key).await.unwrap();

    let both = identity.rotate_credentials(scout.inbox.id, Rotate::Both).await.unwrap();
    assert_eq!((current(&by_password).await, current(&by_key).await), (false, false));
    assert!(matches!(login(&scout.password).await, Err(LoginError::Wrong)));
    assert!(identity.authenticate_key(new_key.expose()).await.unwrap().is_none());
    let (password, api_key) = (both.password.unwrap(), both.api_key.unwrap());
    let last = login(&password).await.unwrap();
    assert!(identity.authenticate_key(api_key.expose()).await.unwrap().is_some());

    identity.delete_inbox(scout.inbox.id).await.unwrap();
    assert!(!current(&last).await);
    assert!(matches!(login(&password).await, Err(LoginError::Wrong)));
    assert!(identity.authenticate_key(api_key.expose()).await.unwrap().is_none());
}

#[tokio::test]
async fn deletion_and_rotation_wake_the_inbox() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await.inbox.id;
    let mut topic = postroom_store::Store::watch(&*store, *scout.as_bytes());
    topic.mark_unchanged();
    identity.rotate_credentials(scout, Rotate::Password).await.unwrap();
    assert!(topic.has_changed().unwrap());
    topic.mark_unchanged();
    identity.delete_inbox(scout).await.unwrap();
    assert!(topic.has_changed().unwrap());
}

#[tokio::test]
async fn keys_know_their_scope() {
    let identity = identity().await;
    let new = tenant(&identity, "A").await;
    let id = new.organization.id;
    let pod = identity.create_pod(id, "P", None).await.unwrap();
    let scout = create(&identity, id, "scout").await;
    let principal = identity.authenticate_key(new.api_key.expose()).await.unwrap().unwrap();
    assert_eq!(
        (principal.kind, principal.organization, principal.pod),
        (KeyKind::Tenant, id, None)
    );
    let principal = identity
        .authenticate_key(scout.api_key.expose())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (principal.kind, principal.inbox),
        (KeyKind::Inbox, Some(scout.inbox.id))
    );

    let scope = KeyScope::Pod(id, pod.id);
    let key = identity.create_key(&scope, Some("CI")).await.unwrap();
    assert!(key.secret.expose().starts_with(&key.record.prefix) && key.record.prefix.len() == 9);
    assert_eq!(identity.keys(&scope).await.unwrap(), std::slice::from_ref(&key.record));
    let principal = identity.authenticate_key(key.secret.expose()).await.unwrap().unwrap();
    assert_eq!((principal.kind, principal.pod), (KeyKind::Pod, Some(pod.id)));
    // Not by another scope.
    let refused = identity.revoke_key(&KeyScope::Tenant(id), key.record.id).await;
    assert!(matches!(refused, Err(IdentityError::NoSuchKey)));
    identity.revoke_key(&scope, key.record.id).await.unwrap();
    assert!(identity.authenticate_key(key.secret.expose()).await.unwrap().is_none());
    assert!(identity.keys(&scope).await.unwrap().is_empty());

    for unknown in ["", "tk_", "sa_x", "xx_abc", &"ak_".repeat(100)] {
        assert!(identity.authenticate_key(unknown).await.unwrap().is_none(), "{unknown}");
    }
    identity.delete_organization(id).await.unwrap();
    for secret in [&new.api_key, &scout.api_key] {
        assert!(identity.authenticate_key(secret.expose()).await.unwrap().is_none());
    }
    assert!(!opens(&identity, &scout.user(), scout.password.expose()).await);
}

#[tokio::test]
async fn wrong_passwords_are_limited() {
    let limits = LoginLimits {
        per_address: 2,
        ..LoginLimits::default()
    };
    let identity = on(MemoryStore::new(), |options| options.login_limits = Some(limits));
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    assert!(opens(&identity, &scout.user(), scout.password.expose()).await);
    for user in [scout.user(), "nobody@example.test".into()] {
        assert!(!opens(&identity, &user, "wrong").await);
        assert!(!opens(&identity, &user, "ak_wrong").await);
        let third = identity
            .login(&user, &Secret::new("third".into()), SOURCE, Purpose::Smtp)
            .await;
        assert!(matches!(third, Err(LoginError::RateLimited { .. })), "{third:?}");
    }
    // Who was right a moment ago is not locked out by somebody guessing.
    assert!(opens(&identity, &scout.user(), scout.password.expose()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_equal_logins_cost_one_hash() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    let other = create(&identity, id, "other").await;
    // Cheap enough that a slow machine does not matter: one hash against fifty.
    let started = Instant::now();
    assert!(opens(&identity, &other.user(), other.password.expose()).await);
    let one = started.elapsed();
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (identity, user, password) = (Arc::clone(&identity), scout.user(), scout.password.clone());
        tasks.spawn(async move { opens(&identity, &user, password.expose()).await });
    }
    assert!(tasks.join_all().await.into_iter().all(|opened| opened));
    let fifty = started.elapsed();
    assert!(fifty < one * 20 + Duration::from_millis(200), "{one:?} {fifty:?}");
}

#[tokio::test]
async fn the_store_holds_no_secret() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let new = tenant(&identity, "A").await;
    let scout = create(&identity, new.organization.id, "scout").await;
    let secrets = [new.api_key.expose(), scout.api_key.expose(), scout.password.expose()];
    for (key, value) in scan_prefix(&*store, b"").collect().await.unwrap() {
        for text in [key, value] {
            let text = String::from_utf8_lossy(&text).into_owned();
            // The visible prefix is nine letters.
            assert!(secrets.iter().all(|secret| !text.contains(&secret[10..])), "{text}");
        }
    }
}

#[tokio::test]
async fn purging_clears_everything_but_the_tombstones() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let id = tenant(&identity, "A").await.organization.id;
    let rows = async || scan_prefix(&*store, b"").collect().await.unwrap().len();
    let before = rows().await;
    let scout = create(&identity, id, "scout").await.inbox;
    identity.delete_inbox(scout.id).await.unwrap();
    assert_eq!(identity.purge_deleted(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(identity.purge_deleted(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(rows().await, before + 1);
    identity.delete_organization(id).await.unwrap();
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    assert_eq!(rows().await, 2, "the tombstone, and the salt of the whole store");
}
