//! The format of the data folder as a whole: what a later version may have changed in any row.
//!
//! What always holds: rows of this format were never written where the file does not say so. Each crate reads its older
//! rows; what a later version wrote is not even opened, since that could only end in the middle of the work.

use crate::Outcome;
use crate::certificates::write_private;
use std::path::Path;

/// The file in the data folder. One that is missing says 1.
pub(crate) const FILE: &str = "format";
const TITLE: &str = "postroom data ";

/// Formats so far: 1 as it began; 2 with internal date, size and save date in the rows of flags, and stored text beside
/// a message's body; 3 with the feed of an organization, drafts, webhooks, lists, keys with permissions, and rows of messages
/// that say whether their Message-ID is theirs alone; 4 with identities and who sees them, contact rules, suspended and
/// deleted organizations, what webhooks delivered, and imports; 5 with rows of flags that say where a message is, and small
/// messages in one piece with their trace fields.
const FORMAT: u32 = 5;

/// Refuses a data folder of a later version.
pub(crate) fn check(data: &Path) -> Outcome<()> {
    match read(data)? {
        Some(found) if found > FORMAT => Err(format!(
            "{} was written by a later version of postroom: its format is {found}, this version knows up to {FORMAT}",
            data.display()
        )
        .into()),
        _ => Ok(()),
    }
}

/// Says that rows of this format may follow.
pub(crate) fn note(data: &Path) -> Outcome<()> {
    if read(data)? != Some(FORMAT) {
        write_private(&data.join(FILE), format!("{TITLE}{FORMAT}\n").as_bytes())?;
    }
    Ok(())
}

fn read(data: &Path) -> Outcome<Option<u32>> {
    let file = data.join(FILE);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display()).into()),
    };
    let format = text.strip_prefix(TITLE).and_then(|number| number.trim().parse().ok());
    format
        .map(Some)
        .ok_or_else(|| format!("{} says no format", file.display()).into())
}
