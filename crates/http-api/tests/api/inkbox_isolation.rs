//! Every operation of the Inkbox dialect with dead keys, keys of other kinds and keys of others: what is not theirs is not
//! there, in the same words as what is nowhere.

use crate::inkbox_world::{Ink, letter};
use crate::setup::Answer;
use postroom_http_api::{InkboxOperation, inkbox_operations};
use postroom_identity::KeyScope;
use serde_json::json;

/// Mail and a draft of somebody's, and the path of an operation on them.
pub(crate) struct World {
    pub(crate) ink: Ink,
    pub(crate) message: String,
    thread: String,
    draft: String,
    pub(crate) identity: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let ink = Ink::new().await;
        let made = json!({ "agent_handle": "rover" });
        let made = ink.api.post("/api/v1/identities/", &ink.admin, made).await;
        let message = ink
            .receive("Subject: x\nMessage-ID: <x@example.net>\n\nx\n")
            .await
            .to_string();
        let thread = ink.good(&format!("messages/{message}")).await["thread_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let draft = ink.made("drafts", letter("d")).await["id"].as_str().unwrap().to_owned();
        Self {
            message,
            thread,
            draft,
            identity: made.text("agent_handle"),
            ink,
        }
    }

    /// Of what is there, or of what is nowhere.
    pub(crate) fn path(&self, operation: &InkboxOperation, there: bool) -> String {
        let nowhere = "00000000-0000-7000-8000-000000000000";
        let pick = |own: &str, other: &str| if there { own.to_owned() } else { other.to_owned() };
        let parts = operation.path.split('/').map(|part| match part {
            "{address}" => pick(self.ink.address, "nobody@example.test"),
            "{handle}" => pick(&self.identity, "nobody"),
            "{message}" => pick(&self.message, nowhere),
            "{thread}" => pick(&self.thread, nowhere),
            "{draft}" => pick(&self.draft, nowhere),
            "{part}" => "1".into(),
            "{filename}" => "a.txt".into(),
            part if part.starts_with('{') => nowhere.into(),
            part => part.to_owned(),
        });
        format!("/api{}", parts.collect::<Vec<_>>().join("/"))
    }

    async fn call(&self, operation: &InkboxOperation, there: bool, key: &str) -> Answer {
        self.ink
            .api
            .any(operation.method, &self.path(operation, there), key)
            .await
    }
}

#[tokio::test]
async fn dead_keys_and_keys_of_other_kinds() {
    let world = World::new().await;
    let api = &world.ink.api;
    let record = api.identity.inbox(world.ink.inbox).await.unwrap();
    let mut others = vec![api.operator.clone()];
    for scope in [
        KeyScope::Organization(record.organization),
        KeyScope::AgentPod(record.organization, record.pod),
        KeyScope::AgentInbox(record.organization, record.pod, record.id),
        KeyScope::Pod(record.organization, record.pod),
    ] {
        others.push(
            api.identity
                .create_key(&scope, None)
                .await
                .unwrap()
                .secret
                .expose()
                .clone(),
        );
    }
    for operation in inkbox_operations().filter(|operation| !operation.open) {
        for dead in ["", "tk_dead", "ak_dead", "nonsense"] {
            world.call(&operation, true, dead).await.fails(401, "unauthorized");
        }
        for key in &others {
            world.call(&operation, true, key).await.fails(403, "forbidden");
        }
        if operation.admin {
            world
                .call(&operation, true, &world.ink.key)
                .await
                .fails(403, "admin_key_required");
        }
    }
}

#[tokio::test]
async fn what_is_not_theirs_is_nowhere() {
    let world = World::new().await;
    let api = &world.ink.api;
    let stranger = api.tenant("B").await.key;
    let foreign = api.inbox(&stranger, "spy").await.text("apiKey");
    let sibling = api.inbox(&world.ink.admin, "ranger").await.text("apiKey");
    let before = api.mailstore.usage(world.ink.inbox).await.unwrap();
    let mut looked = 0;
    for operation in inkbox_operations() {
        let of_one = ["{address}", "{handle}"]
            .iter()
            .any(|name| operation.path.contains(name));
        for key in [&stranger, &foreign, &sibling] {
            let there = world.call(&operation, true, key).await;
            if of_one {
                let nowhere = world.call(&operation, false, key).await;
                assert!(there.status >= 400, "{operation:?}: {}", there.body);
                assert_eq!(
                    (there.status, &there.body),
                    (nowhere.status, &nowhere.body),
                    "{operation:?}"
                );
                looked += 1;
            }
            let text = there.body.to_string();
            for secret in [world.ink.address, &world.message, &world.thread, &world.draft] {
                assert!(!text.contains(secret), "{operation:?}: {text}");
            }
        }
    }
    assert!(looked > 60, "{looked}");
    assert_eq!(api.mailstore.usage(world.ink.inbox).await.unwrap(), before);
    let untouched = format!("messages/{}", world.message);
    assert_eq!(world.ink.good(&untouched).await["is_starred"], json!(false));
    assert_eq!(world.ink.good(&format!("drafts/{}", world.draft)).await["subject"], "d");
    world.ink.check().await;
}

#[test]
fn the_table_names_each_operation_once() {
    let mut all: Vec<_> = inkbox_operations()
        .map(|operation| (operation.path, operation.method))
        .collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    assert!(
        all.iter()
            .all(|(path, _)| path.starts_with("/v1/") || *path == "/whoami")
    );
}
