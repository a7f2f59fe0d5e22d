//! Who a store is, where it last ran, and whether it was closed well.
//!
//! What always holds: the clean mark is gone, durably, before anything is written to the index.

use crate::error::{OpenError, at};
use crate::files::{Folder, remove_if_there, replace_file, sync_dir};
use postroom_types::Lsn;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const IDENTITY: &str = "store.id";
const IDENTITY_TITLE: &str = "postroom store ";
const IDENTITY_FORMAT: u32 = 1;
const CLEAN: &str = "clean";
const LOST: &str = "lost";

/// A store's name and the place it ran at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: [u8; 16],
    pub(crate) running: Running,
}

/// One run of one machine, in one folder. While it stays the same, the page cache holds what the index wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    device: u64,
    inode: u64,
    boot: Option<String>,
}

impl Running {
    /// Here and now. `boot` names the run of the machine where the kernel's own name does not do (a test of power
    /// loss, a container that moves).
    pub(crate) fn now(folder: &Folder, boot: Option<&str>) -> Result<Self, OpenError> {
        let metadata = fs::metadata(folder.path()).map_err(at(folder.path()))?;
        let kernel = || fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let boot = boot
            .map(str::to_owned)
            .or_else(kernel)
            .map(|boot| boot.trim().replace(char::is_whitespace, "_"));
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            boot: boot.filter(|boot| !boot.is_empty()),
        })
    }

    /// No run of any machine: nothing continues it.
    pub(crate) fn none() -> Self {
        Self {
            device: 0,
            inode: 0,
            boot: None,
        }
    }

    /// Whether what the index wrote then can still be read now, though it was never synced.
    pub(crate) fn continues(&self, earlier: &Self) -> bool {
        self.boot.is_some() && self == earlier
    }
}

/// How a store was left that was closed well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CleanMark {
    pub(crate) id: [u8; 16],
    /// The last journal file.
    pub(crate) file: Lsn,
    /// Its length.
    pub(crate) octets: u64,
    /// The last lsn in it and in the index.
    pub(crate) lsn: Lsn,
}

/// The recorded identity; `None` if there is none.
pub(crate) fn read_identity(folder: &Folder) -> Result<Option<Identity>, OpenError> {
    let Some(text) = read(folder.path(), IDENTITY)? else {
        return Ok(None);
    };
    let file = folder.path().join(IDENTITY);
    refuse_later(&file, &text, IDENTITY_TITLE, IDENTITY_FORMAT)?;
    let fields = Fields::parse(&text, &format!("{IDENTITY_TITLE}{IDENTITY_FORMAT}"));
    let identity = fields.and_then(|fields| {
        let boot = fields.get("boot").filter(|boot| !boot.is_empty()).map(str::to_owned);
        let running = Running {
            device: fields.number("device")?,
            inode: fields.number("inode")?,
            boot,
        };
        Some(Identity {
            id: fields.id()?,
            running,
        })
    });
    identity.map(Some).ok_or(OpenError::Corrupt {
        file,
        offset: 0,
        what: "not an identity".into(),
    })
}

/// Records the identity.
pub(crate) fn write_identity(folder: &Folder, identity: &Identity) -> Result<(), OpenError> {
    let Running { device, inode, boot } = &identity.running;
    let (id, boot) = (hex(&identity.id), boot.as_deref().unwrap_or_default());
    let text = format!("{IDENTITY_TITLE}{IDENTITY_FORMAT}\nid={id}\ndevice={device}\ninode={inode}\nboot={boot}\n");
    replace_file(folder.path(), IDENTITY, &text).map_err(at(folder.path().join(IDENTITY)))
}

/// Where the clean mark is.
pub(crate) fn clean_mark_path(folder: &Folder) -> PathBuf {
    folder.path().join(CLEAN)
}

/// Removes the clean mark. Durable on return.
pub(crate) fn remove_clean_mark(folder: &Folder) -> Result<(), OpenError> {
    let path = clean_mark_path(folder);
    if !path.exists() {
        return Ok(());
    }
    remove_if_there(&path)
        .and_then(|()| sync_dir(folder.path()))
        .map_err(at(path))
}

/// The clean mark; one that cannot be read counts as none.
pub(crate) fn read_clean_mark(folder: &Folder) -> Result<Option<CleanMark>, OpenError> {
    let Some(text) = read(folder.path(), CLEAN)? else {
        return Ok(None);
    };
    Ok(Fields::parse(&text, "postroom clean 1").and_then(|fields| {
        let (file, lsn) = (Lsn(fields.number("file")?), Lsn(fields.number("lsn")?));
        Some(CleanMark {
            id: fields.id()?,
            file,
            octets: fields.number("octets")?,
            lsn,
        })
    }))
}

/// Says that journal and index are synced and agree.
pub(crate) fn write_clean_mark(folder: &Folder, mark: &CleanMark) -> io::Result<()> {
    let CleanMark { id, file, octets, lsn } = mark;
    let text = format!(
        "postroom clean 1\nid={}\nfile={file}\noctets={octets}\nlsn={lsn}\n",
        hex(id)
    );
    replace_file(folder.path(), CLEAN, &text)
}

/// Where it is said that the journal has lost its end.
pub(crate) fn lost_mark_path(folder: &Folder) -> PathBuf {
    folder.path().join(LOST)
}

/// The last lsn of a journal that has lost its end, as the index knew it; what cannot be read, or is another store's, counts
/// as none.
pub(crate) fn read_lost_mark(folder: &Folder, store: [u8; 16]) -> Result<Option<Lsn>, OpenError> {
    let Some(text) = read(folder.path(), LOST)? else {
        return Ok(None);
    };
    Ok(Fields::parse(&text, "postroom lost 1").and_then(|fields| {
        let lsn = Lsn(fields.number("lsn")?);
        (fields.id()? == store).then_some(lsn)
    }))
}

/// Says that the journal had this lsn. Durable on return.
pub(crate) fn write_lost_mark(folder: &Folder, store: [u8; 16], lsn: Lsn) -> io::Result<()> {
    let text = format!("postroom lost 1\nid={}\nlsn={lsn}\n", hex(&store));
    replace_file(folder.path(), LOST, &text)
}

/// Refuses a text whose title says that it is of a later format.
pub(crate) fn refuse_later(file: &Path, text: &str, title: &str, known: u32) -> Result<(), OpenError> {
    let found = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(title)?.parse().ok());
    match found {
        Some(found) if found > known => Err(OpenError::Format {
            file: file.to_path_buf(),
            found,
            known,
        }),
        _ => Ok(()),
    }
}

fn read(folder: &Path, name: &str) -> Result<Option<String>, OpenError> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// Lines of `name=value` under a title.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn parse(text: &'a str, title: &str) -> Option<Self> {
        let mut lines = text.lines();
        let is_titled = lines.next()? == title;
        let fields: Option<Vec<_>> = lines.map(|line| line.split_once('=')).collect();
        fields.filter(|_| is_titled).map(Self)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    fn id(&self) -> Option<[u8; 16]> {
        let text = self.get("id").filter(|text| text.len() == 32)?;
        u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").expect("a String takes all");
        text
    })
}
