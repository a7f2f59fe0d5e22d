//! Writers of responses (RFC 3501 §7), each straight into the output buffer.

pub(crate) mod body_structure;
pub(crate) mod envelope;
pub(crate) mod fault;
pub(crate) mod fetch;
pub(crate) mod flags;
pub(crate) mod mailbox;
pub(crate) mod string;
