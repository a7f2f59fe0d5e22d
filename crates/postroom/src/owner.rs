//! Who may write to the data folder, apart from the server: its own user alone. What root writes there, the server could
//! not read again.

use crate::Outcome;
use std::ffi::OsString;
use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Refuses to go on as another user than the owner of a store, in so many words.
pub(crate) fn check(store: &Path) -> Outcome<()> {
    let owner = metadata(store)?;
    if owner.uid() == own_uid() {
        return Ok(());
    }
    let words: Vec<String> = std::env::args_os().map(|word| quoted(&word)).collect();
    let command = match user_name(owner.uid()) {
        Some(name) => format!("runuser -u {name} -- {}", words.join(" ")),
        None => format!(
            "setpriv --reuid {} --regid {} --clear-groups {}",
            owner.uid(),
            owner.gid(),
            words.join(" ")
        ),
    };
    Err(format!(
        "{} belongs to another user, whose server could not read what is written there now; run it as that user:\n  {command}",
        store.display()
    )
    .into())
}

/// What root has to do so that a server that runs as another user can read what was just written; `None` for others.
pub(crate) fn hint(data: &Path) -> Option<String> {
    let is_root = own_uid() == 0;
    // The folder was there before if it belongs to somebody else: then it is known to whom.
    let owner = metadata(data).ok().map(|data| data.uid()).filter(|uid| *uid != 0);
    let user = owner.map_or("postroom".to_owned(), |uid| user_name(uid).unwrap_or(uid.to_string()));
    let data = quoted(data.as_os_str());
    is_root.then(|| {
        format!("what was restored belongs to root; if the server runs as another user:\n  chown -R {user}: {data}")
    })
}

/// The user this process runs as, whose its files are.
fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The name of a user whom the machine's own list has.
fn user_name(uid: u32) -> Option<String> {
    name_in(&std::fs::read_to_string("/etc/passwd").ok()?, uid)
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// A word as a shell takes it.
fn quoted(word: &(impl AsRef<std::ffi::OsStr> + ?Sized)) -> String {
    let word: OsString = word.as_ref().to_owned();
    let text = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_can_be_copied() {
        for (word, expected) in [
            ("fsck", "fsck"),
            ("/var/lib/postroom", "/var/lib/postroom"),
            ("a folder", "'a folder'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn names_of_users() {
        let users = "root:x:0:0:root:/root:/bin/bash\n\nbroken\npostroom:x:998:997::/:/sbin/nologin\n";
        assert_eq!(name_in(users, 0).as_deref(), Some("root"));
        assert_eq!(name_in(users, 998).as_deref(), Some("postroom"));
        assert_eq!(name_in(users, 997), None);
    }

    #[test]
    fn ones_own_folder_is_no_trouble() {
        let folder = std::env::temp_dir().join(format!("postroom-owner-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(own_uid(), metadata(&folder).unwrap().uid());
        check(&folder).unwrap();
        std::fs::remove_dir(&folder).unwrap();
    }
}
