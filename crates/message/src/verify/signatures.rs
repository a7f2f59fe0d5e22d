//! The DKIM signatures of a message (RFC 6376), with what the library reads otherwise than the standard mended.

use super::trailing::without_blank_tail;
use super::verdict::{DkimVerdict, MechanismResult};
use crate::header::fields;
use mail_auth::dkim::{Canonicalization, DkimError};
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, DnsError, Error, MessageAuthenticator};
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::timeout;

/// Longest time that the keys of all signatures may take.
pub(super) const SIGNATURES_DEADLINE: Duration = Duration::from_secs(5);
/// Longest time for the same keys, asked for again.
pub(super) const RETRY_DEADLINE: Duration = Duration::from_secs(1);

/// Most DKIM-Signature and ARC fields a message may have to be verified at all: each may ask for a hash of the whole
/// body of its own.
const MAX_SIGNATURE_FIELDS: usize = 64;

/// The message; or, if it has more signatures than are looked at, its From fields alone: whose mail it says it is still
/// counts, or signatures would be the way around a policy.
pub(super) fn bearable(content: &[u8]) -> Cow<'_, [u8]> {
    match signature_fields(content) > MAX_SIGNATURE_FIELDS {
        true => Cow::Owned(from_fields(content)),
        false => Cow::Borrowed(content),
    }
}

fn from_fields(content: &[u8]) -> Vec<u8> {
    let from = fields(content).filter(|field| field.is("From"));
    let mut header = from.fold(Vec::new(), |mut header, field| {
        header.extend_from_slice(&content[field.start..field.end]);
        header
    });
    header.extend_from_slice(b"\r\n");
    header
}

fn signature_fields(content: &[u8]) -> usize {
    let header = &content[..memchr::memmem::find(content, b"\r\n\r\n").unwrap_or(content.len())];
    let starts = |line: &[u8], name: &str| {
        line.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    };
    header
        .split(|byte| *byte == b'\n')
        .filter(|line| starts(line, "DKIM-Signature") || starts(line, "ARC-"))
        .count()
}

/// Signatures whose keys did not come in time may be good.
pub(super) async fn verify_signatures<'x>(
    authenticator: &MessageAuthenticator,
    message: &'x AuthenticatedMessage<'x>,
) -> Vec<DkimOutput<'x>> {
    let late =
        |signature| DkimOutput::temp_err(Error::Dns(DnsError::Resolver(String::new()))).with_signature(signature);
    let verified = timeout(SIGNATURES_DEADLINE, authenticator.verify_dkim(message)).await;
    verified.unwrap_or_else(|_| message.dkim_headers.iter().map(|field| late(&field.header)).collect())
}

/// The message without whitespace-only lines at its end, if they may be why a signature fails.
pub(super) fn without_tail<'x>(
    content: &'x [u8],
    message: &AuthenticatedMessage<'_>,
    outputs: &[DkimOutput<'_>],
) -> Option<AuthenticatedMessage<'x>> {
    let cut = without_blank_tail(content, message.body_offset as usize)?;
    let may_help = outputs.iter().any(failed_on_relaxed_body);
    may_help.then(|| AuthenticatedMessage::parse(cut)).flatten()
}

/// Puts what passes at the second try in the place of what failed.
pub(super) async fn verify_again<'x>(
    authenticator: &MessageAuthenticator,
    retried: &'x AuthenticatedMessage<'x>,
    outputs: &mut [DkimOutput<'x>],
) {
    let second = timeout(RETRY_DEADLINE, authenticator.verify_dkim(retried)).await;
    let second = second.unwrap_or_default();
    for output in second.into_iter().filter(|output| *output.result() == DkimResult::Pass) {
        let same = |first: &DkimOutput<'_>| first.signature().map(|s| &s.b) == output.signature().map(|s| &s.b);
        let failed = outputs
            .iter_mut()
            .find(|first| failed_on_relaxed_body(first) && same(first));
        if let Some(failed) = failed {
            *failed = output;
        }
    }
}

fn failed_on_relaxed_body(output: &DkimOutput<'_>) -> bool {
    let body_hash = matches!(
        output.result(),
        DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch))
    );
    body_hash
        && output
            .signature()
            .is_some_and(|signature| signature.cb == Canonicalization::Relaxed)
}

pub(super) fn dkim_verdict(output: &DkimOutput<'_>) -> DkimVerdict {
    let (domain, selector) = output
        .signature()
        .map(|s| (s.d.clone(), s.s.clone()))
        .unwrap_or_default();
    DkimVerdict {
        result: dkim_result(output.result()),
        domain,
        selector,
    }
}

/// mail-auth calls an unverifiable signature neutral; RFC 8601 §2.7.1 calls a body or signature that does not match `fail`.
pub(super) fn dkim_result(result: &DkimResult) -> MechanismResult {
    match result {
        DkimResult::Pass => MechanismResult::Pass,
        DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch)) | DkimResult::Fail(_) => MechanismResult::Fail,
        DkimResult::Neutral(_) => MechanismResult::Neutral,
        DkimResult::PermError(_) => MechanismResult::PermError,
        DkimResult::TempError(_) => MechanismResult::TempError,
        DkimResult::None => MechanismResult::None,
    }
}
