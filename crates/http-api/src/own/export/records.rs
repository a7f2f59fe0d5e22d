//! What an organization is besides its mail.

use super::views::{claim_record, inbox_record, webhook_record};
use super::{Archive, Made};
use crate::model::time;
use postroom_drafts::{Group, Scope as DraftScope, SendStatus, Wanted};
use postroom_identity::{EntryScope, InboxRecord, List, ListType, PageOf, RuleFilter, RulesFrom, Standing};
use postroom_types::{InboxId, OrganizationId};
use postroom_webhooks::{Dialect, Scope as WebhookScope};
use serde_json::{Value, json};
use std::io::Write;

/// Records read together.
const PAGE: usize = 100;

impl Archive {
    pub(super) async fn records(&mut self) -> Made<()> {
        self.organization()?;
        self.pods().await?;
        self.inboxes().await?;
        self.identities().await?;
        self.lists().await?;
        self.rules().await?;
        self.domains().await?;
        self.webhooks().await?;
        self.drafts().await
    }

    const fn id(&self) -> OrganizationId {
        self.organization.id
    }

    fn organization(&mut self) -> Made<()> {
        let organization = &self.organization;
        let record = json!({
            "format": 1,
            "id": organization.id.to_string(),
            "name": organization.name,
            "suspended": organization.standing() == Standing::Suspended,
            "defaultPod": organization.default_pod.to_string(),
            "maxInboxes": organization.max_inboxes,
            "maxOctets": organization.max_octets,
            "dailyMessages": organization.daily_messages,
            "createdAt": time(organization.created_at),
            "updatedAt": time(organization.updated_at()),
        });
        self.begin("organization.json")?;
        Ok(writeln!(self.out.inner(), "{record:#}")?)
    }

    async fn pods(&mut self) -> Made<()> {
        self.begin("pods.jsonl")?;
        for pod in self.state.identity().pods(self.id()).await? {
            let record = json!({
                "id": pod.id.to_string(),
                "name": pod.name,
                "slug": pod.slug,
                "clientId": pod.client_id,
                "createdAt": time(pod.created_at),
            });
            self.line(&record).await?;
        }
        Ok(())
    }

    /// The next inboxes after one, oldest first; and after which to go on.
    pub(super) async fn inbox_page(&self, after: Option<InboxId>) -> Made<(Vec<InboxRecord>, Option<InboxId>)> {
        let page = self.state.identity().inboxes(self.id(), None, after, PAGE).await?;
        Ok((page.inboxes, page.next))
    }

