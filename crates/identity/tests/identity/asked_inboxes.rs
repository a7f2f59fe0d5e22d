//! Inboxes and pods as the AgentMail dialect asks for them: client ids, random names, no credentials.

use crate::setup::{check, identity, on, tenant, wanted};
use postroom_identity::{
    CreateInbox, CreateOutcome, Identity, IdentityError, InboxRecord, LoginError, PodWish, Purpose, Rotate,
};
use postroom_store::{MemoryStore, scan_prefix};
use postroom_types::{InboxId, OrganizationId, Secret};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn asked(organization: OrganizationId, username: Option<&str>) -> CreateInbox {
    CreateInbox {
        remember: false,
        credentials: false,
        ..wanted(organization, username)
    }
}

pub(crate) fn called(organization: OrganizationId, client_id: &str) -> CreateInbox {
    CreateInbox {
        client_id: Some(client_id.to_owned()),
        ..asked(organization, None)
    }
}

/// The inbox, and whether it is new.
pub(crate) async fn get(identity: &Identity, request: &CreateInbox) -> (InboxRecord, bool) {
    match identity.create_inbox(request).await.unwrap() {
        CreateOutcome::Created {
            inbox,
            api_key: None,
            password: None,
        } => (*inbox, true),
        CreateOutcome::Existed(inbox) => (*inbox, false),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_taken_name_is_taken_also_by_oneself() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    let scout = get(&identity, &asked(a, Some("Scout"))).await.0;
    assert_eq!(scout.canonical.to_string(), "scout@example.test");
    for organization in [a, b] {
        let outcome = identity
            .create_inbox(&asked(organization, Some("scout")))
            .await
            .unwrap();
        assert!(matches!(outcome, CreateOutcome::UsernameTaken { .. }), "{outcome:?}");
    }
    let reserved = identity.create_inbox(&asked(a, Some("postmaster"))).await;
    assert!(matches!(reserved, Err(IdentityError::Reserved)), "{reserved:?}");
    identity.delete_inbox(scout.id).await.unwrap();
    let outcome = identity.create_inbox(&asked(b, Some("scout"))).await.unwrap();
    assert!(matches!(outcome, CreateOutcome::UsernameTaken { .. }), "{outcome:?}");
    assert!(get(&identity, &asked(a, Some("scout"))).await.1);
    check(&identity).await;
}

#[tokio::test]
async fn without_credentials_nobody_logs_in_until_there_are_some() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let request = CreateInbox {
        paused: true,
        ..asked(id, None)
    };
    let inbox = get(&identity, &request).await.0;
    assert!(inbox.send_paused && inbox.receive_paused);
    let user = inbox.canonical.to_string();
    let login = async |secret: &Secret<String>| identity.login(&user, secret, SOURCE, Purpose::Imap).await;
    for guess in ["", "x"] {
        let refused = login(&Secret::new(guess.to_owned())).await;
        assert!(matches!(refused, Err(LoginError::Wrong)), "{refused:?}");
    }
    let rotated = identity.rotate_credentials(inbox.id, Rotate::Both).await.unwrap();
    assert!(login(&rotated.password.unwrap()).await.is_ok());
    assert!(login(&rotated.api_key.unwrap()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn inboxes_without_credentials_are_made_fast() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let started = Instant::now();
    let mut names = HashSet::new();
    for _ in 0..120 {
        let (inbox, new) = get(&identity, &asked(id, None)).await;
        assert!(new && names.insert(inbox.canonical));
    }
    // Sixty a second and more, also on a busy machine; with a password each, hashing alone takes longer.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

async fn one_client_id_makes_one(identity: &Arc<Identity>) {
    let id = identity
        .create_organization("A", Some(1))
        .await
        .unwrap()
        .organization
        .id;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..12 {
        let identity = Arc::clone(identity);
        let request = CreateInbox {
            username: (n % 2 == 0).then(|| "scout".to_owned()),
            ..called(id, "agent-7")
        };
        tasks.spawn(async move { get(&identity, &request).await });
    }
    let made = tasks.join_all().await;
    let ids: HashSet<InboxId> = made.iter().map(|(inbox, _)| inbox.id).collect();
    let new = made.iter().filter(|(_, new)| *new).count();
    assert_eq!((ids.len(), new), (1, 1));
    assert_eq!(made[0].0.client_id.as_deref(), Some("agent-7"));
    check(identity).await;

    // Whatever else is asked for; and again once it is gone.
    let odd = CreateInbox {
        username: Some("not a name".into()),
        domain: Some("nowhere.test".into()),
        ..called(id, "agent-7")
    };
    assert_eq!(get(identity, &odd).await, (made[0].0.clone(), false));
    identity.delete_inbox(made[0].0.id).await.unwrap();
    let (again, new) = get(identity, &called(id, "agent-7")).await;
    assert!(new && again.id != made[0].0.id);
    let other = tenant(identity, "B").await.organization.id;
    assert!(get(identity, &called(other, "agent-7")).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_ids_of_inboxes() {
    one_client_id_makes_one(&identity().await).await;
    for seed in 20..23 {
        let identity = on(MemoryStore::hostile(seed), |_| {});
        identity.bootstrap().await.unwrap();
        one_client_id_makes_one(&identity).await;
    }
}

#[tokio::test]
async fn a_client_id_of_another_pod_is_taken_for_who_sees_one_pod() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let pod = identity.create_pod(id, "P", None).await.unwrap().id;
    let inbox = get(&identity, &called(id, "one")).await.0;
    let within = CreateInbox {
        pod: Some(pod),
        restrict_to_pod: true,
        ..called(id, "one")
    };
    let taken = identity.create_inbox(&within).await;
    assert!(matches!(taken, Err(IdentityError::ClientIdTaken)), "{taken:?}");
    let seen = CreateInbox {
        restrict_to_pod: false,
        ..within
    };
    assert_eq!(get(&identity, &seen).await, (inbox, false));
    for bad in ["", "a@b", &"x".repeat(257)] {
        let refused = identity.create_inbox(&called(id, bad)).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{bad}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_by_client_id() {
    for store in [MemoryStore::new(), MemoryStore::hostile(50), MemoryStore::hostile(51)] {
        let identity = on(store.clone(), |_| {});
        identity.bootstrap().await.unwrap();
        let new = tenant(&identity, "A").await;
        let id = new.organization.id;
        let wish = PodWish {
            name: None,
            client_id: Some("customer~1".into()),
        };
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (identity, wish) = (Arc::clone(&identity), wish.clone());
            tasks.spawn(async move { identity.create_pod_with(id, &wish).await.unwrap() });
        }
        let pods = tasks.join_all().await;
        let pod = &pods[0];
        assert!(pods.iter().all(|other| other == pod) && !pod.name.is_empty());
        for name in [pod.id.to_string().as_str(), "customer~1"] {
            assert_eq!(&identity.pod_by(id, name, None).await.unwrap(), pod);
        }
        for name in ["customer~2", "", &OrganizationId::new().to_string()] {
            assert!(matches!(
                identity.pod_by(id, name, None).await,
                Err(IdentityError::NoSuchPod)
            ));
        }
        for (own, is_seen) in [(pod.id, true), (new.default_pod.id, false)] {
            for name in [pod.id.to_string().as_str(), "customer~1"] {
                assert_eq!(identity.pod_by(id, name, Some(own)).await.is_ok(), is_seen);
            }
        }
        let default = identity.delete_pod(id, new.default_pod.id).await;
        assert!(matches!(default, Err(IdentityError::CannotDelete(_))), "{default:?}");
        identity.delete_pod(id, pod.id).await.unwrap();
        assert_eq!(identity.pods(id).await.unwrap(), [new.default_pod]);
        assert_ne!(identity.create_pod_with(id, &wish).await.unwrap().id, pod.id);
        identity.delete_organization(id).await.unwrap();
        identity.purge_deleted(std::time::Duration::ZERO).await.unwrap();
        assert!(scan_prefix(&*store, b"ix").collect().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_inbox_is_left_in_a_pod_that_is_gone() {
    for seed in 80..86 {
        let identity = on(MemoryStore::hostile(seed), |_| {});
        identity.bootstrap().await.unwrap();
        let id = tenant(&identity, "A").await.organization.id;
        let pod = identity.create_pod(id, "P", None).await.unwrap().id;
        let request = CreateInbox {
            pod: Some(pod),
            ..asked(id, None)
        };
        let (made, deleted) = tokio::join!(identity.create_inbox(&request), identity.delete_pod(id, pod));
        match (made, deleted) {
            (Ok(_), Err(IdentityError::CannotDelete(_))) => {
                assert_eq!(identity.pod_inbox_count(pod).await.unwrap(), 1);
            }
            (Err(IdentityError::NoSuchPod), Ok(())) => {
                let left = identity.inboxes(id, None, None, 9).await.unwrap().inboxes;
                assert_eq!((left, identity.inbox_count(id).await.unwrap()), (vec![], 0));
            }
            other => panic!("{other:?}"),
        }
    }
}
