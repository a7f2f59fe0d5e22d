//! The HTTP faces of the mailbox.
