//! The rows of a new inbox.

use super::CreateInbox;
use crate::api_keys::add_key;
use crate::keys::{self, LANE_INBOXES, LANE_ROOM};
use crate::place::{Free, Memory};
use crate::record::{AddressRow, InboxRecord, encode, encode_id, now_ms};
use crate::scram::StoredPassword;
use crate::{CredentialEpoch, FilterMode, Identity, KeyScope, metadata, parts};
use postroom_store::{CommitBuilder, Value};
use postroom_types::{EmailAddress, InboxId, OrganizationId, PodId, ScramParameters, Secret};

impl InboxRecord {
    /// A new one that nothing else is known of.
    pub(crate) fn new(organization: OrganizationId, pod: PodId, canonical: EmailAddress) -> Self {
        Self {
            id: InboxId::new(),
            organization,
            pod,
            primary: canonical.clone(),
            canonical,
            aliases: Vec::new(),
            display_name: None,
            send_paused: false,
            receive_paused: false,
            forward_to: None,
            daily_messages: None,
            daily_new_recipients: None,
            agent: None,
            inbound_mode: FilterMode::default(),
            outbound_mode: FilterMode::default(),
            rules: 0,
            epoch: CredentialEpoch::default(),
            client_id: None,
            created_at: now_ms(),
            changed_at: None,
            request: None,
            rotations: 0,
            deleted_at: None,
        }
    }

    /// The one that was asked for.
    pub(super) fn wanted(request: &CreateInbox, pod: PodId, free: &Free) -> Self {
        Self {
            display_name: request.display_name.clone(),
            send_paused: request.paused,
            receive_paused: request.paused,
            client_id: request.client_id.clone(),
            request: match &free.memory {
                Memory::New(request) => Some(request.clone()),
                Memory::Nothing | Memory::Kept(..) => None,
            },
            ..Self::new(request.organization, pod, free.address.clone())
        }
    }
}

impl Identity {
    /// Adds an inbox with everything it needs to a commit; returns its key, which it has if it has a password.
    pub(crate) fn add_inbox(
        &self,
        builder: &mut CommitBuilder,
        parameters: &ScramParameters,
        inbox: &InboxRecord,
        free: Free,
        password: Option<&StoredPassword>,
    ) -> Option<Secret<String>> {
        claim(builder, &free.address, free.tombstone, &address_row(inbox));
        match free.memory {
            Memory::Nothing => {}
            Memory::New(request) => {
                let within = request.within_pod.then_some(inbox.pod);
                let key = keys::request(inbox.organization, within, &request.address);
                builder.put_new(key, encode_id(inbox.id.as_bytes()));
            }
            Memory::Kept(key, value) => {
                builder.require(key, value);
            }
        }
        if let Some(client_id) = &inbox.client_id {
            let key = keys::client_id(inbox.organization, b'i', client_id);
            builder.put_new(key, encode_id(inbox.id.as_bytes()));
        }
        let counters = keys::organization_counters(inbox.organization);
        builder.count(counters.clone(), LANE_INBOXES, 1);
        builder.count(counters, LANE_ROOM, -1);
        builder.count(keys::pod_counters(inbox.pod), LANE_INBOXES, 1);
        self.add_inbox_rows(builder, inbox);
        password.map(|password| add_credentials(builder, parameters, inbox, password))
    }

    /// The rows of an inbox other than its address, its credentials and the counters.
    pub(crate) fn add_inbox_rows(&self, builder: &mut CommitBuilder, inbox: &InboxRecord) {
        builder.put_new(keys::inbox(inbox.id), encode(inbox));
        builder.put(
            keys::listed_inbox(inbox.organization, inbox.id),
            encode_id(inbox.pod.as_bytes()),
        );
        self.mailstore.add_inbox(builder, inbox.id, self.options.quota_octets);
    }
}

/// The password of a new inbox, and its `ak_` key, which is returned.
pub(crate) fn add_credentials(
    builder: &mut CommitBuilder,
    parameters: &ScramParameters,
    inbox: &InboxRecord,
    password: &StoredPassword,
) -> Secret<String> {
    builder.put(keys::password(inbox.id), encode(password));
    let scope = KeyScope::Inbox(inbox.organization, inbox.id);
    add_key(builder, parameters, &scope, None).1.secret
}

/// What its owner keeps with a new inbox.
pub(super) fn add_metadata(builder: &mut CommitBuilder, inbox: &InboxRecord, request: &CreateInbox) {
    if let Some(given) = request.metadata.as_ref().filter(|given| !given.is_empty()) {
        let text = metadata::text_of(given);
        parts::put(builder, &keys::metadata(inbox.id), Some(&text), inbox.updated_at(), 0);
    }
}

/// Who has the canonical address of an inbox.
pub(crate) const fn address_row(inbox: &InboxRecord) -> AddressRow {
    AddressRow::Inbox {
        inbox: inbox.id,
        organization: inbox.organization,
        pod: inbox.pod,
        canonical: true,
    }
}

/// Puts an address row where there is none, or where the organization's own tombstone lies.
pub(crate) fn claim(builder: &mut CommitBuilder, address: &EmailAddress, tombstone: Option<Value>, row: &AddressRow) {
    match tombstone {
        None => builder.put_new(keys::address(address), encode(row)),
        Some(tombstone) => builder.replace(keys::address(address), tombstone, encode(row)),
    };
}
