//! Labels of drafts: their keywords, but none of those that say what a message is or where it stands.

use crate::{Draft, DraftChange, DraftError};
use postroom_mailstore::{LabelChange, is_system_label};
use postroom_types::{Keyword, MessageFlags};
use std::collections::BTreeSet;

/// Most labels named together.
const MAX_LABELS: usize = 50;

/// Flags with labels added and taken away.
pub(crate) fn relabelled<T: AsRef<str>>(
    flags: &MessageFlags,
    add: &[T],
    remove: &[T],
) -> Result<MessageFlags, DraftError> {
    if add.len() + remove.len() > MAX_LABELS {
        return Err(DraftError::Invalid(format!("there are at most {MAX_LABELS} labels")));
    }
    let system = add
        .iter()
        .chain(remove)
        .map(|label| label.as_ref().trim().to_lowercase());
    if let Some(label) = system.into_iter().find(|label| is_system_label(label)) {
        return Err(DraftError::Invalid(format!("{label:?} is no label of a draft's own")));
    }
    let change = LabelChange::new(add, remove).map_err(|error| DraftError::Invalid(error.to_string()))?;
    Ok(change.flags(flags))
}

/// The keywords that labels of a message's owner are.
///
/// # Errors
/// [`DraftError::Invalid`]: one of them is none, or belongs to the server; or there are too many.
pub fn label_keywords(labels: &[String]) -> Result<Vec<Keyword>, DraftError> {
    Ok(relabelled(&MessageFlags::default(), labels, &[])?.keywords)
}

/// The flags of a draft with all its labels: a mail program that saved it again may have dropped what it did not know.
pub(crate) fn flags_of(draft: &Draft) -> MessageFlags {
    let there = &draft.record.flags;
    let all = LabelChange::new(&draft.labels, &[]).map(|labels| labels.flags(there));
    // What a mail program made of keywords may be no label; then they are what they are.
    all.unwrap_or_else(|_| there.clone())
}

pub(crate) fn folded(labels: &[String]) -> Vec<String> {
    let labels = labels.iter().map(|label| label.trim().to_lowercase());
    labels.collect::<BTreeSet<_>>().into_iter().collect()
}

pub(crate) fn labels_after(labels: &[String], change: &DraftChange) -> Vec<String> {
    let (added, removed) = (folded(&change.add_labels), folded(&change.remove_labels));
    let mut after: Vec<String> = labels.iter().chain(&added).cloned().collect();
    after.retain(|label| !removed.contains(label));
    folded(&after)
}
