//! `postroom fsck`: checks the data of a server that is not running.
//!
//! From the bottom up: the journal, the index made of it, the bodies; then what each inbox, the accounts, the feed and the
//! queue keep twice. Nothing is repaired, but what a start does anyway; `--rebuild-index` makes the index anew, and
//! `--accept-loss` goes on with a journal that has lost its end.

use crate::Outcome;
use crate::cli::FsckArgs;
use crate::progress::Bar;
use crate::remedy::remedy;
use postroom_feed::Feed;
use postroom_identity::Identity;
use postroom_mailstore::{MailError, Mailstore};
use postroom_queue::Queue;
use postroom_store::{SharedStore, StoreError};
use postroom_store_sled::{OpenError, Options, SledStore, check_journal};
use postroom_types::{Domain, InboxId};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// What was found; printed at the end.
#[derive(Default, serde::Serialize)]
struct Report {
    ok: bool,
    inboxes: u64,
    problems: Vec<String>,
    /// What could not be looked at, and why.
    unread: Vec<String>,
    notes: Vec<String>,
}

/// Checks everything and prints what is wrong: 0 if nothing is, 1 if something is, 2 if it could not look.
pub(crate) async fn run(args: &FsckArgs) -> ExitCode {
    match look(args).await {
        Ok(report) => {
            print(&report, args.json);
            match (report.ok, report.problems.is_empty()) {
                (true, _) => ExitCode::SUCCESS,
                (false, false) => ExitCode::from(1),
                (false, true) => ExitCode::from(2),
            }
        }
        Err(error) => {
            eprintln!("postroom: {error}");
            ExitCode::from(2)
        }
    }
}

async fn look(args: &FsckArgs) -> Outcome<Report> {
    let data = args.data.folder()?;
    let folder = data.join("store");
    if !folder.is_dir() {
        return Err(format!("{} holds no store", data.display()).into());
    }
    crate::owner::check(&folder)?;
    crate::format::check(&data)?;
    let mut report = Report::default();
    let is_accepted = !args.accept_loss || report.accept_loss(&folder).await?;
    report.journal(&folder).await?;
    let is_discarded = !args.rebuild_index || report.discard_index(&folder).await?;
    if is_accepted
        && is_discarded
        && let Some(store) = report.open(&folder).await?
    {
        let checked = report.all(&store).await;
        let closed = store.close().await;
        match (checked, closed) {
            (Ok(()), Ok(())) => {}
            // A store that fails over what was just found is no news.
            (Err(error), _) if !report.problems.is_empty() => {
                report.problems.push(format!("{error}; not checked further"));
            }
            (Err(error), _) => return Err(error),
            (Ok(()), Err(error)) if report.problems.is_empty() => return Err(error.into()),
            (Ok(()), Err(error)) => report.notes.push(format!("the store did not close: {error}")),
        }
    }
    report.ok = report.problems.is_empty() && report.unread.is_empty();
    Ok(report)
}

impl Report {
    /// Goes on without what the journal has lost; whether that was possible.
    async fn accept_loss(&mut self, folder: &Path) -> Outcome<bool> {
        let folder = folder.to_path_buf();
        let accept = move || SledStore::accept_loss(&folder, &options());
        match tokio::task::spawn_blocking(accept).await? {
            Ok(Some(loss)) => self.notes.push(format!("journal: {loss}, as was accepted")),
            Ok(None) => self
                .notes
                .push("journal: it has not lost its end, nothing to accept".into()),
            Err(error @ OpenError::Corrupt { .. }) => {
                let problem = format!("the loss cannot be accepted: what there is does not make a whole: {error}");
                self.problems.push(problem);
                return Ok(false);
            }
            Err(error) => return Err(in_use(error)),
        }
        Ok(true)
    }

    /// Puts the index out of the way; whether that loses nothing.
    async fn discard_index(&mut self, folder: &Path) -> Outcome<bool> {
        let folder = folder.to_path_buf();
        let discard = move || SledStore::discard_index(&folder, &options());
        match tokio::task::spawn_blocking(discard).await? {
            Ok(()) => Ok(true),
            Err(error @ (OpenError::Lost { .. } | OpenError::Corrupt { .. })) => {
                self.not_opened("the index stays as it is", error);
                Ok(false)
            }
            Err(error) => Err(in_use(error)),
        }
    }

    fn not_opened(&mut self, what: &str, error: OpenError) {
        self.notes.extend(remedy(&error).map(str::to_owned));
        self.problems
            .push(format!("{what}: {error}; nothing above it was checked"));
    }

    /// Every record and every snapshot, before the store is opened, which would cut what is torn.
    async fn journal(&mut self, folder: &Path) -> Outcome<()> {
        let folder = folder.to_path_buf();
        let mut bar = Bar::new();
        let check = move || check_journal(&folder, |progress| bar.show("reading the journal", progress));
        match tokio::task::spawn_blocking(check).await? {
            Ok(checked) => {
                self.problems.extend(checked.faults);
                self.notes.extend(checked.notes);
            }
            Err(error @ OpenError::Corrupt { .. }) => self.problems.push(error.to_string()),
            Err(error) => return Err(in_use(error)),
        }
        Ok(())
    }

