//! Every operation of the dialect, in one table: its routes, who may call it, what it takes and what it answers.

use super::call::{Admission, admit};
use super::failure::Failure;
use super::{
    agent, api_keys, domains, drafts, hosted, inbox_events, inboxes, lists, messages, metrics, organization, pods,
    send, threads, webhooks,
};
use crate::State;
use crate::auth::Needs;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use postroom_identity::Permission;
use utoipa::openapi::{HttpMethod, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Where in the tree of scopes a route begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Organization,
    Pod,
    Inbox,
}

impl Level {
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Organization => "",
            Self::Pod => "/pods/{pod_id}",
            Self::Inbox => "/inboxes/{inbox_id}",
        }
    }
}

pub(crate) const ORGANIZATION: &[Level] = &[Level::Organization];
pub(crate) const POD: &[Level] = &[Level::Pod];
pub(crate) const INBOX: &[Level] = &[Level::Inbox];
/// What an organization and its pods have, but not an inbox.
pub(crate) const ABOVE_INBOX: &[Level] = &[Level::Organization, Level::Pod];
pub(crate) const EVERYWHERE: &[Level] = &[Level::Organization, Level::Pod, Level::Inbox];

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a parameter of the query holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    Time,
    /// Several texts, in any of the four encodings of agentmail.md §3.
    Texts,
}

/// Collects the schemas that a schema refers to, and says how to refer to it.
pub(crate) type SchemaOf = fn(&mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema>;

pub(crate) fn schema_of<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema> {
    let name = T::name();
    T::schemas(all);
    all.push((name.to_string(), T::schema()));
    Ref::from_schema_name(name).into()
}

fn text(_: &mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema> {
    <String as PartialSchema>::schema()
}

/// One operation; with several levels it has a route at each.
pub(crate) struct Operation {
    /// Its name in the vendor's clients, such as `inboxes.list`.
    pub(crate) id: &'static str,
    pub(crate) method: HttpMethod,
    /// Below the prefix of its level.
    pub(crate) path: &'static str,
    pub(crate) levels: &'static [Level],
    /// What a key needs.
    pub(crate) needs: Needs,
    /// Whether it is for callers who have no key yet.
    pub(crate) open: bool,
    handler: fn() -> MethodRouter<State>,
    pub(crate) query: &'static [Parameter],
    pub(crate) body: Option<SchemaOf>,
    /// `None`: 204 without a body.
    pub(crate) answer: Option<SchemaOf>,
    /// The media type of the answer.
    pub(crate) media: &'static str,
}

impl Operation {
    const fn new(
        id: &'static str,
        method: HttpMethod,
        levels: &'static [Level],
        path: &'static str,
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self {
            id,
            method,
            path,
            levels,
            needs: Needs::NOTHING,
            open: false,
            handler,
            query: &[],
            body: None,
            answer: None,
            media: "application/json",
        }
    }

    pub(crate) const fn get(
        id: &'static str,
        levels: &'static [Level],
        path: &'static str,
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self::new(id, HttpMethod::Get, levels, path, handler)
    }

    pub(crate) const fn post(
        id: &'static str,
        levels: &'static [Level],
        path: &'static str,
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self::new(id, HttpMethod::Post, levels, path, handler)
    }

    pub(crate) const fn patch(
        id: &'static str,
        levels: &'static [Level],
        path: &'static str,
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self::new(id, HttpMethod::Patch, levels, path, handler)
    }

    pub(crate) const fn delete(
        id: &'static str,
        levels: &'static [Level],
        path: &'static str,
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self::new(id, HttpMethod::Delete, levels, path, handler)
    }

    /// No key is needed.
    pub(crate) const fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// The permission that a key needs.
    pub(crate) const fn needs(self, permission: Permission) -> Self {
        Self {
            needs: Needs::of(permission),
            ..self
        }
    }

    /// A second permission that a key needs.
    pub(crate) const fn and(self, permission: Permission) -> Self {
        Self {
            needs: self.needs.and(permission),
            ..self
        }
    }

    /// What the query may hold.
    pub(crate) const fn asks(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    /// The JSON it takes.
    pub(crate) const fn takes<T: ToSchema>(self) -> Self {
        Self {
            body: Some(schema_of::<T>),
            ..self
        }
    }

    /// It answers text, with 200.
    pub(crate) const fn answers_text(self) -> Self {
        Self {
            answer: Some(text),
            media: "text/plain",
            ..self
        }
    }

    /// The JSON it answers, with 200.
    pub(crate) const fn answers<T: ToSchema>(self) -> Self {
        Self {
            answer: Some(schema_of::<T>),
            ..self
        }
    }
}

pub(crate) const LIMIT: Parameter = Parameter {
    name: "limit",
    kind: Kind::Number,
};
pub(crate) const PAGE_TOKEN: Parameter = Parameter {
    name: "page_token",
    kind: Kind::Text,
};
pub(crate) const ASCENDING: Parameter = Parameter {
    name: "ascending",
    kind: Kind::Flag,
};
pub(crate) const QUERY_TEXT: Parameter = Parameter {
    name: "q",
    kind: Kind::Text,
};
/// Of lists that can be turned round.
pub(crate) const PAGED: &[Parameter] = &[LIMIT, PAGE_TOKEN, ASCENDING];
/// Of lists with one order.
pub(crate) const PAGED_ONE_WAY: &[Parameter] = &[LIMIT, PAGE_TOKEN];
/// Of searches without a time.
pub(crate) const SEARCHED: &[Parameter] = &[QUERY_TEXT, LIMIT, PAGE_TOKEN];

/// All of them; each module has the rows of its own routes.
const ALL: &[&[Operation]] = &[
    agent::OPERATIONS,
    organization::OPERATIONS,
    api_keys::OPERATIONS,
    inboxes::OPERATIONS,
    inbox_events::OPERATIONS,
    pods::OPERATIONS,
    messages::OPERATIONS,
    send::OPERATIONS,
    drafts::OPERATIONS,
    threads::OPERATIONS,
    domains::OPERATIONS,
    lists::OPERATIONS,
    metrics::OPERATIONS,
    webhooks::OPERATIONS,
    hosted::OPERATIONS,
];

/// Every operation.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    ALL.iter().flat_map(|group| group.iter())
}

/// All routes, below `/v0`.
pub(crate) fn routes(state: &State) -> Router<State> {
    let mut router = Router::new();
    for operation in all() {
        for level in operation.levels {
            let path = format!("{}{}", level.prefix(), operation.path);
            if operation.open {
                router = router.route(&path, (operation.handler)());
                continue;
            }
            let admission = Admission {
                state: state.clone(),
                operation,
                level: *level,
            };
            let handler = (operation.handler)().layer(from_fn_with_state(admission, admit));
            router = router.route(&path, handler);
        }
    }
    router
        .fallback(async || Failure::no_route())
        .method_not_allowed_fallback(async || Failure::method())
}
