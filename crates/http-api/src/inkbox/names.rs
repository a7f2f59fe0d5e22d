//! What the attachments of a message are called (inkbox.md §1.9): clients put the name into a path as it stands, so it holds
//! nothing that ends or changes a path, and no other of the message is called so.

use postroom_message::{Attachment, attachments};
use postroom_types::Part;
use std::collections::HashSet;

/// Longest name, characters, before what tells twins apart.
const MAX_CHARS: usize = 150;

/// What is attached to a message, each with its name.
pub(crate) fn named(root: &Part) -> Vec<(String, Attachment)> {
    let mut taken = HashSet::new();
    let name = |attachment: Attachment| {
        let name = unique(repaired(&attachment), &taken);
        taken.insert(name.clone());
        (name, attachment)
    };
    attachments(root).into_iter().map(name).collect()
}

/// What one of them is called.
pub(super) fn name_of(root: &Part, attachment: &Attachment) -> Option<String> {
    let mut all = named(root).into_iter();
    let found = all.find(|(_, other)| other.index == attachment.index);
    found.map(|(name, _)| name)
}

fn repaired(attachment: &Attachment) -> String {
    let given = attachment.filename.as_deref().unwrap_or_default();
    let safe = |c: char| match c {
        '/' | '\\' | '?' | '#' | '%' => '_',
        c if c.is_control() || is_invisible(c) => '_',
        c => c,
    };
    let name: String = given.trim().chars().map(safe).collect();
    let name = shortened(name.trim());
    // A path of dots leads elsewhere.
    if name.chars().all(|c| c == '.') {
        return format!("attachment{}", extension(&attachment.content_type));
    }
    name
}

/// What turns the direction of a text, or separates lines, without being seen.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Cut in the middle of what stands before the extension.
fn shortened(name: &str) -> String {
    let chars = name.chars().count();
    if chars <= MAX_CHARS {
        return name.to_owned();
    }
    let (stem, extension) = split(name);
    let kept = MAX_CHARS.saturating_sub(extension.chars().count());
    stem.chars().take(kept).chain(extension.chars()).collect()
}

/// The name and its extension, dot included, if it has one of a usual length.
fn split(name: &str) -> (&str, &str) {
    let at = name.rfind('.').filter(|at| *at > 0 && name.len() - at <= 16);
    name.split_at(at.unwrap_or(name.len()))
}

/// What the usual types end in.
fn extension(content_type: &str) -> &'static str {
    match content_type {
        "message/rfc822" => ".eml",
        "text/plain" => ".txt",
        "text/html" => ".html",
        "text/calendar" => ".ics",
        "text/csv" => ".csv",
        "application/pdf" => ".pdf",
        "application/zip" => ".zip",
        "application/json" => ".json",
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        _ => ".bin",
    }
}

/// `name (2).pdf` for what is called `name.pdf` as another is.
fn unique(name: String, taken: &HashSet<String>) -> String {
    if !taken.contains(&name) {
        return name;
    }
    let (stem, extension) = split(&name);
    let mut numbered = (2_u32..).map(|number| format!("{stem} ({number}){extension}"));
    let free = numbered.find(|numbered| !taken.contains(numbered));
    free.expect("a message has fewer attachments than there are numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;
    use proptest::prelude::*;

    fn names(given: &[Option<&str>]) -> Vec<String> {
        let mut content = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
        for name in given {
            content.push_str("--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment");
            if let Some(name) = name {
                let octets: String = name.bytes().map(|octet| format!("%{octet:02X}")).collect();
                content.push_str(&format!("; filename*=UTF-8''{octets}"));
            }
            content.push_str("\r\n\r\nx\r\n");
        }
        content.push_str("--b--\r\n");
        let named = named(&summarize(content.as_bytes()).root);
        named.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_fit_into_paths() {
        for (given, expected) in [
            (&[Some("a.pdf")][..], &["a.pdf"][..]),
            (&[Some("a/b?c#d%e\\f.pdf")], &["a_b_c_d_e_f.pdf"]),
            (&[None], &["attachment.pdf"]),
            (&[Some("..")], &["attachment.pdf"]),
            (&[Some(" \u{202e}fdp.exe")], &["_fdp.exe"]),
            (&[Some("Grüße 1.pdf")], &["Grüße 1.pdf"]),
            (
                &[Some("a.pdf"), Some("a.pdf"), Some("a (2).pdf"), Some("a.pdf")],
                &["a.pdf", "a (2).pdf", "a (2) (2).pdf", "a (3).pdf"],
            ),
            (&[None, None], &["attachment.pdf", "attachment (2).pdf"]),
            (&[Some("x"), Some("x")], &["x", "x (2)"]),
            (&[Some("a/b"), Some("a?b")], &["a_b", "a_b (2)"]),
        ] {
            assert_eq!(names(given), expected, "{given:?}");
        }
        let long = names(&[Some(&format!("{}.pdf", "x".repeat(400)))]).remove(0);
        assert!(long.len() == MAX_CHARS && long.ends_with("x.pdf"), "{long}");
    }

    proptest! {
        #[test]
        fn whatever_it_is_called(given in prop::collection::vec(prop::option::of("[a./?#%\\\\ ü\u{7f}]{0,6}"), 1..6)) {
            let given: Vec<Option<&str>> = given.iter().map(Option::as_deref).collect();
            let names = names(&given);
            prop_assert_eq!(names.len(), given.len());
            for (at, name) in names.iter().enumerate() {
                prop_assert!(!name.is_empty() && !names[..at].contains(name));
                prop_assert!(!name.contains(['/', '\\', '?', '#', '%']) && name != "." && name != "..");
                prop_assert!(!name.chars().any(char::is_control));
            }
        }
    }
}
