//! Domains that come and go, who may use them, and what is caught there.

use crate::setup::{address, create, identity, made, on, tenant, wanted};
use hickory_server::proto::rr::{Name, RData, RecordType};
use hickory_server::proto::serialize::txt::Parser;
use postroom_identity::{Identity, IdentityError, InboxChange, Resolution, zone_file};
use postroom_store::MemoryStore;
use postroom_types::{Domain, InboxId};

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

async fn inbox_of(identity: &Identity, text: &str) -> Option<InboxId> {
    match identity.resolve(&address(text)).await.unwrap() {
        Resolution::Inbox(inbox) => Some(inbox.id),
        Resolution::NoSuchMailbox | Resolution::NotLocal => None,
    }
}

#[tokio::test]
async fn a_domain_is_ours_from_adding_to_removing() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    identity.bootstrap().await.unwrap();
    let (new, other) = (domain("new.test"), tenant(&identity, "A").await.organization.id);
    assert!(!identity.is_local(&new));
    let added = identity.add_domain(&new, None).await.unwrap();
    assert!(!added.configured && added.organization.is_none());
    assert!(identity.is_local(&new) && !identity.is_local(&domain("sub.new.test")));
    let again = identity.add_domain(&new, None).await;
    assert!(matches!(again, Err(IdentityError::DomainTaken)), "{again:?}");

    let mut wish = wanted(other, Some("scout"));
    wish.domain = Some("NEW.test".into());
    let scout = made(identity.create_inbox(&wish).await.unwrap());
    assert_eq!(scout.user(), "scout@new.test");
    let removed = identity.remove_domain(&new).await;
    assert!(matches!(removed, Err(IdentityError::DomainInUse(_))), "{removed:?}");
    // A refused removal leaves the domain open.
    identity
        .add_address(scout.inbox.id, "alias@new.test", false)
        .await
        .unwrap();

    // Another start finds it.
    let later = on(store, |_| {});
    later.bootstrap().await.unwrap();
    assert!(later.is_local(&new));
    let names: Vec<String> = later
        .domains()
        .await
        .unwrap()
        .iter()
        .map(|d| d.domain.to_string())
        .collect();
    assert_eq!(names, ["example.test", "other.test", "new.test"]);

    identity.delete_inbox(scout.inbox.id).await.unwrap();
    identity.remove_domain(&new).await.unwrap();
    assert!(!identity.is_local(&new));
    let gone = identity.remove_domain(&new).await;
    assert!(matches!(gone, Err(IdentityError::NoSuchDomain)), "{gone:?}");
    assert!(matches!(
        identity.create_inbox(&wish).await,
        Err(IdentityError::DomainNotAvailable)
    ));

    // Whose an address was is remembered.
    identity.add_domain(&new, None).await.unwrap();
    let mut taken = wanted(tenant(&identity, "B").await.organization.id, Some("scout"));
    (taken.domain, taken.strict) = (Some("new.test".into()), true);
    let outcome = identity.create_inbox(&taken).await.unwrap();
    assert!(matches!(
        outcome,
        postroom_identity::CreateOutcome::UsernameTaken { .. }
    ));
}

#[tokio::test]
async fn configured_domains_stay_and_odd_names_are_refused() {
    let identity = identity().await;
    for name in ["example.test", "other.test"] {
        let taken = identity.add_domain(&domain(name), None).await;
        assert!(matches!(taken, Err(IdentityError::DomainTaken)), "{name}");
        let stays = identity.remove_domain(&domain(name)).await;
        assert!(matches!(stays, Err(IdentityError::DomainInUse(_))), "{name}");
        assert!(identity.domain(&domain(name)).await.unwrap().configured, "{name}");
    }
    let long = ["abcdefghi"; 23].join(".");
    for name in ["[127.0.0.1]", "bücher.example", "a_b.test", &long] {
        let refused = identity.add_domain(&domain(name), None).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{name}");
    }
}

