//! SASL as a server hears it (RFC 4422), independent of how a protocol frames challenges and responses.
//!
//! What always holds:
//! - What comes from the client is bounded by the line limit of the protocol, and nothing here keeps more than that.
//! - An exchange ends in [`Credentials`], which only the outside can judge; what it found is told to the exchange, and
//!   the client is in when that says [`Progress::Success`], never before.
//! - A channel binding that does not fit ends the exchange, also when the client merely thinks that we have none
//!   (RFC 5802 §6): somebody in the middle has then shortened the list of mechanisms.

mod gs2;
mod oauth;
mod offer;
mod plain;
mod scram;

pub use offer::{Authenticator, ScramOptions};

use crate::sasl_base64::{base64_decode, base64_encode};
use postroom_types::Secret;
use zeroize::Zeroizing;

/// A mechanism this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection by `tls-exporter` (RFC 9266).
    ScramSha256Plus,
    /// RFC 7677: each side proves that it knows the password, and shows nothing of it.
    ScramSha256,
    /// RFC 7628: a token instead of a password.
    OauthBearer,
    /// What was there before RFC 7628, and is still what many clients speak.
    Xoauth2,
    /// RFC 4616: everything in one response.
    Plain,
    /// The old way of asking first for the user, then for the password (draft-murchison-sasl-login).
    Login,
}

impl Mechanism {
    /// All of them, the preferred first.
    pub const ALL: [Self; 6] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::OauthBearer,
        Self::Xoauth2,
        Self::Plain,
        Self::Login,
    ];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

/// What only the two ends of this TLS connection know: the keying material of `tls-exporter` (RFC 9266 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelBinding(pub [u8; 32]);

/// Who wants in, and what shows that they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Whom the client wants to act as, if it says (RFC 4422 §3.4.1).
    pub authorization: Option<String>,
    /// Whose evidence it is; empty if only the token tells.
    pub user: String,
    /// It.
    pub evidence: Evidence,
}

impl Credentials {
    /// What LOGIN of IMAP gives.
    #[must_use]
    pub const fn with_password(user: String, password: Secret<String>) -> Self {
        Self {
            authorization: None,
            user,
            evidence: Evidence::Password(password),
        }
    }

    /// Whether the client wants to act as somebody else, which nobody may.
    #[must_use]
    pub fn wants_another(&self) -> bool {
        let another = |wanted: &String| !wanted.eq_ignore_ascii_case(&self.user);
        self.authorization.as_ref().is_some_and(another)
    }
}

/// What shows that somebody is who they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The password itself.
    Password(Secret<String>),
    /// A bearer token.
    Token(Secret<String>),
    /// That the client knows the password.
    Scram(ScramProof),
}

/// What a client proves knowledge of the password with (RFC 5802 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramProof {
    /// AuthMessage: what was said, which both sides sign.
    pub auth_message: Vec<u8>,
    /// ClientProof: ClientKey XOR ClientSignature.
    pub proof: [u8; 32],
}

/// What comes next in an exchange.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send this challenge, which is base64 already, and hand in the response.
    Challenge(String),
    /// The outside has to look at these; then [`Exchange::accepted`] or [`Exchange::refused`] is called.
    Verify(Credentials),
    /// The client is in.
    Success,
    /// It is not.
    Failure,
}

/// Why an exchange has ended before the outside was asked, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The client sent `*` (RFC 3501 §6.2.2, RFC 4954 §4).
    #[error("cancelled")]
    Cancelled,
    /// Not base64.
    #[error("not base64")]
    Base64,
    /// Not what the mechanism asks for: a NUL missing or too many, not UTF-8, an empty user, another nonce.
    #[error("malformed response")]
    Malformed,
    /// Bound to another connection, or not bound though it could be.
    #[error("channel binding does not fit")]
    ChannelBinding,
}

/// One authentication exchange.
#[derive(Debug)]
pub struct Exchange(Step);

