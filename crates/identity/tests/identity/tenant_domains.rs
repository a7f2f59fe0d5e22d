//! Domains that organizations bring, and lists that go with what they are for.

use crate::setup::{address, check, create, identity, made, tenant, wanted};
use postroom_identity::{
    Direction, DomainNames, DomainStatus, DomainWish, EntryScope, Identity, IdentityError, List, ListType, Listed,
    PodWish, Resolution,
};
use postroom_store::BoxFuture;
use postroom_types::{Domain, OrganizationId};
use std::time::Duration;

/// A DNS that says what it is told, or gives no answer.
#[derive(Default)]
struct Zone {
    records: Vec<(&'static str, String, String)>,
    is_down: bool,
}

impl Zone {
    fn of(&self, kind: &str, name: &str) -> Result<Vec<String>, String> {
        if self.is_down {
            return Err("SERVFAIL".into());
        }
        let found = self.records.iter().filter(|(of, at, _)| *of == kind && at == name);
        Ok(found.map(|(_, _, value)| value.clone()).collect())
    }

    async fn publish(&mut self, identity: &Identity, organization: OrganizationId, domain: &Domain) {
        let records = identity.domain_records(organization, domain).await.unwrap();
        let texts = records.into_iter().map(|checked| checked.record);
        self.records = texts.map(|record| (record.kind, record.name, record.value)).collect();
    }
}

impl DomainNames for Zone {
    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move { self.of("TXT", name) })
    }

    fn exchanges<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move { self.of("MX", name) })
    }
}

fn new_test() -> Domain {
    Domain::parse("new.test").unwrap()
}

async fn claim(identity: &Identity, organization: OrganizationId) -> DomainStatus {
    let wish = DomainWish {
        domain: new_test(),
        pod: None,
        feedback: true,
        inbound: true,
        subdomains: false,
    };
    identity.create_domain(organization, &wish).await.unwrap().status
}

async fn status(identity: &Identity, organization: OrganizationId) -> DomainStatus {
    identity.domain_of(organization, &new_test()).await.unwrap().status
}

#[tokio::test]
async fn what_is_published_later_is_found_without_asking() {
    let identity = identity().await;
    let own = tenant(&identity, "A").await.organization.id;
    assert_eq!(claim(&identity, own).await, DomainStatus::NotStarted);
    let mut zone = Zone {
        is_down: true,
        ..Zone::default()
    };
    let answer = identity.verify_domain(own, &new_test(), &zone).await;
    assert!(matches!(answer, Err(IdentityError::NoAnswer)), "{answer:?}");
    identity.recheck_domains(&zone).await.unwrap();
    assert_eq!(status(&identity, own).await, DomainStatus::NotStarted);
    zone.is_down = false;
    identity.recheck_domains(&zone).await.unwrap();
    assert_eq!(status(&identity, own).await, DomainStatus::Pending);
    assert!(!identity.is_local(&new_test()));
    zone.publish(&identity, own, &new_test()).await;
    identity.recheck_domains(&zone).await.unwrap();
    assert_eq!(status(&identity, own).await, DomainStatus::Verified);
    assert!(identity.is_local(&new_test()));
    check(&identity).await;
}

#[tokio::test]
async fn who_has_a_domain_next_does_not_reach_who_had_it() {
    let identity = identity().await;
    let (first, second) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (first, second) = (first.organization.id, second.organization.id);
    let mut zone = Zone::default();
    let mut wish = wanted(first, Some("scout"));
    wish.domain = Some("new.test".into());
    for own in [first, second] {
        claim(&identity, own).await;
        zone.publish(&identity, own, &new_test()).await;
        identity.verify_domain(own, &new_test(), &zone).await.unwrap();
        assert_eq!(status(&identity, own).await, DomainStatus::Verified);
        let found = identity.resolve(&address("scout@new.test")).await.unwrap();
        assert_eq!(found, Resolution::NoSuchMailbox);
        assert_eq!(identity.may_send_from(first, &new_test()), own == first);
        if own == first {
            let scout = made(identity.create_inbox(&wish).await.unwrap()).inbox;
            let found = identity.resolve(&address("scout@new.test")).await.unwrap();
            assert_eq!(found, Resolution::Inbox(Box::new(scout)));
            identity.delete_domain(first, &new_test()).await.unwrap();
            let found = identity.resolve(&address("scout@new.test")).await.unwrap();
            assert_eq!(found, Resolution::NotLocal);
        }
    }
    identity.delete_organization(second).await.unwrap();
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    assert!(!identity.is_local(&new_test()));
    assert_eq!(identity.domain_count(second, None).await.unwrap(), 0);
}

