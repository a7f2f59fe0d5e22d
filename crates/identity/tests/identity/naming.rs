//! Which name a request gets, what is remembered of it, and what deleting leaves behind.

use crate::setup::{address, check, create, identity, made, tenant, wanted};
use postroom_identity::{CreateInbox, CreateOutcome, IdentityError, OrganizationChange, Resolution};
use postroom_types::OrganizationId;

fn strict(organization: OrganizationId, username: &str) -> CreateInbox {
    CreateInbox {
        strict: true,
        ..wanted(organization, Some(username))
    }
}

#[tokio::test]
async fn fallback_is_remembered_and_repeats_are_idempotent() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    let first = create(&identity, a, "Scout").await;
    assert_eq!(first.user(), "scout@example.test");
    let second = create(&identity, b, "scout").await;
    assert_eq!(second.user(), "scout1@example.test");
    // Repeats, in any case form, and the allocated name by itself, find what was made.
    for (organization, name, made) in [(a, "SCOUT", &first), (b, "scout", &second), (b, "scout1", &second)] {
        match identity.create_inbox(&wanted(organization, Some(name))).await.unwrap() {
            CreateOutcome::Existed(inbox) => assert_eq!(inbox.id, made.inbox.id),
            other => panic!("{name}: {other:?}"),
        }
    }
    // With strict only the exact name counts.
    match identity.create_inbox(&strict(b, "scout")).await.unwrap() {
        CreateOutcome::UsernameTaken {
            requested,
            attempted,
            domain,
        } => {
            assert_eq!(
                (requested.as_str(), attempted.as_str(), domain.as_str()),
                ("scout", "scout", "example.test")
            );
        }
        other => panic!("{other:?}"),
    }
    // Digits are appended to what was asked for.
    assert_eq!(create(&identity, a, "scout1").await.user(), "scout11@example.test");
    check(&identity).await;
}

#[tokio::test]
async fn all_suffixes_can_be_taken() {
    let identity = identity().await;
    let owner = tenant(&identity, "Owner").await.organization.id;
    // Aliases take names as inboxes do, and are quick to make: eight for each inbox.
    let mut names = (0..=99).map(|n| if n == 0 { "x".to_owned() } else { format!("x{n}") });
    for holder in 0..13 {
        let inbox = create(&identity, owner, &format!("holder{holder}")).await.inbox.id;
        for name in names.by_ref().take(8) {
            identity
                .add_address(inbox, &format!("{name}@example.test"), false)
                .await
                .unwrap();
        }
    }
    let other = tenant(&identity, "Other").await.organization.id;
    for organization in [owner, other] {
        match identity.create_inbox(&wanted(organization, Some("x"))).await.unwrap() {
            CreateOutcome::UsernameTaken {
                requested, attempted, ..
            } => assert_eq!((&*requested, &*attempted), ("x", "x99")),
            outcome => panic!("{outcome:?}"),
        }
    }
    check(&identity).await;
}

#[tokio::test]
async fn refused_names() {
    let identity = identity().await;
    let organization = tenant(&identity, "A").await.organization.id;
    for name in ["postmaster", "PostMaster", "abuse", "no-reply", "HelpDesk"] {
        for request in [wanted(organization, Some(name)), strict(organization, name)] {
            let refused = identity.create_inbox(&request).await;
            assert!(matches!(refused, Err(IdentityError::Reserved)), "{name}: {refused:?}");
        }
    }
    for name in ["", "a+b", "-a", "a..b", "ä"] {
        let refused = identity.create_inbox(&wanted(organization, Some(name))).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{name}: {refused:?}");
    }
    let foreign = CreateInbox {
        domain: Some("foreign.test".into()),
        ..wanted(organization, Some("a"))
    };
    assert!(matches!(
        identity.create_inbox(&foreign).await,
        Err(IdentityError::DomainNotAvailable)
    ));
    let hosted = CreateInbox {
        domain: Some("OTHER.test".into()),
        ..wanted(organization, Some("a"))
    };
    assert_eq!(
        made(identity.create_inbox(&hosted).await.unwrap()).user(),
        "a@other.test"
    );
}

