//! A thread as the dialect shows it, and the folder it is in (inkbox.md §8).

use super::message_view::MessageView;
use crate::model::time;
use postroom_identity::InboxRecord;
use postroom_mailstore::{Folder, Listed, ThreadListed};
use serde::Serialize;

/// A folder in the dialect's words.
pub(super) const fn word(folder: Folder) -> &'static str {
    match folder {
        Folder::Inbox => "inbox",
        Folder::Archive => "archive",
        Folder::Spam => "spam",
        Folder::Blocked => "blocked",
    }
}

/// The folder that a word names.
pub(super) fn parse(text: &str) -> Option<Folder> {
    let all = [Folder::Inbox, Folder::Archive, Folder::Spam, Folder::Blocked];
    all.into_iter().find(|folder| word(*folder) == text)
}

/// A thread.
#[derive(Debug, Serialize)]
pub(super) struct ThreadView {
    id: String,
    mailbox_id: String,
    subject: Option<String>,
    pub(super) folder: &'static str,
    message_count: usize,
    last_message_at: String,
    created_at: String,
    /// Oldest first; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) messages: Option<Vec<MessageView>>,
}

impl ThreadView {
    /// `None`: nothing of it is shown.
    pub(super) fn new(inbox: &InboxRecord, listed: &ThreadListed) -> Option<Self> {
        let (first, last) = (listed.messages.first()?, listed.messages.last()?);
        let has_subject = first.summary.envelope.subject.is_some();
        Some(Self {
            id: listed.thread_id.to_string(),
            mailbox_id: inbox.id.to_string(),
            subject: has_subject.then(|| first.summary.subject_text.clone()),
            folder: word(folder_of(&listed.messages)?),
            message_count: listed.count,
            last_message_at: time(last.record.received_at),
            created_at: time(first.record.received_at),
            messages: None,
        })
    }
}

/// Where a thread is: where what was received is, or if nothing was, what was sent.
pub(super) fn folder_of(messages: &[Listed]) -> Option<Folder> {
    let of = |received: bool| {
        let which = messages.iter().filter(move |listed| listed.labels.received == received);
        which.filter_map(|listed| listed.labels.folder()).min()
    };
    of(true).or_else(|| of(false))
}
