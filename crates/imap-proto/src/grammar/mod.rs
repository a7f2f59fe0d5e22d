//! The words of RFC 3501 §9, read from a command that is complete: lines and literals in one slice.
//!
//! Nothing here allocates before it has checked; lengths are bounded by the command's own limit.

pub(crate) mod asked_again;
pub(crate) mod charset;
pub(crate) mod date;
pub(crate) mod event_groups;
pub(crate) mod fetch_items;
pub(crate) mod flags;
pub(crate) mod list_options;
pub(crate) mod mailbox_name;
pub(crate) mod partial_range;
pub(crate) mod pattern;
pub(crate) mod return_options;
pub(crate) mod scanner;
pub(crate) mod search_key;
pub(crate) mod sequence_set;
pub(crate) mod sort_key;
pub(crate) mod status_items;
pub(crate) mod utf7;

pub(crate) use scanner::Scanner;

/// A command that does not follow the grammar: the text after BAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) &'static str);

pub(crate) type Parsed<T> = Result<T, Bad>;
