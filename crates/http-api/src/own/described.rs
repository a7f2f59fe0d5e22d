//! Our own routes in the API's document: what they are asked, what they answer, and with which keys.
//!
//! What always holds: what is described is there; a test asks for each of them. A route that is added to the router is
//! added here.

mod answers;
mod schema;

pub(super) use answers::waited;

use answers as of;
use schema::{Of, flag, list, number_from, octets, one_of, text};
use serde_json::{Map, Value, json};

/// Which keys a route takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// The operator's alone.
    Operator,
    /// Any, for what its owner may see.
    Any,
    /// Those of tenants that may read messages.
    Readers,
}

type Parameters = &'static [(&'static str, Of)];

/// A route.
struct Route {
    /// The name of its operation, below `postroom.`.
    id: &'static str,
    method: &'static str,
    /// Below `/postroom/v1`.
    path: &'static str,
    about: &'static str,
    keys: Keys,
    query: Parameters,
    headers: Parameters,
    body: Option<Of>,
    status: &'static str,
    answers: &'static [(&'static str, Of)],
}

impl Route {
    /// What most have in common.
    const PLAIN: Self = Self {
        id: "",
        method: "get",
        path: "",
        about: "",
        keys: Keys::Any,
        query: &[],
        headers: &[],
        body: None,
        status: "200",
        answers: &[],
    };
}

const JSON: &str = "application/json";
const MESSAGE: &str = "message/rfc822";
const RAW: &[(&str, Of)] = &[(MESSAGE, octets)];

const PAGE: [(&str, Of); 2] = [("limit", limit), ("after", text)];
const EVENTS: Parameters = &[
    ("after", text),
    ("limit", || number_from(1, 1000)),
    ("wait", || number_from(0, 55)),
    ("event_types", || list(&text())),
    ("pod_id", || list(&text())),
    ("inbox_id", || list(&text())),
];
const WAIT: Parameters = &[
    ("timeout", || number_from(0, 55)),
    ("from", text),
    ("subject", text),
    ("thread", text),
    ("since", text),
    ("extract", || one_of(&["code", "link"])),
    ("purpose", || one_of(&["verify", "reset", "login"])),
    ("dmarc", || one_of(&["pass"])),
    ("consume", flag),
    ("include_spam", flag),
    ("include_unauthenticated", flag),
];

fn limit() -> Value {
    number_from(1, 500)
}

fn states() -> Value {
    let mut names = super::queue_view::state_names();
    names.extend(["pending", "all"]);
    one_of(&names)
}

fn captured_item() -> Value {
    schema::named("PostroomCaptured")
}

fn domain() -> Value {
    schema::named("PostroomDomain")
}

fn inbox() -> Value {
    schema::named("PostroomInbox")
}

fn organization() -> Value {
    schema::named("PostroomOrganization")
}

fn deleted() -> Value {
    schema::named("PostroomDeleted")
}

