//! MIME in: summary, text, verification. The only user of mail-parser and mail-auth.
//!
//! What always holds: whatever the content, a call ends, in time linear in its size, without a panic; depth, parts,
//! addresses and parameters are bounded.

mod address_list;
mod budget;
mod decode;
mod describe;
mod header;
mod lexer;
mod mime_value;
mod structure;
mod summary;
mod text;
mod verify;

pub use address_list::parse_address_list;
pub use decode::decode_words;
pub use header::{Field, body_offset, count_received, fields, remove_fields, unfold};
pub use summary::summarize;
pub use text::{
    Attachment, attachments, body_text, date_day, decoded_body, header_text, header_values, html_text, leaf, plain_text,
};
pub use verify::{
    Disposition, DkimVerdict, DmarcVerdict, MechanismResult, SmtpPeer, SpfVerdict, VERIFY_DEADLINE, Verdict, Verifier,
    VerifierError, is_authentication_results_of, without_blank_tail,
};
