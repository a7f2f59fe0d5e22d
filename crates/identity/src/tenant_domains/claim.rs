//! What is kept of a domain that an organization claims.

use super::{DomainStatus, RecordStatus};
use crate::record::optional_text;
use postroom_types::PodId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A claim as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    #[serde(with = "optional_text", default)]
    pub(super) pod: Option<PodId>,
    pub(super) feedback: bool,
    pub(super) inbound: bool,
    #[serde(default)]
    pub(super) subdomains: bool,
    /// What the last check found of each record, by its name and kind.
    #[serde(default)]
    pub(super) checked: BTreeMap<String, RecordStatus>,
    /// Whether the last check found all that was needed then.
    #[serde(default)]
    pub(super) settled: bool,
    pub(super) created_at: i64,
    pub(super) changed_at: i64,
}

impl Claim {
    pub(super) fn status(&self, is_theirs: bool) -> DomainStatus {
        let is_wrong = |status: &RecordStatus| matches!(status, RecordStatus::Mismatch | RecordStatus::Duplicate);
        if self.settled && is_theirs {
            DomainStatus::Verified
        } else if self.checked.is_empty() {
            DomainStatus::NotStarted
        } else if self.checked.values().any(is_wrong) {
            DomainStatus::Invalid
        } else {
            DomainStatus::Pending
        }
    }
}
