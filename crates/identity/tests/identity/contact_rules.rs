//! Contact rules and filter modes, and what they say beside the lists.

use crate::setup::{address, create, identity, tenant};
use postroom_identity::{
    ContactRule, Direction, EntryScope, FilterMode, Identity, IdentityError, InboxChange, InboxRecord, List, ListType,
    Listed, MatchType, RuleAction, RuleChange, RuleDirection, RuleFilter, RulePlace, RuleWish, RulesFrom,
};
use postroom_types::RuleId;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

fn wish(action: RuleAction, target: &str, direction: RuleDirection) -> RuleWish {
    RuleWish {
        action,
        target: Listed::parse(target).unwrap(),
        direction,
        paused: false,
    }
}

async fn add(identity: &Identity, inbox: &InboxRecord, wish: &RuleWish) -> ContactRule {
    identity.add_contact_rule(inbox.id, wish).await.unwrap()
}

async fn mode(identity: &Identity, inbox: &InboxRecord, inbound: FilterMode, outbound: FilterMode) {
    let change = InboxChange {
        inbound_mode: Some(inbound),
        outbound_mode: Some(outbound),
        ..InboxChange::default()
    };
    identity.update_inbox(inbox.id, &change).await.unwrap();
}

/// Who is refused, and by which rule.
async fn refused(
    identity: &Identity,
    inbox: &InboxRecord,
    direction: Direction,
    to: &[&str],
) -> Option<(String, Option<RuleId>)> {
    let lists = identity.lists_over(&EntryScope::from(inbox)).await.unwrap();
    let to: Vec<_> = to.iter().map(|to| address(to)).collect();
    let refusal = identity.list_verdict(&lists, direction, &to).await.unwrap();
    assert!(refusal.is_none() || lists.has(direction));
    refusal.map(|refusal| (refusal.address.to_string(), refusal.rule))
}

async fn all(identity: &Identity, inbox: &InboxRecord, filter: &RuleFilter) -> Vec<RuleId> {
    let rules = identity
        .contact_rules(inbox.organization, Some(inbox.id), filter, RulesFrom::Offset(0), 100)
        .await;
    rules.unwrap().rules.into_iter().map(|rule| rule.id).collect()
}

#[tokio::test]
async fn an_address_goes_before_its_domain_and_the_mode_comes_last() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox;
    let (send, receive, reply) = (Direction::Send, Direction::Receive, Direction::Reply);
    assert!(refused(&identity, &inbox, send, &["a@x.test"]).await.is_none());
    let domain = add(
        &identity,
        &inbox,
        &wish(RuleAction::Block, "X.test", RuleDirection::Both),
    )
    .await;
    let one = add(
        &identity,
        &inbox,
        &wish(RuleAction::Allow, "A@x.test", RuleDirection::Outbound),
    )
    .await;
    for (direction, to, expected) in [
        (send, "a@X.TEST", None),
        (receive, "a@x.test", Some(domain.id)),
        (reply, "a@x.test", Some(domain.id)),
        (send, "b@x.test", Some(domain.id)),
        (send, "b@sub.x.test", None),
        (send, "b@y.test", None),
    ] {
        let said = refused(&identity, &inbox, direction, &[to]).await;
        assert_eq!(said.map(|(_, rule)| rule), expected.map(Some), "{direction:?} {to}");
    }
    // The first one that is barred is named.
    let said = refused(&identity, &inbox, send, &["c@y.test", "b@x.test", "d@x.test"]).await;
    assert_eq!(said, Some(("b@x.test".into(), Some(domain.id))));
    mode(&identity, &inbox, FilterMode::Blacklist, FilterMode::Whitelist).await;
    for (direction, to, expected) in [
        (send, "a@x.test", None),
        (send, "b@x.test", Some(Some(domain.id))),
        (send, "b@y.test", Some(None)),
        (receive, "b@y.test", None),
    ] {
        let said = refused(&identity, &inbox, direction, &[to]).await;
        assert_eq!(said.map(|(_, rule)| rule), expected, "{direction:?} {to}");
    }
    // A paused rule does not count.
    let pause = |paused| RuleChange {
        paused: Some(paused),
        ..RuleChange::default()
    };
    identity
        .update_contact_rule(inbox.id, one.id, &pause(true))
        .await
        .unwrap();
    assert_eq!(
        refused(&identity, &inbox, send, &["a@x.test"]).await,
        Some(("a@x.test".into(), Some(domain.id)))
    );
    identity
        .update_contact_rule(inbox.id, domain.id, &pause(true))
        .await
        .unwrap();
    assert_eq!(
        refused(&identity, &inbox, send, &["a@x.test"]).await,
        Some(("a@x.test".into(), None))
    );
    assert_eq!(identity.active_rules(&inbox, RuleAction::Block).await.unwrap(), 0);
}