#[tokio::test]
async fn without_a_name_each_call_makes_one() {
    let identity = identity().await;
    for (tenant_name, names) in [
        ("Acme, Inc.", ["acme-inc", "acme-inc1", "acme-inc2"]),
        (
            "Postmaster",
            ["postmaster-inbox", "postmaster-inbox1", "postmaster-inbox2"],
        ),
        ("日本", ["inbox", "inbox1", "inbox2"]),
    ] {
        let organization = tenant(&identity, tenant_name).await.organization.id;
        for name in names {
            let made = made(identity.create_inbox(&wanted(organization, None)).await.unwrap());
            assert_eq!(made.inbox.canonical.local_part(), name);
        }
    }
}

#[tokio::test]
async fn keys_of_one_pod_see_one_pod() {
    let identity = identity().await;
    let new = tenant(&identity, "A").await;
    let organization = new.organization.id;
    let pod = identity.create_pod(organization, "Research", None).await.unwrap();
    let scout = create(&identity, organization, "scout").await;
    let within = CreateInbox {
        pod: Some(pod.id),
        restrict_to_pod: true,
        ..wanted(organization, Some("scout"))
    };
    let other = made(identity.create_inbox(&within).await.unwrap());
    assert_eq!(
        (other.user().as_str(), other.inbox.pod),
        ("scout1@example.test", pod.id)
    );
    for (request, id) in [
        (within.clone(), other.inbox.id),
        // A key of the whole organization finds the inbox in any pod, and another pod named does not move it.
        (
            CreateInbox {
                restrict_to_pod: false,
                ..within.clone()
            },
            scout.inbox.id,
        ),
        (wanted(organization, Some("scout1")), other.inbox.id),
    ] {
        match identity.create_inbox(&request).await.unwrap() {
            CreateOutcome::Existed(inbox) => assert_eq!(inbox.id, id),
            outcome => panic!("{request:?}: {outcome:?}"),
        }
    }
    let counts = [new.default_pod.id, pod.id].map(|pod| identity.pod_inbox_count(pod));
    for count in counts {
        assert_eq!(count.await.unwrap(), 1);
    }
    let foreign = tenant(&identity, "B").await.default_pod.id;
    let request = CreateInbox {
        pod: Some(foreign),
        ..wanted(organization, Some("x"))
    };
    assert!(matches!(
        identity.create_inbox(&request).await,
        Err(IdentityError::NoSuchPod)
    ));
    let taken = identity.create_pod(organization, "Other", Some("research")).await;
    assert!(matches!(taken, Err(IdentityError::SlugTaken)));
    assert_eq!(
        identity.create_pod(organization, "Research", None).await.unwrap().slug,
        "research-1"
    );
}

#[tokio::test]
async fn deleting_leaves_tombstones_for_the_same_organization() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    let scout = create(&identity, a, "scout").await;
    identity
        .add_address(scout.inbox.id, "alias@example.test", true)
        .await
        .unwrap();
    create(&identity, b, "spare").await;
    identity.delete_inbox(scout.inbox.id).await.unwrap();
    assert!(matches!(
        identity.delete_inbox(scout.inbox.id).await,
        Err(IdentityError::NoSuchInbox)
    ));
    assert_eq!(identity.inbox_count(a).await.unwrap(), 0);
    for name in ["scout@example.test", "alias@example.test", "scout+tag@example.test"] {
        assert_eq!(
            identity.resolve(&address(name)).await.unwrap(),
            Resolution::NoSuchMailbox
        );
    }
    assert_eq!(create(&identity, b, "scout").await.user(), "scout1@example.test");
    assert_eq!(create(&identity, b, "alias").await.user(), "alias1@example.test");
    let again = create(&identity, a, "scout").await;
    assert_eq!(again.user(), "scout@example.test");
    assert_ne!(
        (again.inbox.id, again.password.expose()),
        (scout.inbox.id, scout.password.expose())
    );
    assert_eq!(create(&identity, a, "alias").await.user(), "alias@example.test");
    check(&identity).await;
}

#[tokio::test]
async fn the_memory_goes_with_the_inbox() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    create(&identity, a, "scout").await;
    let fallback = create(&identity, b, "scout").await;
    identity.delete_inbox(fallback.inbox.id).await.unwrap();
    let again = create(&identity, b, "scout").await;
    assert_eq!(again.user(), "scout1@example.test");
    assert_ne!(again.inbox.id, fallback.inbox.id);
    // What its own organization asked for by its full name is another request, and keeps its own memory.
    identity.delete_inbox(again.inbox.id).await.unwrap();
    assert_eq!(create(&identity, b, "scout1").await.user(), "scout1@example.test");
    assert_eq!(create(&identity, b, "scout").await.user(), "scout2@example.test");
}

