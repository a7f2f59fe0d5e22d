//! Agents' identities (inkbox.md §4).
//!
//! What always holds: a key of the organization sees and changes all of them; an agent's key sees itself and whom it may
//! find, and changes of itself the name and the description. Parts that are not mail are refused before anything is done.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::identity_view::{IdentityView, Shown};
use super::operations::Operation;
use super::wire::{Body, Segments, given, typed};
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::{
    AgentIdentity, CreateIdentity, DomainChoice, FilterMode, Handle, IdentityChange, InboxRecord, PageOf, Permission,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Identities read together.
const IDENTITIES_A_READ: usize = 256;
/// Most identities of one answer, which has no pages.
pub(super) const MAX_LISTED: usize = 10_000;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post("identities.create", "/v1/identities", || post(create))
        .needs(Permission::InboxCreate)
        .admin(),
    Operation::get("identities.list", "/v1/identities", || get(list)).needs(Permission::InboxRead),
    Operation::get("identities.get", "/v1/identities/{handle}", || get(show)).needs(Permission::InboxRead),
    Operation::patch("identities.update", "/v1/identities/{handle}", || patch(update)).needs(Permission::InboxUpdate),
    Operation::delete("identities.delete", "/v1/identities/{handle}", || delete(remove))
        .needs(Permission::InboxDelete)
        .admin(),
];

/// The identity of a path's `{handle}`, if the caller may change it: an agent itself alone. One that the agent may find is
/// there, but not its own.
pub(super) async fn own_identity(
    state: &State,
    caller: &Caller,
    path: &Segments,
) -> Answer<(AgentIdentity, InboxRecord)> {
    let (found, shown) = find(state, caller, path).await?;
    match shown {
        Shown::Whole => Ok(found),
        Shown::Found => Err(Failure::forbidden("this key is of another agent")),
    }
}

