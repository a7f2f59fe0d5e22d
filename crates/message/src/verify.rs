//! Who really sent this? SPF, DKIM, DMARC, ARC and iprev, evaluated before the final reply to DATA.
//!
//! What always holds: a verdict is plain data that can be stored and shown again; no failure of DNS, no hostile
//! signature and no panic of a library keeps a message from being judged within [`VERIFY_DEADLINE`].

mod authentication_results;
mod authors;
mod policies;
mod signatures;
mod stored;
mod trailing;
mod verdict;
mod verifier;

pub use authentication_results::is_authentication_results_of;
pub use trailing::without_blank_tail;
pub use verdict::{Disposition, DkimVerdict, DmarcVerdict, MechanismResult, SpfVerdict, Verdict};
pub use verifier::{SmtpPeer, VERIFY_DEADLINE, Verifier, VerifierError};
