//! Asks DNS what it has to say about a message.

use super::trailing::without_blank_tail;
use super::verdict::{Disposition, DkimVerdict, DmarcVerdict, MechanismResult, SpfVerdict, Verdict};
use bytes::Bytes;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::dkim::{Canonicalization, DkimError};
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, DmarcResult, Error, IprevResult, MessageAuthenticator,
    SpfResult,
};
use postroom_types::ReversePath;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Longest time a verdict may take; then it says `temperror`. Well inside the ten minutes that RFC 5321 §4.5.3.2.6 gives
/// the final reply, and the two that impatient clients give it.
pub const VERIFY_DEADLINE: Duration = Duration::from_secs(20);

/// Messages above this are hashed on a thread of the blocking pool: at ~1 GB/s this one takes a millisecond.
const BLOCKING_OCTETS: usize = 1 << 20;

/// Most DKIM-Signature and ARC fields a message may have to be verified at all: each may ask for a hash of the whole
/// body of its own.
const MAX_SIGNATURE_FIELDS: usize = 64;

/// The client at the other end, as SMTP knows it.
#[derive(Clone, Debug)]
pub struct SmtpPeer {
    /// Its address.
    pub ip: IpAddr,
    /// Its EHLO or HELO argument.
    pub client: String,
    /// Our own host name.
    pub hostname: String,
}

/// Why there can be no verifier.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up DNS resolution: {0}")]
pub struct VerifierError(String);

/// Judges messages. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    authenticator: Option<MessageAuthenticator>,
}

impl Verifier {
    /// Judges nothing: every verdict is `none`. For machines without DNS.
    #[must_use]
    pub const fn off() -> Self {
        Self { authenticator: None }
    }

    /// Asks the name servers of the system's configuration, or those given.
    ///
    /// # Errors
    /// [`VerifierError`] if the system's configuration cannot be read.
    pub fn dns(servers: &[SocketAddr]) -> Result<Self, VerifierError> {
        let made = match servers {
            [] => MessageAuthenticator::new_system_conf(),
            _ => MessageAuthenticator::new(resolver_config(servers), ResolverOpts::default()),
        };
        made.map(|authenticator| Self {
            authenticator: Some(authenticator),
        })
        .map_err(|e| VerifierError(e.to_string()))
    }

    /// Judges one message within [`VERIFY_DEADLINE`]. Never fails: what could not be found out is in the verdict.
    pub async fn verify(&self, peer: &SmtpPeer, reverse_path: &ReversePath, content: &Bytes) -> Verdict {
        let Some(authenticator) = self.authenticator.clone() else {
            return Verdict::default();
        };
        let (peer, reverse_path, content) = (peer.clone(), reverse_path.clone(), content.clone());
        let large = content.len() > BLOCKING_OCTETS;
        let judging = async move { judge(&authenticator, &peer, &reverse_path, &content).await };
        // A task of its own, so that a panic in a parser ends here and not in the session.
        let task = match large {
            false => tokio::spawn(judging),
            true => {
                let runtime = tokio::runtime::Handle::current();
                tokio::task::spawn_blocking(move || runtime.block_on(judging))
            }
        };
        let stop = task.abort_handle();
        match tokio::time::timeout(VERIFY_DEADLINE, task).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(panic)) => {
                tracing::warn!(error = %panic, "verification failed");
                undecided()
            }
            Err(_) => {
                stop.abort();
                undecided()
            }
        }
    }
}

fn resolver_config(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        config
    });
    ResolverConfig::from_name_servers(servers.collect())
}

fn undecided() -> Verdict {
    let mut verdict = Verdict::default();
    verdict.spf.result = MechanismResult::TempError;
    verdict.dmarc.result = MechanismResult::TempError;
    verdict
}

