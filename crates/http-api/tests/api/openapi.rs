//! The API's own document is the one that was agreed on: a change of it is seen in review.

use crate::setup::Api;
use serde_json::Value;
use std::path::Path;

/// `POSTROOM_RECORD=1 cargo nextest run -p postroom-http-api openapi` writes it anew.
#[tokio::test]
async fn the_document_is_the_committed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = Api::new().await.get("/openapi.json", "").await.body;
    if std::env::var_os("POSTROOM_RECORD").is_some() {
        let text = serde_json::to_string_pretty(&document).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let committed: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for part in ["paths", "components"] {
        let (now, then) = (
            document[part].as_object().unwrap(),
            committed[part].as_object().unwrap(),
        );
        let names = now.keys().chain(then.keys());
        let changed: Vec<&String> = names.filter(|name| now.get(*name) != then.get(*name)).collect();
        assert!(
            changed.is_empty(),
            "{part} changed: {changed:?}; see the comment of this test"
        );
    }
    assert_eq!(document, committed);
}

/// Each of our own routes that is described is there, and asks for a key.
#[tokio::test]
async fn our_own_routes() {
    let api = Api::new().await;
    let document = api.get("/openapi.json", "").await.body;
    let paths = document["paths"].as_object().unwrap();
    let mut routes = 0;
    for (path, methods) in paths.iter().filter(|(path, _)| path.starts_with("/postroom/v1/")) {
        for (method, described) in methods.as_object().unwrap() {
            let id = "00000000-0000-0000-0000-000000000001";
            let place = path
                .split('/')
                .map(|segment| if segment.starts_with('{') { id } else { segment });
            let place: Vec<&str> = place.collect();
            let answer = api.any(&method.to_uppercase(), &place.join("/"), "").await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
            let id = described["operationId"].as_str().unwrap();
            assert!(id.starts_with("postroom."), "{id}");
            routes += 1;
        }
    }
    assert!(routes >= 30, "{routes}");
}

/// Whatever a schema refers to is there.
#[tokio::test]
async fn references_lead_somewhere() {
    let document = Api::new().await.get("/openapi.json", "").await.body;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
