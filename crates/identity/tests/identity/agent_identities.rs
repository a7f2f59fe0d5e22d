//! Identities: made whole or not at all, named once over all organizations and usernames, renamed, deleted.

use crate::setup::{address, check, create, identity, made, on, tenant, wanted};
use crate::visibility::finds;
use postroom_identity::{
    AgentIdentity, CreateIdentity, CreateOutcome, DomainChoice, Handle, Identity, IdentityChange, IdentityError,
    InboxChange, InboxRecord, KeyScope, KeyWish, Namespace, PageOf, Resolution,
};
use postroom_store::MemoryStore;
use postroom_types::{Domain, OrganizationId};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

pub(crate) fn named(organization: OrganizationId, handle: &str) -> CreateIdentity {
    CreateIdentity {
        organization,
        pod: None,
        handle: Handle::parse(handle).unwrap(),
        display_name: None,
        description: None,
        local_part: None,
        domain: DomainChoice::Default,
    }
}

pub(crate) async fn agent(identity: &Identity, organization: OrganizationId, handle: &str) -> AgentIdentity {
    identity.create_identity(&named(organization, handle)).await.unwrap().0
}

fn handle(text: &str) -> Handle {
    Handle::parse(text).unwrap()
}

/// Who was in the way.
#[track_caller]
fn blocked_by<T: std::fmt::Debug>(result: Result<T, IdentityError>) -> Namespace {
    match result {
        Err(IdentityError::HandleTaken(namespace)) => namespace,
        other => panic!("not taken: {other:?}"),
    }
}

fn elsewhere(organization: OrganizationId, handle: &str, local_part: Option<&str>) -> CreateIdentity {
    CreateIdentity {
        local_part: local_part.map(str::to_owned),
        domain: DomainChoice::Named("other.test".into()),
        ..named(organization, handle)
    }
}

async fn rename(
    identity: &Identity,
    of: &AgentIdentity,
    to: &str,
) -> Result<(AgentIdentity, InboxRecord), IdentityError> {
    let change = IdentityChange {
        handle: Some(handle(to)),
        ..IdentityChange::default()
    };
    identity.update_identity(of.organization, of.id, &change).await
}

#[tokio::test]
async fn an_identity_and_its_inbox_name_each_other() {
    let identity = identity().await;
    let id = tenant(&identity, "Acme").await.organization.id;
    let request = CreateIdentity {
        description: Some(String::new()),
        ..named(id, "@Sales-Bot")
    };
    let (agent, inbox) = identity.create_identity(&request).await.unwrap();
    assert_eq!(agent.handle.as_str(), "sales-bot");
    assert_eq!(agent.description.as_deref(), Some(""));
    assert_eq!(inbox.canonical, address("sales-bot@example.test"));
    assert_eq!(inbox.display_name.as_deref(), Some("sales-bot"));
    assert_eq!(inbox.agent.as_ref().map(|own| own.id), Some(agent.id));
    assert_eq!(agent.inbox, inbox.id);
    assert_eq!(identity.identity_of(inbox.id).await.unwrap().unwrap(), agent);
    assert_eq!(identity.identity_by_id(id, agent.id).await.unwrap().0, agent);
    let (found, _) = identity.identity_by_handle(id, &handle("SALES-bot")).await.unwrap();
    assert_eq!(found, agent);
    // It is an inbox like any other: nobody gets its name, its own organization finds it.
    match identity.create_inbox(&wanted(id, Some("sales-bot"))).await.unwrap() {
        CreateOutcome::Existed(found) => assert_eq!(found.id, inbox.id),
        other => panic!("{other:?}"),
    }
    check(&identity).await;
    // A change in another dialect is a change of it.
    let change = InboxChange {
        display_name: Some(Some("Sales".into())),
        send_paused: Some(true),
        ..InboxChange::default()
    };
    identity.update_inbox(inbox.id, &change).await.unwrap();
    let (changed, inbox) = identity.identity_by_id(id, agent.id).await.unwrap();
    assert!(changed.updated_at > agent.updated_at && inbox.send_paused);
    let b = tenant(&identity, "B").await.organization.id;
    let foreign = identity.identity_by_handle(b, &agent.handle).await;
    assert!(matches!(foreign, Err(IdentityError::NoSuchIdentity)), "{foreign:?}");
    let foreign = identity.identity_by_id(b, agent.id).await;
    assert!(matches!(foreign, Err(IdentityError::NoSuchIdentity)), "{foreign:?}");
}

