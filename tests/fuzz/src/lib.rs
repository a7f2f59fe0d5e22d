//! What the targets share.
//!
//! A fuzz input is: one octet that says how many choices follow, the choices, and the client's bytes. Each choice is an
//! octet and decides how the bytes are cut, what is answered, and what else happens. Without choices (as in the seeds)
//! the bytes come at once, every answer is friendly, and nothing else happens.

/// The choices of one input; when they have run out, all are 0.
pub struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    /// The next choice.
    pub fn take(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }
}

/// Splits an input.
pub fn split(input: &[u8]) -> (Choices<'_>, &[u8]) {
    let (&count, rest) = input.split_first().unwrap_or((&0, &[]));
    let (choices, bytes) = rest.split_at(usize::from(count).min(rest.len()));
    (Choices(choices.iter()), bytes)
}

/// How many of the bytes that are left come at once.
pub fn cut(choice: u8, left: usize) -> usize {
    match choice {
        0 => left,
        choice => usize::from(choice).min(left),
    }
}
