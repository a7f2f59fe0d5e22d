//! DKIM signatures (RFC 6376, RFC 8463): relaxed/relaxed, with every key side by side.
//!
//! What always holds: the body is hashed once, whatever the number of keys; From, To, Subject and Date are signed once
//! more than they occur, so that none can be added (RFC 6376 §8.15); no `l=`, and no `x=`, since a queue may hold the
//! message for days.

mod canonical;
mod key;

use crate::encode::base64;
use crate::header::{Field, body_offset, fields};
use canonical::{add_field, add_value, body_hash};
pub use key::{DkimAlgorithm, DkimKey};
use postroom_types::Domain;
use std::fmt;

/// Signed once more than they occur.
const OVERSIGNED: [&str; 4] = ["From", "To", "Subject", "Date"];
/// Signed as often as they occur.
const SIGNED: [&str; 8] = [
    "Cc",
    "Reply-To",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
/// Longest line of a signature (RFC 5322 §2.1.1), unless a name is longer.
const LINE_OCTETS: usize = 78;
/// Most instances of one field that are signed; honest mail has one.
const MAX_INSTANCES: usize = 20;

/// Why there is no signature, or no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key is not PKCS#8 of RSA (2048 to 8192 bits) or Ed25519.
    #[error("not a DKIM key")]
    Key,
    /// The crypto library could not make a key or a signature.
    #[error("the crypto library failed")]
    Crypto,
    /// A message without From cannot be signed (RFC 6376 §5.4).
    #[error("no From to sign")]
    NoFrom,
    /// A field that is signed occurs so often that a further one could go unsigned.
    #[error("a header field occurs too often to be signed")]
    TooManyFields,
    /// The domain or a selector cannot stand in DNS.
    #[error("no domain name")]
    Name,
}

/// Signs for one domain.
pub struct Signer {
    domain: Domain,
    keys: Vec<(String, DkimKey)>,
}

impl Signer {
    /// A signer with its keys, each under its selector; one signature is made with each, in this order.
    ///
    /// # Errors
    /// [`SignError::Name`] if the domain or a selector is no domain name in ASCII.
    pub fn new(domain: Domain, keys: Vec<(String, DkimKey)>) -> Result<Self, SignError> {
        let is_name = |name: &Domain| !name.is_literal() && name.as_str().is_ascii();
        let selector_good = |selector: &str| Domain::parse(selector).is_ok_and(|name| is_name(&name));
        if !is_name(&domain) || !keys.iter().all(|(selector, _)| selector_good(selector)) {
            return Err(SignError::Name);
        }
        Ok(Self { domain, keys })
    }

    /// The domain that the signatures name.
    #[must_use]
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The DKIM-Signature fields of a message, each with its CRLF, to stand before it. The message must have CRLF line
    /// ends and no whitespace-only lines at its end, as [`complete`](crate::complete()) leaves it.
    ///
    /// # Errors
    /// [`SignError::NoFrom`], [`SignError::TooManyFields`], [`SignError::Crypto`].
    pub fn sign(&self, content: &[u8]) -> Result<Vec<u8>, SignError> {
        let body = body_offset(content);
        let Signed { names, mut data } = signed_fields(&content[..body])?;
        let hash = base64(body_hash(&content[body..]).as_ref());
        let fields_end = data.len();
        let mut out = Vec::with_capacity(1_024 * self.keys.len());
        for (selector, key) in &self.keys {
            let unsigned = self.unsigned(selector, key.algorithm(), &names, &hash);
            // The field itself comes last, its b= empty, without CRLF (RFC 6376 §3.7).
            data.truncate(fields_end);
            data.extend_from_slice(b"dkim-signature:");
            add_value(&mut data, unsigned.as_bytes());
            let signature = base64(&key.sign(&data)?);
            out.extend_from_slice(b"DKIM-Signature:");
            out.extend_from_slice(unsigned.as_bytes());
            add_wrapped(&mut out, &signature, LINE_OCTETS - "\tb=".len());
            out.extend_from_slice(b"\r\n");
        }
        Ok(out)
    }

    /// The value of a DKIM-Signature field up to `b=`, folded.
    fn unsigned(&self, selector: &str, algorithm: DkimAlgorithm, names: &[&'static str], hash: &str) -> String {
        let mut value = format!(" v=1; a={}; c=relaxed/relaxed;", algorithm.tag());
        let mut column = "DKIM-Signature:".len() + value.len();
        let mut add = |piece: &str, before: &str| {
            if column + before.len() + piece.len() > LINE_OCTETS {
                value.push_str("\r\n\t");
                column = 1 + piece.len();
            } else {
                value.push_str(before);
                column += before.len() + piece.len();
            }
            value.push_str(piece);
        };
        add(&format!("d={};", self.domain), " ");
        add(&format!("s={selector};"), " ");
        for (number, name) in names.iter().enumerate() {
            let lead = if number == 0 { "h=" } else { "" };
            let tail = if number + 1 == names.len() { ";" } else { ":" };
            add(
                &format!("{lead}{}{tail}", name.to_ascii_lowercase()),
                if number == 0 { " " } else { "" },
            );
        }
        add(&format!("bh={hash};"), " ");
        value.push_str("\r\n\tb=");
        value
    }
}

/// Without the keys.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selectors = self.keys.iter().map(|(selector, _)| selector);
        f.debug_tuple("Signer")
            .field(&self.domain)
            .field(&selectors.collect::<Vec<_>>())
            .finish()
    }
}

/// Base64 on lines of so many octets, the later ones after a tab.
fn add_wrapped(out: &mut Vec<u8>, text: &str, octets: usize) {
    for (number, line) in text.as_bytes().chunks(octets).enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\r\n\t");
        }
        out.extend_from_slice(line);
    }
}

/// What of the header section is signed.
struct Signed {
    /// The names of `h=`.
    names: Vec<&'static str>,
    /// The fields they mean, in canonical form.
    data: Vec<u8>,
}

/// Of several fields of one name the last is signed first (RFC 6376 §5.4.2).
fn signed_fields(header: &[u8]) -> Result<Signed, SignError> {
    let mut found: [Vec<Field<'_>>; OVERSIGNED.len() + SIGNED.len()] = Default::default();
    let all = || OVERSIGNED.into_iter().chain(SIGNED);
    for field in fields(header) {
        if let Some(at) = all().position(|name| field.is(name)) {
            found[at].push(field);
            if found[at].len() > MAX_INSTANCES {
                return Err(SignError::TooManyFields);
            }
        }
    }
    if found[0].is_empty() {
        return Err(SignError::NoFrom);
    }
    let mut signed = Signed {
        names: Vec::with_capacity(24),
        data: Vec::with_capacity(header.len() + 512),
    };
    for (at, (name, instances)) in all().zip(&found).enumerate() {
        for field in instances.iter().rev() {
            signed.names.push(name);
            add_field(&mut signed.data, field);
        }
        if at < OVERSIGNED.len() {
            signed.names.push(name);
        }
    }
    Ok(signed)
}
