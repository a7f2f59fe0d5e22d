//! What one connection offers, and where its exchanges begin.

use super::{ChannelBinding, Exchange, Mechanism, Progress, SaslError, Step, challenge, scram};
use crate::sasl_base64::base64_encode;
use hmac::{Hmac, KeyInit, Mac};
use postroom_types::{ScramParameters, Secret};
use sha2::Sha256;
use std::sync::Arc;

/// What SCRAM needs from outside.
#[derive(Clone, Debug)]
pub struct ScramOptions {
    /// What every client is told.
    pub parameters: Arc<ScramParameters>,
    /// Random, and of this connection alone: its nonces are made from it.
    pub seed: Secret<[u8; 32]>,
}

/// Begins the exchanges of one connection.
#[derive(Debug)]
pub struct Authenticator {
    scram: Option<ScramOptions>,
    binding: Option<ChannelBinding>,
    /// Exchanges begun, so that each has a nonce of its own.
    begun: u64,
}

impl Authenticator {
    /// For a connection that begins now, in clear. Without `scram` only mechanisms that show their secret are offered.
    #[must_use]
    pub const fn new(scram: Option<ScramOptions>) -> Self {
        Self {
            scram,
            binding: None,
            begun: 0,
        }
    }

    /// TLS is up, with what binds logins to it.
    pub const fn tls_up(&mut self, binding: Option<ChannelBinding>) {
        self.binding = binding;
    }

    /// What is offered now, the preferred first.
    pub fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        Mechanism::ALL.into_iter().filter(|mechanism| match mechanism {
            Mechanism::ScramSha256Plus => self.scram.is_some() && self.binding.is_some(),
            Mechanism::ScramSha256 => self.scram.is_some(),
            Mechanism::OauthBearer | Mechanism::Xoauth2 | Mechanism::Plain | Mechanism::Login => true,
        })
    }

    /// Finds a mechanism that is offered by its name, in any case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Mechanism> {
        self.mechanisms()
            .find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Begins an exchange. `initial` is the initial response as it stands in the command: base64, or `=` for an empty
    /// one (RFC 4954 §4, RFC 4959 §3).
    ///
    /// # Errors
    /// [`SaslError`]: the exchange is over.
    pub fn start(&mut self, mechanism: Mechanism, initial: Option<&[u8]>) -> Result<(Exchange, Progress), SaslError> {
        let step = match mechanism {
            Mechanism::ScramSha256Plus => Step::ScramFirst(self.scram(true)?),
            Mechanism::ScramSha256 => Step::ScramFirst(self.scram(false)?),
            Mechanism::OauthBearer => Step::OauthBearer,
            Mechanism::Xoauth2 => Step::Xoauth2,
            Mechanism::Plain => Step::Plain,
            Mechanism::Login => Step::LoginUser,
        };
        let mut exchange = Exchange(step);
        let progress = match initial {
            Some(b"=") => exchange.respond(b"")?,
            Some(response) => exchange.respond(response)?,
            None if mechanism == Mechanism::Login => challenge("Username:"),
            None => challenge(""),
        };
        Ok((exchange, progress))
    }

    fn scram(&mut self, plus: bool) -> Result<scram::First, SaslError> {
        // Only what is offered is found and begun.
        let options = self.scram.as_ref().ok_or(SaslError::Malformed)?;
        self.begun += 1;
        let mut mac = Hmac::<Sha256>::new_from_slice(options.seed.expose()).expect("HMAC takes a key of any length");
        mac.update(&self.begun.to_be_bytes());
        Ok(scram::First {
            parameters: Arc::clone(&options.parameters),
            nonce: base64_encode(&mac.finalize().into_bytes()[..scram::NONCE_OCTETS]),
            plus,
            binding: self.binding,
        })
    }
}
