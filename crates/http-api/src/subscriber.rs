//! Who wants to hear of what: the subscriptions of webhooks, the WebSocket and the events API, as far as the key allows.

use crate::State;
use crate::agentmail::call::{Scope, inbox_in};
use crate::agentmail::failure::{Answer, Failure};
use postroom_identity::{Permission, Principal};
use postroom_types::{InboxId, PodId};
use postroom_webhooks::{self as webhooks, Dialect, EventType, Label, LabelRights, Subscription};

/// Most pods or inboxes of one subscription (agentmail.md §14).
const MAX_LISTED: usize = 10;

/// What somebody asks to hear of; nothing is everything standard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) event_types: Vec<String>,
    pub(crate) pod_ids: Vec<String>,
    pub(crate) inbox_ids: Vec<String>,
}

/// Which hidden messages a key may hear of.
pub(crate) fn rights(principal: &Principal) -> LabelRights {
    LabelRights {
        spam: principal.allows(Permission::LabelSpamRead),
        trash: principal.allows(Permission::LabelTrashRead),
        blocked: principal.allows(Permission::LabelBlockedRead),
        unauthenticated: principal.allows(Permission::LabelUnauthenticatedRead),
    }
}

/// The part of the tree that webhooks of this scope belong to.
pub(crate) fn place(scope: &Scope) -> webhooks::Scope {
    webhooks::Scope {
        organization: scope.organization,
        pod: scope.inbox.as_ref().map(|inbox| inbox.pod).or(scope.pod),
        inbox: scope.inbox.as_ref().map(|inbox| inbox.id),
    }
}

/// The subscription, if the key may have it.
///
/// # Errors
/// 400 for what is no event type; 404 for what lies outside the scope; 403 for types of hidden messages that the key may
/// not see.
pub(crate) async fn subscription(
    state: &State,
    principal: &Principal,
    scope: &Scope,
    wanted: &Wanted,
) -> Answer<Subscription> {
    let rights = rights(principal);
    Ok(Subscription {
        dialect: Dialect::AgentMail,
        scope: place(scope),
        pods: pods(state, scope, "pod_ids", &wanted.pod_ids).await?,
        inboxes: inboxes(state, scope, "inbox_ids", &wanted.inbox_ids).await?,
        event_types: event_types(rights, &wanted.event_types)?,
        rights,
    })
}

/// Event types by their names.
pub(crate) fn event_types(rights: LabelRights, names: &[String]) -> Answer<Vec<EventType>> {
    let mut event_types = Vec::new();
    for name in names {
        let event_type = EventType::parse(Dialect::AgentMail, name)
            .map_err(|_| Failure::field("event_types", format!("{name:?} is not an event type")))?;
        if let Some(label) = event_type.label()
            && !rights.allow(event_type)
        {
            return Err(forbidden(label));
        }
        if !event_types.contains(&event_type) {
            event_types.push(event_type);
        }
    }
    Ok(event_types)
}

fn forbidden(label: Label) -> Failure {
    let permission = match label {
        Label::Spam => Permission::LabelSpamRead,
        Label::Blocked => Permission::LabelBlockedRead,
        Label::Unauthenticated => Permission::LabelUnauthenticatedRead,
    };
    let mut failure = Failure::missing_permission(permission);
    failure.body.message = format!("{permission} is forbidden");
    failure
}

/// Pods of the scope by their ids.
pub(crate) async fn pods(state: &State, scope: &Scope, field: &str, ids: &[String]) -> Answer<Vec<PodId>> {
    check_count(field, ids)?;
    let mut pods = Vec::new();
    for id in ids {
        let own = place(scope).pod;
        let pod = state.identity().pod_by(scope.organization, id, own).await?.id;
        if !pods.contains(&pod) {
            pods.push(pod);
        }
    }
    Ok(pods)
}

/// Inboxes of the scope by their addresses, or by what other dialects call them.
pub(crate) async fn inboxes(state: &State, scope: &Scope, field: &str, ids: &[String]) -> Answer<Vec<InboxId>> {
    check_count(field, ids)?;
    let mut inboxes = Vec::new();
    for id in ids {
        let inbox = match id.parse::<InboxId>() {
            Ok(id) => state.identity().inbox_within(&scope.reach(), id).await?,
            Err(_) => inbox_in(state, scope, id).await?,
        };
        if !inboxes.contains(&inbox.id) {
            inboxes.push(inbox.id);
        }
    }
    Ok(inboxes)
}

fn check_count(field: &str, ids: &[String]) -> Answer<()> {
    if ids.len() > MAX_LISTED {
        return Err(Failure::field(
            field,
            format!("{field} has at most {MAX_LISTED} entries"),
        ));
    }
    Ok(())
}