/// The identity of a path's `{handle}`, if the caller may see it.
async fn find(state: &State, caller: &Caller, path: &Segments) -> Answer<((AgentIdentity, InboxRecord), Shown)> {
    let handle = Handle::parse(path.text("handle")?).map_err(|_| Failure::not_found())?;
    let Some(own) = caller.inbox_scope() else {
        let found = state.identity().identity_by_handle(caller.organization(), &handle);
        return Ok((found.await?, Shown::Whole));
    };
    let found = state
        .identity()
        .identity_found_by(caller.organization(), &handle, own)
        .await?;
    let shown = if found.1.id == own { Shown::Whole } else { Shown::Found };
    Ok((found, shown))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    agent_handle: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    mailbox: Option<MailboxWish>,
    #[serde(default)]
    tunnel: Option<TunnelWish>,
    #[serde(default, rename = "contact_sharing_enabled")]
    _contact_sharing_enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailboxWish {
    #[serde(default)]
    email_local_part: Option<String>,
    #[serde(default, deserialize_with = "given")]
    sending_domain: Option<Option<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TunnelWish {
    #[serde(default)]
    tls_mode: Option<TlsMode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TlsMode {
    Edge,
    Passthrough,
}

/// Parts of the vendor's identities that this server does not have, by the beginnings of their fields.
const CHANNELS: [(&str, &str, &str); 5] = [
    ("slack_", "slack", "Slack"),
    ("phone_", "phone", "phone numbers"),
    ("imessage_", "imessage", "iMessage"),
    ("claim_imessage_", "imessage", "iMessage"),
    ("vault_", "vault", "vault"),
];

/// Refuses a field of such a part.
fn refuse(name: &str) -> Answer<()> {
    match CHANNELS.into_iter().find(|(prefix, ..)| name.starts_with(prefix)) {
        None => Ok(()),
        Some((_, feature, noun)) => Err(Failure::not_supported(
            feature,
            format!("This server has no {noun}: leave {name} out."),
        )),
    }
}

impl Wish {
    /// Reads it. What says that nothing is wanted of a part that is not there is passed over; what wants some is refused.
    fn read(mut fields: Map<String, Value>) -> Answer<Self> {
        for (name, value) in &fields {
            if !matches!(value, Value::Null | Value::Bool(false)) {
                refuse(name)?;
            }
        }
        fields.retain(|name, _| refuse(name).is_ok());
        let wish: Self = typed(fields)?;
        let tls_mode = wish.tunnel.as_ref().and_then(|tunnel| tunnel.tls_mode);
        if tls_mode == Some(TlsMode::Passthrough) {
            return Err(Failure::not_supported("tunnels", "This server has no tunnels."));
        }
        Ok(wish)
    }
}

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    Body(fields): Body<Map<String, Value>>,
) -> Answer<(StatusCode, Json<IdentityView>)> {
    let organization = caller.admin()?;
    let wish = Wish::read(fields)?;
    let mailbox = wish.mailbox.unwrap_or_default();
    let request = CreateIdentity {
        organization,
        pod: None,
        handle: parse_handle(&wish.agent_handle)?,
        display_name: wish.display_name,
        description: wish.description,
        local_part: mailbox.email_local_part,
        domain: match mailbox.sending_domain {
            None => DomainChoice::Default,
            Some(None) => DomainChoice::Server,
            Some(Some(name)) => DomainChoice::Named(name),
        },
    };
    let (identity, inbox) = state.identity().create_identity(&request).await?;
    let view = IdentityView::new(&state, &identity, &inbox, Shown::Whole).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

fn parse_handle(text: &str) -> Answer<Handle> {
    Handle::parse(text).map_err(|error| Failure::field("agent_handle", error.to_string()))
}

async fn list(Shared(state): Shared<State>, caller: Caller) -> Answer<Json<Vec<IdentityView>>> {
    let organization = caller.organization();
    let (found, own) = match caller.inbox_scope() {
        None => (all(&state, &caller).await?, None),
        Some(inbox) => match state.identity().identity_of(inbox).await? {
            // An inbox without an identity finds nobody.
            None => (Vec::new(), None),
            Some(viewer) => {
                let found = state.identity().visible_identities(organization, viewer.id).await?;
                (found, Some(viewer.id))
            }
        },
    };
    let mut views = Vec::with_capacity(found.len());
    for (identity, inbox) in found.iter().take(MAX_LISTED) {
        let shown = match own {
            Some(own) if own != identity.id => Shown::Found,
            _ => Shown::Whole,
        };
        views.push(IdentityView::new(&state, identity, inbox, shown).await?);
    }
    Ok(Json(views))
}

/// As many of an organization's identities as one answer has.
async fn all(state: &State, caller: &Caller) -> Answer<Vec<(AgentIdentity, InboxRecord)>> {
    let (mut found, mut after) = (Vec::new(), None);
    while found.len() < MAX_LISTED {
        let page = PageOf {
            after,
            ascending: true,
            limit: IDENTITIES_A_READ,
        };
        let page = state.identity().identities(caller.organization(), &page).await?;
        found.extend(page.identities);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<IdentityView>> {
    let ((identity, inbox), shown) = find(&state, &caller, &path).await?;
    Ok(Json(IdentityView::new(&state, &identity, &inbox, shown).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    agent_handle: Option<String>,
    #[serde(default, deserialize_with = "given")]
    display_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
    #[serde(default)]
    mail_filter_mode: Option<FilterMode>,
    #[serde(default)]
    mail_inbound_filter_mode: Option<FilterMode>,
    #[serde(default)]
    mail_outbound_filter_mode: Option<FilterMode>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    contact_sharing_enabled: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Paused,
}

impl Change {
    fn read(fields: Map<String, Value>) -> Answer<Self> {
        fields.keys().try_for_each(|name| refuse(name))?;
        let change: Self = typed(fields)?;
        let directional = change.mail_inbound_filter_mode.or(change.mail_outbound_filter_mode);
        if change.mail_filter_mode.is_some() && directional.is_some() {
            return Err(Failure::field(
                "mail_filter_mode",
                "mail_filter_mode is not mixed with the modes of one direction",
            ));
        }
        Ok(change)
    }

    /// Whether it asks for no more than an agent may change of itself.
    const fn is_for_agents(&self) -> bool {
        self.agent_handle.is_none()
            && self.mail_filter_mode.is_none()
            && self.mail_inbound_filter_mode.is_none()
            && self.mail_outbound_filter_mode.is_none()
            && self.status.is_none()
            && self.contact_sharing_enabled.is_none()
    }
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(fields): Body<Map<String, Value>>,
) -> Answer<Json<IdentityView>> {
    let (identity, _) = own_identity(&state, &caller, &path).await?;
    let change = Change::read(fields)?;
    if !change.is_for_agents() {
        caller.admin()?;
    }
    let change = IdentityChange {
        handle: change.agent_handle.as_deref().map(parse_handle).transpose()?,
        display_name: change.display_name,
        description: change.description,
        inbound_mode: change.mail_filter_mode.or(change.mail_inbound_filter_mode),
        outbound_mode: change.mail_filter_mode.or(change.mail_outbound_filter_mode),
        paused: change.status.map(|status| status == Status::Paused),
    };
    let organization = caller.organization();
    let (identity, inbox) = state
        .identity()
        .update_identity(organization, identity.id, &change)
        .await?;
    Ok(Json(IdentityView::new(&state, &identity, &inbox, Shown::Whole).await?))
}

async fn remove(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<StatusCode> {
    let organization = caller.admin()?;
    let (identity, _) = own_identity(&state, &caller, &path).await?;
    state.identity().delete_identity(organization, identity.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
