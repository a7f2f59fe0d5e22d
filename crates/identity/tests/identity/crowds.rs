//! Many tenants that want one name at the same moment, on as many threads as they like.

use crate::setup::{check, identity, tenant, wanted};
use postroom_identity::{
    CreateIdentity, CreateInbox, CreateOutcome, DomainChoice, Handle, Identity, IdentityError, InboxRecord,
};
use postroom_types::{InboxId, OrganizationId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const TENANTS: usize = 120;

/// Hashing passwords is no part of the race, and takes most of its time.
fn wanted_bare(organization: OrganizationId, username: &str) -> CreateInbox {
    CreateInbox {
        credentials: false,
        ..wanted(organization, Some(username))
    }
}

async fn tenants(identity: &Identity, count: usize) -> Vec<OrganizationId> {
    let mut tenants = Vec::new();
    for n in 0..count {
        tenants.push(tenant(identity, &format!("Tenant {n}")).await.organization.id);
    }
    tenants
}

/// Begins all at once, and gives what came of each.
async fn at_once<T: Send + 'static>(futures: Vec<impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let gate = Arc::new(Barrier::new(futures.len()));
    let mut tasks = JoinSet::new();
    for future in futures {
        let gate = Arc::clone(&gate);
        tasks.spawn(async move {
            gate.wait().await;
            future.await
        });
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn of_120_tenants_a_hundred_get_the_name_or_one_after_it() {
    let identity = identity().await;
    let tenants = tenants(&identity, TENANTS).await;
    // Each asks twice: whoever got a name is given it again.
    let asking = tenants.iter().chain(&tenants).map(|tenant| {
        let (identity, request) = (Arc::clone(&identity), wanted_bare(*tenant, "Scout"));
        async move { (request.organization, identity.create_inbox(&request).await) }
    });
    let (mut given, mut ids, mut refused): (BTreeMap<String, OrganizationId>, HashMap<_, InboxId>, _) =
        (BTreeMap::new(), HashMap::new(), BTreeSet::new());
    for (tenant, outcome) in at_once(asking.collect()).await {
        let (inbox, is_new) = match outcome.unwrap() {
            CreateOutcome::Created { inbox, .. } => (inbox, true),
            CreateOutcome::Existed(inbox) => (inbox, false),
            CreateOutcome::UsernameTaken {
                requested, attempted, ..
            } => {
                assert_eq!((requested.as_str(), attempted.as_str()), ("scout", "scout99"));
                refused.insert(tenant);
                continue;
            }
        };
        assert_eq!(inbox.organization, tenant);
        assert_eq!(
            *ids.entry(tenant).or_insert(inbox.id),
            inbox.id,
            "one inbox for each tenant"
        );
        if is_new {
            let before = given.insert(inbox.canonical.local_part().to_owned(), tenant);
            assert_eq!(before, None, "an address twice");
        }
    }
    let expected: BTreeSet<String> = std::iter::once("scout".to_owned())
        .chain((1..100).map(|n| format!("scout{n}")))
        .collect();
    assert_eq!(given.keys().cloned().collect::<BTreeSet<_>>(), expected, "no gaps");
    assert_eq!((ids.len(), refused.len()), (100, 20));
    assert!(refused.iter().all(|tenant| !ids.contains_key(tenant)));
    // Whoever asks again once all is quiet gets the same answer.
    for tenant in &tenants {
        match identity.create_inbox(&wanted_bare(*tenant, "scout")).await.unwrap() {
            CreateOutcome::Existed(inbox) => assert_eq!(ids[tenant], inbox.id),
            CreateOutcome::UsernameTaken { .. } => assert!(refused.contains(tenant)),
            created => panic!("{created:?}"),
        }
    }
    check(&identity).await;
}

/// What one tenant of the crowd tries to get.
async fn try_for(identity: Arc<Identity>, tenant: OrganizationId, how: usize) -> Option<InboxRecord> {
    if how == 0 {
        let request = CreateInbox {
            strict: true,
            ..wanted_bare(tenant, "scout")
        };
        return match identity.create_inbox(&request).await.unwrap() {
            CreateOutcome::Created { inbox, .. } => Some(*inbox),
            CreateOutcome::UsernameTaken { .. } => None,
            existed => panic!("{existed:?}"),
        };
    }
    if how == 1 {
        let request = CreateIdentity {
            organization: tenant,
            pod: None,
            handle: Handle::parse("scout").unwrap(),
            display_name: None,
            description: None,
            local_part: None,
            domain: DomainChoice::Server,
        };
        return match identity.create_identity(&request).await {
            Ok((_, inbox)) => Some(inbox),
            Err(IdentityError::HandleTaken(_)) => None,
            Err(error) => panic!("{error}"),
        };
    }
    let holder = wanted_bare(tenant, &format!("holder-{tenant}"));
    let CreateOutcome::Created { inbox, .. } = identity.create_inbox(&holder).await.unwrap() else {
        panic!("nobody else has that name");
    };
    match identity.add_address(inbox.id, "scout@example.test", true).await {
        Ok((inbox, _)) => Some(inbox),
        Err(IdentityError::AddressTaken) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn of_usernames_handles_and_aliases_one_wins_an_address() {
    for _ in 0..8 {
        let identity = identity().await;
        let tenants = tenants(&identity, 30).await;
        let trying = tenants
            .iter()
            .enumerate()
            .map(|(n, tenant)| try_for(Arc::clone(&identity), *tenant, n % 3));
        let winners: Vec<InboxRecord> = at_once(trying.collect()).await.into_iter().flatten().collect();
        let [winner] = &winners[..] else {
            panic!("{} have it", winners.len());
        };
        let address = crate::setup::address("scout@example.test");
        let found = identity.inbox_at_address(&address).await.unwrap().unwrap();
        assert_eq!(found.id, winner.id);
        check(&identity).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn with_room_for_five_of_sixteen_five_are_made_whichever_way() {
    let identity = identity().await;
    let made = identity.create_organization("A", Some(5)).await.unwrap();
    let tenant = made.organization.id;
    let trying = (0..16).map(|n| {
        let identity = Arc::clone(&identity);
        async move {
            if n % 2 == 0 {
                let made = identity.create_inbox(&wanted_bare(tenant, &format!("agent{n}"))).await;
                return made.map(|_| ());
            }
            let request = CreateIdentity {
                organization: tenant,
                pod: None,
                handle: Handle::parse(&format!("agent{n}")).unwrap(),
                display_name: None,
                description: None,
                local_part: None,
                domain: DomainChoice::Server,
            };
            identity.create_identity(&request).await.map(|_| ())
        }
    });
    let outcomes = at_once(trying.collect()).await;
    let is_limit = |outcome: &&Result<(), IdentityError>| matches!(outcome, Err(IdentityError::PlanLimit));
    let refused = outcomes.iter().filter(is_limit).count();
    assert_eq!((outcomes.iter().flatten().count(), refused), (5, 11));
    check(&identity).await;
}