#[tokio::test]
async fn lists_and_rules_bar_each_for_itself() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox;
    let list = |scope, list_type| List {
        scope,
        direction: Direction::Send,
        list_type,
    };
    let put = async |scope, list_type, entry: &str| {
        let entry = Listed::parse(entry).unwrap();
        identity
            .add_list_entry(&list(scope, list_type), &entry, None)
            .await
            .unwrap();
    };
    let own = EntryScope::from(&inbox);
    put(own, ListType::Block, "blocked@x.test").await;
    add(
        &identity,
        &inbox,
        &wish(RuleAction::Allow, "blocked@x.test", RuleDirection::Both),
    )
    .await;
    let said = refused(&identity, &inbox, Direction::Send, &["blocked@x.test"]).await;
    assert_eq!(said, Some(("blocked@x.test".into(), None)));
    put(own, ListType::Allow, "listed@x.test").await;
    let rule = add(
        &identity,
        &inbox,
        &wish(RuleAction::Block, "listed@x.test", RuleDirection::Both),
    )
    .await;
    let said = refused(&identity, &inbox, Direction::Send, &["listed@x.test"]).await;
    assert_eq!(said, Some(("listed@x.test".into(), Some(rule.id))));
}

#[tokio::test]
async fn the_envelope_is_barred_by_rules_and_not_by_the_mode() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox;
    mode(&identity, &inbox, FilterMode::Whitelist, FilterMode::Blacklist).await;
    let bars = async |sender: &str| {
        let lists = identity.lists_over(&EntryScope::from(&inbox)).await.unwrap();
        identity
            .bars_envelope(&lists, &address(sender))
            .await
            .unwrap()
            .is_some()
    };
    assert!(!bars("bounces@mailer.test").await);
    add(
        &identity,
        &inbox,
        &wish(RuleAction::Block, "mailer.test", RuleDirection::Inbound),
    )
    .await;
    assert!(bars("bounces@mailer.test").await && !bars("bounces@other.test").await);
}

