//! Who may find whom.

use crate::agent_identities::agent;
use crate::setup::{identity, tenant};
use postroom_identity::{AgentIdentity, Identity, IdentityChange, IdentityError};
use postroom_types::{IdentityId, OrganizationId};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Whether an identity may be found by another one.
pub(crate) async fn finds(identity: &Identity, viewer: &AgentIdentity, target: &AgentIdentity) -> bool {
    let (a, handle) = (viewer.organization, &target.handle);
    match identity.identity_found_by(a, handle, viewer.inbox).await {
        Ok((found, _)) => found.id == target.id,
        Err(IdentityError::NoSuchIdentity) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn seen(identity: &Identity, of: &AgentIdentity) -> Vec<String> {
    let visible = identity.visible_identities(of.organization, of.id).await.unwrap();
    for (target, _) in &visible {
        assert!(finds(identity, of, target).await);
    }
    visible
        .into_iter()
        .map(|(target, _)| target.handle.to_string())
        .collect()
}

async fn viewers(identity: &Identity, of: &AgentIdentity) -> Vec<Option<IdentityId>> {
    let rows = identity.access(of.organization, of.id).await.unwrap();
    rows.into_iter()
        .map(|row| {
            assert_eq!(row.target, of.id);
            row.viewer
        })
        .collect()
}

async fn three(identity: &Identity, organization: OrganizationId) -> [AgentIdentity; 3] {
    [
        agent(identity, organization, "one").await,
        agent(identity, organization, "two").await,
        agent(identity, organization, "six").await,
    ]
}

#[tokio::test]
async fn nobody_sees_a_new_one_and_seeing_has_a_direction() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let [one, two, six] = three(&identity, a).await;
    assert_eq!(seen(&identity, &one).await, ["one"]);
    assert!(viewers(&identity, &one).await.is_empty());
    let row = identity.grant_access(a, two.id, Some(one.id)).await.unwrap();
    assert_eq!((row.target, row.viewer), (two.id, Some(one.id)));
    assert_eq!(seen(&identity, &one).await, ["one", "two"]);
    assert_eq!(seen(&identity, &two).await, ["two"]);
    assert_eq!(seen(&identity, &six).await, ["six"]);
    let again = identity.grant_access(a, two.id, Some(one.id)).await;
    assert!(matches!(again, Err(IdentityError::AlreadyGranted)), "{again:?}");
    assert_eq!(identity.access(a, two.id).await.unwrap(), [row]);
    identity.revoke_access(a, two.id, one.id).await.unwrap();
    assert_eq!(seen(&identity, &one).await, ["one"]);
    let again = identity.revoke_access(a, two.id, one.id).await;
    assert!(matches!(again, Err(IdentityError::NoSuchGrant)), "{again:?}");
}

#[tokio::test]
async fn nothing_crosses_organizations_and_nobody_is_granted_itself() {
    let identity = identity().await;
    let (a, b) = (tenant(&identity, "A").await, tenant(&identity, "B").await);
    let (a, b) = (a.organization.id, b.organization.id);
    let [one, two, _] = three(&identity, a).await;
    let foreign = agent(&identity, b, "foreign").await;
    for (organization, target, viewer) in [
        (a, one.id, foreign.id),
        (a, foreign.id, one.id),
        (b, one.id, two.id),
        (a, one.id, IdentityId::new()),
    ] {
        let refused = identity.grant_access(organization, target, Some(viewer)).await;
        assert!(matches!(refused, Err(IdentityError::NoSuchIdentity)), "{refused:?}");
    }
    let refused = identity.grant_access(a, one.id, Some(one.id)).await;
    assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
    for refused in [
        identity.access(b, one.id).await.map(|_| ()),
        identity.grant_access(b, one.id, None).await.map(|_| ()),
        identity.revoke_access(b, one.id, two.id).await,
    ] {
        assert!(matches!(refused, Err(IdentityError::NoSuchIdentity)), "{refused:?}");
    }
    identity.grant_access(a, one.id, None).await.unwrap();
    assert_eq!(seen(&identity, &foreign).await, ["foreign"]);
}

#[tokio::test]
async fn everybody_is_one_row_also_for_who_comes_later() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let [one, two, six] = three(&identity, a).await;
    identity.grant_access(a, one.id, Some(two.id)).await.unwrap();
    let row = identity.grant_access(a, one.id, None).await.unwrap();
    assert_eq!(identity.grant_access(a, one.id, None).await.unwrap(), row);
    assert_eq!(viewers(&identity, &one).await, [None]);
    let late = agent(&identity, a, "late").await;
    for viewer in [&two, &six, &late] {
        assert!(seen(&identity, viewer).await.contains(&"one".to_owned()));
    }
    let redundant = identity.grant_access(a, one.id, Some(late.id)).await;
    assert!(matches!(redundant, Err(IdentityError::RedundantGrant)), "{redundant:?}");
    // Taken from one, all others that are there keep it; who comes now does not get it.
    for stranger in [one.id, IdentityId::new()] {
        let refused = identity.revoke_access(a, one.id, stranger).await;
        assert!(matches!(refused, Err(IdentityError::NoSuchGrant)), "{refused:?}");
    }
    // One that rests gets none either.
    let resting = agent(&identity, a, "resting").await;
    let pause = IdentityChange {
        paused: Some(true),
        ..IdentityChange::default()
    };
    identity.update_identity(a, resting.id, &pause).await.unwrap();
    identity.revoke_access(a, one.id, six.id).await.unwrap();
    assert_eq!(viewers(&identity, &one).await, [Some(two.id), Some(late.id)]);
    let later = agent(&identity, a, "later").await;
    assert_eq!(seen(&identity, &later).await, ["later"]);
    assert_eq!(seen(&identity, &six).await, ["six"]);
    assert_eq!(seen(&identity, &late).await, ["one", "late"]);
}