    /// The store; `None` if it does not open, which is then a problem.
    async fn open(&mut self, folder: &Path) -> Outcome<Option<Arc<SledStore>>> {
        let folder = folder.to_path_buf();
        let mut bar = Bar::new();
        let open = move || {
            SledStore::open(&folder, options(), |progress| {
                bar.show("replaying the journal", progress)
            })
        };
        match tokio::task::spawn_blocking(open).await? {
            Ok(store) => {
                if let Some(why) = store.renewed() {
                    let note = format!("index: it was unusable and was made anew from the journal: {why}");
                    self.notes.push(note);
                }
                Ok(Some(store))
            }
            Err(error @ (OpenError::Corrupt { .. } | OpenError::Lost { .. } | OpenError::Index(_))) => {
                self.not_opened("the store does not open", error);
                Ok(None)
            }
            Err(error) => Err(in_use(error)),
        }
    }

    async fn all(&mut self, store: &Arc<SledStore>) -> Outcome<()> {
        self.store(store).await?;
        self.mail(store).await
    }

    async fn store(&mut self, store: &SledStore) -> Outcome<()> {
        let mut bar = Bar::new();
        let checked = store.check(move |what, progress| bar.show(what, progress)).await?;
        if checked.faults.iter().any(|fault| fault.starts_with("index")) {
            self.notes
                .push("`postroom fsck --rebuild-index` makes the index anew from the journal".into());
        }
        self.problems.extend(checked.faults);
        self.unread.extend(checked.unread);
        self.notes.extend(checked.notes);
        Ok(())
    }

    async fn mail(&mut self, store: &Arc<SledStore>) -> Outcome<()> {
        let shared: SharedStore = store.clone();
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&shared),
            postroom_mailstore::Options::default(),
        ));
        let inboxes = mailstore.inboxes().await?;
        let mut bar = Bar::new();
        for (done, inbox) in inboxes.iter().enumerate() {
            bar.count("checking inboxes", done as u64, inboxes.len() as u64);
            let found = match mailstore.check_consistency(*inbox).await {
                Err(MailError::Store(error @ StoreError::Corrupt(_))) => vec![format!("{error}; not checked further")],
                found => found?,
            };
            self.problems
                .extend(found.into_iter().map(|problem| format!("inbox {inbox}: {problem}")));
        }
        bar.count("checking inboxes", inboxes.len() as u64, inboxes.len() as u64);
        self.inboxes = inboxes.len() as u64;
        self.accounts(&shared, &mailstore, inboxes).await?;
        // Neither is asked for anything that depends on the domain.
        let domain = Domain::parse("localhost.localdomain")?;
        let feed = Feed::new(Arc::clone(&shared), postroom_feed::Options::default());
        let found = feed.check_consistency().await?;
        self.problems
            .extend(found.into_iter().map(|problem| format!("feed: {problem}")));
        let queue = Queue::new(shared, postroom_queue::Options::new(domain.to_string(), domain));
        let found = queue.check_consistency().await?;
        self.problems
            .extend(found.into_iter().map(|problem| format!("queue: {problem}")));
        Ok(())
    }

    /// Each account has its mailboxes; mailboxes without an account wait to be purged.
    async fn accounts(
        &mut self,
        store: &SharedStore,
        mailstore: &Arc<Mailstore>,
        inboxes: Vec<InboxId>,
    ) -> Outcome<()> {
        let options = postroom_identity::Options::new(Domain::parse("localhost.localdomain")?);
        let identity = Identity::new(Arc::clone(store), Arc::clone(mailstore), options);
        let mut without: BTreeSet<InboxId> = inboxes.into_iter().collect();
        for organization in identity.organizations().await? {
            let mut after = None;
            loop {
                let page = identity.inboxes(organization.id, None, after, 200).await?;
                for inbox in page.inboxes {
                    if !without.remove(&inbox.id) {
                        let problem = format!("inbox {}: {} has no mailboxes", inbox.id, inbox.canonical);
                        self.problems.push(problem);
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        // The operator's own is in no list, nor are those of an organization that was deleted and can be had back.
        for inbox in without {
            let is_known = identity.inbox(inbox).await.is_ok() || identity.is_hidden(inbox).await?;
            if !is_known && mailstore.count(inbox).await.is_ok() {
                let problem = format!("inbox {inbox}: it has mailboxes, but is nobody's account");
                self.problems.push(problem);
            }
        }
        Ok(())
    }
}

fn options() -> Options {
    Options {
        boot_id: std::env::var("POSTROOM_BOOT_ID").ok(),
        min_free_octets: 0,
        tidy_every: None,
        ..Options::default()
    }
}

fn in_use(error: OpenError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        OpenError::Locked(folder) => format!(
            "{} is in use: is the server running? fsck needs it stopped; `postroom backup` does not",
            folder.display()
        )
        .into(),
        error => error.into(),
    }
}

fn print(report: &Report, json: bool) {
    if json {
        let line = serde_json::to_string(report).expect("texts and numbers serialize");
        println!("{line}");
        return;
    }
    report.problems.iter().for_each(|problem| println!("{problem}"));
    report.unread.iter().for_each(|what| println!("not checked: {what}"));
    report.notes.iter().for_each(|note| println!("note: {note}"));
    println!("{} inboxes checked, {} problems", report.inboxes, report.problems.len());
}