#[tokio::test]
async fn a_domain_of_one_organization_is_closed_to_others_and_goes_with_it() {
    let identity = identity().await;
    let own = tenant(&identity, "A").await.organization.id;
    let other = tenant(&identity, "B").await.organization.id;
    let private = domain("private.test");
    identity.add_domain(&private, Some(own)).await.unwrap();
    let wish = |organization| {
        let mut wish = wanted(organization, Some("scout"));
        wish.domain = Some("private.test".into());
        wish
    };
    assert!(matches!(
        identity.create_inbox(&wish(other)).await,
        Err(IdentityError::DomainNotAvailable)
    ));
    let stranger = create(&identity, other, "stranger").await;
    let alias = identity.add_address(stranger.inbox.id, "x@private.test", false).await;
    assert!(matches!(alias, Err(IdentityError::DomainNotAvailable)), "{alias:?}");
    let caught = identity.set_catch_all(&private, Some(&stranger.inbox.canonical)).await;
    assert!(matches!(caught, Err(IdentityError::NoSuchInbox)), "{caught:?}");
    made(identity.create_inbox(&wish(own)).await.unwrap());

    identity.delete_organization(own).await.unwrap();
    identity.purge_deleted(std::time::Duration::ZERO).await.unwrap();
    assert!(!identity.is_local(&private));
    let gone = identity.add_domain(&private, Some(own)).await;
    assert!(matches!(gone, Err(IdentityError::NoSuchOrganization)), "{gone:?}");
}

#[tokio::test]
async fn removing_and_creating_at_once_leaves_no_inbox_without_a_domain() {
    for seed in 0..20 {
        let identity = on(MemoryStore::hostile(seed), |_| {});
        identity.bootstrap().await.unwrap();
        let new = domain("new.test");
        identity.add_domain(&new, None).await.unwrap();
        let mut wish = wanted(tenant(&identity, "A").await.organization.id, Some("scout"));
        wish.domain = Some("new.test".into());
        let (created, removed) = tokio::join!(identity.create_inbox(&wish), identity.remove_domain(&new));
        assert_eq!(created.is_ok(), identity.is_local(&new), "{created:?} {removed:?}");
        assert_eq!(removed.is_err(), identity.is_local(&new), "{created:?} {removed:?}");
    }
}

#[tokio::test]
async fn what_nobody_has_or_had_is_caught() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let (catcher, former) = (
        create(&identity, id, "catcher").await,
        create(&identity, id, "former").await,
    );
    let home = domain("example.test");
    assert_eq!(inbox_of(&identity, "anything@example.test").await, None);
    let nobody = identity
        .set_catch_all(&home, Some(&address("nobody@example.test")))
        .await;
    assert!(matches!(nobody, Err(IdentityError::NoSuchInbox)), "{nobody:?}");
    let set = identity
        .set_catch_all(&home, Some(&address("Catcher@example.test")))
        .await
        .unwrap();
    assert_eq!(set.catch_all, Some(catcher.inbox.canonical.clone()));
    identity.delete_inbox(former.inbox.id).await.unwrap();
    let postmaster = identity.postmaster().await.unwrap().id;
    let caught = Some(catcher.inbox.id);
    for (to, expected) in [
        ("anything@example.test", caught),
        ("anything+tag@example.test", caught),
        ("catcher@example.test", caught),
        ("postmaster@example.test", Some(postmaster)),
        ("abuse@example.test", Some(postmaster)),
        ("former@example.test", None),
        ("anything@other.test", None),
        ("anything@foreign.test", None),
    ] {
        assert_eq!(inbox_of(&identity, to).await, expected, "{to}");
    }
    identity.set_catch_all(&home, None).await.unwrap();
    assert_eq!(inbox_of(&identity, "anything@example.test").await, None);
    identity
        .set_catch_all(&home, Some(&catcher.inbox.canonical))
        .await
        .unwrap();
    identity.delete_inbox(catcher.inbox.id).await.unwrap();
    assert_eq!(inbox_of(&identity, "anything@example.test").await, None);
}

