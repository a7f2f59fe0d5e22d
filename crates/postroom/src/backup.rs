//! `postroom backup` and `postroom restore`.
//!
//! A backup is the store and the small files beside it: what `dev` remembers, the first operator key, the certificates of
//! `dev`, the format. The configuration, and the certificates that it names, are elsewhere and not in it.

use crate::Outcome;
use crate::cli::{BackupArgs, RestoreArgs};
use crate::progress::Bar;
use postroom_store_sled::{BackedUp, Beside, Damaged, Options, Restored, SledStore, backup, restore};
use std::path::Path;
use std::process::ExitCode;

/// Files of the data folder that go along, if they are there.
const FILES: [&str; 3] = ["dev.json", "operator-key", crate::format::FILE];
/// A folder whose files go along.
const CERTIFICATES: &str = "certs";

/// Backs up the data of a server that may be running: 0 if all of it is in the backup, 1 if something is not, or there is
/// none.
pub(crate) async fn run(args: &BackupArgs) -> Outcome<ExitCode> {
    let data = args.data.folder()?;
    crate::format::check(&data)?;
    let beside = beside(&data)?;
    let (store, to, verify) = (data.join("store"), args.folder.clone(), args.verify);
    let what = if verify { "reading and copying" } else { "copying" };
    let mut bar = Bar::new();
    let work = move || backup(&store, &beside, &to, verify, |progress| bar.show(what, progress));
    let made = tokio::task::spawn_blocking(work).await??;
    let BackedUp {
        lsn,
        files,
        octets,
        copied_octets,
        removed_files,
        damaged,
        mended,
    } = made;
    match args.json {
        true => println!(
            "{}",
            serde_json::json!({
                "lsn": lsn.0, "files": files, "octets": octets, "copied_octets": copied_octets, "removed_files": removed_files,
                "damaged": names(&damaged), "mended": names(&mended),
            })
        ),
        false => println!("backup of {files} files, {octets} octets; {copied_octets} octets were copied now"),
    }
    if !mended.is_empty() {
        tell(
            &mended,
            "damaged in the backup, whose disk may be failing, and copied anew",
        );
    }
    if damaged.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    tell(&damaged, "damaged, and not in the backup as written (all else is)");
    Ok(ExitCode::from(1))
}

fn names(damaged: &[Damaged]) -> Vec<String> {
    damaged.iter().map(Damaged::to_string).collect()
}

fn tell(damaged: &[Damaged], what: &str) {
    damaged.iter().for_each(|damaged| eprintln!("{damaged}"));
    eprintln!("postroom: {what}: {} above", damaged.len());
}

fn beside(data: &Path) -> Outcome<Vec<Beside>> {
    let mut names: Vec<String> = FILES.map(str::to_owned).into();
    if let Ok(files) = std::fs::read_dir(data.join(CERTIFICATES)) {
        for file in files {
            let file = file?;
            if file.file_type()?.is_file()
                && let Some(name) = file.file_name().to_str().filter(|name| !name.ends_with(".new"))
            {
                names.push(format!("{CERTIFICATES}/{name}"));
            }
        }
    }
    let beside = |name: String| Beside {
        path: data.join(&name),
        name,
    };
    Ok(names.into_iter().map(beside).collect())
}

/// Makes a data folder of a backup, and opens its store once, so that what cannot be opened is known now: 0 if all is in it,
/// 1 if something is not.
pub(crate) async fn run_restore(args: &RestoreArgs) -> Outcome<ExitCode> {
    let (from, to) = (args.folder.clone(), args.data.clone());
    let mut bar = Bar::new();
    let work = move || restore(&from, &to, |progress| bar.show("restoring", progress));
    let Restored {
        lsn,
        files,
        octets,
        damaged,
    } = tokio::task::spawn_blocking(work).await??;
    crate::format::check(&args.data)?;
    let folder = args.data.join("store");
    let options = Options {
        boot_id: std::env::var("POSTROOM_BOOT_ID").ok(),
        min_free_octets: 0,
        tidy_every: None,
        ..Options::default()
    };
    let mut bar = Bar::new();
    let open = move || SledStore::open(&folder, options, |progress| bar.show("building the index", progress));
    tokio::task::spawn_blocking(open).await??.close().await?;
    match args.json {
        true => println!(
            "{}",
            serde_json::json!({ "lsn": lsn.0, "files": files, "octets": octets, "damaged": names(&damaged) })
        ),
        false => println!("restored {files} files, {octets} octets, into {}", args.data.display()),
    }
    if let Some(hint) = crate::owner::hint(&args.data) {
        eprintln!("postroom: {hint}");
    }
    if damaged.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    tell(
        &damaged,
        "damaged in the store or in the backup, and not restored (all else is)",
    );
    Ok(ExitCode::from(1))
}
