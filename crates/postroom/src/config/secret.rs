//! Secrets: the configuration says where they are, and never holds one.

use postroom_types::Secret;
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest secret, with its line end.
const MAX_OCTETS: u64 = 4096;

/// A file. A name without a slash is a systemd credential, in `$CREDENTIALS_DIRECTORY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretFile(PathBuf);

impl SecretFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its content, without the line end.
    pub(crate) fn read(&self) -> Result<Secret<String>, String> {
        let path = credential(&self.0)?;
        let wrong = |why: &dyn fmt::Display| format!("cannot read the secret in {}: {why}", path.display());
        let length = std::fs::metadata(&path).map_err(|error| wrong(&error))?.len();
        if length > MAX_OCTETS {
            return Err(wrong(&"it is too long"));
        }
        let content = Secret::new(std::fs::read_to_string(&path).map_err(|error| wrong(&error))?);
        let line = content.expose().trim_end_matches(['\r', '\n']);
        if line.is_empty() || line.contains(['\r', '\n', '\0']) {
            return Err(wrong(&"it must be one line"));
        }
        Ok(Secret::new(line.to_owned()))
    }
}

/// Where a file of the configuration is: a name without a slash is a systemd credential.
pub(super) fn credential(path: &Path) -> Result<PathBuf, String> {
    if path.components().count() != 1 || path.is_absolute() {
        return Ok(path.to_owned());
    }
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        format!(
            "`{0}` is the name of a systemd credential, but $CREDENTIALS_DIRECTORY is not set; for a file, write /path/to/{0}",
            path.display()
        )
    })?;
    Ok(PathBuf::from(folder).join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_no_more() {
        let folder = std::env::temp_dir().join(format!("postroom-secret-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (at, (content, expected)) in [
            ("hunter2\n", Some("hunter2")),
            ("hunter2\r\n", Some("hunter2")),
            (" two words ", Some(" two words ")),
            ("", None),
            ("\n", None),
            ("a\nb\n", None),
            ("a\0b", None),
            (&"x".repeat(5000), None),
        ]
        .into_iter()
        .enumerate()
        {
            let path = folder.join(at.to_string());
            std::fs::write(&path, content).unwrap();
            let read = SecretFile::new(path).read().ok();
            assert_eq!(
                read.as_ref().map(|secret| secret.expose().as_str()),
                expected,
                "{content:?}"
            );
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_missing_secret_is_named_without_its_content() {
        let told = SecretFile::new("/nowhere/password".into()).read().unwrap_err();
        assert!(told.contains("/nowhere/password"), "{told}");
    }
}
