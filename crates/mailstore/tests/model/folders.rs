//! What is done to mailboxes.

use crate::reference::Box_;
use crate::world::World;
use postroom_mailstore::MailError;
use std::collections::BTreeMap;

impl World {
    pub(crate) async fn create(&mut self, name: &str) {
        let created = self.f.mail.create_mailbox(self.f.inbox, name, None).await;
        if self.model.boxes.contains_key(name) {
            assert!(matches!(created, Err(MailError::AlreadyExists)));
            return;
        }
        created.unwrap();
        self.add_made().await;
    }

    /// Adds what was made to the model, parents too.
    pub(crate) async fn add_made(&mut self) {
        for info in self.f.mail.mailboxes(self.f.inbox).await.unwrap() {
            let mailbox = Box_ {
                id: info.id,
                next: 1,
                items: BTreeMap::new(),
            };
            self.model.boxes.entry(info.name).or_insert(mailbox);
        }
    }

    pub(crate) async fn delete(&mut self, name: &str) {
        let deleted = self.f.mail.delete_mailbox(self.f.inbox, name).await;
        let has_children = self
            .model
            .boxes
            .keys()
            .any(|other| other.starts_with(&format!("{name}/")));
        match deleted {
            Ok(_) => assert!(!has_children && self.model.boxes.remove(name).is_some()),
            Err(MailError::NoSuchMailbox) => assert!(!self.model.boxes.contains_key(name)),
            Err(MailError::HasChildren) => assert!(has_children),
            Err(MailError::Cannot(_)) => assert!(self.needed.contains(&self.model.boxes[name].id)),
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) async fn rename(&mut self, from: &str, to: &str) {
        let renamed = self.f.mail.rename_mailbox(self.f.inbox, from, to).await;
        if self.model.boxes.contains_key(to) && self.model.boxes.contains_key(from) {
            assert!(renamed.is_err());
            return;
        }
        match renamed {
            Err(MailError::NoSuchMailbox) => assert!(!self.model.boxes.contains_key(from)),
            Err(MailError::Cannot(_)) => assert!(to.starts_with(&format!("{from}/"))),
            Err(MailError::AlreadyExists) => assert!(self.model.boxes.contains_key(to)),
            Err(other) => panic!("{other}"),
            Ok(()) if from == "INBOX" => {
                self.add_made().await;
                let items = std::mem::take(&mut self.model.boxes.get_mut("INBOX").unwrap().items);
                for item in items.into_values() {
                    self.model.put(to, item.message, item.flags);
                }
            }
            Ok(()) => {
                let below = format!("{from}/");
                let moved: Vec<String> = self
                    .model
                    .boxes
                    .keys()
                    .filter(|name| *name == from || name.starts_with(&below))
                    .cloned()
                    .collect();
                for name in moved {
                    let mailbox = self.model.boxes.remove(&name).unwrap();
                    self.model.boxes.insert(format!("{to}{}", &name[from.len()..]), mailbox);
                }
                self.add_made().await;
            }
        }
    }
}
