//! Deleting an inbox: one commit hides it from every face.
//!
//! What always holds: with that commit its keys and password are gone, its addresses are tombstones, what was remembered
//! of its request and what its client called it is forgotten, and its sessions are woken to find out.

use crate::attempts::ATTEMPTS;
use crate::keys::{self, LANE_DEBT, LANE_INBOXES, LANE_ROOM};
use crate::record::{AddressRow, InboxRecord, encode, encode_id, now_ms};
use crate::{Identity, IdentityError, KeyScope};
use postroom_store::{CommitBuilder, CounterRecord};
use postroom_types::InboxId;

impl Identity {
    /// Deletes an inbox. Its mail is kept, hidden, until [`purge_deleted`](Self::purge_deleted) clears it away.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchInbox`].
    pub async fn delete_inbox(&self, id: InboxId) -> Result<(), IdentityError> {
        self.delete_inbox_at(id, now_ms()).await
    }

    /// As [`delete_inbox`](Self::delete_inbox), as if at this time, in milliseconds since 1970.
    pub(crate) async fn delete_inbox_at(&self, id: InboxId, deleted_at: i64) -> Result<(), IdentityError> {
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let found = self.row::<InboxRecord>(&keys::inbox(id)).await?;
            let Some((old, inbox)) = found.filter(|(_, inbox)| inbox.deleted_at.is_none()) else {
                return if sent { Ok(()) } else { Err(IdentityError::NoSuchInbox) };
            };
            let mut builder = CommitBuilder::new();
            let deleted = InboxRecord {
                deleted_at: Some(deleted_at),
                ..inbox.clone()
            };
            builder.replace(keys::inbox(id), old, encode(&deleted));
            builder.delete(keys::password(id));
            builder.delete(keys::signing_key(id));
            builder.delete(keys::listed_inbox(inbox.organization, id));
            for scope in [
                KeyScope::Inbox(inbox.organization, id),
                KeyScope::AgentInbox(inbox.organization, inbox.pod, id),
            ] {
                for row in self.all_key_rows(&scope).await? {
                    builder.delete(row);
                }
            }
            if let Some(client_id) = &inbox.client_id {
                builder.delete(keys::client_id(inbox.organization, b'i', client_id));
            }
            if let Some(request) = &inbox.request {
                let within = request.within_pod.then_some(inbox.pod);
                builder.delete(keys::request(inbox.organization, within, &request.address));
            }
            let tombstone = AddressRow::Tombstone {
                organization: inbox.organization,
            };
            for address in inbox.addresses() {
                builder.put(keys::address(address), encode(&tombstone));
            }
            self.end_identity(&mut builder, &inbox);
            builder.put(keys::purge(deleted_at, id), encode_id(inbox.organization.as_bytes()));
            self.uncount(&mut builder, &inbox).await?;
            self.mailstore.remove_inbox(&mut builder, id);
            builder.wake(*id.as_bytes());
            builder.wake(keys::changed_keys(inbox.organization));
            sent = true;
            if self.commit_change(builder).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    /// Gives back the place against the plan; after a lowered limit, debt is paid off first.
    async fn uncount(&self, builder: &mut CommitBuilder, inbox: &InboxRecord) -> Result<(), IdentityError> {
        let counters = keys::organization_counters(inbox.organization);
        let rows = self
            .store
            .get_many(&[counters.clone(), keys::organization(inbox.organization)])
            .await?;
        let [Some(record), Some(owner)] = rows.as_slice() else {
            return Ok(());
        };
        let debt = CounterRecord::from_value(record).map_or(0, |record| record.0[LANE_DEBT]);
        // Only a change of the organization makes debt, so holding on to its row keeps the choice right.
        builder.require(keys::organization(inbox.organization), owner.clone());
        builder.count(counters.clone(), LANE_INBOXES, -1);
        match debt {
            0 => builder.count(counters, LANE_ROOM, 1),
            _ => builder.count(counters, LANE_DEBT, -1),
        };
        builder.count(keys::pod_counters(inbox.pod), LANE_INBOXES, -1);
        Ok(())
    }
}
