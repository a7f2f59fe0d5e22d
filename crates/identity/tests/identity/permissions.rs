//! Keys with permissions: what they open, whom they make, and when they stop.

use crate::setup::{create, identity, on, tenant, wanted};
use postroom_identity::{
    CreateInbox, Identity, IdentityError, KeyChange, KeyKind, KeyScope, KeyWish, LoginError, NewKey, Permission,
    Permissions, Principal, Purpose,
};
use postroom_store::MemoryStore;
use postroom_types::{OrganizationId, PodId};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HOUR_MS: i64 = 60 * 60 * 1000;

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

pub(crate) fn only(permissions: &[Permission]) -> KeyWish {
    KeyWish {
        permissions: Some(permissions.iter().copied().collect()),
        ..KeyWish::default()
    }
}

pub(crate) async fn who(identity: &Identity, key: &NewKey) -> Principal {
    identity.authenticate_key(key.secret.expose()).await.unwrap().unwrap()
}

/// An organization, the principal of an unrestricted key of it, and its default pod.
pub(crate) async fn root(identity: &Identity) -> (OrganizationId, Principal, PodId) {
    let new = tenant(identity, "A").await;
    let id = new.organization.id;
    let key = identity.create_key(&KeyScope::Organization(id), None).await.unwrap();
    (id, who(identity, &key).await, new.default_pod.id)
}

/// What is kept of a scope: how far it reaches.
fn reach(principal: &Principal) -> u8 {
    match principal.kind {
        KeyKind::Organization => 2,
        KeyKind::AgentPod => 1,
        KeyKind::AgentInbox => 0,
        other => panic!("{other:?}"),
    }
}

#[derive(Clone, Debug)]
struct Step {
    scope: usize,
    permissions: Option<Permissions>,
    expires_in: Option<i64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few permissions each time, so that a subset is asked for often enough.
    let some = proptest::sample::subsequence(
        &[
            Permission::InboxRead,
            Permission::MessageRead,
            Permission::MessageSend,
            Permission::ApiKeyCreate,
        ][..],
        0..=4,
    );
    let permissions = proptest::option::weighted(0.7, some.prop_map(Permissions::from_iter));
    let expires_in = proptest::option::of(-HOUR_MS..24 * HOUR_MS);
    let step = (0..6_usize, permissions, expires_in).prop_map(|(scope, permissions, expires_in)| Step {
        scope,
        permissions,
        expires_in,
    });
    proptest::collection::vec(step, 1..6)
}

