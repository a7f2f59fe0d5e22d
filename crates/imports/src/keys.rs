//! Every key layout of this crate. All begin with `j`; ids are 16 bytes, numbers big-endian.
//!
//! | layout | value |
//! |---|---|
//! | `jj` job | the job |
//! | `ji` inbox job | a format byte: the jobs of an inbox, in the order they were made |
//! | `jq` job | a format byte: the jobs that wait, or are worked on |
//! | `jo` organization inbox place | a format byte, then the job: one that has not ended; an inbox has so many places |
//! | `jd` | a format byte: inboxes with mail whose ids do not begin with its dates were made known |
//! | `jx` when job | a format byte: when to look whether the job is to be given up or forgotten, milliseconds since 1970 |

use crate::JobId;
use postroom_store::Key;
use postroom_types::{InboxId, OrganizationId};

/// The value of a row whose key says it all.
pub(crate) const MARK: &[u8] = &[1];
pub(crate) const JOBS: &[u8; 2] = b"jj";
pub(crate) const NOTED: &[u8; 2] = b"jd";
pub(crate) const QUEUED: &[u8; 2] = b"jq";
pub(crate) const EXPIRES: &[u8; 2] = b"jx";

fn key(kind: &[u8; 2], parts: &[&[u8]]) -> Key {
    let mut key = kind.to_vec();
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

pub(crate) fn job(id: JobId) -> Key {
    key(JOBS, &[id.as_bytes()])
}

pub(crate) fn jobs(inbox: InboxId) -> Key {
    key(b"ji", &[inbox.as_bytes()])
}

pub(crate) fn listed(inbox: InboxId, id: JobId) -> Key {
    key(b"ji", &[inbox.as_bytes(), id.as_bytes()])
}

pub(crate) fn queued(id: JobId) -> Key {
    key(QUEUED, &[id.as_bytes()])
}

pub(crate) fn expires(at: i64, id: JobId) -> Key {
    key(EXPIRES, &[&at.max(0).to_be_bytes(), id.as_bytes()])
}

pub(crate) fn open_of(organization: OrganizationId) -> Key {
    key(b"jo", &[organization.as_bytes()])
}

pub(crate) fn open(organization: OrganizationId, inbox: InboxId, place: u8) -> Key {
    key(b"jo", &[organization.as_bytes(), inbox.as_bytes(), &[place]])
}

pub(crate) fn open_value(id: JobId) -> Vec<u8> {
    [MARK, id.as_bytes()].concat()
}

/// The job at the end of a key.
pub(crate) fn last_id(key: &[u8]) -> Option<JobId> {
    key.last_chunk().map(|id| JobId::from_bytes(*id))
}

/// When the row says.
pub(crate) fn when(key: &[u8]) -> Option<i64> {
    let (at, _) = key.strip_prefix(EXPIRES)?.split_first_chunk()?;
    Some(i64::from_be_bytes(*at))
}
