//! What owners keep with inboxes.

use crate::asked_inboxes::{asked, get};
use crate::setup::{identity, on, tenant};
use postroom_identity::{CreateInbox, IdentityError, InboxChange, Metadata};
use postroom_store::{CommitBuilder, MemoryStore, Store, scan_prefix};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn object(value: serde_json::Value) -> Metadata {
    match value {
        serde_json::Value::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

async fn metadata_merges(store: Arc<MemoryStore>) {
    let identity = on(store.clone(), |_| {});
    identity.bootstrap().await.unwrap();
    let id = tenant(&identity, "A").await.organization.id;
    let big: Metadata = (0..256)
        .map(|n| (format!("{n:0>256}"), json!("ü".repeat(256))))
        .collect();
    let request = CreateInbox {
        metadata: Some(big.clone()),
        ..asked(id, None)
    };
    let inbox = get(&identity, &request).await.0;
    let kept = async || identity.metadata_object(inbox.id).await.unwrap();
    assert_eq!(kept().await, Some(big.clone()));
    let merge = async |change: Option<Metadata>| {
        let change = InboxChange {
            merge_metadata: Some(change),
            ..InboxChange::default()
        };
        identity.update_inbox(inbox.id, &change).await
    };
    let mut expected = big.clone();
    let first = format!("{:0>256}", 0);
    expected.remove(&first);
    expected.insert("team".into(), json!(true));
    let updated = merge(Some(object(json!({ first.as_str(): null, "team": true }))))
        .await
        .unwrap();
    assert!(updated.updated_at() > inbox.updated_at());
    assert_eq!(kept().await, Some(expected));
    for bad in [json!({}), json!({"one": "more"}), json!({"a": [1]})] {
        assert!(matches!(merge(Some(object(bad))).await, Err(IdentityError::Invalid(_))));
    }
    merge(None).await.unwrap();
    assert_eq!(kept().await, None);
    let parts = scan_prefix(&*store, b"im").collect().await.unwrap();
    assert!(parts.is_empty(), "{} rows are left", parts.len());
    merge(Some(object(json!({"a": 5.0, "b": "x"})))).await.unwrap();
    merge(Some(big.clone())).await.unwrap_err();
    merge(Some(object(json!({"b": null})))).await.unwrap();
    assert_eq!(
        identity.metadata(inbox.id).await.unwrap().as_deref(),
        Some(r#"{"a":5.0}"#)
    );

    // Long metadata goes with its inbox.
    merge(None).await.unwrap();
    merge(Some(big)).await.unwrap();
    identity.delete_inbox(inbox.id).await.unwrap();
    identity.purge_deleted(Duration::ZERO).await.unwrap();
    assert!(scan_prefix(&*store, b"im").collect().await.unwrap().is_empty());
}

#[tokio::test]
async fn metadata_of_any_length_merges() {
    metadata_merges(MemoryStore::new()).await;
    metadata_merges(MemoryStore::hostile(31)).await;
}

#[tokio::test]
async fn metadata_of_before_is_read_and_merged() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    let id = tenant(&identity, "A").await.organization.id;
    let inbox = get(&identity, &asked(id, None)).await.0;
    // As the first release wrote it: the JSON text as a JSON text.
    let mut builder = CommitBuilder::new();
    builder.put(
        [b"im", &inbox.id.as_bytes()[..]].concat(),
        b"\x01\"{\\\"a\\\":{\\\"deep\\\":1}}\"".to_vec(),
    );
    store.commit(builder.build()).await.unwrap();
    assert_eq!(
        identity.metadata(inbox.id).await.unwrap().as_deref(),
        Some(r#"{"a":{"deep":1}}"#)
    );
    let change = InboxChange {
        merge_metadata: Some(Some(object(json!({"b": 2})))),
        ..InboxChange::default()
    };
    identity.update_inbox(inbox.id, &change).await.unwrap();
    let kept = identity.metadata_object(inbox.id).await.unwrap().unwrap();
    assert_eq!(kept, object(json!({"a": {"deep": 1}, "b": 2})));
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_at_once_lose_nothing() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let inbox = get(&identity, &asked(id, None)).await.0.id;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24 {
        let identity = Arc::clone(&identity);
        tasks.spawn(async move {
            let text = "x".repeat(256);
            let change = InboxChange {
                merge_metadata: Some(Some(object(json!({ format!("k{n}"): text })))),
                ..InboxChange::default()
            };
            identity.update_inbox(inbox, &change).await.unwrap();
            identity.metadata(inbox).await.unwrap().expect("there is some now");
        });
    }
    tasks.join_all().await;
    assert_eq!(identity.metadata_object(inbox).await.unwrap().unwrap().len(), 24);
}