async fn no_key_makes_a_stronger_one(steps: &[Step]) -> Result<(), TestCaseError> {
    let identity = on(MemoryStore::new(), |_| {});
    let (id, mut maker, pod) = root(&identity).await;
    let other = identity.create_pod(id, "Other", None).await.unwrap().id;
    let bare = CreateInbox {
        credentials: false,
        ..wanted(id, Some("scout"))
    };
    let mut inboxes = Vec::new();
    for (name, pod) in [("scout", pod), ("other", other)] {
        let request = CreateInbox {
            username: Some(name.into()),
            pod: Some(pod),
            ..bare.clone()
        };
        match identity.create_inbox(&request).await.unwrap() {
            postroom_identity::CreateOutcome::Created { inbox, .. } => inboxes.push(inbox.id),
            other => panic!("{other:?}"),
        }
    }
    let scopes = [
        KeyScope::Organization(id),
        KeyScope::AgentPod(id, pod),
        KeyScope::AgentPod(id, other),
        KeyScope::AgentInbox(id, pod, inboxes[0]),
        KeyScope::AgentInbox(id, other, inboxes[1]),
        KeyScope::Tenant(id),
    ];
    for step in steps {
        let wish = KeyWish {
            name: None,
            permissions: step.permissions,
            expires_at: step.expires_in.map(|ms| now_ms() + ms),
            ..KeyWish::default()
        };
        let Ok(key) = identity.create_key_with(&maker, &scopes[step.scope], &wish).await else {
            continue;
        };
        let child = who(&identity, &key).await;
        for permission in Permission::ALL {
            prop_assert!(!child.allows(*permission) || maker.allows(*permission), "{permission}");
        }
        prop_assert!(reach(&child) <= reach(&maker));
        prop_assert!(maker.pod.is_none() || child.pod == maker.pod);
        prop_assert!(maker.inbox.is_none() || child.inbox == maker.inbox);
        if let Some(end) = maker.expires_at {
            prop_assert!(child.expires_at.is_some_and(|child| child <= end));
        }
        maker = child;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn children_are_never_stronger(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(no_key_makes_a_stronger_one(&steps))?;
    }
}

#[tokio::test]
async fn what_is_refused_and_how() {
    let identity = identity().await;
    let (id, root, pod) = root(&identity).await;
    let other = identity.create_pod(id, "Other", None).await.unwrap().id;
    let scout = create(&identity, id, "scout").await.inbox;
    let foreign = tenant(&identity, "B").await.organization.id;
    let within = KeyScope::AgentPod(id, pod);
    let two = only(&[Permission::ApiKeyCreate, Permission::MessageRead]);
    let key = identity.create_key_with(&root, &within, &two).await.unwrap();
    let maker = who(&identity, &key).await;
    assert_eq!((maker.kind, maker.pod), (KeyKind::AgentPod, Some(pod)));
    assert!(maker.allows(Permission::MessageRead) && !maker.allows(Permission::MessageSend));
    let less = only(&[Permission::MessageRead]);
    let refused = async |scope, wish: &KeyWish| {
        let result = identity.create_key_with(&maker, &scope, wish).await;
        result.map(|_| ()).unwrap_err().to_string()
    };
    let of = |error: IdentityError| error.to_string();
    let inbox = KeyScope::AgentInbox(id, pod, scout.id);
    for (scope, wish, expected) in [
        (within, KeyWish::default(), of(IdentityError::UnrestrictedKeyRequired)),
        (within, only(&[Permission::MessageSend]), of(IdentityError::Escalation)),
        (KeyScope::Organization(id), less.clone(), of(IdentityError::Escalation)),
        (KeyScope::Tenant(id), less.clone(), of(IdentityError::Escalation)),
        (KeyScope::Pod(id, pod), less.clone(), of(IdentityError::Escalation)),
        (
            KeyScope::AgentPod(id, other),
            less.clone(),
            of(IdentityError::NoSuchPod),
        ),
        (
            KeyScope::AgentInbox(id, other, scout.id),
            less.clone(),
            of(IdentityError::NoSuchInbox),
        ),
        (
            KeyScope::Organization(foreign),
            less.clone(),
            of(IdentityError::NoSuchOrganization),
        ),
    ] {
        assert_eq!(refused(scope, &wish).await, expected, "{scope:?} {wish:?}");
    }
    // The root sees every pod, but an inbox in its own alone.
    let astray = identity
        .create_key_with(&root, &KeyScope::AgentInbox(id, other, scout.id), &less)
        .await;
    assert!(matches!(astray, Err(IdentityError::NoSuchInbox)), "{astray:?}");

    let key = identity.create_key_with(&maker, &inbox, &less).await.unwrap();
    assert_eq!(who(&identity, &key).await.inbox, Some(scout.id));
    assert!(key.secret.expose().starts_with("am_"));
}

#[tokio::test]
async fn keys_end() {
    let identity = identity().await;
    let (id, root, _) = root(&identity).await;
    let scout = create(&identity, id, "scout").await;
    let scope = KeyScope::Organization(id);
    let wish = |expires_at| KeyWish {
        expires_at,
        ..KeyWish::default()
    };
    let past = identity.create_key_with(&root, &scope, &wish(Some(now_ms() - 1))).await;
    assert!(matches!(past, Err(IdentityError::Invalid(_))), "{past:?}");
    let end = now_ms() + 1500;
    let key = identity.create_key_with(&root, &scope, &wish(Some(end))).await.unwrap();
    let maker = who(&identity, &key).await;
    assert_eq!((maker.expires_at, key.record.expires_at), (Some(end), Some(end)));
    let later = identity.create_key_with(&maker, &scope, &wish(Some(end + 1))).await;
    assert!(matches!(later, Err(IdentityError::OutlivesMaker)), "{later:?}");
    let child = identity.create_key_with(&maker, &scope, &wish(None)).await.unwrap();
    assert_eq!(child.record.expires_at, Some(end));
    let login = identity
        .login(&scout.user(), &child.secret, SOURCE, Purpose::Imap)
        .await
        .unwrap();
    assert!(identity.credentials_current(&login).await.unwrap());
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert!(
        identity
            .authenticate_key(child.secret.expose())
            .await
            .unwrap()
            .is_none()
    );
    assert!(!identity.credentials_current(&login).await.unwrap());
    let refused = identity
        .login(&scout.user(), &child.secret, SOURCE, Purpose::Imap)
        .await;
    assert!(matches!(refused, Err(LoginError::Wrong)), "{refused:?}");
}

#[tokio::test]
async fn logins_need_the_permission() {
    let identity = identity().await;
    let (id, root, pod) = root(&identity).await;
    let other = identity.create_pod(id, "Other", None).await.unwrap().id;
    let scout = create(&identity, id, "scout").await;
    let read = only(&[Permission::MessageRead]);
    let send = only(&[Permission::MessageSend]);
    let all = KeyWish::default();
    let (inbox, own, organization) = (
        KeyScope::AgentInbox(id, pod, scout.inbox.id),
        KeyScope::AgentPod(id, pod),
        KeyScope::Organization(id),
    );
    for (scope, wish, imap, smtp) in [
        (inbox, &all, true, true),
        (inbox, &read, true, false),
        (own, &send, false, true),
        (own, &all, true, true),
        (organization, &read, true, false),
        (organization, &only(&[]), false, false),
        (KeyScope::AgentPod(id, other), &all, false, false),
    ] {
        let key = identity.create_key_with(&root, &scope, wish).await.unwrap().secret;
        let opens = async |purpose| identity.login(&scout.user(), &key, SOURCE, purpose).await.is_ok();
        let got = (opens(Purpose::Imap).await, opens(Purpose::Smtp).await);
        assert_eq!(got, (imap, smtp), "{scope:?} {wish:?}");
    }
}

#[tokio::test]
async fn a_change_of_permissions_counts_at_once() {
    let identity = identity().await;
    let (id, root, pod) = root(&identity).await;
    let scout = create(&identity, id, "scout").await;
    let scope = KeyScope::AgentInbox(id, pod, scout.inbox.id);
    let key = identity
        .create_key_with(&root, &scope, &KeyWish::default())
        .await
        .unwrap();
    let login = identity
        .login(&scout.user(), &key.secret, SOURCE, Purpose::Imap)
        .await
        .unwrap();
    let id = key.record.id;
    let change = |permissions| KeyChange {
        permissions: Some(permissions),
        ..KeyChange::default()
    };
    let send = Some(Permissions::NONE.with(Permission::MessageSend));
    let changed = identity.update_key(&root, id, &change(send)).await.unwrap();
    assert_eq!((changed.permissions, changed.id), (send, id));
    assert!(!identity.credentials_current(&login).await.unwrap());
    let principal = who(&identity, &key).await;
    assert!(!principal.allows(Permission::MessageRead));

    // It may not lift its own limits, nor touch a key that has none.
    let lifted = identity.update_key(&principal, id, &change(None)).await;
    assert!(
        matches!(lifted, Err(IdentityError::UnrestrictedKeyRequired)),
        "{lifted:?}"
    );
    let more = identity
        .update_key(&principal, id, &change(Some(Permissions::ALL)))
        .await;
    assert!(matches!(more, Err(IdentityError::Escalation)), "{more:?}");
    let sibling = identity
        .create_key_with(&root, &scope, &KeyWish::default())
        .await
        .unwrap();
    let rename = KeyChange {
        name: Some(Some("mine".into())),
        ..KeyChange::default()
    };
    let touched = identity.update_key(&principal, sibling.record.id, &rename).await;
    assert!(
        matches!(touched, Err(IdentityError::UnrestrictedKeyRequired)),
        "{touched:?}"
    );
    // What lies outside its scope is not there.
    let above = identity.update_key(&principal, root.key, &rename).await;
    assert!(matches!(above, Err(IdentityError::NoSuchKey)), "{above:?}");

    let renamed = identity.update_key(&root, id, &rename).await.unwrap();
    assert_eq!((renamed.name.as_deref(), renamed.permissions), (Some("mine"), send));
    assert!(renamed.updated_at >= renamed.created_at);
    assert_eq!(
        identity.update_key(&root, id, &change(None)).await.unwrap().permissions,
        None
    );
}