#[tokio::test]
async fn the_domain_of_a_pod_is_for_its_inboxes() {
    let identity = identity().await;
    let own = tenant(&identity, "A").await.organization;
    let wish = PodWish {
        name: Some("p".into()),
        client_id: None,
    };
    let pod = identity.create_pod_with(own.id, &wish).await.unwrap().id;
    let wish = DomainWish {
        domain: new_test(),
        pod: Some(pod),
        feedback: true,
        inbound: true,
        subdomains: true,
    };
    identity.create_domain(own.id, &wish).await.unwrap();
    let mut zone = Zone::default();
    zone.publish(&identity, own.id, &new_test()).await;
    identity.verify_domain(own.id, &new_test(), &zone).await.unwrap();
    for domain in ["new.test", "below.new.test"] {
        let mut wish = wanted(own.id, Some("scout"));
        wish.domain = Some(domain.into());
        for (of, is_its) in [(None, false), (Some(own.default_pod), false), (Some(pod), true)] {
            wish.pod = of;
            let answer = identity.create_inbox(&wish).await;
            let refused = matches!(answer, Err(IdentityError::DomainNotAvailable));
            assert_eq!(refused, !is_its, "{domain} for {of:?}: {answer:?}");
        }
    }
    let outside = create(&identity, own.id, "outside").await.inbox;
    let answer = identity.add_address(outside.id, "alias@new.test", false).await;
    assert!(matches!(answer, Err(IdentityError::DomainNotAvailable)), "{answer:?}");
}

#[tokio::test]
async fn a_claim_that_is_given_up_leaves_the_keys_others_published() {
    let identity = identity().await;
    let (first, second) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (first, second) = (first.organization.id, second.organization.id);
    let mut zone = Zone::default();
    claim(&identity, first).await;
    zone.publish(&identity, first, &new_test()).await;
    claim(&identity, second).await;
    identity.domain_records(second, &new_test()).await.unwrap();
    identity.delete_domain(second, &new_test()).await.unwrap();
    identity.verify_domain(first, &new_test(), &zone).await.unwrap();
    assert_eq!(status(&identity, first).await, DomainStatus::Verified);
}

#[tokio::test]
async fn lists_go_with_what_they_are_for() {
    let identity = identity().await;
    let own = tenant(&identity, "A").await.organization.id;
    let wish = PodWish {
        name: Some("p".into()),
        client_id: None,
    };
    let pod = identity.create_pod_with(own, &wish).await.unwrap().id;
    let scout = create(&identity, own, "scout").await.inbox;
    let name = Listed::parse("a@example.net").unwrap();
    let scopes = [
        EntryScope::Pod(own, pod),
        EntryScope::from(&scout),
        EntryScope::Organization(own),
    ];
    let [in_pod, in_inbox, in_organization] = scopes.map(|scope| List {
        scope,
        direction: Direction::Send,
        list_type: ListType::Block,
    });
    for list in [in_pod, in_inbox, in_organization] {
        identity.add_list_entry(&list, &name, None).await.unwrap();
    }
    let is_there = async |list: &List| identity.list_entry(list, &name).await.is_ok();
    identity.delete_pod(own, pod).await.unwrap();
    identity.delete_inbox(scout.id).await.unwrap();
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    assert!(!is_there(&in_pod).await && !is_there(&in_inbox).await && is_there(&in_organization).await);
    let again = identity.add_list_entry(&in_inbox, &name, None).await;
    assert!(matches!(again, Err(IdentityError::NoSuchInbox)), "{again:?}");
    identity.delete_organization(own).await.unwrap();
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    assert!(!is_there(&in_organization).await);
}