async fn judge(
    authenticator: &MessageAuthenticator,
    peer: &SmtpPeer,
    reverse_path: &ReversePath,
    content: &[u8],
) -> Verdict {
    let iprev = iprev_result(authenticator.verify_iprev(peer.ip).await.result());
    let spf_output = match reverse_path {
        ReversePath::Null => {
            authenticator
                .verify_spf(SpfParameters::verify_ehlo(peer.ip, &peer.client, &peer.hostname))
                .await
        }
        ReversePath::Mailbox(address) => {
            let sender = address.to_string();
            authenticator
                .verify_spf(SpfParameters::verify_mail_from(
                    peer.ip,
                    &peer.client,
                    &peer.hostname,
                    &sender,
                ))
                .await
        }
    };
    let spf = SpfVerdict {
        result: spf_result(spf_output.result()),
        domain: spf_output.domain().to_owned(),
    };
    let mut verdict = Verdict {
        spf,
        iprev,
        ..Verdict::default()
    };
    if signature_fields(content) > MAX_SIGNATURE_FIELDS {
        return verdict;
    }
    let Some(mut message) = AuthenticatedMessage::parse(content) else {
        return verdict;
    };
    message.dkim_headers.truncate(Verdict::MAX_SIGNATURES);
    let mut dkim_outputs = authenticator.verify_dkim(&message).await;
    let tail_cut = without_blank_tail(content, message.body_offset as usize);
    let retried = tail_cut
        .filter(|_| dkim_outputs.iter().any(failed_on_relaxed_body))
        .and_then(AuthenticatedMessage::parse);
    if let Some(retried) = &retried {
        let second = authenticator.verify_dkim(retried).await;
        for output in second.into_iter().filter(|output| *output.result() == DkimResult::Pass) {
            let same = |first: &DkimOutput<'_>| first.signature().map(|s| &s.b) == output.signature().map(|s| &s.b);
            if let Some(at) = dkim_outputs
                .iter()
                .position(|first| failed_on_relaxed_body(first) && same(first))
            {
                dkim_outputs[at] = output;
            }
        }
    }
    let arc_output = authenticator.verify_arc(&message).await;
    verdict.arc = dkim_result(arc_output.result());
    let mail_from_domain = match reverse_path {
        ReversePath::Null => peer.client.as_str(),
        ReversePath::Mailbox(address) => address.domain().as_str(),
    };
    let parameters = DmarcParameters::new(&message, &dkim_outputs, mail_from_domain, &spf_output);
    verdict.dmarc = dmarc_verdict(&authenticator.verify_dmarc(parameters).await, spf_output.result());
    verdict.dkim = dkim_outputs
        .iter()
        .take(Verdict::MAX_SIGNATURES)
        .map(dkim_verdict)
        .collect();
    verdict
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

fn dkim_verdict(output: &DkimOutput<'_>) -> DkimVerdict {
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
fn dkim_result(result: &DkimResult) -> MechanismResult {
    match result {
        DkimResult::Pass => MechanismResult::Pass,
        DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch)) | DkimResult::Fail(_) => MechanismResult::Fail,
        DkimResult::Neutral(_) => MechanismResult::Neutral,
        DkimResult::PermError(_) => MechanismResult::PermError,
        DkimResult::TempError(_) => MechanismResult::TempError,
        DkimResult::None => MechanismResult::None,
    }
}

const fn spf_result(result: SpfResult) -> MechanismResult {
    match result {
        SpfResult::Pass => MechanismResult::Pass,
        SpfResult::Fail => MechanismResult::Fail,
        SpfResult::SoftFail => MechanismResult::SoftFail,
        SpfResult::Neutral => MechanismResult::Neutral,
        SpfResult::TempError => MechanismResult::TempError,
        SpfResult::PermError => MechanismResult::PermError,
        SpfResult::None => MechanismResult::None,
    }
}

const fn iprev_result(result: &IprevResult) -> MechanismResult {
    match result {
        IprevResult::Pass => MechanismResult::Pass,
        IprevResult::Fail(_) => MechanismResult::Fail,
        IprevResult::TempError(_) => MechanismResult::TempError,
        IprevResult::PermError(_) => MechanismResult::PermError,
        IprevResult::None => MechanismResult::None,
    }
}

/// One aligned pass is enough (RFC 7489 §4.2). A test that DNS kept from being made is no failure.
fn dmarc_verdict(output: &DmarcOutput, spf: SpfResult) -> DmarcVerdict {
    let results = [output.spf_result(), output.dkim_result()];
    let any = |wanted: fn(&DmarcResult) -> bool| results.iter().any(|result| wanted(result));
    let policy = match output.policy() {
        Policy::Reject => Disposition::Reject,
        Policy::Quarantine => Disposition::Quarantine,
        Policy::None | Policy::Unspecified => Disposition::Deliver,
    };
    let result = if any(|r| *r == DmarcResult::Pass) {
        MechanismResult::Pass
    } else if any(|r| matches!(r, DmarcResult::TempError(_)))
        || (output.dmarc_record().is_some() && spf == SpfResult::TempError)
    {
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
        domain: output.domain().to_owned(),
        policy,
    }
}
