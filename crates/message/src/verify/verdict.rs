//! The outcome of verification, as plain data.

use std::fmt;

/// Result of one mechanism, in the words of RFC 8601 §2.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum MechanismResult {
    /// Nothing to check.
    #[default]
    None = 0,
    /// Checked and good.
    Pass = 1,
    /// Checked and bad.
    Fail = 2,
    /// SPF `~all`.
    SoftFail = 3,
    /// Checked without a statement.
    Neutral = 4,
    /// DNS did not answer; later it may.
    TempError = 5,
    /// The published record or the signature cannot be understood.
    PermError = 6,
}

impl MechanismResult {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        const ALL: [MechanismResult; 7] = [
            MechanismResult::None,
            MechanismResult::Pass,
            MechanismResult::Fail,
            MechanismResult::SoftFail,
            MechanismResult::Neutral,
            MechanismResult::TempError,
            MechanismResult::PermError,
        ];
        ALL.get(usize::from(byte)).copied()
    }
}

impl fmt::Display for MechanismResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        })
    }
}

/// SPF (RFC 7208) of the reverse-path, or of the client's name when that is null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfVerdict {
    /// What came of it.
    pub result: MechanismResult,
    /// The domain whose policy was asked.
    pub domain: String,
}

/// One DKIM signature (RFC 6376).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DkimVerdict {
    /// What came of it.
    pub result: MechanismResult,
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
}

/// DMARC of the From domain (RFC 7489).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmarcVerdict {
    /// What came of it.
    pub result: MechanismResult,
    /// The domain in From.
    pub domain: String,
    /// What the domain asks to be done with failing mail.
    pub policy: Disposition,
}

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Disposition {
    /// Nothing special.
    #[default]
    Deliver = 0,
    /// Put it in Spam.
    Quarantine = 1,
    /// Refuse it.
    Reject = 2,
}

/// All of it. The default is "nothing was checked".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// SPF.
    pub spf: SpfVerdict,
    /// One for each signature looked at; at most [`Verdict::MAX_SIGNATURES`].
    pub dkim: Vec<DkimVerdict>,
    /// DMARC.
    pub dmarc: DmarcVerdict,
    /// The ARC chain (RFC 8617).
    pub arc: MechanismResult,
    /// Whether the client's address maps to a name that maps back (RFC 8601 §2.7.3).
    pub iprev: MechanismResult,
}

impl Verdict {
    /// Most signatures looked at; RFC 6376 §6.1 lets a verifier stop anywhere.
    pub const MAX_SIGNATURES: usize = 8;
    /// Longest verdict as stored, in octets. Signatures for which there is no room are left out.
    pub const MAX_STORED_OCTETS: usize = 512;

    /// What the sender's domain wants, if the message failed its test.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self.dmarc.result {
            MechanismResult::Fail => self.dmarc.policy,
            _ => Disposition::Deliver,
        }
    }

    /// Whether some mechanism says that the From domain, or failing a policy the reverse-path's, really sent this.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        let passed = |result| result == MechanismResult::Pass;
        passed(self.dmarc.result) || passed(self.spf.result) || self.dkim.iter().any(|dkim| passed(dkim.result))
    }

    /// Whether it was looked who sent this, and there was nothing to look at: no SPF policy and no signature. Where nothing
    /// was checked, as for mail from here, nothing is missing.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        let is_none = |result| result == MechanismResult::None;
        let was_checked = *self != Self::default();
        was_checked && is_none(self.spf.result) && self.dkim.iter().all(|dkim| is_none(dkim.result))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::verify) fn sample() -> Verdict {
        Verdict {
            spf: SpfVerdict {
                result: MechanismResult::SoftFail,
                domain: "example.net".into(),
            },
            dkim: vec![DkimVerdict {
                result: MechanismResult::Pass,
                domain: "example.net".into(),
                selector: "a".into(),
            }],
            dmarc: DmarcVerdict {
                result: MechanismResult::Fail,
                domain: "example.org".into(),
                policy: Disposition::Reject,
            },
            arc: MechanismResult::None,
            iprev: MechanismResult::Pass,
        }
    }

    #[test]
    fn only_a_failed_dmarc_asks_for_something() {
        assert_eq!(sample().disposition(), Disposition::Reject);
        let mut good = sample();
        good.dmarc.result = MechanismResult::TempError;
        assert_eq!(good.disposition(), Disposition::Deliver);
    }

    #[test]
    fn what_is_unauthenticated() {
        use MechanismResult::{Fail, None, Pass, TempError};
        let with = |iprev, spf, dkim: &[MechanismResult]| {
            let mut verdict = Verdict {
                iprev,
                ..Verdict::default()
            };
            verdict.spf.result = spf;
            verdict.dkim = dkim
                .iter()
                .map(|result| DkimVerdict {
                    result: *result,
                    ..DkimVerdict::default()
                })
                .collect();
            verdict
        };
        for (verdict, expected) in [
            // Nothing was checked.
            (with(None, None, &[]), false),
            (with(Fail, None, &[]), true),
            (with(Pass, None, &[None]), true),
            (with(Pass, Pass, &[]), false),
            (with(Pass, Fail, &[]), false),
            (with(Pass, TempError, &[]), false),
            (with(Pass, None, &[Pass]), false),
            (with(Pass, None, &[None, Fail]), false),
        ] {
            assert_eq!(verdict.is_unauthenticated(), expected, "{verdict:?}");
        }
    }
}
