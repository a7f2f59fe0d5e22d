//! A job: what is known of an import, and how far it is.

use postroom_store::{StoreError, Value};
use postroom_types::{EmailAddress, EmailId, InboxId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const FORMAT: u8 = 1;

/// Names a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(EmailId);

impl JobId {
    pub(crate) fn new() -> Self {
        // Ids of the same kind in all but name: ordered by time, one of a kind.
        Self(EmailId::new())
    }

    /// The id that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(EmailId::from_bytes(bytes))
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for JobId {
    type Err = <EmailId as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a file is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Whatever its first octets say.
    Auto,
    /// Messages one after the other.
    Mbox,
    /// One message.
    Eml,
    /// An archive of the other two.
    Zip,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its file is awaited, or is there and nobody has said that it is to begin.
    PendingUpload,
    /// It waits for its turn.
    Queued,
    /// It is being taken in.
    Running,
    /// It has come to its end.
    Completed,
    /// It could not go on; `error` says why.
    Failed,
    /// It was given up by its owner.
    Cancelled,
}

impl Status {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A wanted import.
#[derive(Clone, Debug)]
pub struct JobWish {
    /// What the file will be.
    pub format: Format,
    /// Under which addresses the owner wrote in it: mail from these goes to Sent. At most 50.
    pub original_addresses: Option<Vec<EmailAddress>>,
    /// Whether the messages count as read.
    pub mark_as_read: bool,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    #[serde(with = "text")]
    pub id: JobId,
    /// Into which inbox.
    #[serde(with = "text")]
    pub inbox: InboxId,
    /// How far it is.
    pub status: Status,
    /// What the file is said to be.
    pub format: Format,
    /// As in [`JobWish`].
    pub original_addresses: Option<Vec<String>>,
    /// As in [`JobWish`].
    pub mark_as_read: bool,
    /// Octets of the file, once it is there.
    pub upload_octets: Option<u64>,
    /// Messages of the file that were looked at.
    pub processed: u64,
    /// Those of them that are in the inbox now.
    pub imported: u64,
    /// Those that were in the inbox before.
    pub duplicates: u64,
    /// Those that could not be stored.
    pub failed: u64,
    /// Those that are no messages: they have octets that none has.
    pub unsafe_messages: u64,
    /// Why it failed, for the user.
    pub error: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_at: i64,
    /// When the first message was looked at, in milliseconds since 1970.
    pub started_at: Option<i64>,
    /// When it came to its end, in milliseconds since 1970.
    pub finished_at: Option<i64>,
    /// SHA-256 of what allows the upload.
    pub(crate) upload_hash: Option<[u8; 32]>,
    /// Until when it does, in milliseconds since 1970.
    pub(crate) upload_until: i64,
    /// When to look whether it is to be given up or forgotten.
    pub(crate) expires_at: i64,
    /// Its place among those that have not ended; none of a job that was made before there were places.
    #[serde(default)]
    pub(crate) open: Option<Vec<u8>>,
    /// How often it was begun since it last came further, or was left in good order.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// Whether the ids of its messages begin with their dates; those of jobs made before that was so began with when the
    /// job began.
    #[serde(default)]
    pub(crate) is_dated: bool,
}

impl Job {
    pub(crate) fn write(&self) -> Value {
        let mut value = vec![FORMAT];
        serde_json::to_writer(&mut value, self).expect("jobs have string keys, and writing to a Vec does not fail");
        value
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, StoreError> {
        match value.split_first() {
            Some((&FORMAT, json)) => {
                serde_json::from_slice(json).map_err(|error| StoreError::Corrupt(format!("an import: {error}").into()))
            }
            _ => Err(StoreError::Corrupt("an import of an unknown format".into())),
        }
    }

    /// When the first message was looked at, in milliseconds since 1970: the same whenever the job is gone on with. No
    /// message is from later.
    pub(crate) fn began_at(&self) -> i64 {
        self.started_at.unwrap_or(self.created_at)
    }

    /// The id of the message at this place of the file, which came at this time in milliseconds since 1970: the same each
    /// time. It begins with that time and the place, as a UUID of version 7 does with its time, so that messages sort by
    /// their times, and those of one time by their places.
    pub(crate) fn message_id(&self, place: u64, came_at: i64) -> EmailId {
        let came_at = u64::try_from(came_at).unwrap_or(0);
        let place_bits = place & 0xFFFF_FFFF;
        let hash: [u8; 32] = Sha256::new()
            .chain_update(self.id.as_bytes())
            .chain_update(place.to_be_bytes())
            .finalize()
            .into();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&came_at.to_be_bytes()[2..]);
        // 12 bits of the place, 14 more behind the variant, then 6 and the hash.
        bytes[6] = 0x70 | (place_bits >> 28) as u8;
        bytes[7] = (place_bits >> 20) as u8;
        bytes[8] = 0x80 | ((place_bits >> 14) & 0x3F) as u8;
        bytes[9] = (place_bits >> 6) as u8;
        bytes[10] = ((place_bits & 0x3F) << 2) as u8 | (hash[0] & 3);
        bytes[11..].copy_from_slice(&hash[1..6]);
        EmailId::from_bytes(bytes)
    }

    /// The id that the message at this place has if it was stored before ids began with dates; `None` of a job that is
    /// younger than that.
    pub(crate) fn earlier_id(&self, place: u64) -> Option<EmailId> {
        (!self.is_dated).then(|| self.message_id(place, self.began_at()))
    }

    /// Whether a message came by this job: its id says when it came and at which place of the file, and what it then has to be.
    pub(crate) fn made(&self, message: EmailId) -> bool {
        let bytes = message.as_bytes();
        let bits = |index: usize, mask: u8| u64::from(bytes[index] & mask);
        let place = bits(6, 0x0F) << 28 | bits(7, 0xFF) << 20 | bits(8, 0x3F) << 14 | bits(9, 0xFF) << 6;
        let came_at = bytes[..6].iter().fold(0, |time, octet| time << 8 | i64::from(*octet));
        self.message_id(place | bits(10, 0xFF) >> 2, came_at) == message
    }
}

mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_messages_follow_from_their_places() {
        let job = |id| Job {
            id,
            inbox: InboxId::new(),
            status: Status::Running,
            format: Format::Auto,
            original_addresses: None,
            mark_as_read: true,
            upload_octets: None,
            processed: 0,
            imported: 0,
            duplicates: 0,
            failed: 0,
            unsafe_messages: 0,
            error: None,
            created_at: 1_700_000_000_000,
            updated_at: 1_700_000_000_000,
            started_at: Some(1_700_000_000_000),
            finished_at: None,
            upload_hash: Some([7; 32]),
            upload_until: 0,
            expires_at: 0,
            open: None,
            attempts: 0,
            is_dated: true,
        };
        let one = job(JobId::new());
        let other = job(JobId::new());
        let places = [
            0,
            1,
            63,
            64,
            16_383,
            16_384,
            1 << 20,
            (1 << 20) + 1,
            u64::from(u32::MAX),
        ];
        const AT: i64 = 1_500_000_000_000;
        let ids: Vec<EmailId> = places.iter().map(|place| one.message_id(*place, AT)).collect();
        assert!(
            ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]),
            "{ids:?}"
        );
        assert!(ids.iter().all(|id| one.made(*id) && !other.made(*id)) && !one.made(EmailId::new()));
        assert_eq!(ids[3], one.message_id(64, AT));
        assert_ne!(ids[3], other.message_id(64, AT));
        assert!(one.message_id(64, AT - 1) < ids[0] && one.message_id(0, AT + 1) > ids[8]);
        // As ids were made before they began with dates.
        let old = Job {
            is_dated: false,
            ..one.clone()
        };
        let earlier = old.earlier_id(64).unwrap();
        assert_eq!(earlier, one.message_id(64, 1_700_000_000_000));
        assert!(old.made(earlier) && one.earlier_id(64).is_none());
        let text = ids[0].to_string();
        assert_eq!((&text[14..15], &text[19..20]), ("7", "8"));
        assert_eq!(Job::read(&one.write()).unwrap(), one);
    }
}
