//! What a backup consists of, as a text with its own checksum.
//!
//! ```text
//! postroom backup 1
//! store=0190…
//! lsn=4711
//! <SHA-256> <octets> <where it lies in the backup> <its name in the data folder>       parted by tabs
//! damaged <its name in the data folder> <what is wrong>                                 parted by tabs; not in the backup
//! end <SHA-256 of all above>
//! ```
//!
//! The format is 2 if something is damaged: earlier versions, which know nothing of that, then say so.

use super::BackupError;
use crate::error::at;
use crate::files::replace_file;
use crate::identity::{hex, refuse_later};
use postroom_types::Lsn;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Component, Path, PathBuf};

pub(super) const MANIFEST: &str = "manifest";
pub(super) const TITLE: &str = "postroom backup ";
pub(super) const FORMAT: u32 = 1;
/// Of a manifest that names what is damaged.
const WITH_DAMAGE: u32 = 2;
/// What a line of these begins with.
const DAMAGED: &str = "damaged";

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the backup.
    pub(super) stored: String,
    /// What counts; the file may have more, of a backup that broke off.
    pub(super) octets: u64,
    pub(super) sha256: [u8; 32],
}

/// A whole backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) store: [u8; 16],
    pub(super) lsn: Lsn,
    /// By the name in the data folder.
    pub(super) entries: BTreeMap<String, Entry>,
    /// What the store had lost when the backup was made: names, and what is wrong.
    pub(super) damaged: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest of a backup; `None` if none was finished.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, BackupError> {
        let file = folder.join(MANIFEST);
        let text = match fs::read(&file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(file)(error).into()),
        };
        refuse_later(&file, &text, TITLE, WITH_DAMAGE)?;
        match Self::parse(&text) {
            Some(manifest) => Ok(Some(manifest)),
            None => Err(BackupError::Damaged {
                file,
                what: "it is not a manifest, or not a whole one".into(),
            }),
        }
    }

    /// Puts it in place, in one step.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        replace_file(folder, MANIFEST, &self.to_text()).map_err(at(folder.join(MANIFEST)))?;
        Ok(())
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "{TITLE}{}\nstore={}\nlsn={}\n",
            self.format(),
            hex(&self.store),
            self.lsn
        );
        for (name, entry) in &self.entries {
            let Entry { stored, octets, sha256 } = entry;
            writeln!(text, "{}\t{octets}\t{stored}\t{name}", hex(sha256)).expect("a String takes all");
        }
        for (name, what) in &self.damaged {
            writeln!(text, "{DAMAGED}\t{name}\t{what}").expect("a String takes all");
        }
        let sum: [u8; 32] = Sha256::digest(&text).into();
        writeln!(text, "end {}", hex(&sum)).expect("a String takes all");
        text
    }

    fn format(&self) -> u32 {
        if self.damaged.is_empty() { FORMAT } else { WITH_DAMAGE }
    }

    fn parse(text: &str) -> Option<Self> {
        let (body, end) = text.strip_suffix('\n')?.rsplit_once("\nend ")?;
        let body = format!("{body}\n");
        let sum: [u8; 32] = Sha256::digest(&body).into();
        if end != hex(&sum) {
            return None;
        }
        let mut lines = body.lines();
        let title = lines.next()?;
        let store = u128::from_str_radix(lines.next()?.strip_prefix("store=")?, 16).ok()?;
        let lsn = lines.next()?.strip_prefix("lsn=")?.parse().ok()?;
        let (mut entries, mut damaged) = (BTreeMap::new(), BTreeMap::new());
        for line in lines {
            if let Some((DAMAGED, rest)) = line.split_once('\t') {
                let (name, what) = rest.split_once('\t')?;
                damaged.insert(name.to_owned(), what.to_owned());
                continue;
            }
            let mut fields = line.splitn(4, '\t');
            let sha256 = read_sum(fields.next()?)?;
            let octets = fields.next()?.parse().ok()?;
            let stored = fields.next().filter(|path| is_below(path))?.to_owned();
            let name = fields.next().filter(|path| is_below(path))?.to_owned();
            entries.insert(name, Entry { stored, octets, sha256 });
        }
        let manifest = Self {
            store: store.to_be_bytes(),
            lsn: Lsn(lsn),
            entries,
            damaged,
        };
        (title == format!("{TITLE}{}", manifest.format())).then_some(manifest)
    }
}

fn read_sum(text: &str) -> Option<[u8; 32]> {
    let mut sum = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, octet) in sum.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(sum)
}

/// Whether a path can only lead to something below where it starts.
pub(super) fn is_below(path: &str) -> bool {
    let path = PathBuf::from(path);
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let entry = |stored: &str, octets| Entry {
            stored: stored.into(),
            octets,
            sha256: Sha256::digest(stored).into(),
        };
        Manifest {
            store: [9; 16],
            lsn: Lsn(77),
            entries: [
                ("store/journal/1.log".into(), entry("journal/1.log", 4711)),
                ("certs/with a space".into(), entry("beside/12", 0)),
            ]
            .into(),
            damaged: BTreeMap::new(),
        }
    }

    #[test]
    fn round_trip() {
        let empty = Manifest {
            entries: BTreeMap::new(),
            ..sample()
        };
        let damaged = Manifest {
            damaged: [("store/bodies/1".into(), "it is missing".into())].into(),
            ..sample()
        };
        assert!(sample().to_text().starts_with("postroom backup 1\n"));
        assert!(damaged.to_text().starts_with("postroom backup 2\n"));
        for manifest in [sample(), empty, damaged] {
            assert_eq!(Manifest::parse(&manifest.to_text()), Some(manifest));
        }
    }

    #[test]
    fn a_manifest_that_was_changed_or_cut_is_none() {
        let text = sample().to_text();
        for (place, _) in text.char_indices() {
            assert_eq!(Manifest::parse(&text[..place]), None, "cut at {place}");
        }
        assert_eq!(Manifest::parse(&text.replace("4711", "4712")), None);
        assert_eq!(Manifest::parse(&format!("{text}more\n")), None);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for (path, expected) in [
            ("store/journal/1.log", true),
            ("dev.json", true),
            ("", false),
            ("/etc/passwd", false),
            ("../x", false),
            ("store/../../x", false),
            ("./x", false),
        ] {
            assert_eq!(is_below(path), expected, "{path:?}");
        }
    }
}