#[tokio::test]
async fn one_name_space_for_handles_and_addresses() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    agent(&identity, a, "first").await;
    assert_eq!(
        blocked_by(identity.create_identity(&named(b, "first")).await),
        Namespace::Identities
    );
    assert_eq!(
        blocked_by(identity.create_identity(&named(a, "first")).await),
        Namespace::Identities
    );
    create(&identity, a, "second").await;
    for organization in [a, b] {
        let taken = identity.create_identity(&named(organization, "second")).await;
        assert_eq!(blocked_by(taken), Namespace::Mail);
    }
    let inbox = create(&identity, a, "third").await.inbox;
    identity
        .add_address(inbox.id, "alias@example.test", false)
        .await
        .unwrap();
    assert_eq!(
        blocked_by(identity.create_identity(&named(a, "alias")).await),
        Namespace::Mail
    );
    for reserved in ["postmaster", "Abuse", "helpdesk", "a2a"] {
        assert_eq!(
            blocked_by(identity.create_identity(&named(a, reserved)).await),
            Namespace::Identities
        );
        assert_eq!(
            blocked_by(identity.create_identity(&elsewhere(a, reserved, None)).await),
            Namespace::Identities
        );
    }
    // An identity elsewhere keeps the name here, and its inbox may have it as an alias.
    let (agent, inbox) = identity
        .create_identity(&elsewhere(a, "fourth", Some("Desk")))
        .await
        .unwrap();
    assert_eq!(inbox.canonical, address("desk@other.test"));
    let made = made(identity.create_inbox(&wanted(b, Some("fourth"))).await.unwrap());
    assert_eq!(made.inbox.canonical, address("fourth1@example.test"));
    let taken = identity.add_address(made.inbox.id, "fourth@example.test", false).await;
    assert!(matches!(taken, Err(IdentityError::AddressTaken)), "{taken:?}");
    let nobody = identity.resolve(&address("fourth@example.test")).await.unwrap();
    assert_eq!(nobody, Resolution::NoSuchMailbox);
    assert!(
        identity
            .inbox_at_address(&address("fourth@example.test"))
            .await
            .unwrap()
            .is_none()
    );
    let inbox = agent.inbox;
    identity.add_address(inbox, "fourth@example.test", false).await.unwrap();
    assert_eq!(
        identity
            .inbox_at_address(&address("fourth@example.test"))
            .await
            .unwrap()
            .unwrap()
            .id,
        inbox
    );
    identity
        .remove_address(inbox, &address("fourth@example.test"))
        .await
        .unwrap();
    let taken = identity.create_identity(&named(b, "fourth")).await;
    assert_eq!(blocked_by(taken), Namespace::Identities);
    let inbox = identity.create_inbox(&wanted(a, Some("fourth"))).await.unwrap();
    assert!(
        matches!(inbox, CreateOutcome::Created { ref inbox, .. } if inbox.canonical != address("fourth@example.test"))
    );
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let identity = identity().await;
    let a = identity
        .create_organization("A", Some(1))
        .await
        .unwrap()
        .organization
        .id;
    let mine = |change: fn(&mut CreateIdentity)| {
        let mut request = named(a, "scout");
        change(&mut request);
        request
    };
    let long = "x".repeat(1001);
    for (request, kind) in [
        (mine(|request| request.local_part = Some("other".into())), "invalid"),
        (mine(|request| request.display_name = Some("a\r\nb".into())), "invalid"),
        (
            mine(|request| request.domain = DomainChoice::Named("foreign.test".into())),
            "domain",
        ),
        (elsewhere(a, "scout", Some("postmaster")), "reserved"),
        (elsewhere(a, "scout", Some("a b")), "invalid"),
        (
            CreateIdentity {
                description: Some(long),
                ..named(a, "scout")
            },
            "invalid",
        ),
    ] {
        let refused = identity.create_identity(&request).await;
        let is_expected = match kind {
            "invalid" => matches!(refused, Err(IdentityError::Invalid(_))),
            "domain" => matches!(refused, Err(IdentityError::DomainNotAvailable)),
            _ => matches!(refused, Err(IdentityError::Reserved)),
        };
        assert!(is_expected, "{request:?}: {refused:?}");
    }
    // Not even a place of the plan was used.
    let same = mine(|request| request.local_part = Some("Scout".into()));
    identity.create_identity(&same).await.unwrap();
    let over = identity.create_identity(&named(a, "scout-two")).await;
    assert!(matches!(over, Err(IdentityError::PlanLimit)), "{over:?}");
    // Nor is the name kept back that did not come to be.
    let b = tenant(&identity, "B").await.organization.id;
    agent(&identity, b, "scout-two").await;
    let page = PageOf {
        after: None,
        ascending: true,
        limit: 10,
    };
    assert_eq!(identity.identities(a, &page).await.unwrap().identities.len(), 1);
    check(&identity).await;
}

