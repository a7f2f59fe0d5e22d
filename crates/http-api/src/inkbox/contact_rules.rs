//! Contact rules (inkbox.md §9): of identities, of mailboxes as older clients know them, and of a whole organization.
//!
//! What always holds: an agent lists and makes rules of its own; changing and removing them is the organization's.

mod query;

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::identities::own_identity;
use super::operations::Operation;
use super::wire::{Asked, Body, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::{
    ContactRule, InboxRecord, Listed, MatchType, Permission, RuleAction, RuleChange, RuleDirection, RuleWish,
};
use postroom_types::{IdentityId, InboxId, RuleId};
use query::{List, Query};
use serde::{Deserialize, Serialize};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("contact_rules.list", OF_IDENTITY, || get(list)).needs(Permission::ListEntryRead),
    Operation::post("contact_rules.create", OF_IDENTITY, || post(create)).needs(Permission::ListEntryCreate),
    Operation::get("contact_rules.get", ONE_OF_IDENTITY, || get(show)).needs(Permission::ListEntryRead),
    Operation::patch("contact_rules.update", ONE_OF_IDENTITY, || patch(update))
        .needs(Permission::ListEntryCreate)
        .and(Permission::ListEntryDelete)
        .admin(),
    Operation::delete("contact_rules.delete", ONE_OF_IDENTITY, || delete(remove))
        .needs(Permission::ListEntryDelete)
        .admin(),
    Operation::get("contact_rules.list_all", "/v1/mail/contact-rules", || get(list_all))
        .needs(Permission::ListEntryRead)
        .admin(),
    Operation::get("mailbox_contact_rules.list", OF_MAILBOX, || get(list)).needs(Permission::ListEntryRead),
    Operation::post("mailbox_contact_rules.create", OF_MAILBOX, || post(create)).needs(Permission::ListEntryCreate),
    Operation::get("mailbox_contact_rules.get", ONE_OF_MAILBOX, || get(show)).needs(Permission::ListEntryRead),
    Operation::patch("mailbox_contact_rules.update", ONE_OF_MAILBOX, || patch(update))
        .needs(Permission::ListEntryCreate)
        .and(Permission::ListEntryDelete)
        .admin(),
    Operation::delete("mailbox_contact_rules.delete", ONE_OF_MAILBOX, || delete(remove))
        .needs(Permission::ListEntryDelete)
        .admin(),
];

const OF_IDENTITY: &str = "/v1/identities/{handle}/mail-contact-rules";
const ONE_OF_IDENTITY: &str = "/v1/identities/{handle}/mail-contact-rules/{rule}";
const OF_MAILBOX: &str = "/v1/mail/mailboxes/{address}/contact-rules";
const ONE_OF_MAILBOX: &str = "/v1/mail/mailboxes/{address}/contact-rules/{rule}";

/// A rule, as it is shown: for its identity, for its mailbox, or for both.
#[derive(Debug, Serialize)]
struct RuleView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_identity_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailbox_id: Option<String>,
    action: &'static str,
    match_type: &'static str,
    match_target: String,
    direction: &'static str,
    status: &'static str,
    created_at: String,
    updated_at: String,
}

impl RuleView {
    fn new(rule: &ContactRule, identity: Option<IdentityId>, mailbox: Option<InboxId>) -> Self {
        Self {
            id: rule.id.to_string(),
            agent_identity_id: identity.map(|id| id.to_string()),
            mailbox_id: mailbox.map(|id| id.to_string()),
            action: rule.action.as_str(),
            match_type: rule.match_type().as_str(),
            match_target: rule.target.to_string(),
            direction: rule.direction.as_str(),
            status: if rule.paused { "paused" } else { "active" },
            created_at: time(rule.created_at),
            updated_at: time(rule.updated_at),
        }
    }
}

/// Whose rules a path names.
struct Owner {
    inbox: InboxRecord,
    /// If it names the identity.
    identity: Option<IdentityId>,
}

impl Owner {
    async fn find(state: &State, caller: &Caller, path: &Segments) -> Answer<Self> {
        if path.text("handle").is_ok() {
            let (identity, inbox) = own_identity(state, caller, path).await?;
            let identity = Some(identity.id);
            return Ok(Self { inbox, identity });
        }
        let inbox = caller.mailbox_of(state, path).await?;
        let identity = None;
        Ok(Self { inbox, identity })
    }

    fn view(&self, rule: &ContactRule) -> RuleView {
        let mailbox = self.identity.is_none().then_some(self.inbox.id);
        RuleView::new(rule, self.identity, mailbox)
    }
}

async fn list(Shared(state): Shared<State>, caller: Caller, path: Segments, asked: Asked) -> Answer<List> {
    let owner = Owner::find(&state, &caller, &path).await?;
    let query = Query::read(&asked, &[caller.operation, &owner.inbox.id.to_string()], Vec::new())?;
    let page = query.page(&state, &caller, Some(owner.inbox.id)).await?;
    let views = page.rules.iter().map(|rule| owner.view(rule));
    Ok(query.list(views.collect(), page.next))
}

