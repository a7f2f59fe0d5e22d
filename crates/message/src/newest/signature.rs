//! What stands below a mail: the signature of its author, and that of the program.

use super::line::{Hint, Quote, SignatureMark};
use super::plan::Plan;

/// Lines a signature may have, after a mark that is whole.
const SIGNATURE_LINES: usize = 30;
/// Lines a signature may have, after a mark that lost its space.
const SHORT_SIGNATURE_LINES: usize = 8;
/// Lines that programs put at the end.
const PROGRAM_LINES: usize = 3;

impl Plan<'_> {
    /// Where the signature begins, looking back from `end`.
    pub(super) fn signature_start(&self, end: usize) -> usize {
        let mut below = 0;
        let mut start = end;
        for at in (0..end).rev() {
            let line = &self.lines[at];
            if !self.new[at] || line.quote != Quote::No {
                continue;
            }
            let most = match line.is_signature_mark() {
                Some(SignatureMark::Whole) => SIGNATURE_LINES,
                Some(SignatureMark::Trimmed) => SHORT_SIGNATURE_LINES,
                None => 0,
            };
            if below <= most && most > 0 {
                start = at;
            }
            below += usize::from(!line.is_blank());
            if below > SIGNATURE_LINES {
                break;
            }
        }
        start
    }

    /// Takes away the signature.
    pub(super) fn signature(&mut self) {
        for at in 0..self.lines.len() {
            if self.lines[at].hint == Some(Hint::Signature) {
                self.new[at] = false;
            }
        }
        self.program_signature();
        let start = self.signature_start(self.lines.len());
        for at in start..self.lines.len() {
            if self.lines[at].quote == Quote::No {
                self.new[at] = false;
            }
        }
        self.program_signature();
    }

    /// Takes away what the program put at the very end.
    fn program_signature(&mut self) {
        let last = |new: &[bool]| (0..new.len()).rev().find(|&at| new[at] && !self.lines[at].is_blank());
        for _ in 0..PROGRAM_LINES {
            let Some(at) = last(&self.new) else {
                return;
            };
            let line = &self.lines[at];
            if line.quote != Quote::No || !line.is_program_signature() {
                return;
            }
            self.new[at] = false;
        }
    }
}
