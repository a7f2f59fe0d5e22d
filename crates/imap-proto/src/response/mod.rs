//! Writers of responses (RFC 3501 §7), each straight into the output buffer.

pub(crate) mod body_structure;
pub(crate) mod envelope;
pub(crate) mod esearch;
pub(crate) mod fault;
pub(crate) mod fetch;
pub(crate) mod flags;
pub(crate) mod mailbox;
pub(crate) mod number;
pub(crate) mod number_set;
pub(crate) mod object_id;
pub(crate) mod status;
pub(crate) mod string;
pub(crate) mod threads;
