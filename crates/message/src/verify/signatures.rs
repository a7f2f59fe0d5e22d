//! The DKIM signatures of a message (RFC 6376), with what the library reads otherwise than the standard mended.
//!
//! What always holds: no signature changes what is said of another, and one whose body does not match has failed without
//! a question to DNS. Otherwise who is silent about one key could hide that another signature is bad.

use super::trailing::without_blank_tail;
use super::verdict::{DkimVerdict, MechanismResult, Verdict};
use crate::header::fields;
use mail_auth::common::crypto::HashAlgorithm;
use mail_auth::common::headers::Header;
use mail_auth::dkim::{Canonicalization, DkimError, Signature};
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, DnsError, Error, MessageAuthenticator};
use std::borrow::Cow;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// Longest time that a signature may take; all are verified at the same time, so it is that of them together too.
pub(super) const SIGNATURES_DEADLINE: Duration = Duration::from_secs(5);

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

/// A message for each signature that is looked at, so that each is verified by itself: whose key is waited for is the
/// matter of that signature alone. `message` is what was read of `content`.
pub(super) fn each_signature<'x>(
    content: &'x [u8],
    message: &AuthenticatedMessage<'x>,
) -> Vec<AuthenticatedMessage<'x>> {
    let fields = || message.dkim_headers.iter().take(Verdict::MAX_SIGNATURES);
    let may_help = fields().any(|field| fails_on_relaxed_body(message, &field.header));
    let cut = without_blank_tail(content, message.body_offset as usize).filter(|_| may_help);
    let without_tail = cut.and_then(AuthenticatedMessage::parse);
    let alone = |field: &Header<'x, Signature>| {
        let tail_fails = fails_on_relaxed_body(message, &field.header);
        let body = without_tail.as_ref().filter(|_| tail_fails).unwrap_or(message);
        let mut field = field.clone();
        // Nobody is sent a report, so nobody is asked for an address to send it to.
        field.header.r = false;
        AuthenticatedMessage {
            headers: message.headers.clone(),
            from: message.from.clone(),
            body_hashes: body.body_hashes.clone(),
            dkim_headers: vec![field],
            ..AuthenticatedMessage::default()
        }
    };
    fields().map(alone).collect()
}

fn fails_on_relaxed_body(message: &AuthenticatedMessage<'_>, signature: &Signature) -> bool {
    let matches = |(form, _, octets, hash): &(Canonicalization, HashAlgorithm, u64, Vec<u8>)| {
        *form == signature.cb && *octets == signature.l && *hash == signature.bh
    };
    signature.cb == Canonicalization::Relaxed && !message.body_hashes.iter().any(matches)
}

/// Verifies the messages of [`each_signature`], all at the same time; `message` is the one they were made of. What cannot
/// be read as a signature comes first.
pub(super) async fn verify_signatures<'x>(
    authenticator: &MessageAuthenticator,
    message: &AuthenticatedMessage<'_>,
    signatures: &'x [AuthenticatedMessage<'x>],
) -> Vec<DkimOutput<'x>> {
    let unreadable = message.errors.iter().filter_map(|field| match &field.header {
        error @ Error::Dkim(_) => Some(DkimOutput::neutral(error.clone())),
        _ => None,
    });
    let mut outputs: Vec<_> = unreadable.collect();
    let verified = signatures.iter().map(|signature| verify_one(authenticator, signature));
    outputs.extend(all(verified).await.into_iter().flatten());
    outputs
}

/// A signature whose key did not come in time may be good.
async fn verify_one<'x>(
    authenticator: &MessageAuthenticator,
    message: &'x AuthenticatedMessage<'x>,
) -> Vec<DkimOutput<'x>> {
    let late =
        |signature| DkimOutput::temp_err(Error::Dns(DnsError::Resolver(String::new()))).with_signature(signature);
    let verified = timeout(SIGNATURES_DEADLINE, authenticator.verify_dkim(message)).await;
    verified.unwrap_or_else(|_| message.dkim_headers.iter().map(|field| late(&field.header)).collect())
}

/// What comes of some few futures that run at the same time, in their order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut is_pending = false;
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => is_pending = true,
            }
        }
        if is_pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
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
