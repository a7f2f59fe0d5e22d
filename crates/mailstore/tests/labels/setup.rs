//! Mail with labels.

use crate::common::{Fixture, message};
use postroom_mailstore::{LabelChange, MailboxRef, NewMessage};
use postroom_types::{EmailId, MailboxId, SpecialUse};

pub(crate) const SENT: MailboxRef = MailboxRef::Special(SpecialUse::Sent);

pub(crate) fn change(add: &[&str], remove: &[&str]) -> LabelChange {
    LabelChange::new(add, remove).unwrap()
}

pub(crate) fn mail(number: u32) -> NewMessage {
    message(&format!(
        "Message-ID: <m{number}@x>\r\nSubject: {number}\r\n\r\nbody {number}\r\n"
    ))
}

pub(crate) async fn labels(f: &Fixture, id: EmailId) -> Vec<String> {
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    f.mail.labels(f.inbox, &[record]).await.unwrap().remove(0).names()
}

pub(crate) async fn update(f: &Fixture, id: EmailId, add: &[&str], remove: &[&str]) -> Vec<String> {
    let changed = f
        .mail
        .update_labels(f.inbox, &[id], &change(add, remove))
        .await
        .unwrap();
    let told = changed[0].1.names();
    assert_eq!(told, labels(f, id).await, "what is told is what is stored");
    told
}

pub(crate) async fn places(f: &Fixture, id: EmailId) -> Vec<MailboxId> {
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    record.placements.into_iter().map(|(mailbox, _)| mailbox).collect()
}
