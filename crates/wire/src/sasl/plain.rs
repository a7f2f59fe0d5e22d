//! PLAIN and LOGIN.

use super::{Credentials, Evidence, SaslError, is_user};
use postroom_types::Secret;

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
pub(super) fn plain(text: &str) -> Result<Credentials, SaslError> {
    let mut fields = text.split('\0');
    let (Some(authorization), Some(user), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(SaslError::Malformed);
    };
    let authorization = (!authorization.is_empty()).then(|| authorization.to_owned());
    credentials(authorization, user.to_owned(), password)
}

pub(super) fn credentials(
    authorization: Option<String>,
    user: String,
    password: &str,
) -> Result<Credentials, SaslError> {
    if !is_user(&user) || password.contains('\0') {
        return Err(SaslError::Malformed);
    }
    Ok(Credentials {
        authorization,
        user,
        evidence: Evidence::Password(Secret::new(password.to_owned())),
    })
}
