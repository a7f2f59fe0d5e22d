//! A verdict as it is kept with a message.
//!
//! What always holds: it has at most [`Verdict::MAX_STORED_OCTETS`], whatever a sender wrote; every verdict ever stored can
//! be read.

use super::verdict::{Disposition, DkimVerdict, DmarcVerdict, MechanismResult, SpfVerdict, Verdict};

const FORMAT: u8 = 1;
/// Longest name kept; a domain name has at most this (RFC 1035 §2.3.4, as text).
const MAX_NAME_OCTETS: usize = 253;
/// What is stored of a verdict beside names and signatures: the format, four results, a policy, how many signatures, and the
/// lengths of two names.
const FIXED_OCTETS: usize = 9;

impl Verdict {
    /// The signatures there is room for, in their order. Those that say most are kept: which pass, and among them those of
    /// the From domain, then of a domain above or below it.
    pub(super) fn kept_signatures(&self) -> Vec<&DkimVerdict> {
        let from = self.dmarc.domain.as_str();
        let rank = |at: &usize| {
            let signature = &self.dkim[*at];
            let nearness = match &*signature.domain {
                domain if domain.eq_ignore_ascii_case(from) => 0,
                domain if is_below(domain, from) || is_below(from, domain) => 1,
                _ => 2,
            };
            (signature.result != MechanismResult::Pass, nearness)
        };
        let mut ranked: Vec<usize> = (0..self.dkim.len()).collect();
        ranked.sort_by_cached_key(rank);
        let taken = FIXED_OCTETS + self.spf_domain().len() + cut(&self.dmarc.domain).len();
        let mut room = Self::MAX_STORED_OCTETS.saturating_sub(taken);
        ranked.retain(|at| {
            // Its result, and the lengths of its names.
            let octets = 3 + cut(&self.dkim[*at].domain).len() + cut(&self.dkim[*at].selector).len();
            let left = room.checked_sub(octets);
            room = left.unwrap_or(room);
            left.is_some()
        });
        ranked.truncate(Self::MAX_SIGNATURES);
        ranked.sort_unstable();
        ranked.into_iter().map(|at| &self.dkim[at]).collect()
    }

    /// SPF's domain, or as much of it as there is room for beside the From domain.
    pub(super) fn spf_domain(&self) -> &str {
        let room = Self::MAX_STORED_OCTETS - FIXED_OCTETS - cut(&self.dmarc.domain).len();
        cut_to(&self.spf.domain, room.min(MAX_NAME_OCTETS))
    }