#[derive(Debug)]
enum Step {
    Plain,
    LoginUser,
    LoginPassword {
        user: String,
    },
    OauthBearer,
    Xoauth2,
    ScramFirst(scram::First),
    ScramFinal(Box<scram::Final>),
    /// The outside is judging; the mechanism says how it goes on then.
    Judged(Judged),
    /// The client was told that it is in and how the server proves itself; it says nothing more to agree.
    ScramAgreed,
    /// The client was told why not, and has to say something before it is over (RFC 7628 §3.2.3).
    OauthFailed,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    AtOnce,
    Scram,
    /// With what the client is told if it is not in.
    Oauth(&'static str),
}

impl Exchange {
    /// Takes the client's next response, base64.
    ///
    /// # Errors
    /// [`SaslError`]: the exchange is over.
    pub fn respond(&mut self, response: &[u8]) -> Result<Progress, SaslError> {
        let step = std::mem::replace(&mut self.0, Step::Over);
        if matches!(step, Step::OauthFailed) {
            // Whatever it is, a dummy or a cancel, the answer is the same.
            return Ok(Progress::Failure);
        }
        if response == b"*" {
            return Err(SaslError::Cancelled);
        }
        let bytes = Zeroizing::new(base64_decode(response).ok_or(SaslError::Base64)?);
        let text = std::str::from_utf8(&bytes).map_err(|_| SaslError::Malformed)?;
        match step {
            Step::Plain => plain::plain(text).map(|credentials| self.verify(credentials, Judged::AtOnce)),
            Step::LoginUser => {
                let user = text.to_owned();
                self.0 = Step::LoginPassword { user };
                Ok(challenge("Password:"))
            }
            Step::LoginPassword { user } => {
                plain::credentials(None, user, text).map(|credentials| self.verify(credentials, Judged::AtOnce))
            }
            Step::OauthBearer => {
                oauth::bearer(text).map(|credentials| self.verify(credentials, Judged::Oauth(oauth::BEARER_ERROR)))
            }
            Step::Xoauth2 => {
                oauth::xoauth2(text).map(|credentials| self.verify(credentials, Judged::Oauth(oauth::XOAUTH2_ERROR)))
            }
            Step::ScramFirst(first) => {
                let (message, last) = first.read(text)?;
                self.0 = Step::ScramFinal(Box::new(last));
                Ok(challenge(&message))
            }
            Step::ScramFinal(last) => last
                .read(text)
                .map(|credentials| self.verify(credentials, Judged::Scram)),
            Step::ScramAgreed if text.is_empty() => Ok(Progress::Success),
            Step::ScramAgreed | Step::Judged(_) | Step::OauthFailed | Step::Over => Err(SaslError::Malformed),
        }
    }

    /// The outside found the credentials good. `server_signature` is what it proves itself with to a SCRAM client
    /// (RFC 5802 §3); without it, such a client is not let in.
    pub fn accepted(&mut self, server_signature: Option<&[u8; 32]>) -> Progress {
        match (std::mem::replace(&mut self.0, Step::Over), server_signature) {
            (Step::Judged(Judged::Scram), Some(signature)) => {
                self.0 = Step::ScramAgreed;
                challenge(&format!("v={}", base64_encode(signature)))
            }
            (Step::Judged(Judged::AtOnce | Judged::Oauth(_)), _) => Progress::Success,
            _ => Progress::Failure,
        }
    }

    /// The outside found them not good.
    pub fn refused(&mut self) -> Progress {
        match std::mem::replace(&mut self.0, Step::Over) {
            Step::Judged(Judged::Oauth(error)) => {
                self.0 = Step::OauthFailed;
                challenge(error)
            }
            _ => Progress::Failure,
        }
    }

    fn verify(&mut self, credentials: Credentials, then: Judged) -> Progress {
        self.0 = Step::Judged(then);
        Progress::Verify(credentials)
    }
}

fn challenge(text: &str) -> Progress {
    Progress::Challenge(base64_encode(text.as_bytes()))
}

/// Whether a name may stand for a user. Ours are ASCII, so that SASLprep (RFC 4013) would change none of them; what it
/// prohibits first of all is refused.
fn is_user(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
