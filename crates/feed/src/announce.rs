//! Writing events.

use crate::cursor::Cursor;
use crate::event::NewEvent;
use crate::keys::{self, LSN_OF_EVENT};
use crate::{row, topic};
use postroom_store::{CommitBuilder, Patch, PatchPlace, PatchSource};
use postroom_types::OrganizationId;

/// Adds events of an organization to the commit that makes them true, after those it has already, and wakes who waits for
/// them. The store gives them the commit's place.
pub fn announce(builder: &mut CommitBuilder, organization: OrganizationId, events: &[NewEvent]) {
    if events.is_empty() {
        return;
    }
    let prefix = keys::events(organization);
    let before = builder.puts().iter().filter(|put| put.key.starts_with(&prefix)).count();
    for (index, event) in (before..).zip(events) {
        let cursor = Cursor {
            // No commit has more operations than that, and only those of the mail store may be bulk.
            index: u16::try_from(index).expect("at most 1,000 operations in a commit"),
            ..Cursor::START
        };
        let lsn = Patch {
            source: PatchSource::Lsn,
            minus: 0,
            place: PatchPlace::Key(LSN_OF_EVENT),
        };
        builder.put_patched(keys::event(organization, cursor), row::write(event), vec![lsn]);
    }
    builder.wake(topic(organization));
}