#[tokio::test]
async fn forwarding_and_limits_are_kept() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await.inbox.id;
    identity.add_address(scout, "alias@other.test", false).await.unwrap();
    let forward = |to: Option<&str>| InboxChange {
        forward_to: Some(to.map(address)),
        ..InboxChange::default()
    };
    for own in [
        "scout@example.test",
        "SCOUT+x@example.test",
        "alias@other.test",
        "nobody@example.test",
    ] {
        let refused = identity.update_inbox(scout, &forward(Some(own))).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{own}");
    }
    let changed = identity
        .update_inbox(scout, &forward(Some("me@far.example")))
        .await
        .unwrap();
    assert_eq!(changed.forward_to, Some(address("me@far.example")));
    let limits = InboxChange {
        daily_messages: Some(Some(7)),
        daily_new_recipients: Some(Some(0)),
        ..InboxChange::default()
    };
    identity.update_inbox(scout, &limits).await.unwrap();
    let kept = identity.inbox(scout).await.unwrap();
    assert_eq!(kept.forward_to, Some(address("me@far.example")));
    assert_eq!((kept.daily_messages, kept.daily_new_recipients), (Some(7), Some(0)));
    let back = identity.update_inbox(scout, &forward(None)).await.unwrap();
    assert_eq!((back.forward_to, back.daily_messages), (None, Some(7)));
}

#[tokio::test]
async fn the_zone_file_says_what_the_records_say() {
    let identity = on(MemoryStore::new(), |options| {
        options.hostname = domain("mx.example.test")
    });
    identity.bootstrap().await.unwrap();
    let home = domain("example.test");
    identity.rotate_dkim(&home, true).await.unwrap();
    identity.rotate_dkim(&home, false).await.unwrap();
    let records = identity.dns_records(&home).await.unwrap();
    // MX, SPF twice, two pairs of keys, DMARC.
    assert_eq!(records.len(), 8, "{records:#?}");
    let start = "example.test. 60 IN SOA ns.example.test. root.example.test. 1 3600 600 86400 60\n";
    let text = format!("{start}{}", zone_file(&records));
    let (_, zone) = Parser::new(text, None, Some(Name::from_ascii("example.test.").unwrap()))
        .parse()
        .unwrap();
    let mut read = 0;
    for record in zone.values().flat_map(|set| set.records_without_rrsigs()) {
        let name = record.name.to_string();
        let (value, kind) = match &record.data {
            RData::TXT(text) => {
                assert!(text.txt_data.iter().all(|string| string.len() <= 255));
                let joined = text.txt_data.concat();
                (String::from_utf8(joined).unwrap(), "TXT")
            }
            RData::MX(mx) => (mx.exchange.to_string().trim_end_matches('.').to_owned(), "MX"),
            _ => continue,
        };
        let same = |known: &&postroom_identity::DnsRecord| {
            format!("{}.", known.name) == name && known.kind == kind && known.value == value
        };
        assert!(records.iter().any(|known| same(&known)), "{name} {value}");
        assert_eq!(record.ttl, 3600);
        read += 1;
    }
    assert_eq!(read, records.len());
    assert!(
        records
            .iter()
            .any(|record| record.value.starts_with("v=DKIM1; k=rsa; p=") && record.value.len() > 255)
    );
    assert!(zone.keys().all(|key| key.record_type != RecordType::NULL));
    for other in ["sub.example.test", "foreign.test"] {
        let none = identity.dns_records(&domain(other)).await;
        assert!(matches!(none, Err(IdentityError::NoSuchDomain)), "{other}");
        assert!(identity.signer(&domain(other)).await.unwrap().is_none(), "{other}");
    }
}

/// An internationalized domain is added with A-labels, and meant by both forms.
#[tokio::test]
async fn both_forms_of_an_internationalized_domain() {
    let identity = identity().await;
    let organization = tenant(&identity, "A").await.organization.id;
    identity.add_domain(&domain("xn--bcher-kva.test"), None).await.unwrap();
    assert!(identity.is_local(&domain("bücher.test")) && !identity.is_local(&domain("büche.test")));
    let mut wish = wanted(organization, Some("zoe"));
    wish.domain = Some("xn--bcher-kva.test".into());
    let inbox = made(identity.create_inbox(&wish).await.unwrap()).inbox.id;
    for text in ["zoe@bücher.test", "Zoe+tag@BÜCHER.test", "zoe@xn--bcher-kva.test"] {
        assert_eq!(inbox_of(&identity, text).await, Some(inbox), "{text}");
    }
}
