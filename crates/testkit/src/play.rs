//! Plays transcripts, each in all its modes.

use crate::script::{Script, Side};
use crate::stage::Stage;
use postroom_wire::Machine;
use std::path::Path;
use std::time::Instant;

/// How the transcripts of one protocol write questions, answers and news.
pub trait Dialect {
    /// The machine under test.
    type Machine: Machine;

    /// The side it is on. A machine of the client's side says `C:` and hears `S:`.
    const SIDE: Side = Side::Server;

    /// A fresh machine. `options` is the text after `# options:`, or empty.
    fn machine(&self, options: &str, now: Instant) -> Self::Machine;

    /// A question as it stands after `Q:`.
    fn render_question(&self, question: &<Self::Machine as Machine>::Question) -> String;

    /// The answer that stands after `A:`, to this question.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    fn parse_answer(
        &self,
        question: &<Self::Machine as Machine>::Question,
        text: &str,
    ) -> Result<<Self::Machine as Machine>::Answer, String>;

    /// The news that stand after `N:`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    fn parse_news(&self, text: &str) -> Result<<Self::Machine as Machine>::News, String>;
}

/// Plays every `*.txt` in a folder.
///
/// # Panics
/// If a file does not play as written, naming each with its line, or if there is no file.
#[track_caller]
pub fn play_dir<D: Dialect>(folder: impl AsRef<Path>, dialect: &D) {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("folder can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "txt"));
    files.sort();
    assert!(!files.is_empty(), "no transcripts in {}", folder.display());
    let mut failures = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        failures.extend(play(&text, dialect).err().map(|e| format!("{}:{e}", file.display())));
    }
    assert!(
        failures.is_empty(),
        "{} transcripts fail:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

/// Plays one transcript in each of its modes.
///
/// # Errors
/// The line that did not come true, what was expected and what came.
pub fn play<D: Dialect>(transcript: &str, dialect: &D) -> Result<(), String> {
    let script = Script::parse(transcript, D::SIDE).map_err(|(line, e)| format!("{line}: {e}"))?;
    for &mode in &script.modes {
        Stage::new(dialect, &script.options, mode)
            .run(&script.steps)
            .map_err(|(line, e)| format!("{line}: ({mode:?}) {e}"))?;
    }
    Ok(())
}
