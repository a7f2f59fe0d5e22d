//! A server's worth of API on a store in memory, and calls to it.

use crate::watched::Watched;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use postroom_drafts::Drafts;
use postroom_feed::Feed;
use postroom_http_api::{Endpoint, Options, Services, State, router};
use postroom_identity::{DomainNames, Identity, KeyScope};
use postroom_imports::Imports;
use postroom_intake::Intake;
use postroom_mailstore::Mailstore;
use postroom_outgoing_http::{OutgoingHttp, Reach};
use postroom_queue::Queue;
use postroom_store::{BoxFuture, MemoryStore, SharedStore};
use postroom_types::Domain;
use postroom_webhooks::{Hubs, Webhooks};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) store: SharedStore,
    pub(crate) stopping: CancellationToken,
    pub(crate) identity: Arc<Identity>,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) drafts: Arc<Drafts>,
    pub(crate) imports: Arc<Imports>,
    pub(crate) names: Arc<Zone>,
    pub(crate) operator: String,
    pub(crate) is_short_of_space: Arc<AtomicBool>,
}

/// What may differ from one server to the next.
#[derive(Default)]
pub(crate) struct Wish {
    pub(crate) intake: postroom_intake::Options,
    pub(crate) verified_sends: bool,
}

/// A tenant's keys and ids.
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) workspace: String,
}

/// What the DNS says: kinds, names and values.
#[derive(Default)]
pub(crate) struct Zone(pub(crate) Mutex<Vec<(String, String, String)>>);

impl Zone {
    fn of(&self, kind: &str, name: &str) -> Vec<String> {
        let records = self.0.lock().unwrap();
        let found = records.iter().filter(|(of, at, _)| of == kind && at == name);
        found.map(|(_, _, value)| value.clone()).collect()
    }
}

impl DomainNames for Zone {
    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move { Ok(self.of("TXT", name)) })
    }

    fn exchanges<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move { Ok(self.of("MX", name)) })
    }
}

/// What came back. `body` is `null` if it was not JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: Value,
}

impl Api {
    pub(crate) async fn new() -> Self {
        Self::with(postroom_intake::Options::default()).await
    }

    pub(crate) async fn with(intake: postroom_intake::Options) -> Self {
        let wish = Wish {
            intake,
            ..Wish::default()
        };
        Self::wished(wish).await
    }

