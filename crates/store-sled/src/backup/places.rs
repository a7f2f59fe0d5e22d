//! Where a backup and the data lie.

use super::BackupError;
use crate::error::{OpenError, at};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Asks that neither of the two folders, which need not be there yet, lies in the other: a backup would be written into
/// the data, or go with it.
pub(super) fn apart(one: &Path, other: &Path) -> Result<(), BackupError> {
    let (first, second) = (place(one)?, place(other)?);
    let (inner, outer) = if first.starts_with(&second) {
        (one, other)
    } else if second.starts_with(&first) {
        (other, one)
    } else {
        return Ok(());
    };
    Err(BackupError::Within {
        inner: inner.to_path_buf(),
        outer: outer.to_path_buf(),
    })
}

/// Where a folder is, or will be made: of what is there, links are followed.
fn place(path: &Path) -> Result<PathBuf, OpenError> {
    let path = std::path::absolute(Path::new(".").join(path)).map_err(at(path))?;
    let (mut there, mut rest) = (PathBuf::new(), path.components());
    for part in rest.by_ref() {
        match there.join(part).canonicalize() {
            Ok(place) => there = place,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                there.push(part);
                break;
            }
            Err(error) => return Err(at(there.join(part))(error)),
        }
    }
    for part in rest {
        match part {
            Component::ParentDir => _ = there.pop(),
            part => there.push(part),
        }
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_in_the_other() {
        let folder = std::env::temp_dir().join(format!("postroom-places-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(folder.join("data/store")).unwrap();
        std::os::unix::fs::symlink(folder.join("data"), folder.join("link")).unwrap();
        for (one, other, is_apart) in [
            ("data", "backup", true),
            ("data", "data2", true),
            ("data", "data/../backup", true),
            ("data", "new/../backup", true),
            ("data", "data", false),
            ("data", "data/sub", false),
            ("data", "data/store/foo", false),
            ("data", "link/sub", false),
            ("data", "new/../data/sub", false),
            ("data", "", false),
            ("bk/x", "bk", false),
            ("bk", "bk/x/y", false),
        ] {
            let found = apart(&folder.join(one), &folder.join(other));
            assert_eq!(found.is_ok(), is_apart, "{one:?} {other:?}: {found:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
