//! Asks DNS what it has to say about a message.

use super::authors::authors;
use super::policies::{POLICIES_DEADLINE, Proof, judge_authors};
use super::signatures::{SIGNATURES_DEADLINE, bearable, dkim_result, dkim_verdict, each_signature, verify_signatures};
use super::verdict::{MechanismResult, SpfVerdict, Verdict};
use bytes::Bytes;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{AuthenticatedMessage, IprevResult, MessageAuthenticator, SpfOutput, SpfResult};
use postroom_types::ReversePath;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// Longest time a verdict may take; then it says `temperror`. Well inside the ten minutes that RFC 5321 §4.5.3.2.6 gives
/// the final reply, and the two that impatient clients give it.
pub const VERIFY_DEADLINE: Duration = Duration::from_secs(20);

/// Longest times for what is asked of name servers that the sender may have chosen: who is slow there does not keep the
/// policies of the authors from being asked for. The address is looked at together with the path, and the chain together
/// with the signatures; what is over is for reading and hashing.
const IPREV_DEADLINE: Duration = Duration::from_secs(2);
const SPF_DEADLINE: Duration = Duration::from_secs(5);
const ARC_DEADLINE: Duration = Duration::from_secs(2);

const _: () = assert!(
    longer(IPREV_DEADLINE, SPF_DEADLINE) + longer(SIGNATURES_DEADLINE, ARC_DEADLINE) + POLICIES_DEADLINE.as_secs() + 5
        < VERIFY_DEADLINE.as_secs()
);

/// The seconds of the longer of two that run at the same time.
const fn longer(one: Duration, other: Duration) -> u64 {
    let (one, other) = (one.as_secs(), other.as_secs());
    if one > other { one } else { other }
}

/// Messages above this are hashed on a thread of the blocking pool: at ~1 GB/s this one takes a millisecond.
const BLOCKING_OCTETS: usize = 1 << 20;

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
        match timeout(VERIFY_DEADLINE, task).await {
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
    let (iprev, (spf, mail_from_domain)) = tokio::join!(
        timeout(IPREV_DEADLINE, authenticator.verify_iprev(peer.ip)),
        judge_path(authenticator, peer, reverse_path),
    );
    let mut verdict = Verdict {
        spf: SpfVerdict {
            result: spf_result(spf.result()),
            domain: spf.domain().to_owned(),
        },
        iprev: iprev.map_or(MechanismResult::TempError, |output| iprev_result(output.result())),
        ..Verdict::default()
    };
    let content = bearable(content);
    let Some(message) = AuthenticatedMessage::parse(&content) else {
        return verdict;
    };
    let signatures = each_signature(&content, &message);
    let (dkim, arc) = tokio::join!(
        verify_signatures(authenticator, &message, &signatures),
        timeout(ARC_DEADLINE, authenticator.verify_arc(&message)),
    );
    verdict.arc = arc.map_or(MechanismResult::TempError, |output| dkim_result(output.result()));
    let proof = Proof {
        dkim: &dkim,
        spf: &spf,
        mail_from_domain,
    };
    verdict.dmarc = judge_authors(authenticator, &authors(&content, message.froms()), &proof).await;
    verdict.dkim = dkim.iter().map(dkim_verdict).collect();
    verdict.dkim = verdict.kept_signatures().into_iter().cloned().collect();
    verdict
}

/// SPF of the reverse-path, or of the client's name; and the domain it is about.
async fn judge_path<'a>(
    authenticator: &MessageAuthenticator,
    peer: &'a SmtpPeer,
    reverse_path: &'a ReversePath,
) -> (SpfOutput, &'a str) {
    let (domain, sender) = match reverse_path {
        ReversePath::Null => (peer.client.as_str(), None),
        ReversePath::Mailbox(address) => (address.domain().as_str(), Some(address.to_string())),
    };
    let parameters = match &sender {
        None => SpfParameters::verify_ehlo(peer.ip, &peer.client, &peer.hostname),
        Some(sender) => SpfParameters::verify_mail_from(peer.ip, &peer.client, &peer.hostname, sender),
    };
    let output = timeout(SPF_DEADLINE, authenticator.verify_spf(parameters)).await;
    let late = || SpfOutput::new(domain.to_owned()).with_result(SpfResult::TempError);
    (output.unwrap_or_else(|_| late()), domain)
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