use Keys::{Operator, Readers};

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route { id: "events.list", path: "/events", about: "What happened, in order: a page, a page that waits, or (with Accept: text/event-stream) a stream.", keys: Readers, query: EVENTS, headers: &[("last-event-id", text)], answers: &[(JSON, of::events)], ..Route::PLAIN },
    Route { id: "inboxes.wait", path: "/inboxes/{inbox}/wait", about: "Waits for a message, and reads a code or a link out of it.", keys: Readers, query: WAIT, headers: &[("idempotency-key", text)], answers: &[(JSON, of::waited)], ..Route::PLAIN },
    Route { id: "inboxes.get", path: "/inboxes/{inbox}", about: "An inbox, with its settings.", answers: &[(JSON, inbox)], ..Route::PLAIN },
    Route { id: "inboxes.update", method: "patch", path: "/inboxes/{inbox}", about: "Changes settings of an inbox.", body: Some(of::changed_inbox), answers: &[(JSON, inbox)], ..Route::PLAIN },
    Route { id: "inboxes.identity", method: "post", path: "/inboxes/{inbox}/identity", about: "Gives an identity to an inbox without one: with the operator's key, or one of all of its organization. The handle need not be the local-part; asked again with the same, nothing changes.", body: Some(of::wanted_identity), answers: &[(JSON, of::identity)], ..Route::PLAIN },
    Route { id: "inboxes.messages.raw", path: "/inboxes/{inbox}/messages/{message}/raw", about: "A message octet by octet.", answers: RAW, ..Route::PLAIN },
    Route { id: "inboxes.messages.trace", path: "/inboxes/{inbox}/messages/{message}/trace", about: "What became of a message that an inbox sent.", answers: &[(JSON, of::trace)], ..Route::PLAIN },
    Route { id: "captured.list", path: "/captured", about: "Mail that was caught instead of sent.", query: &PAGE, answers: &[(JSON, of::captured_page)], ..Route::PLAIN },
    Route { id: "captured.get", path: "/captured/{captured}", about: "A message that was caught.", answers: &[(JSON, captured_item)], ..Route::PLAIN },
    Route { id: "captured.raw", path: "/captured/{captured}/raw", about: "A message that was caught, octet by octet.", answers: RAW, ..Route::PLAIN },
    Route { id: "postmaster.get", path: "/postmaster", about: "The operator's own inbox, where postmaster@ and abuse@ of every domain come.", keys: Operator, answers: &[(JSON, inbox)], ..Route::PLAIN },
    Route { id: "postmaster.rotate_credentials", method: "post", path: "/postmaster/rotate-credentials", about: "Gives the operator's own inbox a new key and a new password, or one of them; told here only, and the old ones stop.", keys: Operator, body: Some(of::wanted_secrets), answers: &[(JSON, of::postmaster)], ..Route::PLAIN },
    Route { id: "queue.list", path: "/queue", about: "Recipients that mail waits for, or has reached.", query: &[PAGE[0], PAGE[1], ("state", states), ("domain", text), ("inbox", text)], answers: &[(JSON, of::queue_page)], ..Route::PLAIN },
    Route { id: "queue.flush", method: "post", path: "/queue/flush", about: "Tries everything that waits.", keys: Operator, answers: &[(JSON, of::flushed)], ..Route::PLAIN },
    Route { id: "queue.get", path: "/queue/{message}", about: "A message in the queue, with each attempt.", answers: &[(JSON, of::queued)], ..Route::PLAIN },
    Route { id: "queue.retry", method: "post", path: "/queue/{message}/retry", about: "Tries a message at once, also one that is held.", body: Some(of::of_recipient), answers: &[(JSON, of::acted)], ..Route::PLAIN },
    Route { id: "queue.hold", method: "post", path: "/queue/{message}/hold", about: "Keeps a message back.", body: Some(of::of_recipient), answers: &[(JSON, of::acted)], ..Route::PLAIN },
    Route { id: "queue.cancel", method: "post", path: "/queue/{message}/cancel", about: "Takes a message back.", body: Some(of::of_recipient), answers: &[(JSON, of::acted)], ..Route::PLAIN },
    Route { id: "domains.list", path: "/domains", about: "The server's domains.", keys: Operator, answers: &[(JSON, of::domains)], ..Route::PLAIN },
    Route { id: "domains.add", method: "post", path: "/domains", about: "Adds a domain.", keys: Operator, body: Some(of::new_domain), status: "201", answers: &[(JSON, domain)], ..Route::PLAIN },
    Route { id: "domains.get", path: "/domains/{domain}", about: "A domain with its DKIM keys.", keys: Operator, answers: &[(JSON, domain)], ..Route::PLAIN },
    Route { id: "domains.update", method: "patch", path: "/domains/{domain}", about: "Sets the address that gets what nobody else does.", keys: Operator, body: Some(of::changed_domain), answers: &[(JSON, domain)], ..Route::PLAIN },
    Route { id: "domains.delete", method: "delete", path: "/domains/{domain}", about: "Removes a domain.", keys: Operator, answers: &[(JSON, deleted)], ..Route::PLAIN },
    Route { id: "domains.dns", path: "/domains/{domain}/dns", about: "The DNS records that a domain needs.", keys: Operator, query: &[("format", || one_of(&["json", "text", "zone"]))], answers: &[(JSON, of::dns), ("text/plain; charset=utf-8", text)], ..Route::PLAIN },
    Route { id: "domains.rotate_dkim", method: "post", path: "/domains/{domain}/rotate-dkim", about: "Begins to change the DKIM keys of a domain.", keys: Operator, body: Some(of::rotation), answers: &[(JSON, of::rotated)], ..Route::PLAIN },
    Route { id: "organizations.list", path: "/organizations", about: "The organizations, or those that were deleted and can be had back.", keys: Operator, query: &[("deleted", flag)], answers: &[(JSON, of::organizations)], ..Route::PLAIN },
    Route { id: "organizations.get", path: "/organizations/{organization}", about: "An organization, and how much it has.", keys: Operator, answers: &[(JSON, organization)], ..Route::PLAIN },
    Route { id: "organizations.update", method: "patch", path: "/organizations/{organization}", about: "Names, limits or suspends an organization.", keys: Operator, body: Some(of::changed_organization), answers: &[(JSON, organization)], ..Route::PLAIN },
    Route { id: "organizations.delete", method: "delete", path: "/organizations/{organization}", about: "Deletes an organization; for some time it can be had back.", keys: Operator, answers: &[(JSON, deleted)], ..Route::PLAIN },
    Route { id: "organizations.suspend", method: "post", path: "/organizations/{organization}/suspend", about: "Lets nothing leave an organization.", keys: Operator, answers: &[(JSON, organization)], ..Route::PLAIN },
    Route { id: "organizations.resume", method: "post", path: "/organizations/{organization}/resume", about: "Lets its mail leave again.", keys: Operator, answers: &[(JSON, organization)], ..Route::PLAIN },
    Route { id: "organizations.restore", method: "post", path: "/organizations/{organization}/restore", about: "Has an organization back that was deleted.", keys: Operator, answers: &[(JSON, organization)], ..Route::PLAIN },
    Route { id: "organizations.export", path: "/organizations/{organization}/export", about: "Everything of an organization in one archive.", keys: Operator, answers: &[("application/zip", octets)], ..Route::PLAIN },
];