    pub(crate) async fn wished(wish: Wish) -> Self {
        let store: SharedStore = Arc::new(Watched(MemoryStore::new()));
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&store),
            postroom_mailstore::Options::default(),
        ));
        let mut options = postroom_identity::Options::new(Domain::parse("example.test").unwrap());
        options.reserved_names = vec!["support".into()];
        let identity = Arc::new(Identity::new(Arc::clone(&store), Arc::clone(&mailstore), options));
        let operator = identity.bootstrap().await.unwrap().organization;
        let key = identity.create_key(&KeyScope::Operator(operator), None).await.unwrap();
        let domain = Domain::parse("example.test").unwrap();
        let queue = postroom_queue::Options::new("mail.example.test".into(), domain);
        let queue = Arc::new(Queue::new(Arc::clone(&store), queue));
        queue.start().await.unwrap();
        let intake = Arc::new(Intake::new(
            Arc::clone(&mailstore),
            Arc::clone(&identity),
            Arc::clone(&queue),
            wish.intake,
        ));
        let drafts = Arc::new(Drafts::new(
            Arc::clone(&mailstore),
            Arc::clone(&identity),
            Arc::clone(&intake),
        ));
        let endpoint = |host: &str, port| Endpoint {
            host: host.into(),
            port,
        };
        let options = Options {
            imap: endpoint("imap.example.test", 993),
            smtp: endpoint("smtp.example.test", 587),
            public_url: None,
            agent_sign_up: true,
            verified_sends: wish.verified_sends,
        };
        let feed = Arc::new(Feed::new(Arc::clone(&store), postroom_feed::Options::default()));
        let hubs = Hubs::new(Arc::clone(&feed), Arc::clone(&identity), Duration::from_secs(1));
        let http = OutgoingHttp::new(&postroom_outgoing_http::Options {
            reach: Reach::Loopback,
            servers: vec!["127.0.0.1:9".parse().unwrap()],
            ..postroom_outgoing_http::Options::default()
        })
        .unwrap();
        let webhooks = Arc::new(Webhooks::new(
            Arc::clone(&store),
            Arc::clone(&identity),
            Arc::clone(&hubs),
            http.clone(),
            postroom_webhooks::Options::default(),
        ));
        let stopping = CancellationToken::new();
        let names = Arc::new(Zone::default());
        let folder = std::env::temp_dir().join(format!("postroom-imports-{}", postroom_types::EmailId::new()));
        let imports = Arc::new(Imports::new(
            Arc::clone(&store),
            Arc::clone(&identity),
            Arc::clone(&intake),
            postroom_imports::Options::new(folder),
        ));
        let is_short_of_space = Arc::new(AtomicBool::new(false));
        let services = Services {
            imports: Arc::clone(&imports),
            identity: Arc::clone(&identity),
            mailstore: Arc::clone(&mailstore),
            intake,
            queue: Arc::clone(&queue),
            feed,
            drafts: Arc::clone(&drafts),
            hubs,
            webhooks: Arc::clone(&webhooks),
            outgoing_http: http,
            names: Arc::clone(&names) as Arc<dyn DomainNames>,
            stopping: stopping.clone(),
            is_short_of_space: Arc::clone(&is_short_of_space),
        };
        let state = State::new(services, options);
        tokio::spawn(Arc::clone(&webhooks).run(Arc::new(state.clone()), stopping.clone()));
        Self {
            router: router(state),
            store,
            stopping,
            identity,
            mailstore,
            queue,
            drafts,
            imports,
            names,
            operator: key.secret.expose().clone(),
            is_short_of_space,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            headers: parts.headers,
            bytes,
        }
    }

    async fn call(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("x-api-key", key);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.call("GET", path, key, None).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call("POST", path, key, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call("PATCH", path, key, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, key: &str) -> Answer {
        self.call("DELETE", path, key, None).await
    }

    pub(crate) async fn any(&self, method: &str, path: &str, key: &str) -> Answer {
        let body = (method != "GET" && method != "DELETE").then(|| json!({}));
        self.call(method, path, key, body).await
    }

    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let made = self.post("/v1/tenants", &self.operator, json!({ "name": name })).await;
        made.expect(StatusCode::CREATED);
        Tenant {
            id: made.text("id"),
            key: made.text("apiKey"),
            workspace: made.text("defaultWorkspaceId"),
        }
    }

    /// An unrestricted AgentMail key of an organization.
    pub(crate) async fn organization_key(&self, organization: &str) -> String {
        let scope = KeyScope::Organization(organization.parse().unwrap());
        let made = self.identity.create_key(&scope, None).await.unwrap();
        made.secret.expose().clone()
    }

    /// A workspace and a key for it.
    pub(crate) async fn workspace(&self, tenant: &Tenant, name: &str) -> (String, String) {
        let made = self.post("/v1/workspaces", &tenant.key, json!({ "name": name })).await;
        made.expect(StatusCode::CREATED);
        let id = made.text("id");
        let key = self
            .post(&format!("/v1/workspaces/{id}/keys"), &tenant.key, json!({}))
            .await;
        key.expect(StatusCode::CREATED);
        (id, key.text("key"))
    }

    pub(crate) async fn inbox(&self, key: &str, username: &str) -> Answer {
        let made = self.post("/v1/inboxes", key, json!({ "username": username })).await;
        made.expect(StatusCode::CREATED);
        made
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(&self, status: StatusCode) {
        assert_eq!(self.status, status.as_u16(), "{}", self.body);
    }

    /// An error in the contract's form, with this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        let text = self.body["error"].as_str().unwrap_or_default();
        assert!(!text.is_empty() && !text.contains("panicked"), "{text}");
    }

    #[track_caller]
    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field} in {}", self.body))
            .to_owned()
    }
}

/// All field names of a JSON value, at any depth.
pub(crate) fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| [vec![name.clone()], names(value)].concat())
            .collect(),
        Value::Array(items) => items.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}
