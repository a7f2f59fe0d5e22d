//! SASL as a server hears it (RFC 4422): the mechanisms that carry a password, independent of how a protocol frames
//! challenges and responses.
//!
//! What comes from the client is bounded by the line limit of the protocol; nothing here keeps more than one response.

use crate::sasl_base64::base64_decode;
use postroom_types::Secret;
use zeroize::Zeroizing;

/// A mechanism this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: everything in one response.
    Plain,
    /// The old way of asking first for the user, then for the password (draft-murchison-sasl-login).
    Login,
}

impl Mechanism {
    /// All of them, the preferred first.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Finds a mechanism by its name, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Who wants in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Whom the client wants to act as, if it says (RFC 4616 §2, authzid).
    pub authorization: Option<String>,
    /// Whose password it is.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
}

/// What comes next in an exchange.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send this challenge, which is base64 already, and hand in the response.
    Challenge(&'static str),
    /// All is said.
    Complete(Credentials),
}

/// Why an exchange has ended without credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The client sent `*` (RFC 3501 §6.2.2, RFC 4954 §4).
    #[error("cancelled")]
    Cancelled,
    /// Not base64.
    #[error("not base64")]
    Base64,
    /// Not what the mechanism asks for: a NUL missing or too many, not UTF-8, an empty user.
    #[error("malformed response")]
    Malformed,
}

/// One authentication exchange.
#[derive(Debug)]
pub struct Exchange(Step);

#[derive(Debug)]
enum Step {
    Plain,
    LoginUser,
    LoginPassword { user: String },
}

impl Exchange {
    /// Begins. `initial` is the initial response as it stands in the command: base64, or `=` for an empty one
    /// (RFC 4959 §3).
    ///
    /// # Errors
    /// [`SaslError`]: the exchange is over.
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> Result<(Self, Progress), SaslError> {
        let mut exchange = Self(match mechanism {
            Mechanism::Plain => Step::Plain,
            Mechanism::Login => Step::LoginUser,
        });
        let progress = match initial {
            Some(b"=") => exchange.respond(b"")?,
            Some(response) => exchange.respond(response)?,
            None => Progress::Challenge(match mechanism {
                Mechanism::Plain => "",
                Mechanism::Login => "VXNlcm5hbWU6", // Username:
            }),
        };
        Ok((exchange, progress))
    }

    /// Takes the client's next response, base64.
    ///
    /// # Errors
    /// [`SaslError`]: the exchange is over.
    pub fn respond(&mut self, response: &[u8]) -> Result<Progress, SaslError> {
        if response == b"*" {
            return Err(SaslError::Cancelled);
        }
        let bytes = Zeroizing::new(base64_decode(response).ok_or(SaslError::Base64)?);
        let text = std::str::from_utf8(&bytes).map_err(|_| SaslError::Malformed)?;
        match &mut self.0 {
            Step::Plain => plain(text).map(Progress::Complete),
            Step::LoginUser => {
                let user = text.to_owned();
                self.0 = Step::LoginPassword { user };
                Ok(Progress::Challenge("UGFzc3dvcmQ6")) // Password:
            }
            Step::LoginPassword { user } => credentials(None, std::mem::take(user), text).map(Progress::Complete),
        }
    }
}

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
fn plain(text: &str) -> Result<Credentials, SaslError> {
    let mut fields = text.split('\0');
    let (Some(authorization), Some(user), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(SaslError::Malformed);
    };
    let authorization = (!authorization.is_empty()).then(|| authorization.to_owned());
    credentials(authorization, user.to_owned(), password)
}

fn credentials(authorization: Option<String>, user: String, password: &str) -> Result<Credentials, SaslError> {
    if user.is_empty() || user.contains('\0') || password.contains('\0') {
        return Err(SaslError::Malformed);
    }
    let password = Secret::new(password.to_owned());
    Ok(Credentials {
        authorization,
        user,
        password,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl_base64::base64_encode;

    fn complete(authorization: Option<&str>, user: &str, password: &str) -> Result<Progress, SaslError> {
        Ok(Progress::Complete(Credentials {
            authorization: authorization.map(str::to_owned),
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        }))
    }

    #[test]
    fn plain_in_one_response() {
        let check = |text: &[u8], expected: Result<Progress, SaslError>| {
            let response = base64_encode(text);
            let started = Exchange::start(Mechanism::Plain, Some(response.as_bytes()));
            assert_eq!(started.map(|(_, progress)| progress), expected, "{text:?}");
        };
        check(b"\0tim\0tanstaaftanstaaf", complete(None, "tim", "tanstaaftanstaaf"));
        check(b"Ursel\0Kurt\0xipj3plmq", complete(Some("Ursel"), "Kurt", "xipj3plmq"));
        check("\0a@b\0\u{e9}".as_bytes(), complete(None, "a@b", "\u{e9}"));
        check(b"\0tim\0", complete(None, "tim", ""));
        for bad in [&b""[..], b"tim", b"\0tim", b"\0tim\0a\0b", b"\0\0a", b"\0tim\0\xff"] {
            check(bad, Err(SaslError::Malformed));
        }
    }

    #[test]
    fn login_asks_twice() {
        let (mut exchange, first) = Exchange::start(Mechanism::Login, None).unwrap();
        assert_eq!(first, Progress::Challenge("VXNlcm5hbWU6"));
        assert_eq!(exchange.respond(b"dGlt"), Ok(Progress::Challenge("UGFzc3dvcmQ6")));
        assert_eq!(exchange.respond(b"c2VjcmV0"), complete(None, "tim", "secret"));
    }

    #[test]
    fn cancelling_and_bad_base64() {
        let (mut exchange, _) = Exchange::start(Mechanism::Plain, None).unwrap();
        assert_eq!(exchange.respond(b"*"), Err(SaslError::Cancelled));
        assert_eq!(exchange.respond(b"%%%%"), Err(SaslError::Base64));
        let empty = Exchange::start(Mechanism::Plain, Some(b"="));
        assert_eq!(empty.map(|_| ()), Err(SaslError::Malformed));
    }

    #[test]
    fn names_in_any_case() {
        assert_eq!(Mechanism::from_name(b"plain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::from_name(b"GSSAPI"), None);
    }
}
