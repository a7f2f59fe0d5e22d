//! Pages of inboxes and keys, and the search for inboxes.

use crate::asked_inboxes::{asked, get};
use crate::setup::{create, identity, on, tenant};
use postroom_identity::{CreateInbox, IdentityError, KeyScope, KeyWish, PageOf};
use postroom_store::{CommitBuilder, MemoryStore, Store};
use postroom_types::{InboxId, OrganizationId, PodId};

#[tokio::test]
async fn pages_go_both_ways() {
    for store in [MemoryStore::new(), MemoryStore::hostile(40)] {
        let identity = on(store, |_| {});
        identity.bootstrap().await.unwrap();
        let new = tenant(&identity, "A").await;
        let id = new.organization.id;
        let pod = identity.create_pod(id, "P", None).await.unwrap().id;
        let (mut all, mut within) = (Vec::new(), Vec::new());
        for n in 0..9 {
            let request = CreateInbox {
                pod: (n % 3 == 0).then_some(pod),
                ..asked(id, None)
            };
            let inbox = get(&identity, &request).await.0;
            all.push(inbox.id);
            within.extend((inbox.pod == pod).then_some(inbox.id));
        }
        for (of, expected) in [(None, &all), (Some(pod), &within)] {
            for (ascending, limit) in [
                (true, 1),
                (true, 4),
                (true, 9),
                (false, 1),
                (false, 2),
                (false, 9),
                (false, 50),
            ] {
                let (mut after, mut listed) = (None, Vec::new());
                loop {
                    let page = PageOf {
                        after,
                        ascending,
                        limit,
                    };
                    let page = identity.inbox_page(id, of, &page).await.unwrap();
                    assert!(page.inboxes.len() <= limit);
                    listed.extend(page.inboxes.iter().map(|inbox| inbox.id));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                if !ascending {
                    listed.reverse();
                }
                assert_eq!(&listed, expected, "{of:?} {ascending} {limit}");
            }
        }
    }
}

#[tokio::test]
async fn searching() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let pod = identity.create_pod(id, "P", None).await.unwrap().id;
    for (name, display_name, of) in [
        ("support", None, None),
        ("sales", Some("Support for sales"), None),
        ("support.team", None, Some(pod)),
        ("import", None, None),
    ] {
        let request = CreateInbox {
            pod: of,
            display_name: display_name.map(str::to_owned),
            ..asked(id, Some(name))
        };
        get(&identity, &request).await;
    }
    let found = async |of, query: &str, offset, limit| -> Vec<String> {
        let found = identity.search_inboxes(id, of, query, offset, limit).await.unwrap();
        found
            .iter()
            .map(|inbox| inbox.canonical.local_part().to_owned())
            .collect()
    };
    assert_eq!(found(None, "sup", 0, 9).await, ["support.team", "support", "sales"]);
    assert_eq!(found(None, "sup", 1, 1).await, ["support"]);
    assert_eq!(
        found(None, "support@example.test", 0, 9).await,
        ["support", "support.team", "sales"]
    );
    assert_eq!(found(None, "Example SALES", 0, 9).await, ["sales"]);
    assert_eq!(found(Some(pod), "support", 0, 9).await, ["support.team"]);
    assert!(found(None, "port", 0, 9).await.is_empty());
    let inbox = identity
        .search_inboxes(id, None, "import", 0, 1)
        .await
        .unwrap()
        .remove(0);
    identity.delete_inbox(inbox.id).await.unwrap();
    assert!(found(None, "import", 0, 9).await.is_empty());
    let short = identity.search_inboxes(id, None, "x", 0, 9).await;
    assert!(matches!(short, Err(IdentityError::Invalid(_))), "{short:?}");
    let by_alias = create(&identity, id, "scout").await.inbox;
    identity
        .add_address(by_alias.id, "alias@other.test", false)
        .await
        .unwrap();
    let found = identity
        .inbox_at_address(&crate::setup::address("Alias@Other.test"))
        .await
        .unwrap();
    assert_eq!(found.map(|inbox| inbox.id), Some(by_alias.id));
    let nobody = crate::setup::address("nobody@other.test");
    assert_eq!(identity.inbox_at_address(&nobody).await.unwrap(), None);
}

/// Rows of an organization's lists for inboxes and keys of another pod, which are not there themselves.
async fn fill(store: &MemoryStore, organization: OrganizationId, count: usize) {
    let other = PodId::new();
    let row = [&[1][..], &[7; 32], other.as_bytes()].concat();
    for _ in 0..count / 250 {
        let mut builder = CommitBuilder::new();
        for _ in 0..250 {
            let id = InboxId::new();
            let inbox = [b"in", &organization.as_bytes()[..], id.as_bytes()].concat();
            builder.put(inbox, [&[1][..], other.as_bytes()].concat());
            let key = [b"ij", &organization.as_bytes()[..], id.as_bytes()].concat();
            builder.put(key, row.clone());
        }
        store.commit(builder.build()).await.unwrap();
    }
}

#[tokio::test]
async fn a_small_part_of_a_long_list_is_found_page_by_page() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let new = tenant(&identity, "A").await;
    let (id, pod) = (new.organization.id, new.default_pod.id);
    let root = identity.create_key(&KeyScope::Organization(id), None).await.unwrap();
    let root = identity.authenticate_key(root.secret.expose()).await.unwrap().unwrap();
    let scope = KeyScope::AgentPod(id, pod);
    let (mut inboxes, mut keys) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        fill(&store, id, 6000).await;
        inboxes.push(get(&identity, &asked(id, None)).await.0.id);
        let key = identity
            .create_key_with(&root, &scope, &KeyWish::default())
            .await
            .unwrap();
        keys.push(key.record.id);
    }
    fill(&store, id, 1000).await;
    for ascending in [true, false] {
        let (mut after, mut listed, mut empty) = (None, Vec::new(), 0);
        loop {
            let page = PageOf {
                after,
                ascending,
                limit: 5,
            };
            let page = identity.inbox_page(id, Some(pod), &page).await.unwrap();
            empty += u32::from(page.inboxes.is_empty());
            listed.extend(page.inboxes.iter().map(|inbox| inbox.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let (mut after, mut listed_keys) = (None, Vec::new());
        loop {
            let page = PageOf {
                after,
                ascending,
                limit: 5,
            };
            let page = identity.key_page(&scope, &page).await.unwrap();
            listed_keys.extend(page.keys.iter().map(|key| key.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if !ascending {
            listed.reverse();
            listed_keys.reverse();
        }
        assert_eq!((&listed, &listed_keys), (&inboxes, &keys));
        assert!(empty > 0, "no call reads the whole list");
    }
}
