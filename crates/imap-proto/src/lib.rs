//! The IMAP server as a value: bytes and answers in, actions out.
//!
//! All of IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051), which a client enables, with:
//!
//! - Resynchronising: CONDSTORE and QRESYNC (RFC 7162), NOTIFY (RFC 5465), IDLE (RFC 2177).
//! - Mailboxes: LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), STATUS=SIZE (RFC 8438), SPECIAL-USE and
//!   CREATE-SPECIAL-USE (RFC 6154), CHILDREN (RFC 3348), NAMESPACE (RFC 2342), QUOTA (RFC 9208), UNSELECT (RFC 3691).
//! - Searching: ESEARCH (RFC 4731), SEARCHRES (RFC 5182), WITHIN (RFC 5032), SORT and THREAD (RFC 5256), SORT=DISPLAY
//!   (RFC 5957), ESORT, CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267), PARTIAL (RFC 9394).
//! - Messages: UIDPLUS (RFC 4315), MOVE (RFC 6851), MULTIAPPEND (RFC 3502), CATENATE (RFC 4469), REPLACE (RFC 8508),
//!   BINARY (RFC 3516), OBJECTID (RFC 8474), SAVEDATE (RFC 8514), PREVIEW (RFC 8970), APPENDLIMIT (RFC 7889).
//! - The rest: ENABLE (RFC 5161), UTF8=ACCEPT (RFC 6855), LITERAL+ or LITERAL- (RFC 7888), COMPRESS (RFC 4978), ID
//!   (RFC 2971), SASL-IR (RFC 4959); logins by password, token (RFC 7628) and SCRAM (RFC 7677).
//!
//! Always holds: memory is bounded by [`Options`] and the size of the selected mailbox; no input panics; a tagged
//! response is written only after the answer it depends on; the same input cut differently gives the same output.

mod collector;
mod command;
mod grammar;
mod options;
mod output;
mod question;
mod response;
mod server;
mod session;
mod view;

pub use options::Options;
pub use question::*;
pub use server::Server;
