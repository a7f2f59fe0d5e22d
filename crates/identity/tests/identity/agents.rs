//! Agents that sign themselves up, and the humans who confirm them.

use crate::setup::{address, check, create, identity, on, tenant, wanted};
use postroom_identity::{
    AgentLimits, CreateInbox, CreateOutcome, Identity, IdentityError, KeyKind, Permission, SignUp, SignedUp,
};
use postroom_store::{CommitBuilder, MemoryStore, Store, scan_prefix};
use postroom_types::{OrganizationId, Secret};
use std::sync::Arc;
use std::time::Duration;

fn sign_up(username: &str, human: Option<&str>) -> SignUp {
    SignUp {
        username: username.to_owned(),
        human_email: human.map(address),
    }
}

async fn signed_up(identity: &Identity, username: &str, human: Option<&str>) -> SignedUp {
    identity.sign_up(&sign_up(username, human)).await.unwrap()
}

async fn opens(identity: &Identity, key: &Secret<String>) -> bool {
    identity.authenticate_key(key.expose()).await.unwrap().is_some()
}

/// A code that is not the one.
fn wrong(code: &Secret<String>) -> Secret<String> {
    let other = if code.expose() == "000000" { "000001" } else { "000000" };
    Secret::new(other.to_owned())
}

#[tokio::test]
async fn an_agent_is_limited_until_its_human_confirms_it() {
    let identity = identity().await;
    let agent = signed_up(&identity, "Scout", Some("Ann@Human.test")).await;
    let id = agent.organization;
    assert_eq!(agent.inbox.canonical, address("scout@example.test"));
    let code = agent.otp.unwrap();
    assert!(code.expose().len() == 6 && code.expose().bytes().all(|digit| digit.is_ascii_digit()));
    let principal = identity
        .authenticate_key(agent.api_key.expose())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((principal.kind, principal.organization), (KeyKind::Organization, id));
    let refused = [
        Permission::ApiKeyCreate,
        Permission::ListEntryCreate,
        Permission::PodCreate,
        Permission::DomainCreate,
        Permission::WebhookCreate,
        Permission::WebhookUpdate,
    ];
    for permission in Permission::ALL {
        assert_eq!(
            principal.allows(*permission),
            !refused.contains(permission),
            "{permission}"
        );
    }
    let limits = AgentLimits {
        only_to: Some(address("Ann@human.test").folded()),
        recipients_a_day: 10,
    };
    assert_eq!(identity.sending_limits(id).await.unwrap(), Some(limits));
    let bare = CreateInbox {
        credentials: false,
        ..wanted(id, Some("second"))
    };
    let second = identity.create_inbox(&bare).await;
    assert!(matches!(second, Err(IdentityError::PlanLimit)), "{second:?}");

    let refused = identity.verify_otp(id, &wrong(&code)).await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    identity.verify_otp(id, &code).await.unwrap();
    identity
        .verify_otp(id, &wrong(&code))
        .await
        .expect("confirming again is no error");
    assert_eq!(identity.sending_limits(id).await.unwrap(), None);
    let principal = identity
        .authenticate_key(agent.api_key.expose())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(principal.permissions, None);
    let second = identity.create_inbox(&bare).await.unwrap();
    assert!(matches!(second, CreateOutcome::Created { .. }), "{second:?}");
    let organization = identity.organization(id).await.unwrap();
    let state = organization.agent.unwrap();
    assert!(state.verified && state.human_email.is_some());
    // Whoever knows the human's address gets nothing any more.
    let again = identity.sign_up(&sign_up("scout", Some("ann@human.test"))).await;
    assert!(matches!(again, Err(IdentityError::AlreadyVerified)), "{again:?}");
    check(&identity).await;

    let ordinary = tenant(&identity, "A").await.organization.id;
    assert_eq!(identity.sending_limits(ordinary).await.unwrap(), None);
    let none = identity.verify_otp(ordinary, &code).await;
    assert!(matches!(none, Err(IdentityError::NoSuchOrganization)), "{none:?}");
}