#[tokio::test]
async fn a_rename_moves_the_handle_and_not_the_address() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    let scout = agent(&identity, a, "scout").await;
    create(&identity, b, "taken").await;
    assert_eq!(blocked_by(rename(&identity, &scout, "taken").await), Namespace::Mail);
    assert_eq!(
        blocked_by(rename(&identity, &scout, "root").await),
        Namespace::Identities
    );
    let (renamed, inbox) = rename(&identity, &scout, "ranger").await.unwrap();
    assert_eq!((renamed.id, renamed.handle.as_str()), (scout.id, "ranger"));
    assert_eq!(inbox.canonical, address("scout@example.test"));
    let old = identity.identity_by_handle(a, &scout.handle).await;
    assert!(matches!(old, Err(IdentityError::NoSuchIdentity)), "{old:?}");
    // The new name is kept back everywhere, the old one stays the inbox's address.
    let made = made(identity.create_inbox(&wanted(b, Some("ranger"))).await.unwrap());
    assert_eq!(made.inbox.canonical, address("ranger1@example.test"));
    assert_eq!(
        blocked_by(identity.create_identity(&named(b, "scout")).await),
        Namespace::Identities
    );
    assert_eq!(
        blocked_by(identity.create_identity(&named(a, "scout")).await),
        Namespace::Mail
    );
    // There and back, and on: what was kept back is the organization's, and nobody else's.
    rename(&identity, &renamed, "scout").await.unwrap();
    assert_eq!(
        blocked_by(identity.create_identity(&named(b, "ranger")).await),
        Namespace::Identities
    );
    agent(&identity, a, "ranger").await;
    check(&identity).await;
}

#[tokio::test]
async fn deleting_ends_all_of_it_whoever_deletes() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    for way in ["identity", "inbox"] {
        let (scout, inbox) = identity.create_identity(&elsewhere(a, "scout", None)).await.unwrap();
        let key = identity
            .create_wished_key(&KeyScope::Inbox(a, inbox.id), &KeyWish::default())
            .await
            .unwrap();
        identity.rotate_signing_key(inbox.id).await.unwrap();
        match way {
            "identity" => identity.delete_identity(a, scout.id).await.unwrap(),
            _ => identity.delete_inbox(inbox.id).await.unwrap(),
        }
        assert!(identity.authenticate_key(key.secret.expose()).await.unwrap().is_none());
        let gone = identity.tenant_key(a, key.record.id).await;
        assert!(matches!(gone, Err(IdentityError::NoSuchKey)), "{gone:?}");
        assert!(identity.signing_key(inbox.id).await.unwrap().is_none());
        assert!(identity.identity_of(inbox.id).await.unwrap().is_none());
        for gone in [
            identity.identity_by_id(a, scout.id).await.map(|_| ()),
            identity.identity_by_handle(a, &scout.handle).await.map(|_| ()),
            identity.delete_identity(a, scout.id).await,
        ] {
            assert!(matches!(gone, Err(IdentityError::NoSuchIdentity)), "{gone:?}");
        }
        assert_eq!(
            identity.resolve(&address("scout@other.test")).await.unwrap(),
            Resolution::NoSuchMailbox
        );
        // Neither the handle nor an address goes to anybody else.
        assert_eq!(
            blocked_by(identity.create_identity(&named(b, "scout")).await),
            Namespace::Identities
        );
        let made = made(identity.create_inbox(&wanted(b, Some("scout"))).await.unwrap());
        assert_ne!(made.inbox.canonical, address("scout@example.test"));
        identity.delete_inbox(made.inbox.id).await.unwrap();
        assert_eq!(identity.purge_deleted(Duration::ZERO).await.unwrap(), 2);
    }
    // The organization itself has the handle again, also here.
    let again = agent(&identity, a, "scout").await;
    assert_eq!(
        identity.inbox(again.inbox).await.unwrap().canonical,
        address("scout@example.test")
    );
    check(&identity).await;
}

