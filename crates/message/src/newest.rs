//! The new content of a reply, without the history it quotes and without its signature.
//!
//! What always holds: what comes back is made of lines of what was given, in their order; it takes time linear in the
//! size. Of text the lines are those of the text; of HTML those that a reader sees.

mod cut;
mod html;
mod line;
mod plan;
mod signature;
mod words;

pub use html::extract_html;

use line::{Line, Quote};
use std::borrow::Cow;

/// The new content of a text, without the messages it quotes and without its signature. Answers between quoted lines
/// stay, and so does a forwarded message. Text without a quote and a signature comes back as it is.
#[must_use]
pub fn extract_text(text: &str) -> Cow<'_, str> {
    let sources: Vec<&str> = text.split_inclusive('\n').collect();
    let lines: Vec<Line<'_>> = sources.iter().map(|source| line_of_text(source)).collect();
    let Some(new) = plan::new_lines(&lines) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let mut after_gap = true;
    for ((source, line), new) in sources.iter().zip(&lines).zip(new) {
        if !new {
            // The blank line before what went away is enough.
            after_gap |= out.is_empty() || out.ends_with("\n\n") || out.ends_with("\n\r\n");
        } else if !(after_gap && line.is_blank()) {
            after_gap = false;
            out.push_str(source);
        }
    }
    out.truncate(out.trim_end_matches(line::is_blank).len());
    Cow::Owned(out)
}

fn line_of_text(source: &str) -> Line<'_> {
    let source = source.trim_end_matches(['\n', '\r']);
    let quoted = source.strip_prefix(' ').unwrap_or(source);
    let (text, quote) = match quoted.strip_prefix('>') {
        Some(inner) => (inner.trim_start_matches(['>', ' ']), Quote::Marked),
        None => (source, Quote::No),
    };
    Line {
        text: Cow::Borrowed(text),
        quote,
        hint: None,
    }
}
