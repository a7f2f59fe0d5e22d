//! Every operation of the AgentMail dialect with every kind of key: organization, pod, inbox, each single permission, and
//! keys of others. The operations come from the API's own document, so that none can be left out.

use crate::setup::{Answer, Api};
use axum::http::StatusCode;
use serde_json::{Value, json};

/// One route of an operation.
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    permissions: Vec<String>,
}

impl Route {
    /// Whether a call that succeeds takes something away that the next one needs.
    fn removes_its_scope(&self) -> bool {
        self.method == "DELETE" && (self.path.ends_with("{inbox_id}") || self.path.ends_with("{pod_id}"))
    }
}

/// An organization with a pod and an inbox in it, and a key at each level.
pub(crate) struct Tree {
    pub(crate) organization: String,
    pub(crate) pod: String,
    pub(crate) inbox: String,
    pub(crate) keys: [String; 3],
}

impl Tree {
    pub(crate) async fn plant(api: &Api, name: &str) -> Self {
        let tenant = api.tenant(name).await;
        let organization = api.organization_key(&tenant.id).await;
        let pod = api
            .post("/v0/pods", &organization, json!({ "name": name }))
            .await
            .ok("pod_id");
        let wanted = json!({ "username": format!("{name}-inbox") });
        let inbox = api
            .post(&format!("/v0/pods/{pod}/inboxes"), &organization, wanted)
            .await
            .ok("inbox_id");
        let mut keys = vec![organization.clone()];
        for above in [format!("/v0/pods/{pod}"), format!("/v0/inboxes/{inbox}")] {
            let made = api
                .post(&format!("{above}/api-keys"), &organization, json!({ "name": "test" }))
                .await;
            keys.push(made.ok("api_key"));
        }
        Self {
            organization,
            pod,
            inbox,
            keys: keys.try_into().unwrap(),
        }
    }

    fn path(&self, route: &Route) -> String {
        let path = route
            .path
            .replace("{pod_id}", &self.pod)
            .replace("{inbox_id}", &self.inbox);
        // What a path names beside these is not there: the answer may be 404, but never for want of a permission.
        let part = |part: &str| match part.strip_prefix('{') {
            None => part.to_owned(),
            Some("message_id}") => "%3Cnone@example.test%3E".into(),
            Some("direction}") => "receive".into(),
            Some("type}") => "block".into(),
            Some("domain_id}") => "none.example.test".into(),
            Some("entry}") => "none@example.test".into(),
            Some(_) => "00000000-0000-7000-8000-000000000000".into(),
        };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// A key with these permissions alone: its id and itself.
    async fn key_with(&self, api: &Api, permissions: Value) -> (String, String) {
        let body = json!({ "name": "narrow", "permissions": permissions });
        let made = api.post("/v0/api-keys", &self.organization, body).await;
        (made.ok("api_key_id"), made.ok("api_key"))
    }

    async fn revoke(&self, api: &Api, id: &str) {
        api.delete(&format!("/v0/api-keys/{id}"), &self.organization)
            .await
            .expect(StatusCode::NO_CONTENT);
    }
}

impl Answer {
    /// The field of an answer that must be good.
    #[track_caller]
    fn ok(&self, field: &str) -> String {
        self.expect(StatusCode::OK);
        self.text(field)
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// The routes of the dialect.
async fn routes(api: &Api) -> Vec<Route> {
    let (routes, _) = all_routes(api)
        .await
        .into_iter()
        .partition::<Vec<_>, _>(|route| route.path.starts_with("/v0/"));
    assert!(routes.len() > 40, "the document has {} routes", routes.len());
    routes
}

pub(crate) async fn all_routes(api: &Api) -> Vec<Route> {
    let document = api.get("/openapi.json", "").await;
    let mut routes = Vec::new();
    for (path, item) in document.body["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                permissions: serde_json::from_value(operation["x-permissions"].clone()).unwrap_or_default(),
            });
        }
    }
    routes
}

fn all_permissions() -> Vec<&'static str> {
    postroom_identity::Permission::ALL
        .iter()
        .map(|permission| permission.as_str())
        .collect()
}

#[tokio::test]
async fn without_a_key_nothing() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "tree").await;
    for route in routes(&api).await {
        let path = tree.path(&route);
        if path.starts_with("/v0/agent/sign-up") {
            continue;
        }
        for (key, code) in [
            ("", "missing_authorization"),
            ("am_none", "unknown_api_key"),
            (&*api.operator, "unknown_api_key"),
        ] {
            let answer = api.any(&route.method, &path, key).await;
            assert_eq!((answer.status, answer.code()), (401, code), "{} {path}", route.method);
        }
    }
}

#[tokio::test]
async fn our_own_routes_need_a_key_too() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "tree").await;
    let own = all_routes(&api)
        .await
        .into_iter()
        .filter(|route| !route.path.starts_with("/v0/"));
    let mut count = 0;
    for route in own {
        let path = tree.path(&route);
        for key in ["", "am_none"] {
            let answer = api.any(&route.method, &path, key).await;
            let told = (answer.status, answer.code());
            assert_eq!(told, (401, "UNAUTHORIZED"), "{} {path}", route.method);
        }
        count += 1;
    }
    assert!(count > 20, "the document has {count} routes of our own");
}

