//! Identities and mailboxes as the dialect shows them (inkbox.md §4, §6).
//!
//! What always holds: who may find an identity, and no more, is shown its name and address; how much mail it has, its
//! signature and its rules' modes are for itself and for the organization.

use super::failure::Answer;
use crate::State;
use crate::model::time;
use postroom_identity::{AgentIdentity, FilterMode, InboxRecord, RuleAction};
use serde::Serialize;

/// An identity, as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct IdentityView {
    id: String,
    organization_id: String,
    agent_handle: String,
    display_name: Option<String>,
    description: Option<String>,
    email_address: String,
    status: &'static str,
    created_at: String,
    updated_at: String,
    imessage_enabled: bool,
    contact_sharing_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    own: Option<Own>,
    mailbox: MailboxView,
    phone_number: Option<()>,
    imessage_number: Option<()>,
    tunnel: Option<()>,
}

/// What is not for everybody who may find it.
#[derive(Debug, Serialize)]
struct Own {
    mail_filter_mode: &'static str,
    mail_inbound_filter_mode: &'static str,
    mail_outbound_filter_mode: &'static str,
    signing_key_configured: bool,
    signing_key_created_at: Option<String>,
}

/// A mailbox, as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct MailboxView {
    id: String,
    email_address: String,
    sending_domain: String,
    agent_identity_id: Option<String>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    own: Option<OwnMailbox>,
    filter_mode_change_notice: Option<ModeNotice>,
}

/// What is not for everybody who may find the mailbox's identity.
#[derive(Debug, Serialize)]
struct OwnMailbox {
    filter_mode: &'static str,
    inbound_filter_mode: &'static str,
    outbound_filter_mode: &'static str,
    storage_used_bytes: u64,
    storage_limit_bytes: u64,
    signature_html: Option<String>,
    signature_text: Option<String>,
    signature_enabled: bool,
}

/// What a change of a filter mode made of the rules that are there.
#[derive(Debug, Serialize)]
pub(super) struct ModeNotice {
    new_filter_mode: &'static str,
    redundant_rule_action: &'static str,
    redundant_rule_count: u64,
}

/// For whom something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Itself, or its organization.
    Whole,
    /// Another agent that may find it.
    Found,
}

impl IdentityView {
    pub(super) async fn new(
        state: &State,
        identity: &AgentIdentity,
        inbox: &InboxRecord,
        shown: Shown,
    ) -> Answer<Self> {
        let own = match shown {
            Shown::Found => None,
            Shown::Whole => {
                let signing_key = state.identity().signing_key(inbox.id).await?;
                Some(Own {
                    // Where they differ, the SDK looks at the two.
                    mail_filter_mode: inbox.inbound_mode.as_str(),
                    mail_inbound_filter_mode: inbox.inbound_mode.as_str(),
                    mail_outbound_filter_mode: inbox.outbound_mode.as_str(),
                    signing_key_configured: signing_key.is_some(),
                    signing_key_created_at: signing_key.map(|key| time(key.created_at)),
                })
            }
        };
        Ok(Self {
            id: identity.id.to_string(),
            organization_id: identity.organization.to_string(),
            agent_handle: identity.handle.to_string(),
            display_name: inbox.display_name.clone(),
            description: identity.description.clone(),
            email_address: inbox.canonical.to_string(),
            status: if inbox.send_paused { "paused" } else { "active" },
            created_at: time(identity.created_at),
            updated_at: time(identity.updated_at),
            imessage_enabled: false,
            contact_sharing_enabled: false,
            own,
            mailbox: MailboxView::new(state, inbox, shown).await?,
            phone_number: None,
            imessage_number: None,
            tunnel: None,
        })
    }
}

impl MailboxView {
    pub(super) async fn new(state: &State, inbox: &InboxRecord, shown: Shown) -> Answer<Self> {
        let own = match shown {
            Shown::Found => None,
            Shown::Whole => {
                let usage = state.mailstore().usage(inbox.id).await?;
                let signature = state.identity().signature(inbox.id).await?;
                Some(OwnMailbox {
                    filter_mode: inbox.inbound_mode.as_str(),
                    inbound_filter_mode: inbox.inbound_mode.as_str(),
                    outbound_filter_mode: inbox.outbound_mode.as_str(),
                    storage_used_bytes: usage.octets,
                    storage_limit_bytes: usage.quota_octets,
                    signature_html: signature.html,
                    signature_text: signature.text,
                    signature_enabled: signature.enabled,
                })
            }
        };
        Ok(Self {
            id: inbox.id.to_string(),
            email_address: inbox.canonical.to_string(),
            sending_domain: inbox.canonical.domain().to_string(),
            agent_identity_id: inbox.agent.as_ref().map(|agent| agent.id.to_string()),
            created_at: time(inbox.created_at),
            updated_at: time(inbox.updated_at()),
            own,
            filter_mode_change_notice: None,
        })
    }

    /// With what became of the rules when the mode changed.
    pub(super) fn with_notice(mut self, notice: Option<ModeNotice>) -> Self {
        self.filter_mode_change_notice = notice;
        self
    }
}

impl ModeNotice {
    /// What it means for the rules that an inbox is in this mode now.
    pub(super) async fn new(state: &State, inbox: &InboxRecord, mode: FilterMode) -> Answer<Self> {
        let redundant = match mode {
            FilterMode::Whitelist => RuleAction::Block,
            FilterMode::Blacklist => RuleAction::Allow,
        };
        Ok(Self {
            new_filter_mode: mode.as_str(),
            redundant_rule_action: redundant.as_str(),
            redundant_rule_count: state.identity().active_rules(inbox, redundant).await?,
        })
    }
}
