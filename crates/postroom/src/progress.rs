//! How far long work has come, on standard error, for people.

use postroom_store_sled::Progress;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work shorter than this is not worth a line.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two updates of a line on a terminal, and in a log.
const ON_TERMINAL: Duration = Duration::from_millis(100);
const IN_LOG: Duration = Duration::from_secs(10);

/// A bar on a terminal, and a line now and then elsewhere.
pub(crate) struct Bar {
    is_terminal: bool,
    begun: Instant,
    shown: Option<Instant>,
}

impl Bar {
    pub(crate) fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            begun: Instant::now(),
            shown: None,
        }
    }

    /// Octets of all octets.
    pub(crate) fn show(&mut self, what: &str, progress: Progress) {
        let Progress {
            done_octets,
            total_octets,
        } = progress;
        let text = format!("{:.1} of {:.1} MiB", mib(done_octets), mib(total_octets));
        self.tell(what, done_octets, total_octets, &text);
    }

    /// So many of so many.
    pub(crate) fn count(&mut self, what: &str, done: u64, total: u64) {
        self.tell(what, done, total, &format!("{done} of {total}"));
    }

    /// So many, of nobody knows how many.
    pub(crate) fn so_far(&mut self, what: &str, done: u64) {
        self.tell(what, done, 0, &format!("{done} so far"));
    }

    fn tell(&mut self, what: &str, done: u64, total: u64, text: &str) {
        let pause = if self.is_terminal { ON_TERMINAL } else { IN_LOG };
        let is_due = match self.shown {
            None => self.begun.elapsed() > PATIENCE,
            Some(shown) => shown.elapsed() > pause || (self.is_terminal && total > 0 && done >= total),
        };
        if !is_due {
            return;
        }
        self.shown = Some(Instant::now());
        let mut output = std::io::stderr().lock();
        // Who cannot be told is not told.
        let _ = match self.is_terminal {
            true => match (done.min(total) * 30).checked_div(total) {
                None => write!(output, "\r\x1b[K{what} {text}"),
                Some(cells) => {
                    let cells = cells as usize;
                    write!(
                        output,
                        "\r\x1b[K{what} [{}{}] {text}",
                        "#".repeat(cells),
                        " ".repeat(30 - cells)
                    )
                }
            },
            false => writeln!(output, "{what}: {text}"),
        };
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.is_terminal && self.shown.is_some() {
            eprintln!();
        }
    }
}

fn mib(octets: u64) -> f64 {
    octets as f64 / f64::from(1 << 20)
}