#[tokio::test]
async fn the_default_domain_is_where_new_addresses_are() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let other = Domain::parse("other.test").unwrap();
    assert_eq!(identity.default_domain(a).await.unwrap(), None);
    assert_eq!(
        identity.set_default_domain(a, Some(&other)).await.unwrap(),
        Some(other.clone())
    );
    let (_, inbox) = identity.create_identity(&named(a, "scout")).await.unwrap();
    assert_eq!(inbox.canonical, address("scout@other.test"));
    let here = CreateIdentity {
        domain: DomainChoice::Server,
        ..named(a, "ranger")
    };
    let (_, inbox) = identity.create_identity(&here).await.unwrap();
    assert_eq!(inbox.canonical, address("ranger@example.test"));
    let unknown = Domain::parse("unknown.test").unwrap();
    let refused = identity.set_default_domain(a, Some(&unknown)).await;
    assert!(matches!(refused, Err(IdentityError::DomainNotAvailable)), "{refused:?}");
    let own = Domain::parse("example.test").unwrap();
    assert_eq!(identity.set_default_domain(a, Some(&own)).await.unwrap(), None);
    let (_, inbox) = identity.create_identity(&named(a, "third")).await.unwrap();
    assert_eq!(inbox.canonical, address("third@example.test"));
}

#[tokio::test]
async fn identities_are_listed_by_age() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(agent(&identity, a, &format!("agent-{n}")).await.id);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = PageOf {
            after,
            ascending: true,
            limit: 2,
        };
        let page = identity.identities(a, &page).await.unwrap();
        seen.extend(page.identities.into_iter().map(|(agent, _)| agent.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
}

/// Of those that ask for one name at once, as an identity or as an inbox, one gets it.
async fn race(identity: Arc<Identity>, organizations: &[OrganizationId], name: &str) {
    let mut tasks = JoinSet::new();
    for n in 0..16 {
        let (identity, organization) = (Arc::clone(&identity), organizations[n % organizations.len()]);
        let name = name.to_owned();
        tasks.spawn(async move {
            if n % 2 == 0 {
                match identity.create_identity(&named(organization, &name)).await {
                    Ok((_, inbox)) => Some(inbox.canonical),
                    Err(IdentityError::HandleTaken(_)) => None,
                    Err(error) => panic!("{error}"),
                }
            } else {
                let request = postroom_identity::CreateInbox {
                    strict: true,
                    ..wanted(organization, Some(&name))
                };
                match identity.create_inbox(&request).await.unwrap() {
                    CreateOutcome::Created { inbox, .. } => Some(inbox.canonical),
                    // The organization's own, which another of these made.
                    CreateOutcome::Existed(_) | CreateOutcome::UsernameTaken { .. } => None,
                }
            }
        });
    }
    let won = tasks.join_all().await.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(won, [address(&format!("{name}@example.test"))]);
    check(&identity).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_and_a_username_never_both_win() {
    let identity = identity().await;
    let mut organizations = Vec::new();
    for n in 0..4 {
        organizations.push(tenant(&identity, &format!("T{n}")).await.organization.id);
    }
    for round in 0..5 {
        race(Arc::clone(&identity), &organizations, &format!("name-{round}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_works_on_a_hostile_store() {
    for seed in 20..24 {
        let identity = on(MemoryStore::hostile(seed), |_| {});
        identity.bootstrap().await.unwrap();
        let a = tenant(&identity, "A").await.organization.id;
        race(Arc::clone(&identity), &[a], "scout").await;
        let ranger = agent(&identity, a, "ranger").await;
        let other = agent(&identity, a, "other").await;
        rename(&identity, &ranger, "walker").await.unwrap();
        let (ranger, _) = identity.identity_by_id(a, ranger.id).await.unwrap();
        identity.grant_access(a, ranger.id, Some(other.id)).await.unwrap();
        identity.grant_access(a, ranger.id, None).await.unwrap();
        identity.revoke_access(a, ranger.id, other.id).await.unwrap();
        assert!(!finds(&identity, &other, &ranger).await);
        assert!(identity.first_signing_key(ranger.inbox).await.unwrap().is_some());
        assert!(identity.first_signing_key(ranger.inbox).await.unwrap().is_none());
        identity.delete_identity(a, ranger.id).await.unwrap();
        agent(&identity, a, "walker").await;
        check(&identity).await;
    }
}
