//! `postroom fsck`: checks the data of a server that is not running.

use crate::Outcome;
use crate::cli::FsckArgs;
use postroom_mailstore::Mailstore;
use postroom_store::SharedStore;
use postroom_store_sled::{Options, SledStore};
use std::sync::Arc;

/// Checks every inbox and prints what is wrong; fails if anything is.
pub(crate) async fn run(args: &FsckArgs) -> Outcome<()> {
    let folder = args.data.join("store");
    if !folder.is_dir() {
        return Err(format!("{} holds no store", args.data.display()).into());
    }
    let options = Options {
        boot_id: std::env::var("POSTROOM_BOOT_ID").ok(),
        ..Options::default()
    };
    let store = tokio::task::spawn_blocking(move || SledStore::open(&folder, options, |_| {})).await??;
    let shared: SharedStore = store.clone();
    let mailstore = Mailstore::new(Arc::clone(&shared), postroom_mailstore::Options::default());
    let mut problems = Vec::new();
    let mut inboxes = 0_u64;
    for inbox in mailstore.inboxes().await? {
        inboxes += 1;
        let found = mailstore.check_consistency(inbox).await?;
        problems.extend(found.into_iter().map(|problem| format!("inbox {inbox}: {problem}")));
    }
    store.close().await?;
    let ok = problems.is_empty();
    match args.json {
        true => println!(
            "{}",
            serde_json::json!({ "ok": ok, "inboxes": inboxes, "problems": problems })
        ),
        false => {
            problems.iter().for_each(|problem| println!("{problem}"));
            println!("{inboxes} inboxes checked, {} problems", problems.len());
        }
    }
    if ok {
        Ok(())
    } else {
        Err("the data is not consistent".into())
    }
}