    async fn inboxes(&mut self) -> Made<()> {
        self.begin("inboxes.jsonl")?;
        let mut after = None;
        loop {
            let (inboxes, next) = self.inbox_page(after).await?;
            for inbox in inboxes {
                let metadata = self.state.identity().metadata(inbox.id).await?;
                let signature = self.state.identity().signature(inbox.id).await?;
                self.line(&inbox_record(&inbox, metadata.as_deref(), &signature))
                    .await?;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn identities(&mut self) -> Made<()> {
        self.begin("identities.jsonl")?;
        let mut page = PageOf {
            after: None,
            ascending: true,
            limit: PAGE,
        };
        loop {
            let found = self.state.identity().identities(self.id(), &page).await?;
            for (identity, _) in found.identities {
                let grants = self.state.identity().access(self.id(), identity.id).await?;
                let viewers: Vec<Value> = grants
                    .iter()
                    .map(|grant| json!(grant.viewer.map(|viewer| viewer.to_string())))
                    .collect();
                let record = json!({
                    "id": identity.id.to_string(),
                    "handle": identity.handle.to_string(),
                    "description": identity.description,
                    "inbox": identity.inbox.to_string(),
                    // Null is everybody in the organization.
                    "visibleTo": viewers,
                    "createdAt": time(identity.created_at),
                    "updatedAt": time(identity.updated_at),
                });
                self.line(&record).await?;
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn lists(&mut self) -> Made<()> {
        self.begin("lists.jsonl")?;
        let id = self.id();
        self.lists_of(EntryScope::Organization(id), Value::Null, Value::Null)
            .await?;
        for pod in self.state.identity().pods(id).await? {
            let scope = EntryScope::Pod(id, pod.id);
            self.lists_of(scope, json!(pod.id.to_string()), Value::Null).await?;
        }
        let mut after = None;
        loop {
            let (inboxes, next) = self.inbox_page(after).await?;
            for inbox in inboxes {
                let (pod, name) = (json!(inbox.pod.to_string()), json!(inbox.id.to_string()));
                self.lists_of(EntryScope::from(&inbox), pod, name).await?;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn lists_of(&mut self, scope: EntryScope, pod: Value, inbox: Value) -> Made<()> {
        for direction in postroom_identity::Direction::ALL {
            for list_type in [ListType::Allow, ListType::Block] {
                let list = List {
                    scope,
                    direction,
                    list_type,
                };
                let mut after = None;
                loop {
                    let page = self.state.identity().list_entries(&list, after.as_ref(), PAGE).await?;
                    for entry in page.entries {
                        let record = json!({
                            "pod": pod,
                            "inbox": inbox,
                            "direction": direction.as_str(),
                            "type": list_type.as_str(),
                            "entry": entry.name.to_string(),
                            "reason": entry.reason,
                            "readOnly": entry.read_only,
                            "createdAt": time(entry.created_at),
                        });
                        self.line(&record).await?;
                    }
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
            }
        }
        Ok(())
    }

    async fn rules(&mut self) -> Made<()> {
        self.begin("rules.jsonl")?;
        let mut from = RulesFrom::Offset(0);
        loop {
            let (identity, filter) = (self.state.identity(), RuleFilter::default());
            let page = identity.contact_rules(self.id(), None, &filter, from, PAGE).await?;
            for rule in page.rules {
                let record = json!({
                    "id": rule.id.to_string(),
                    "inbox": rule.inbox.to_string(),
                    "action": rule.action.as_str(),
                    "matchType": rule.match_type().as_str(),
                    "target": rule.target.to_string(),
                    "direction": rule.direction.as_str(),
                    "paused": rule.paused,
                    "createdAt": time(rule.created_at),
                    "updatedAt": time(rule.updated_at),
                });
                self.line(&record).await?;
            }
            match page.next {
                Some(next) => from = RulesFrom::Behind(next),
                None => return Ok(()),
            }
        }
    }

    async fn domains(&mut self) -> Made<()> {
        self.begin("domains.jsonl")?;
        for claim in self.state.identity().domains_of(self.id(), None).await? {
            self.line(&claim_record(&claim)).await?;
        }
        for domain in self.state.identity().domains().await? {
            if domain.organization == Some(self.id()) {
                let record = json!({
                    "kind": "hosted",
                    "domain": domain.domain.to_string(),
                    "catchAll": domain.catch_all.map(|address| address.to_string()),
                    "createdAt": time(domain.created_at),
                });
                self.line(&record).await?;
            }
        }
        Ok(())
    }

    async fn webhooks(&mut self) -> Made<()> {
        self.begin("webhooks.jsonl")?;
        let scope = WebhookScope {
            organization: self.id(),
            pod: None,
            inbox: None,
        };
        for dialect in Dialect::ALL {
            let mut after = None;
            loop {
                let page = self.state.webhooks().list(dialect, &scope, after, true, PAGE).await?;
                for webhook in page.webhooks {
                    self.line(&webhook_record(&webhook)).await?;
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    async fn drafts(&mut self) -> Made<()> {
        self.begin("drafts.jsonl")?;
        let mut wanted = Wanted {
            scope: DraftScope::Organization(self.id()),
            labels: Vec::new(),
            since: None,
            before: None,
            ascending: true,
            after: None,
            group: Group::default(),
            limit: PAGE,
        };
        loop {
            let page = self.state.drafts().list(&wanted).await?;
            let goes_on = page.goes_on();
            for draft in page.drafts {
                let record = json!({
                    "id": draft.id.to_string(),
                    "inbox": draft.inbox.to_string(),
                    "emailId": draft.email_id().to_string(),
                    "clientId": draft.client_id,
                    "labels": draft.labels,
                    "forwardOf": draft.forward_of,
                    "replyAll": draft.reply_all,
                    "sendAt": draft.send_at.map(time),
                    "sendStatus": draft.send_status.map(|status| match status {
                        SendStatus::Scheduled => "scheduled",
                        SendStatus::Sending => "sending",
                        SendStatus::Failed => "failed",
                    }),
                    "createdAt": time(draft.created_at),
                    "updatedAt": time(draft.updated_at),
                });
                self.line(&record).await?;
            }
            match goes_on {
                Some((group, after)) => (wanted.group, wanted.after) = (group, after),
                None => return Ok(()),
            }
        }
    }
}
