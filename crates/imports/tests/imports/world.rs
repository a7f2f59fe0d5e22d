//! An inbox, files for it, and what came of them.

use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord};
use postroom_imports::{Format, Imports, Job, JobId, JobWish, Options};
use postroom_intake::Intake;
use postroom_mailstore::{Mailstore, Origin};
use postroom_queue::Queue;
use postroom_store::SharedStore;
use postroom_types::{Domain, EmailAddress, EmailId};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) store: SharedStore,
    pub(crate) identity: Arc<Identity>,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) imports: Imports,
    pub(crate) folder: PathBuf,
    pub(crate) scout: InboxRecord,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) async fn world(store: SharedStore, quota_octets: u64) -> World {
    let mailstore = Arc::new(Mailstore::new(
        Arc::clone(&store),
        postroom_mailstore::Options::default(),
    ));
    let domain = Domain::parse("example.test").unwrap();
    let options = postroom_identity::Options {
        quota_octets,
        ..postroom_identity::Options::new(domain.clone())
    };
    let identity = Arc::new(Identity::new(Arc::clone(&store), Arc::clone(&mailstore), options));
    identity.bootstrap().await.unwrap();
    let queue = postroom_queue::Options::new("mail.example.test".into(), domain);
    let queue = Arc::new(Queue::new(Arc::clone(&store), queue));
    let intake = Arc::new(Intake::new(
        Arc::clone(&mailstore),
        Arc::clone(&identity),
        queue,
        postroom_intake::Options {
            max_message_octets: 10_000,
            ..postroom_intake::Options::default()
        },
    ));
    let made = identity.create_organization("Example", None).await.unwrap();
    let request = CreateInbox {
        username: Some("scout".into()),
        ..CreateInbox::new(made.organization.id)
    };
    let Ok(CreateOutcome::Created { inbox, .. }) = identity.create_inbox(&request).await else {
        panic!("the name is free");
    };
    let folder = std::env::temp_dir().join(format!("postroom-imports-{}", EmailId::new()));
    World {
        imports: imports(&store, &identity, &intake, &folder),
        store,
        identity,
        mailstore,
        intake,
        folder,
        scout: *inbox,
    }
}

pub(crate) fn imports(
    store: &SharedStore,
    identity: &Arc<Identity>,
    intake: &Arc<Intake>,
    folder: &std::path::Path,
) -> Imports {
    let options = Options {
        max_file_octets: 1_000_000,
        waiting_octets: 2_000_000,
        // Workers are dropped here as often as the seed wants.
        attempts: 100,
        ..Options::new(folder.to_path_buf())
    };
    Imports::new(Arc::clone(store), Arc::clone(identity), Arc::clone(intake), options)
}

pub(crate) fn wish(format: Format) -> JobWish {
    JobWish {
        format,
        original_addresses: Some(vec![EmailAddress::parse("Old@elsewhere.test").unwrap()]),
        mark_as_read: true,
    }
}

pub(crate) fn letter(number: usize) -> String {
    format!(
        "From: a@example.net\nDate: Thu, 1 Jan 2015 00:00:{:02} +0000\nMessage-ID: <{number}@example.net>\nSubject: {number}\n\nFrom {number}\n",
        number % 60
    )
}

/// A letter of a year, or of none.
pub(crate) fn dated(subject: &str, date: Option<&str>) -> String {
    let date = date.map_or_else(String::new, |date| format!("Date: {date}\n"));
    format!("From: a@example.net\n{date}Message-ID: <{subject}@example.net>\nSubject: {subject}\n\nx\n")
}

pub(crate) fn mbox(letters: impl Iterator<Item = String>) -> Vec<u8> {
    letters
        .map(|letter| {
            format!(
                "From a Thu Jan  1 00:00:00 2015\n{}\n",
                letter.replace("\nFrom ", "\n>From ")
            )
        })
        .collect::<String>()
        .into_bytes()
}

impl World {
    pub(crate) async fn uploaded(&self, wish: &JobWish, file: &[u8]) -> JobId {
        let (job, ticket) = self.imports.create(self.scout.id, wish).await.unwrap();
        let mut upload = self.imports.upload(job.id, ticket.token.expose(), None).await.unwrap();
        for piece in file.chunks(1000) {
            upload.write(piece).await.unwrap();
        }
        self.imports.uploaded(job.id, upload).await.unwrap();
        job.id
    }

    pub(crate) async fn done(&self, wish: &JobWish, file: &[u8]) -> Job {
        let id = self.uploaded(wish, file).await;
        self.imports.start(self.scout.id, id).await.unwrap();
        self.work().await;
        self.imports.get(self.scout.id, id).await.unwrap()
    }

    pub(crate) async fn work(&self) {
        while self.imports.turn(&CancellationToken::new()).await.unwrap() {}
    }

    pub(crate) async fn files(&self) -> usize {
        std::fs::read_dir(&self.folder).map_or(0, Iterator::count)
    }

    pub(crate) async fn subjects(&self) -> Vec<String> {
        let faults = self.mailstore.check_consistency(self.scout.id).await.unwrap();
        assert_eq!(faults, Vec::<String>::new());
        let mut found = Vec::new();
        for message in self.mailstore.messages(self.scout.id, None, 1000).await.unwrap() {
            assert_eq!(message.origin, Origin::Imported);
            let text = self
                .mailstore
                .read(&message.content, 0..u64::MAX)
                .await
                .unwrap()
                .unwrap();
            let text = String::from_utf8(text.to_vec()).unwrap();
            assert!(!text.replace("\r\n", "").contains('\n'), "{text:?}");
            found.push(
                text.split("Subject: ")
                    .nth(1)
                    .unwrap()
                    .split('\r')
                    .next()
                    .unwrap()
                    .to_owned(),
            );
        }
        found.reverse();
        found
    }
}
