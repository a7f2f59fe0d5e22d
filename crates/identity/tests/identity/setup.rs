//! A server's worth of identity on a store in memory.

use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord, NewOrganization, Options};
use postroom_mailstore::Mailstore;
use postroom_store::{MemoryStore, SharedStore};
use postroom_types::{Domain, EmailAddress, OrganizationId, Secret};
use std::collections::HashSet;
use std::sync::Arc;

pub(crate) fn on(store: SharedStore, change: impl FnOnce(&mut Options)) -> Arc<Identity> {
    let mailstore = Arc::new(Mailstore::new(
        Arc::clone(&store),
        postroom_mailstore::Options::default(),
    ));
    let mut options = Options::new(Domain::parse("example.test").unwrap());
    options.hosted_domains = vec![Domain::parse("other.test").unwrap()];
    options.reserved_names = vec!["helpdesk".into()];
    change(&mut options);
    Arc::new(Identity::new(store, mailstore, options))
}

pub(crate) async fn identity() -> Arc<Identity> {
    let identity = on(MemoryStore::new(), |_| {});
    identity.bootstrap().await.unwrap();
    identity
}

pub(crate) async fn tenant(identity: &Identity, name: &str) -> NewOrganization {
    identity.create_organization(name, None).await.unwrap()
}

pub(crate) fn wanted(organization: OrganizationId, username: Option<&str>) -> CreateInbox {
    CreateInbox {
        username: username.map(str::to_owned),
        ..CreateInbox::new(organization)
    }
}

pub(crate) struct Made {
    pub(crate) inbox: InboxRecord,
    pub(crate) api_key: Secret<String>,
    pub(crate) password: Secret<String>,
}

impl Made {
    pub(crate) fn user(&self) -> String {
        self.inbox.canonical.to_string()
    }
}

pub(crate) fn made(outcome: CreateOutcome) -> Made {
    match outcome {
        CreateOutcome::Created {
            inbox,
            api_key: Some(api_key),
            password: Some(password),
        } => Made {
            inbox: *inbox,
            api_key,
            password,
        },
        other => panic!("not made: {other:?}"),
    }
}

pub(crate) async fn create(identity: &Identity, organization: OrganizationId, username: &str) -> Made {
    made(
        identity
            .create_inbox(&wanted(organization, Some(username)))
            .await
            .unwrap(),
    )
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// No address twice, and the counters say what the lists say.
pub(crate) async fn check(identity: &Identity) {
    let mut addresses = HashSet::new();
    for organization in identity.organizations().await.unwrap() {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = identity.inboxes(organization.id, None, after, 7).await.unwrap();
            for inbox in &page.inboxes {
                count += 1;
                for own in inbox.addresses() {
                    assert!(addresses.insert(own.clone()), "{own} twice");
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(
            identity.inbox_count(organization.id).await.unwrap(),
            count,
            "{}",
            organization.name
        );
    }
}
