//! Every operation of the dialect, in one table: its route, who may call it, and what a key has to be permitted for it.

use super::call::{Admission, admit};
use super::failure::Failure;
use super::{
    access, api_keys, attachments, contact_rules, domains, draft_files, drafts, identities, keyed, mailboxes, messages,
    not_mail, search, send, threads, whoami,
};
use crate::State;
use crate::auth::Needs;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use postroom_identity::Permission;

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Keys of the organization alone.
    Admin,
    /// Keys of an agent, for what is its own, and keys of the organization.
    Agent,
    /// Everybody: what the path or the body holds is the permission.
    Open,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its name: that of the object and what is done to it, such as `messages.list`.
    pub(crate) id: &'static str,
    /// The HTTP method, for who walks the table.
    pub(crate) method: &'static str,
    /// Below `/api`, without a slash at its end.
    pub(crate) path: &'static str,
    /// Who may call it.
    pub(crate) who: Who,
    /// What the key has to be permitted, as over `/v0`.
    pub(crate) needs: Needs,
    handler: fn() -> MethodRouter<State>,
}

impl Operation {
    const fn new(
        id: &'static str,
        method: &'static str,
        path: &'static str,
        handler: fn() -> MethodRouter<State>,
    ) -> Self {
        Self {
            id,
            method,
            path,
            who: Who::Agent,
            needs: Needs::NOTHING,
            handler,
        }
    }

    pub(crate) const fn get(id: &'static str, path: &'static str, handler: fn() -> MethodRouter<State>) -> Self {
        Self::new(id, "GET", path, handler)
    }

    pub(crate) const fn post(id: &'static str, path: &'static str, handler: fn() -> MethodRouter<State>) -> Self {
        Self::new(id, "POST", path, handler)
    }

    pub(crate) const fn patch(id: &'static str, path: &'static str, handler: fn() -> MethodRouter<State>) -> Self {
        Self::new(id, "PATCH", path, handler)
    }

    pub(crate) const fn delete(id: &'static str, path: &'static str, handler: fn() -> MethodRouter<State>) -> Self {
        Self::new(id, "DELETE", path, handler)
    }

    /// For keys of the organization alone.
    pub(crate) const fn admin(self) -> Self {
        Self {
            who: Who::Admin,
            ..self
        }
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

    /// It gives out a key.
    pub(crate) const fn gives_keys(self) -> Self {
        Self {
            needs: self.needs.giving_keys(),
            ..self
        }
    }

    /// No key is needed.
    pub(crate) const fn open(self) -> Self {
        Self { who: Who::Open, ..self }
    }
}

/// All of them; each module has the rows of its own routes.
const ALL: &[&[Operation]] = &[
    messages::OPERATIONS,
    attachments::OPERATIONS,
    threads::OPERATIONS,
    drafts::OPERATIONS,
    draft_files::OPERATIONS,
    search::OPERATIONS,
    send::OPERATIONS,
    keyed::OPERATIONS,
    whoami::OPERATIONS,
    api_keys::OPERATIONS,
    identities::OPERATIONS,
    access::OPERATIONS,
    contact_rules::OPERATIONS,
    mailboxes::OPERATIONS,
    domains::OPERATIONS,
    super::imports::OPERATIONS,
    super::signing_keys::OPERATIONS,
    super::webhook_deliveries::OPERATIONS,
    super::webhooks::OPERATIONS,
];

/// Every operation.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    ALL.iter().flat_map(|group| group.iter())
}

/// An operation of the dialect, for those who check that each keeps to its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InkboxOperation {
    /// The method.
    pub method: &'static str,
    /// The path below `/api`, with the names of its parameters in braces.
    pub path: &'static str,
    /// Whether keys of agents may not call it.
    pub admin: bool,
    /// Whether it needs no key.
    pub open: bool,
    /// What a key has to be permitted.
    pub needs: Vec<Permission>,
}

/// Every operation of the Inkbox dialect.
pub fn inkbox_operations() -> impl Iterator<Item = InkboxOperation> {
    all().map(|operation| InkboxOperation {
        method: operation.method,
        path: operation.path,
        admin: operation.who == Who::Admin,
        open: operation.who == Who::Open,
        needs: operation.needs.iter().collect(),
    })
}

/// All routes, below `/api`.
pub(crate) fn routes(state: &State) -> Router<State> {
    let mut router = Router::new();
    for operation in all() {
        let admission = Admission {
            state: state.clone(),
            who: operation.who,
            needs: operation.needs,
            id: operation.id,
        };
        for path in [operation.path.to_owned(), format!("{}/", operation.path)] {
            let handler = match operation.who {
                Who::Open => (operation.handler)(),
                Who::Admin | Who::Agent => (operation.handler)().layer(from_fn_with_state(admission.clone(), admit)),
            };
            router = router.route(&path, handler);
        }
    }
    router
        .merge(not_mail::routes(state))
        .fallback(async || Failure::no_route())
        .method_not_allowed_fallback(async || Failure::method())
}