/// Adds our own routes to the document.
pub(super) fn add_to(document: &mut Value) {
    for (name, of) in of::NAMED {
        document["components"]["schemas"][name] = of();
    }
    for route in ROUTES {
        let path = format!("/postroom/v1{}", route.path);
        document["paths"][path][route.method] = describe(route);
    }
}

fn describe(route: &Route) -> Value {
    let names = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let in_path = names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text() }));
    let given = |place: &'static str| move |(name, of): &(&str, Of)| json!({ "name": name, "in": place, "required": false, "schema": of() });
    let parameters: Vec<Value> = in_path
        .chain(route.query.iter().map(given("query")))
        .chain(route.headers.iter().map(given("header")))
        .collect();
    let content: Map<String, Value> = route
        .answers
        .iter()
        .map(|(media, of)| ((*media).to_owned(), json!({ "schema": of() })))
        .collect();
    let error = json!({ JSON: { "schema": schema::named("PostroomError") } });
    let mut described = json!({
        "operationId": format!("postroom.{}", route.id),
        "summary": route.about,
        "tags": ["postroom"],
        "parameters": parameters,
        "responses": {
            route.status: { "description": "Done", "content": content },
            "default": { "description": "An error", "content": error },
        },
    });
    if let Some(body) = route.body {
        described["requestBody"] = json!({ "content": { JSON: { "schema": body() } } });
    }
    match route.keys {
        Keys::Operator => described["x-keys"] = json!(["operator"]),
        Keys::Readers => described["x-permissions"] = json!(["message_read"]),
        Keys::Any => {}
    }
    described
}
