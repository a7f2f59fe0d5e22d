//! Whether the disk has room for mail: told once when mail begins to be refused, and once when it is taken again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the file system is asked.
const EVERY: Duration = Duration::from_secs(5);

/// What the store takes with so much free space. It decides for itself, commit by commit; this is to tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Everything.
    Enough,
    /// No mail.
    NoMail,
    /// Nothing but deletions.
    Nothing,
}

impl Room {
    const fn of(free: u64, min_free: u64) -> Self {
        match free {
            free if free >= min_free => Self::Enough,
            free if free >= min_free / 8 => Self::NoMail,
            _ => Self::Nothing,
        }
    }

    fn tell(self, free_octets: u64, min_free_octets: u64, folder: &Path) {
        let folder = folder.display();
        match self {
            Self::Enough => {
                tracing::info!(free_octets, min_free_octets, %folder, "there is space again: mail is taken")
            }
            Self::NoMail => tracing::warn!(
                free_octets,
                min_free_octets,
                %folder,
                "less free space than store.min_free: new mail is refused with 452 until there is more"
            ),
            Self::Nothing => tracing::warn!(
                free_octets,
                min_free_octets,
                %folder,
                "less free space than an eighth of store.min_free: everything but deletions is refused until there is more"
            ),
        }
    }
}

/// Looks at the file system of a folder for ever, and says in `is_short` whether mail is refused.
pub(crate) async fn watch(folder: PathBuf, min_free: u64, is_short: Arc<AtomicBool>) {
    let mut room = Room::Enough;
    loop {
        if let Some(free) = free_octets(folder.clone()).await {
            let now = Room::of(free, min_free);
            if now != room {
                now.tell(free, min_free, &folder);
                is_short.store(now != Room::Enough, Ordering::Relaxed);
                room = now;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What is free for others than root; `None` if the file system does not say, as one that hangs.
async fn free_octets(folder: PathBuf) -> Option<u64> {
    let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&folder));
    let stat = asked.await.ok()?.ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_with_how_much() {
        let check = |free, expected| assert_eq!(Room::of(free, 800), expected, "{free}");
        check(800, Room::Enough);
        check(799, Room::NoMail);
        check(100, Room::NoMail);
        check(99, Room::Nothing);
        assert_eq!(Room::of(0, 0), Room::Enough);
    }

    #[tokio::test]
    async fn it_is_said_while_it_lasts() {
        let is_short = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(std::env::temp_dir(), u64::MAX, Arc::clone(&is_short)));
        let said = async {
            while !is_short.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), said).await.is_ok());
        watching.abort();
    }
}