#[tokio::test]
async fn one_rule_about_one_thing() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let inbox = create(&identity, a.organization.id, "scout").await.inbox;
    let other = create(&identity, b.organization.id, "other").await.inbox;
    let rule = add(
        &identity,
        &inbox,
        &wish(RuleAction::Block, "x.test", RuleDirection::Inbound),
    )
    .await;
    let same = identity
        .add_contact_rule(inbox.id, &wish(RuleAction::Allow, "X.TEST", RuleDirection::Outbound))
        .await;
    assert!(
        matches!(same, Err(IdentityError::RuleExists(id)) if id == rule.id),
        "{same:?}"
    );
    assert_eq!(identity.contact_rule(&inbox, rule.id).await.unwrap(), rule);
    let foreign = identity.contact_rule(&other, rule.id).await;
    assert!(matches!(foreign, Err(IdentityError::NoSuchRule)), "{foreign:?}");
    for refused in [
        identity
            .update_contact_rule(other.id, rule.id, &RuleChange::default())
            .await
            .map(|_| ()),
        identity.remove_contact_rule(other.id, rule.id).await,
    ] {
        assert!(matches!(refused, Err(IdentityError::NoSuchRule)), "{refused:?}");
    }
    let address = add(
        &identity,
        &inbox,
        &wish(RuleAction::Allow, "a@x.test", RuleDirection::Both),
    )
    .await;
    let by = |action, match_type, direction| RuleFilter {
        action,
        match_type,
        direction,
        of_identities: false,
    };
    for (filter, expected) in [
        (RuleFilter::default(), vec![rule.id, address.id]),
        (by(Some(RuleAction::Allow), None, None), vec![address.id]),
        (by(None, Some(MatchType::Domain), None), vec![rule.id]),
        (by(None, None, Some(RuleDirection::Inbound)), vec![rule.id, address.id]),
        (by(None, None, Some(RuleDirection::Outbound)), vec![address.id]),
        (by(None, None, Some(RuleDirection::Both)), vec![address.id]),
    ] {
        assert_eq!(all(&identity, &inbox, &filter).await, expected, "{filter:?}");
    }
    let second = identity
        .contact_rules(
            inbox.organization,
            None,
            &RuleFilter::default(),
            RulesFrom::Offset(1),
            1,
        )
        .await
        .unwrap();
    assert_eq!(second.rules, std::slice::from_ref(&address));
    let of_identities = RuleFilter {
        of_identities: true,
        ..RuleFilter::default()
    };
    assert!(all(&identity, &inbox, &of_identities).await.is_empty());
    for limit in 1..=3 {
        for whose in [None, Some(inbox.id)] {
            let (mut ids, mut from) = (Vec::new(), RulesFrom::Offset(0));
            loop {
                let filter = RuleFilter::default();
                let page = identity.contact_rules(inbox.organization, whose, &filter, from, limit);
                let page = page.await.unwrap();
                assert!(page.rules.len() <= limit);
                ids.extend(page.rules.iter().map(|rule| rule.id));
                let Some(next) = page.next else { break };
                assert_eq!(RulePlace::from_octets(&next.octets()), Some(next));
                from = RulesFrom::Behind(next);
            }
            assert_eq!(ids, [rule.id, address.id], "{limit}");
        }
    }
    identity.remove_contact_rule(inbox.id, rule.id).await.unwrap();
    let again = identity.remove_contact_rule(inbox.id, rule.id).await;
    assert!(matches!(again, Err(IdentityError::NoSuchRule)), "{again:?}");
    let made = add(
        &identity,
        &inbox,
        &wish(RuleAction::Allow, "x.test", RuleDirection::Both),
    )
    .await;
    assert_ne!(made.id, rule.id);
    // With the inbox, its rules go; nothing is left for the organization to list.
    identity.delete_inbox(inbox.id).await.unwrap();
    let gone = identity
        .add_contact_rule(inbox.id, &wish(RuleAction::Allow, "y.test", RuleDirection::Both))
        .await;
    assert!(matches!(gone, Err(IdentityError::NoSuchInbox)), "{gone:?}");
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    let left = identity
        .contact_rules(
            inbox.organization,
            None,
            &RuleFilter::default(),
            RulesFrom::Offset(0),
            10,
        )
        .await
        .unwrap();
    assert!(left.rules.is_empty(), "{left:?}");
}

#[tokio::test]
async fn one_side_of_a_rule_is_changed_alone() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox;
    let rule = add(
        &identity,
        &inbox,
        &wish(RuleAction::Block, "x.test", RuleDirection::Both),
    )
    .await;
    let change = RuleChange {
        action: Some(RuleAction::Allow),
        apply_to: Some(RuleDirection::Inbound),
        ..RuleChange::default()
    };
    let changed = identity.update_contact_rule(inbox.id, rule.id, &change).await.unwrap();
    assert_eq!((changed.id, changed.direction), (rule.id, RuleDirection::Inbound));
    assert!(
        refused(&identity, &inbox, Direction::Receive, &["a@x.test"])
            .await
            .is_none()
    );
    assert!(
        refused(&identity, &inbox, Direction::Send, &["a@x.test"])
            .await
            .is_some()
    );
    let [_, rest] = all(&identity, &inbox, &RuleFilter::default()).await.try_into().unwrap();
    // Each is removed alone.
    identity.remove_contact_rule(inbox.id, rule.id).await.unwrap();
    assert_eq!(all(&identity, &inbox, &RuleFilter::default()).await, [rest]);
    assert!(
        refused(&identity, &inbox, Direction::Send, &["a@x.test"])
            .await
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_equal_rules_at_once_one_is_made() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let inbox = create(&identity, a, "scout").await.inbox;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (identity, id) = (Arc::clone(&identity), inbox.id);
        tasks.spawn(async move {
            let wish = wish(RuleAction::Block, "x.test", RuleDirection::Both);
            match identity.add_contact_rule(id, &wish).await {
                Ok(rule) => (rule.id, true),
                Err(IdentityError::RuleExists(id)) => (id, false),
                Err(error) => panic!("{error}"),
            }
        });
    }
    let said = tasks.join_all().await;
    assert_eq!(said.iter().filter(|(_, made)| *made).count(), 1);
    assert!(said.iter().all(|(id, _)| *id == said[0].0));
    assert_eq!(all(&identity, &inbox, &RuleFilter::default()).await, [said[0].0]);
}
