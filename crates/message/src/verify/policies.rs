//! What the domains in From want done with a message (RFC 7489).

use super::authors::Authors;
use super::verdict::{Disposition, DmarcVerdict, MechanismResult};
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{AuthenticatedMessage, DkimOutput, DmarcOutput, DmarcResult, MessageAuthenticator, SpfOutput};
use std::time::Duration;
use tokio::time::timeout;

/// Longest time that the policies of all domains in From may take together; each has its share of it, so that none keeps
/// another from being asked for.
pub(super) const POLICIES_DEADLINE: Duration = Duration::from_secs(4);

/// What is known of who sent a message.
pub(super) struct Proof<'a> {
    pub(super) dkim: &'a [DkimOutput<'a>],
    pub(super) spf: &'a SpfOutput,
    /// What SPF is about.
    pub(super) mail_from_domain: &'a str,
}

/// Asks every domain of the authors.
pub(super) async fn judge_authors(
    authenticator: &MessageAuthenticator,
    authors: &Authors,
    proof: &Proof<'_>,
) -> DmarcVerdict {
    let share = POLICIES_DEADLINE / u32::try_from(authors.domains.len()).unwrap_or(u32::MAX).max(1);
    let mut said = Vec::with_capacity(authors.domains.len());
    for domain in &authors.domains {
        // The library looks at nothing else of the message, and at no domain if it has several.
        let message = AuthenticatedMessage {
            from: vec![format!("author@{domain}")],
            ..AuthenticatedMessage::default()
        };
        let parameters = DmarcParameters::new(&message, proof.dkim, proof.mail_from_domain, proof.spf);
        let output = timeout(share, authenticator.verify_dmarc(parameters)).await;
        said.push(match output {
            Ok(output) => dmarc_verdict(&output, domain),
            Err(_) => DmarcVerdict {
                result: MechanismResult::TempError,
                domain: domain.clone(),
                policy: Disposition::Deliver,
            },
        });
    }
    strictest(said, authors)
}

/// The worst that is said of any author: RFC 7489 §6.6.1 has each of several domains asked, and the strictest policy
/// counts. Who is in doubt has not passed, and is not believed.
fn strictest(said: Vec<DmarcVerdict>, authors: &Authors) -> DmarcVerdict {
    let severity = |dmarc: &DmarcVerdict| match dmarc.result {
        MechanismResult::Fail => (4, dmarc.policy as u8),
        MechanismResult::TempError => (3, 0),
        MechanismResult::PermError => (2, 0),
        MechanismResult::Pass => (0, 0),
        MechanismResult::None | MechanismResult::SoftFail | MechanismResult::Neutral => (1, 0),
    };
    // Of equals the first, which is shown first.
    let worst = said.into_iter().rev().max_by_key(severity).unwrap_or_default();
    match (authors.doubtful, worst.result, worst.policy) {
        (true, MechanismResult::Fail, Disposition::Quarantine | Disposition::Reject) | (false, ..) => worst,
        (true, ..) => DmarcVerdict {
            result: MechanismResult::Fail,
            policy: Disposition::Quarantine,
            ..worst
        },
    }
}

/// One aligned pass is enough (RFC 7489 §4.2). A test that DNS kept from being made is no failure, if it could have been
/// passed: what is not aligned could not, and whoever sends it has its own DNS to break.
fn dmarc_verdict(output: &DmarcOutput, domain: &str) -> DmarcVerdict {
    let results = [output.spf_result(), output.dkim_result()];
    let any = |wanted: fn(&DmarcResult) -> bool| results.iter().any(|result| wanted(result));
    let policy = match output.policy() {
        Policy::Reject => Disposition::Reject,
        Policy::Quarantine => Disposition::Quarantine,
        Policy::None | Policy::Unspecified => Disposition::Deliver,
    };
    let result = if any(|r| *r == DmarcResult::Pass) {
        MechanismResult::Pass
    } else if any(|r| matches!(r, DmarcResult::TempError(_))) {
        MechanismResult::TempError
    } else if output.dmarc_record().is_some() {
        MechanismResult::Fail
    } else if any(|r| matches!(r, DmarcResult::PermError(_))) {
        MechanismResult::PermError
    } else {
        MechanismResult::None
    };
    DmarcVerdict {
        result,
        domain: domain.to_owned(),
        policy,
    }
}
