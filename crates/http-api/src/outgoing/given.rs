//! What callers give of a letter, read alike for all dialects; each says in its own form what does not fit.

use super::mailboxes;
use crate::error::ApiError;
use crate::wire::Misfit;
use postroom_message::Mailbox;

/// The addresses of a field; each text may hold several.
pub(crate) fn people<F: Misfit>(field: &str, given: Vec<String>) -> Result<Vec<Mailbox>, F> {
    let mut found = Vec::new();
    for text in given {
        if text.trim().is_empty() {
            return Err(F::field(field, format!("{field} has an empty address in it")));
        }
        match mailboxes::parse(field, &text, &mut found) {
            Ok(()) => {}
            Err(ApiError::Invalid(text)) => return Err(F::field(field, text)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// A subject of at most so many characters, on one line.
pub(crate) fn subject<F: Misfit>(subject: String, characters: usize) -> Result<String, F> {
    if subject.chars().any(|c| c.is_control() && c != '\t') {
        return Err(F::field("subject", "subject has a control character in it"));
    }
    if subject.chars().count() > characters {
        let text = format!("subject has at most {characters} characters");
        return Err(F::field("subject", text));
    }
    Ok(subject)
}