#[tokio::test]
async fn aliases_share_the_name_space() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let one = create(&identity, a.organization.id, "one").await.inbox;
    let two = create(&identity, b.organization.id, "two").await.inbox;
    let (changed, added) = identity.add_address(one.id, "Sales@Example.test", true).await.unwrap();
    assert_eq!(added, address("sales@example.test"));
    assert_eq!((&changed.primary, &changed.canonical), (&added, &one.canonical));
    for taken in ["sales@example.test", "one@example.test"] {
        let refused = identity.add_address(two.id, taken, false).await;
        assert!(
            matches!(refused, Err(IdentityError::AddressTaken)),
            "{taken}: {refused:?}"
        );
    }
    for (bad, why) in [
        ("abuse@example.test", "reserved"),
        ("x@foreign.test", "not available"),
        ("x", "form"),
    ] {
        let error = identity.add_address(two.id, bad, false).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(matches!(
        identity.remove_address(one.id, &one.canonical).await,
        Err(IdentityError::CanonicalAddress)
    ));
    identity
        .remove_address(one.id, &address("SALES@example.test"))
        .await
        .unwrap();
    assert_eq!(identity.inbox(one.id).await.unwrap().primary, one.canonical);
    assert!(matches!(
        identity.remove_address(one.id, &added).await,
        Err(IdentityError::NoSuchAddress)
    ));
    assert!(matches!(
        identity.add_address(two.id, "sales@example.test", true).await,
        Err(IdentityError::AddressTaken)
    ));
    check(&identity).await;
}

#[tokio::test]
async fn addresses_resolve_in_every_form() {
    let identity = identity().await;
    let organization = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, organization, "scout").await.inbox;
    identity.add_address(scout.id, "sales@other.test", false).await.unwrap();
    let postmaster = identity.postmaster().await.unwrap();
    for (text, id) in [
        ("scout@example.test", Some(scout.id)),
        ("SCOUT+Tag+x@EXAMPLE.test", Some(scout.id)),
        ("\"scout\"@example.test", Some(scout.id)),
        ("sales@other.test", Some(scout.id)),
        ("scout@other.test", None),
        ("Postmaster@example.test", Some(postmaster.id)),
        ("abuse@other.test", Some(postmaster.id)),
        ("nobody@example.test", None),
    ] {
        match (identity.resolve(&address(text)).await.unwrap(), id) {
            (Resolution::Inbox(inbox), Some(id)) => assert_eq!(inbox.id, id, "{text}"),
            (Resolution::NoSuchMailbox, None) => {}
            (resolution, _) => panic!("{text}: {resolution:?}"),
        }
    }
    assert_eq!(
        identity.resolve(&address("scout@foreign.test")).await.unwrap(),
        Resolution::NotLocal
    );
}

#[tokio::test]
async fn the_plan_counts_live_inboxes() {
    let identity = identity().await;
    let id = identity
        .create_organization("A", Some(2))
        .await
        .unwrap()
        .organization
        .id;
    let one = create(&identity, id, "one").await.inbox;
    let two = create(&identity, id, "two").await.inbox;
    let three = || async { identity.create_inbox(&wanted(id, Some("three"))).await };
    assert!(matches!(three().await, Err(IdentityError::PlanLimit)));
    // Only when an inbox would really be made.
    let again = identity.create_inbox(&wanted(id, Some("one"))).await;
    assert!(matches!(again, Ok(CreateOutcome::Existed(_))));
    let limit = async |limit| {
        let change = OrganizationChange {
            max_inboxes: Some(limit),
            ..OrganizationChange::default()
        };
        identity.update_organization(id, &change).await.unwrap();
    };
    // Below what there is: the first deletion makes no room.
    limit(Some(1)).await;
    identity.delete_inbox(one.id).await.unwrap();
    assert!(matches!(three().await, Err(IdentityError::PlanLimit)));
    identity.delete_inbox(two.id).await.unwrap();
    made(three().await.unwrap());
    limit(None).await;
    create(&identity, id, "four").await;
    check(&identity).await;
}