    /// The verdict as stored: a format byte, then results and length-prefixed names; at most
    /// [`MAX_STORED_OCTETS`](Self::MAX_STORED_OCTETS).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT, self.arc as u8, self.iprev as u8, self.spf.result as u8];
        put_text(&mut out, self.spf_domain());
        out.extend([self.dmarc.result as u8, self.dmarc.policy as u8]);
        put_text(&mut out, &self.dmarc.domain);
        let signatures = self.kept_signatures();
        out.push(u8::try_from(signatures.len()).expect("at most MAX_SIGNATURES"));
        for signature in signatures {
            out.push(signature.result as u8);
            put_text(&mut out, &signature.domain);
            put_text(&mut out, &signature.selector);
        }
        out
    }

    /// Reads a stored verdict; `None` if it is not one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != FORMAT {
            return None;
        }
        let (arc, iprev) = (reader.result()?, reader.result()?);
        let spf = SpfVerdict {
            result: reader.result()?,
            domain: reader.text()?,
        };
        let dmarc_result = reader.result()?;
        let policy = match reader.byte()? {
            0 => Disposition::Deliver,
            1 => Disposition::Quarantine,
            2 => Disposition::Reject,
            _ => return None,
        };
        let dmarc = DmarcVerdict {
            result: dmarc_result,
            policy,
            domain: reader.text()?,
        };
        let count = reader.byte()?;
        let dkim = (0..count)
            .map(|_| {
                Some(DkimVerdict {
                    result: reader.result()?,
                    domain: reader.text()?,
                    selector: reader.text()?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        reader.0.is_empty().then_some(Self {
            spf,
            dkim,
            dmarc,
            arc,
            iprev,
        })
    }
}

/// Whether a domain lies below another.
fn is_below(domain: &str, parent: &str) -> bool {
    let split = domain
        .len()
        .checked_sub(parent.len())
        .filter(|split| domain.is_char_boundary(*split));
    split.is_some_and(|split| {
        !parent.is_empty() && domain[..split].ends_with('.') && domain[split..].eq_ignore_ascii_case(parent)
    })
}

/// Names from outside are cut to what a domain may have.
pub(super) fn cut(text: &str) -> &str {
    cut_to(text, MAX_NAME_OCTETS)
}

/// At a character's edge.
fn cut_to(text: &str, octets: usize) -> &str {
    let mut end = text.len().min(octets);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = cut(text);
    out.push(u8::try_from(text.len()).expect("at most MAX_NAME_OCTETS"));
    out.extend(text.as_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn result(&mut self) -> Option<MechanismResult> {
        MechanismResult::from_byte(self.byte()?)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::sample;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stored_and_read_again() {
        assert_eq!(Verdict::decode(&sample().encode()), Some(sample()));
        assert_eq!(Verdict::decode(&Verdict::default().encode()), Some(Verdict::default()));
        let mut long = Verdict::default();
        long.spf.domain = "é".repeat(200);
        assert_eq!(Verdict::decode(&long.encode()).unwrap().spf.domain, "é".repeat(126));
    }

    #[test]
    fn what_says_most_is_kept() {
        let signature = |result, domain: &str| DkimVerdict {
            result,
            domain: domain.into(),
            selector: "s".repeat(60),
        };
        use MechanismResult::{Fail, Pass};
        let far = "x".repeat(180);
        let mut verdict = sample();
        verdict.dkim = vec![
            signature(Fail, "example.org"),
            signature(Pass, &far),
            signature(Fail, &far),
            signature(Pass, "Mail.Example.org"),
            signature(Pass, "notexample.org"),
            signature(Pass, "EXAMPLE.org"),
        ];
        let kept = Verdict::decode(&verdict.encode()).unwrap().dkim;
        verdict.dkim.retain(|dkim| dkim.result == Pass);
        assert_eq!(
            kept, verdict.dkim,
            "those that fail have no room beside those that pass"
        );
        // Where even those that pass have no room, the nearest is kept.
        for signature in &mut verdict.dkim {
            signature.selector = "s".repeat(230);
        }
        let kept = Verdict::decode(&verdict.encode()).unwrap().dkim;
        assert_eq!(
            kept.iter().map(|dkim| dkim.domain.as_str()).collect::<Vec<_>>(),
            ["EXAMPLE.org"]
        );
    }

    proptest! {
        /// Whatever the sender wrote, a verdict can be stored, and what is read again is stored again as it is.
        #[test]
        fn a_stored_verdict_has_an_end(
            spf in "[a-z\u{e9}]{0,300}",
            from in "[a-z]{0,300}",
            dkim in proptest::collection::vec(("[a-z]{0,300}", "[a-z]{0,300}"), 0..12),
        ) {
            let mut verdict = sample();
            (verdict.spf.domain, verdict.dmarc.domain) = (spf, from);
            verdict.dkim = dkim
                .into_iter()
                .map(|(domain, selector)| DkimVerdict { domain, selector, ..DkimVerdict::default() })
                .collect();
            let stored = verdict.encode();
            prop_assert!(stored.len() <= Verdict::MAX_STORED_OCTETS, "{}", stored.len());
            prop_assert_eq!(Verdict::decode(&stored).unwrap().encode(), stored);
        }

        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(verdict) = Verdict::decode(&bytes) {
                prop_assert_eq!(Verdict::decode(&verdict.encode()), Some(verdict));
            }
        }
    }
}