async fn signing_up_again_gives_another_key(store: Arc<MemoryStore>) {
    let identity = on(store, |_| {});
    identity.bootstrap().await.unwrap();
    let first = signed_up(&identity, "scout", Some("ann@human.test")).await;
    let second = signed_up(&identity, "other", Some("Ann@Human.Test")).await;
    assert_eq!((second.organization, &second.inbox), (first.organization, &first.inbox));
    assert!(second.otp.is_none(), "the first code still counts");
    assert!(!opens(&identity, &first.api_key).await);
    assert!(opens(&identity, &second.api_key).await);
    identity
        .verify_otp(first.organization, &first.otp.unwrap())
        .await
        .unwrap();
    check(&identity).await;
}

#[tokio::test]
async fn repetition() {
    signing_up_again_gives_another_key(MemoryStore::new()).await;
    for seed in 60..63 {
        signing_up_again_gives_another_key(MemoryStore::hostile(seed)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_human_has_one_agent_also_of_many_at_once() {
    let identity = on(MemoryStore::hostile(70), |_| {});
    identity.bootstrap().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..6 {
        let identity = Arc::clone(&identity);
        tasks.spawn(async move { signed_up(&identity, &format!("scout{n}"), Some("ann@human.test")).await });
    }
    let agents = tasks.join_all().await;
    assert!(agents.iter().all(|agent| agent.organization == agents[0].organization));
    let mut open = 0;
    for agent in &agents {
        open += u32::from(opens(&identity, &agent.api_key).await);
    }
    assert_eq!(open, 1, "one key is left");
    check(&identity).await;
}

#[tokio::test]
async fn names_and_humans_are_taken_once() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    create(&identity, id, "scout").await;
    for (username, expected) in [
        ("scout", IdentityError::AddressTaken.to_string()),
        ("postmaster", IdentityError::Reserved.to_string()),
    ] {
        let refused = identity.sign_up(&sign_up(username, Some("ann@human.test"))).await;
        assert_eq!(refused.map(|_| ()).unwrap_err().to_string(), expected);
    }
    let bad = identity.sign_up(&sign_up("no name", None)).await;
    assert!(matches!(bad, Err(IdentityError::Invalid(_))), "{bad:?}");
    let first = signed_up(&identity, "one", None).await;
    assert!(first.otp.is_none());
    let nobody = identity.sending_limits(first.organization).await.unwrap().unwrap();
    assert_eq!(nobody.only_to, None);
    let second = signed_up(&identity, "two", Some("ann@human.test")).await;
    let taken = identity.set_human(first.organization, &address("ANN@human.test")).await;
    assert!(matches!(taken, Err(IdentityError::HumanTaken)), "{taken:?}");

    // Another human gets another code, and the former one's says nothing any more; twice, then no more.
    let mut last = second.otp.unwrap();
    for human in ["ben@human.test", "cid@human.test"] {
        let set = identity.set_human(second.organization, &address(human)).await.unwrap();
        let code = set.otp.unwrap();
        if code.expose() != last.expose() {
            let refused = identity.verify_otp(second.organization, &last).await;
            assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
        }
        last = code;
        let same = identity.set_human(second.organization, &address(human)).await.unwrap();
        assert!(same.otp.is_none());
    }
    let third = identity
        .set_human(second.organization, &address("dan@human.test"))
        .await;
    assert!(matches!(third, Err(IdentityError::TooMany(_))), "{third:?}");
    // The first human is free again.
    let set = identity
        .set_human(first.organization, &address("ann@human.test"))
        .await
        .unwrap();
    identity
        .verify_otp(first.organization, &set.otp.unwrap())
        .await
        .unwrap();
    let verified = identity.set_human(first.organization, &address("eve@human.test")).await;
    assert!(matches!(verified, Err(IdentityError::AlreadyVerified)), "{verified:?}");
    identity.verify_otp(second.organization, &last).await.unwrap();
}

#[tokio::test]
async fn no_code_is_lost_on_a_hostile_store() {
    for seed in 90..96 {
        let store = MemoryStore::hostile(seed);
        let identity = on(store.clone(), |_| {});
        identity.bootstrap().await.unwrap();
        let id = signed_up(&identity, "scout", None).await.organization;
        let (ann, ben) = (address("ann@human.test"), address("ben@human.test"));
        let first = identity.set_human(id, &ann).await.unwrap().otp.expect("a code");
        expire(&store, id).await;
        let second = identity.set_human(id, &ann).await.unwrap().otp.expect("another");
        if first.expose() != second.expose() {
            identity.verify_otp(id, &first).await.unwrap_err();
        }
        let third = identity.set_human(id, &ben).await.unwrap().otp.expect("a third");
        expire(&store, id).await;
        let again = signed_up(&identity, "scout", Some("ben@human.test")).await;
        let fourth = again.otp.expect("a fourth");
        if third.expose() != fourth.expose() {
            identity.verify_otp(id, &third).await.unwrap_err();
        }
        identity.verify_otp(id, &fourth).await.unwrap();
        check(&identity).await;
    }
}

#[tokio::test]
async fn ten_tries_and_not_one_more() {
    let identity = identity().await;
    let agent = signed_up(&identity, "scout", Some("ann@human.test")).await;
    let code = agent.otp.unwrap();
    for _ in 0..10 {
        let refused = identity.verify_otp(agent.organization, &wrong(&code)).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    }
    let refused = identity.verify_otp(agent.organization, &code).await;
    assert!(matches!(refused, Err(IdentityError::TooManyAttempts)), "{refused:?}");
    let again = signed_up(&identity, "scout", Some("ann@human.test")).await;
    assert!(again.otp.is_none(), "a new code would give ten more tries");
}

/// Lets the code of an organization expire.
async fn expire(store: &MemoryStore, organization: OrganizationId) {
    let key = [b"iv", &organization.as_bytes()[..]].concat();
    let row = store.get(&key).await.unwrap().unwrap();
    let mut otp: serde_json::Value = serde_json::from_slice(&row[1..]).unwrap();
    otp["expires_at"] = 1.into();
    let row = [&row[..1], otp.to_string().as_bytes()].concat();
    while store.get(&key).await.unwrap().as_ref() != Some(&row) {
        let mut builder = CommitBuilder::new();
        builder.put(key.clone(), row.clone());
        store.commit(builder.build()).await.unwrap();
    }
}

#[tokio::test]
async fn codes_expire() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let agent = signed_up(&identity, "scout", Some("ann@human.test")).await;
    let id = agent.organization;
    let code = agent.otp.unwrap();
    expire(&store, id).await;
    let refused = identity.verify_otp(id, &code).await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    let set = identity.set_human(id, &address("ann@human.test")).await.unwrap();
    assert!(opens(&identity, &agent.api_key).await, "the key stays");
    assert!(set.otp.is_some());
    expire(&store, id).await;
    let again = signed_up(&identity, "scout", Some("ann@human.test")).await;
    identity.verify_otp(id, &again.otp.unwrap()).await.unwrap();
}

#[tokio::test]
async fn an_agent_without_its_inbox_gets_another() {
    let identity = identity().await;
    let agent = signed_up(&identity, "scout", Some("ann@human.test")).await;
    identity.delete_inbox(agent.inbox.id).await.unwrap();
    let again = signed_up(&identity, "scout", Some("ann@human.test")).await;
    assert_ne!(again.inbox.id, agent.inbox.id);
    assert_eq!(again.inbox.canonical, agent.inbox.canonical);
    check(&identity).await;
}

#[tokio::test]
async fn an_agent_goes_with_its_organization() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let agent = signed_up(&identity, "scout", Some("ann@human.test")).await;
    identity.delete_organization(agent.organization).await.unwrap();
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    let rows = scan_prefix(&*store, b"").collect().await.unwrap();
    assert_eq!(
        rows.len(),
        2,
        "the tombstone, and the salt of the whole store: {rows:?}"
    );
    assert!(!opens(&identity, &agent.api_key).await);
    assert_ne!(
        signed_up(&identity, "ben", Some("ann@human.test")).await.organization,
        agent.organization
    );
}

#[tokio::test]
async fn the_store_holds_no_code() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let agent = signed_up(&identity, "scout", Some("ann@human.test")).await;
    let code = agent.otp.unwrap();
    let row = store
        .get(&[b"iv", &agent.organization.as_bytes()[..]].concat())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&row).into_owned();
    assert!(
        text.contains("$argon2id$") && !text.contains(code.expose().as_str()),
        "{text}"
    );
}

/// Another agent of this server would confirm it, and no human would have been asked.
#[tokio::test]
async fn no_agent_answers_for_an_agent() {
    let identity = identity().await;
    let refused = identity.sign_up(&sign_up("Scout", Some("Other@Example.test"))).await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    let agent = signed_up(&identity, "Scout", None).await;
    let refused = identity
        .set_human(agent.organization, &address("other@example.test"))
        .await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    identity
        .set_human(agent.organization, &address("ann@human.test"))
        .await
        .unwrap();
}