/// The rules of all identities, or of one; those of an inbox without one for who names it.
async fn list_all(Shared(state): Shared<State>, caller: Caller, asked: Asked) -> Answer<List> {
    let organization = caller.admin()?;
    let mut inbox = asked.id::<InboxId>("mailbox_id")?;
    let is_by_mailbox = inbox.is_some();
    let mut whose: Vec<_> = inbox.iter().map(|id| ("mailbox_id", id.to_string())).collect();
    if let Some(id) = asked.id::<IdentityId>("agent_identity_id")? {
        let (identity, _) = state.identity().identity_by_id(organization, id).await?;
        inbox = Some(identity.inbox);
        whose.push(("agent_identity_id", id.to_string()));
    }
    let mut query = Query::read(&asked, &[caller.operation], whose)?;
    query.filter.of_identities = !is_by_mailbox;
    let page = query.page(&state, &caller, inbox).await?;
    let mut views = Vec::with_capacity(page.rules.len());
    let mut last: Option<(InboxId, Option<IdentityId>)> = None;
    for rule in &page.rules {
        let identity = match last {
            Some((inbox, identity)) if inbox == rule.inbox => identity,
            _ => state
                .identity()
                .identity_of(rule.inbox)
                .await?
                .map(|identity| identity.id),
        };
        last = Some((rule.inbox, identity));
        if identity.is_some() || is_by_mailbox {
            views.push(RuleView::new(rule, identity, Some(rule.inbox)));
        }
    }
    Ok(query.list(views, page.next))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    action: RuleAction,
    match_type: MatchType,
    match_target: String,
    #[serde(default)]
    direction: Option<RuleDirection>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Paused,
}

impl Wish {
    fn target(&self) -> Answer<Listed> {
        let target = Listed::parse(self.match_target.trim())
            .map_err(|_| Failure::field("match_target", "match_target is an address or a domain"))?;
        match (&target, self.match_type) {
            (Listed::Address(_), MatchType::ExactEmail) | (Listed::Domain(_), MatchType::Domain) => Ok(target),
            (Listed::Address(_) | Listed::Domain(_), MatchType::ExactEmail | MatchType::Domain) => Err(Failure::field(
                "match_target",
                "match_target is not what match_type says",
            )),
        }
    }
}

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(wish): Body<Wish>,
) -> Answer<(StatusCode, Json<RuleView>)> {
    let owner = Owner::find(&state, &caller, &path).await?;
    let wish = RuleWish {
        action: wish.action,
        target: wish.target()?,
        direction: wish.direction.unwrap_or(RuleDirection::Both),
        paused: wish.status == Some(Status::Paused),
    };
    let rule = state.identity().add_contact_rule(owner.inbox.id, &wish).await?;
    Ok((StatusCode::CREATED, Json(owner.view(&rule))))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<RuleView>> {
    let owner = Owner::find(&state, &caller, &path).await?;
    let id: RuleId = path.id("rule")?;
    let rule = state.identity().contact_rule(&owner.inbox, id).await?;
    Ok(Json(owner.view(&rule)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    action: Option<RuleAction>,
    #[serde(default)]
    direction: Option<RuleDirection>,
    #[serde(default)]
    apply_to: Option<RuleDirection>,
    #[serde(default)]
    status: Option<Status>,
}

impl Change {
    fn read(&self) -> Answer<RuleChange> {
        if self.action.is_none() && self.direction.is_none() && self.status.is_none() {
            return Err(Failure::invalid("name an action, a direction or a status"));
        }
        if let Some(side) = self.apply_to
            && (side == RuleDirection::Both || self.action.is_none() || self.direction.is_some())
        {
            let text = "apply_to is inbound or outbound, and goes with an action and without a direction";
            return Err(Failure::field("apply_to", text));
        }
        Ok(RuleChange {
            action: self.action,
            direction: self.direction,
            apply_to: self.apply_to,
            paused: self.status.map(|status| status == Status::Paused),
        })
    }
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(change): Body<Change>,
) -> Answer<Json<RuleView>> {
    caller.admin()?;
    let owner = Owner::find(&state, &caller, &path).await?;
    let (id, change) = (path.id::<RuleId>("rule")?, change.read()?);
    let rule = state
        .identity()
        .update_contact_rule(owner.inbox.id, id, &change)
        .await?;
    Ok(Json(owner.view(&rule)))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<StatusCode> {
    caller.admin()?;
    let owner = Owner::find(&state, &caller, &path).await?;
    let id: RuleId = path.id("rule")?;
    state.identity().remove_contact_rule(owner.inbox.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
