//! MIME in and out: summary, text, verification; completing, composing, signing, reports. The only user of mail-parser
//! and mail-auth.
//!
//! What always holds: whatever the content, a call ends, in time linear in its size, without a panic; depth, parts,
//! addresses and parameters are bounded. What is written has CRLF line ends, lines of at most 998 octets, and no field
//! that was not meant to be one.

mod address_list;
mod address_text;
mod base_subject;
mod budget;
mod complete;
mod compose;
mod date;
mod decode;
mod describe;
mod dsn;
mod encode;
mod extract;
mod field_writer;
mod fold;
mod header;
mod html;
mod lexer;
mod mime_value;
mod newest;
mod references;
mod replace_texts;
mod reply;
mod report;
mod same_leaf;
mod search_text;
mod sent_date;
mod seven_bit;
mod sign;
mod structure;
mod summary;
mod text;
mod transfer;
mod verify;

pub use address_list::parse_address_list;
pub use address_text::{address_text, display_text};
pub use base_subject::{BaseSubject, base_subject};
pub use complete::{CompleteError, Completed, complete};
pub use compose::{ComposeError, Mailbox, Outgoing, OutgoingAttachment, compose};
pub use decode::decode_words;
pub use dsn::{Dsn, DsnAction, DsnRecipient, compose_dsn};
pub use extract::{Code, Link, Purpose, extract_codes, extract_links};
pub use fold::fold;
pub use header::{Field, body_offset, count_from, count_received, fields, remove_fields, unfold};
pub use newest::{extract_html, extract_text};
pub use references::{normal_message_id, references_of_ancestors};
pub use replace_texts::replace_texts;
pub use reply::{
    forward_attachments, forward_html, forward_subject, forward_text, quote_html, quote_text, references_for,
    reply_subject,
};
pub use report::{Report, ReportKind, parse_report};
pub use same_leaf::{may_be_as_long, may_be_same_leaf, same_leaf};
pub use search_text::{
    RawMessage, SearchText, Standing, fold_standing, parse_search_text, search_octets, search_text, standing,
};
pub use sent_date::{SentDate, sent_date};
pub use seven_bit::{to_seven_bit, without_nul};
pub use sign::{DkimAlgorithm, DkimKey, SignError, Signer};
pub use summary::summarize;
pub use text::{
    Attachment, attachments, decoded_body, header_values, html_part, html_text, leaf, plain_part, plain_text,
    readable_html,
};
pub use transfer::TransferDecoder;
pub use verify::{
    Disposition, DkimVerdict, DmarcVerdict, MechanismResult, SmtpPeer, SpfVerdict, VERIFY_DEADLINE, Verdict, Verifier,
    VerifierError, is_authentication_results_of, without_blank_tail,
};