#[tokio::test]
async fn who_is_deleted_neither_sees_nor_is_seen() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let [one, two, six] = three(&identity, a).await;
    identity.grant_access(a, one.id, Some(two.id)).await.unwrap();
    identity.grant_access(a, two.id, Some(six.id)).await.unwrap();
    identity.grant_access(a, six.id, Some(two.id)).await.unwrap();
    identity.delete_identity(a, two.id).await.unwrap();
    for target in [&one, &six] {
        assert!(viewers(&identity, target).await.is_empty());
    }
    assert_eq!(seen(&identity, &six).await, ["six"]);
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    // A new one of that name is somebody else.
    let again = agent(&identity, a, "two").await;
    assert_eq!(seen(&identity, &again).await, ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_states_one_holds_however_many_change_it() {
    let identity = identity().await;
    let a = tenant(&identity, "A").await.organization.id;
    let target = agent(&identity, a, "target").await;
    let mut others = Vec::new();
    for n in 0..8 {
        others.push(agent(&identity, a, &format!("other-{n}")).await);
    }
    for _ in 0..3 {
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let (identity, viewer, target) = (Arc::clone(&identity), others[n % 8].id, target.id);
            tasks.spawn(async move {
                let _ = match n % 4 {
                    0 => identity.grant_access(a, target, None).await.map(|_| ()),
                    1 => identity.revoke_access(a, target, viewer).await,
                    _ => identity.grant_access(a, target, Some(viewer)).await.map(|_| ()),
                };
            });
        }
        tasks.join_all().await;
        let viewers = viewers(&identity, &target).await;
        let everybody = viewers.iter().filter(|viewer| viewer.is_none()).count();
        assert!(everybody == 0 || viewers.len() == 1, "{viewers:?}");
        let mut seeing = Vec::new();
        for other in &others {
            if finds(&identity, other, &target).await {
                seeing.push(Some(other.id));
            }
        }
        assert!(
            everybody == 1 && seeing.len() == 8 || seeing == viewers,
            "{viewers:?} {seeing:?}"
        );
    }
}