#[tokio::test]
async fn each_single_permission() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "tree").await;
    for (number, route) in routes(&api).await.into_iter().enumerate() {
        let path = tree.path(&route);
        for needed in &route.permissions {
            let others: Value = all_permissions()
                .into_iter()
                .map(|name| (name.to_owned(), Value::from(name != needed)))
                .collect();
            let (id, without) = tree.key_with(&api, others).await;
            let answer = api.any(&route.method, &path, &without).await;
            tree.revoke(&api, &id).await;
            let refused = (answer.status, answer.code());
            assert_eq!(refused, (403, "missing_permission"), "{} {path}", route.method);
            let fix = answer.text("fix");
            assert!(fix.contains(needed.as_str()), "{} {path}: {fix}", route.method);
        }

        let other;
        let tree = match route.removes_its_scope() {
            true => {
                other = Tree::plant(&api, &format!("other{number}")).await;
                &other
            }
            false => &tree,
        };
        let needed = route.permissions.iter().map(|name| (name.clone(), Value::from(true)));
        let (id, alone) = tree.key_with(&api, needed.collect()).await;
        let answer = api.any(&route.method, &tree.path(&route), &alone).await;
        tree.revoke(&api, &id).await;
        assert_ne!(
            answer.code(),
            "missing_permission",
            "{} {path}: {}",
            route.method,
            answer.body
        );
        assert_ne!(answer.status, 401, "{} {path}: {}", route.method, answer.body);
        assert!(answer.status < 500, "{} {path}: {}", route.method, answer.body);
    }
}

/// Keys of another organization, another pod and another inbox find nothing, whatever they ask for.
#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let api = Api::new().await;
    let (tree, foreign) = (Tree::plant(&api, "tree").await, Tree::plant(&api, "foreign").await);
    let sibling = {
        let pod = api
            .post("/v0/pods", &tree.organization, json!({ "name": "sibling" }))
            .await
            .ok("pod_id");
        let wanted = json!({ "username": "sibling" });
        let inbox = api
            .post(&format!("/v0/pods/{pod}/inboxes"), &tree.organization, wanted)
            .await
            .ok("inbox_id");
        let mut keys = Vec::new();
        for above in [format!("/v0/pods/{pod}"), format!("/v0/inboxes/{inbox}")] {
            let made = api
                .post(&format!("{above}/api-keys"), &tree.organization, json!({}))
                .await;
            keys.push(made.ok("api_key"));
        }
        keys
    };
    for route in routes(&api).await {
        let names_something = route.path.contains("{pod_id}") || route.path.contains("{inbox_id}");
        if !names_something {
            continue;
        }
        let path = tree.path(&route);
        for key in foreign.keys.iter().chain(&sibling) {
            let answer = api.any(&route.method, &path, key).await;
            let expected = if route.path.contains("/pods/{pod_id}") && (key == &foreign.keys[2] || key == &sibling[1]) {
                (403, "forbidden")
            } else {
                (404, "not_found")
            };
            assert_eq!(
                (answer.status, answer.code()),
                expected,
                "{} {path}: {}",
                route.method,
                answer.body
            );
        }
    }
    // Nothing of it had an effect.
    api.get(
        &format!("/v0/pods/{}/inboxes/{}", tree.pod, tree.inbox),
        &tree.organization,
    )
    .await
    .expect(StatusCode::OK);
}

/// Own keys at each level reach what lies in their scope.
#[tokio::test]
async fn scopes_reach_what_is_theirs() {
    let api = Api::new().await;
    let tree = Tree::plant(&api, "tree").await;
    for route in routes(&api).await {
        if route.removes_its_scope() || route.path == "/v0/api-keys/{api_key_id}" {
            continue;
        }
        let path = tree.path(&route);
        let below_inbox = route.path.starts_with("/v0/inboxes/{inbox_id}");
        let below_pod = route.path.starts_with("/v0/pods/{pod_id}");
        for (level, key) in tree.keys.iter().enumerate() {
            if route.method != "GET" && level == 0 {
                continue;
            }
            let answer = api.any(&route.method, &path, key).await;
            assert!(
                answer.status < 500,
                "{} {path} with key {level}: {}",
                route.method,
                answer.body
            );
            assert_ne!(
                answer.status, 401,
                "{} {path} with key {level}: {}",
                route.method, answer.body
            );
            if level == 2 && below_pod {
                assert_eq!(
                    answer.status, 403,
                    "{} {path} with an inbox key: {}",
                    route.method, answer.body
                );
            } else if below_inbox || below_pod {
                assert_ne!(
                    answer.code(),
                    "missing_permission",
                    "{} {path}: {}",
                    route.method,
                    answer.body
                );
            }
        }
    }
}
