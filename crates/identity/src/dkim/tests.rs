use super::*;
use crate::Options;
use postroom_mailstore::Mailstore;
use postroom_store::{MemoryStore, SharedStore};
use std::collections::HashSet;

const DAY: i64 = 86_400_000;
/// 2026-11-21.
const START: i64 = 1_795_219_200_000;

async fn identity() -> Identity {
    let store: SharedStore = MemoryStore::new();
    let mailstore = Arc::new(Mailstore::new(
        Arc::clone(&store),
        postroom_mailstore::Options::default(),
    ));
    let identity = Identity::new(store, mailstore, Options::new(home()));
    identity.bootstrap().await.unwrap();
    identity
}

fn home() -> Domain {
    Domain::parse("example.test").unwrap()
}

/// Selector and stage of each key, as text.
async fn stages(identity: &Identity, now: i64) -> String {
    let keys = identity.dkim_keys(&home(), now).await.unwrap();
    let shown = keys
        .iter()
        .map(|key| format!("{} {}", key.selector, key.stage.as_str()));
    shown.collect::<Vec<_>>().join(", ")
}

/// The selectors that a message is signed with.
async fn signs_with(identity: &Identity, now: i64) -> HashSet<String> {
    let signer = identity.signer_at(&home(), now).await.unwrap().unwrap();
    let fields = signer.sign(b"From: a@example.test\r\n\r\nhello\r\n").unwrap();
    let fields = String::from_utf8(fields).unwrap();
    let tags = fields.split([';', '\n']).map(str::trim);
    tags.filter_map(|tag| tag.strip_prefix("s="))
        .map(str::to_owned)
        .collect()
}

fn pair(name: &str) -> HashSet<String> {
    HashSet::from([format!("r{name}"), format!("e{name}")])
}

#[tokio::test]
async fn a_pair_is_published_before_it_signs_and_goes_long_after() {
    let identity = identity().await;
    assert_eq!(signs_with(&identity, START).await, pair("20261121a"));
    let keys = identity.rotate_dkim_at(&home(), false, START).await.unwrap();
    assert_eq!(keys.len(), 4);
    assert_eq!(keys[2].signs_from, START + 2 * DAY);
    for (days, expected) in [
        (
            0,
            "e20261121a signing, r20261121a signing, e20261121b published, r20261121b published",
        ),
        (
            2,
            "e20261121a superseded, r20261121a superseded, e20261121b signing, r20261121b signing",
        ),
        (
            9,
            "e20261121a retired, r20261121a retired, e20261121b signing, r20261121b signing",
        ),
        (39, "e20261121b signing, r20261121b signing"),
    ] {
        assert_eq!(stages(&identity, START + days * DAY).await, expected, "day {days}");
        if days > 0 {
            let before = START + days * DAY - 1;
            assert_ne!(stages(&identity, before).await, expected, "just before day {days}");
        }
    }
    // The cached signer changes by the clock alone.
    assert_eq!(signs_with(&identity, START + 2 * DAY - 1).await, pair("20261121a"));
    assert_eq!(signs_with(&identity, START + 2 * DAY).await, pair("20261121b"));
}

#[tokio::test]
async fn rotations_in_any_order_leave_one_pair_signing() {
    let identity = identity().await;
    let steps = [(0, false), (1, false), (1, true), (2, false), (30, false), (31, true)];
    let mut last = HashSet::new();
    for (day, at_once) in steps {
        let now = START + day * DAY;
        identity.rotate_dkim_at(&home(), at_once, now).await.unwrap();
        for half_day in 0..200 {
            let signing = signs_with(&identity, now + half_day * DAY / 2).await;
            assert_eq!(signing.len(), 2, "{signing:?}");
            last = signing;
        }
        // Signers were kept for times to come.
        identity.hosted.signers().clear();
    }
    assert_eq!(last, pair("20261222a"));
}

#[tokio::test]
async fn rotation_has_an_end_and_retired_keys_are_wiped() {
    let identity = identity().await;
    for _ in 0..MAX_PAIRS {
        identity.rotate_dkim_at(&home(), true, START).await.unwrap();
    }
    let more = identity.rotate_dkim_at(&home(), true, START).await;
    assert!(matches!(more, Err(IdentityError::TooMany(_))), "{more:?}");
    let private = async || {
        let rows = identity.dkim_rows(&home()).await.unwrap();
        (rows.len(), rows.iter().filter(|row| row.key.private.is_some()).count())
    };
    identity.maintain_domains_at(START + 7 * DAY - 1).await.unwrap();
    assert_eq!(private().await, (16, 16));
    identity.maintain_domains_at(START + 7 * DAY).await.unwrap();
    assert_eq!(private().await, (16, 2));
    identity.maintain_domains_at(START + 37 * DAY).await.unwrap();
    assert_eq!(private().await, (2, 2));
    assert_eq!(signs_with(&identity, START + 37 * DAY).await, pair("20261121h"));
}

#[tokio::test]
async fn keys_made_at_once_by_many_are_one_pair() {
    let identity = identity().await;
    let home = home();
    let (one, two, three) = tokio::join!(
        identity.signer_at(&home, START),
        identity.signer_at(&home, START),
        identity.ready_dkim_keys(&home, START)
    );
    assert!(one.unwrap().is_some() && two.unwrap().is_some());
    assert_eq!(three.unwrap().len(), 2);
    assert_eq!(stages(&identity, START).await, "e20261121a signing, r20261121a signing");
}

#[tokio::test]
async fn nothing_printed_holds_a_private_key() {
    let identity = identity().await;
    identity.signer_at(&home(), START).await.unwrap();
    let rows = identity.dkim_rows(&home()).await.unwrap();
    let shown = format!("{:?}", identity.domain(&home()).await.unwrap());
    for row in rows {
        assert!(
            row.value.len() < postroom_store::MAX_VALUE_OCTETS,
            "{}",
            row.value.len()
        );
        let stored = String::from_utf8_lossy(&row.value).into_owned();
        let private = stored
            .split("\"private\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert!(private.len() > 60 && !shown.contains(private));
    }
}
