//! MIME in: summary, sections, text, verification. The only user of mail-parser and mail-auth.

mod verify;
pub use verify::{
    Disposition, DkimVerdict, DmarcVerdict, MechanismResult, SmtpPeer, SpfVerdict, VERIFY_DEADLINE, Verdict, Verifier,
    VerifierError, is_authentication_results_of, without_blank_tail,
};
