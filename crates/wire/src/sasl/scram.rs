//! SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), as far as it goes without the keys.

use super::gs2::{Flag, parse_header, saslname};
use super::{ChannelBinding, Credentials, Evidence, SaslError, ScramProof};
use crate::sasl_base64::{base64_decode, base64_encode};
use postroom_types::ScramParameters;
use std::sync::Arc;

/// Of our part of a nonce, before base64.
pub(super) const NONCE_OCTETS: usize = 18;
/// Longest nonce of a client; real ones have about 32.
const MAX_NONCE_OCTETS: usize = 256;
/// The channel binding we have (RFC 9266).
const BINDING: &str = "tls-exporter";

/// Waits for `client-first-message`.
#[derive(Debug)]
pub(super) struct First {
    pub(super) parameters: Arc<ScramParameters>,
    /// Our part.
    pub(super) nonce: String,
    /// Whether the client has chosen the mechanism with a channel binding.
    pub(super) plus: bool,
    /// What this connection has.
    pub(super) binding: Option<ChannelBinding>,
}

/// Waits for `client-final-message`.
#[derive(Debug)]
pub(super) struct Final {
    authorization: Option<String>,
    user: String,
    /// What `c=` has to be.
    channel: String,
    /// The client's part and ours.
    nonce: String,
    /// `client-first-message-bare "," server-first-message`
    said: String,
}

impl First {
    /// Gives `server-first-message`.
    pub(super) fn read(self, message: &str) -> Result<(String, Final), SaslError> {
        let (header, bare) = parse_header(message).ok_or(SaslError::Malformed)?;
        let mut channel = header.text.as_bytes().to_vec();
        match (header.flag, self.plus, self.binding) {
            (Flag::Used(BINDING), true, Some(binding)) => channel.extend_from_slice(&binding.0),
            (Flag::None, false, _) | (Flag::Unoffered, false, None) => {}
            // Among them `y` while we offer the mechanism with a binding: who took it off the list is in the middle
            // (RFC 5802 §6).
            (Flag::None | Flag::Unoffered | Flag::Used(_), _, _) => return Err(SaslError::ChannelBinding),
        }
        let (user, client_nonce) = first_bare(bare).ok_or(SaslError::Malformed)?;
        let nonce = format!("{client_nonce}{}", self.nonce);
        let ScramParameters { salt, iterations } = &*self.parameters;
        let answer = format!("r={nonce},s={},i={iterations}", base64_encode(salt));
        let last = Final {
            authorization: header.authorization,
            user,
            channel: base64_encode(&channel),
            nonce,
            said: format!("{bare},{answer}"),
        };
        Ok((answer, last))
    }
}

impl Final {
    pub(super) fn read(self, message: &str) -> Result<Credentials, SaslError> {
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(SaslError::Malformed)?;
        let mut fields = without_proof.split(',');
        let mut field = |name| {
            fields
                .next()
                .and_then(|field| field.strip_prefix(name))
                .ok_or(SaslError::Malformed)
        };
        if field("c=")? != self.channel {
            return Err(SaslError::ChannelBinding);
        }
        if field("r=")? != self.nonce || !fields.all(is_extension) {
            return Err(SaslError::Malformed);
        }
        let proof = base64_decode(proof.as_bytes()).and_then(|proof| proof.try_into().ok());
        Ok(Credentials {
            authorization: self.authorization,
            user: self.user,
            evidence: Evidence::Scram(ScramProof {
                auth_message: format!("{},{without_proof}", self.said).into_bytes(),
                proof: proof.ok_or(SaslError::Malformed)?,
            }),
        })
    }
}

/// `username "," nonce ["," extensions]`; gives the user and the client's nonce. `m=`, an extension that must be known,
/// does not stand where a username has to.
fn first_bare(bare: &str) -> Option<(String, &str)> {
    let mut fields = bare.split(',');
    let user = saslname(fields.next()?.strip_prefix("n=")?)?;
    let nonce = fields.next()?.strip_prefix("r=")?;
    let good = (1..=MAX_NONCE_OCTETS).contains(&nonce.len()) && nonce.bytes().all(|b| matches!(b, b'!'..=b'~'));
    (good && fields.all(is_extension)).then_some((user, nonce))
}

/// `attr-val` that is optional, and so ignored.
fn is_extension(field: &str) -> bool {
    matches!(field.as_bytes(), [letter, b'=', _, ..] if letter.is_ascii_alphabetic() && !b"mM".contains(letter))
}
