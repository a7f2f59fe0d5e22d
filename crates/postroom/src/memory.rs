//! How much memory there is for this process, and what of it is used where the operator does not say.

use std::path::{Path, PathBuf};

/// For the pages of the index, in octets: a 32nd, within bounds. Below the first, a mailbox of 100,000 messages is read
/// from disk anew each time; beyond the second, only larger servers gain, whose operators know.
pub(crate) fn for_index() -> u64 {
    within(octets())
}

fn within(memory: Option<u64>) -> u64 {
    let (least, most) = (64 << 20, 256 << 20);
    memory.map_or(least, |octets| (octets / 32).clamp(least, most))
}

/// Octets: the machine's memory, or the least that a control group of this process (version 2) may use, such as systemd's
/// `MemoryMax`. `None` where the kernel does not say.
fn octets() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(total);
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok();
    let group = groups
        .as_deref()
        .and_then(|groups| limit(groups, Path::new("/sys/fs/cgroup")));
    machine.into_iter().chain(group).min()
}

/// `MemTotal:        8129472 kB`, in octets.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The smallest `memory.max` of the group in the line `0::/path` and of the groups it lies in.
fn limit(groups: &str, mounted: &Path) -> Option<u64> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own: PathBuf = mounted.join(path);
    let levels = own.ancestors().take_while(|level| level.starts_with(mounted));
    let read = |level: &Path| std::fs::read_to_string(level.join("memory.max")).ok();
    // Without a limit it is the word `max`.
    levels.filter_map(|level| read(level)?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_it() {
        for (memory, share) in [
            (None, 64),
            (Some(1 << 30), 64),
            (Some(4 << 30), 128),
            (Some(64 << 30), 256),
        ] {
            assert_eq!(within(memory), share << 20, "{memory:?}");
        }
    }

    #[test]
    fn the_machine() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(total("MemTotal: much\n"), None);
        assert_eq!(total(""), None);
    }

    #[test]
    fn the_least_of_all_groups() {
        let folder = std::env::temp_dir().join(format!("postroom-memory-{}", std::process::id()));
        let own = folder.join("system.slice/postroom.service");
        std::fs::create_dir_all(&own).unwrap();
        let set = |path: &Path, text: &str| std::fs::write(path.join("memory.max"), text).unwrap();
        let found = || limit("1:name=systemd:/x\n0::/system.slice/postroom.service\n", &folder);
        assert_eq!(found(), None);
        set(&own, "max\n");
        assert_eq!(found(), None);
        set(&own, "900\n");
        assert_eq!(found(), Some(900));
        set(own.parent().unwrap(), "700\n");
        assert_eq!(found(), Some(700));
        assert_eq!(limit("4:memory:/x\n", &folder), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
