//! Signatures, in the form of Svix and of Standard Webhooks: HMAC-SHA256 over id, time and body.

use crate::model::WebhookId;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use hmac::{Hmac, KeyInit, Mac};
use postroom_feed::Cursor;
use postroom_wire::{base64_decode, base64_encode};
use sha2::{Digest, Sha256};

const PREFIX: &str = "whsec_";
/// Octets of a key.
const KEY_OCTETS: usize = 32;

/// A random secret.
pub(crate) fn new_secret() -> String {
    let mut key = [0; KEY_OCTETS];
    let filled = SystemRandom::new().fill(&mut key);
    filled.expect("the operating system's random source works, or nothing here can be safe");
    format!("{PREFIX}{}", base64_encode(&key))
}

/// A random secret that is the key as it stands, so that whoever takes text for a key is right.
pub(crate) fn new_plain_secret() -> String {
    let mut key = [0; KEY_OCTETS];
    let filled = SystemRandom::new().fill(&mut key);
    filled.expect("the operating system's random source works, or nothing here can be safe");
    hex(&key)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The id of an event for one endpoint: the same at every attempt, and another for every other endpoint.
pub(crate) fn message_id(webhook: WebhookId, event: Cursor) -> String {
    let mut hash = Sha256::new();
    hash.update(webhook.as_bytes());
    hash.update(event.lsn.0.to_be_bytes());
    hash.update(event.index.to_be_bytes());
    format!("msg_{}", hex(&hash.finalize()[..16]))
}

/// `v1,` and the signature in base64.
pub(crate) fn signature(secret: &str, id: &str, seconds: i64, body: &[u8]) -> String {
    let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
    let key = base64_decode(encoded.as_bytes()).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length (RFC 2104 §2)");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", base64_encode(&mac.finalize().into_bytes()))
}

/// The header fields that tell the endpoint where a request comes from, under both names.
pub(crate) fn fields(secret: &str, id: &str, seconds: i64, body: &[u8]) -> Vec<(String, String)> {
    let values = [
        ("id", id.to_owned()),
        ("timestamp", seconds.to_string()),
        ("signature", signature(secret, id, seconds, body)),
    ];
    let both = values
        .into_iter()
        .flat_map(|(name, value)| ["svix", "webhook"].map(|scheme| (format!("{scheme}-{name}"), value.clone())));
    both.collect()
}

/// `sha256=` and the HMAC of these octets in hexadecimal. The key is the text of the secret, not what it encodes.
fn plain_signature(secret: &str, octets: &[&[u8]]) -> String {
    let key = secret.strip_prefix(PREFIX).unwrap_or(secret);
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length (RFC 2104 §2)");
    octets.iter().for_each(|octets| mac.update(octets));
    format!("sha256={}", hex(&mac.finalize().into_bytes()))
}

/// The header fields of a request as Inkbox has them.
pub(crate) fn inkbox_fields(secret: &str, id: &str, seconds: i64, body: &[u8]) -> Vec<(String, String)> {
    let signature = plain_signature(secret, &[format!("{id}.{seconds}.").as_bytes(), body]);
    vec![
        ("x-inkbox-request-id".into(), id.to_owned()),
        ("x-inkbox-timestamp".into(), seconds.to_string()),
        ("x-inkbox-signature".into(), signature),
    ]
}

/// Those of MyAgentMail: the same, and a signature of the body alone.
pub(crate) fn myagentmail_fields(secret: &str, id: &str, seconds: i64, body: &[u8]) -> Vec<(String, String)> {
    let mut fields = inkbox_fields(secret, id, seconds, body);
    fields.push(("x-myagentmail-signature".into(), plain_signature(secret, &[body])));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::Lsn;

    /// Computed apart, with Python's hmac and base64; the first key, id and body are those of the `standardwebhooks`
    /// libraries' own tests.
    #[test]
    fn signatures_are_those_of_other_implementations() {
        let check = |secret: &str, id: &str, seconds: i64, body: &str, expected: &str| {
            assert_eq!(signature(secret, id, seconds, body.as_bytes()), expected, "{id}");
        };
        check(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            "{\"test\": 2432232314}",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        );
        check(
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "msg_0",
            0,
            "",
            "v1,GhxjsjmzR5Uz34wlWcF0OrbcGYwsZhtNuQwNaT0X8C8=",
        );
        check(
            "whsec_/////////////////////////////////////////////////////////////////////////////////////w==",
            "msg_1",
            1795000000,
            "{\"text\":\"für\"}",
            "v1,6t3ouWxF93VpbQ1BjjYkLG7j4D3Jj3hG0+XfOI/+LVs=",
        );
    }

    /// Computed apart, with Python's hmac.
    #[test]
    fn plain_signatures_take_the_text_for_the_key() {
        let value = |fields: Vec<(String, String)>, name: &str| {
            let found = fields.into_iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value).expect("the field")
        };
        let body = b"{\"id\":\"evt_1\"}";
        for secret in ["whsec_abc123", "abc123"] {
            let fields = inkbox_fields(secret, "r1", 1_790_000_000, body);
            assert_eq!(
                value(fields, "x-inkbox-signature"),
                "sha256=397ad004507473cfb21d44a00da026959542bd8c0f9df8b78f0f0e56c58c6b7d"
            );
        }
        let fields = myagentmail_fields("abc123", "r1", 1_790_000_000, body);
        assert_eq!(
            value(fields.clone(), "x-inkbox-signature"),
            "sha256=397ad004507473cfb21d44a00da026959542bd8c0f9df8b78f0f0e56c58c6b7d"
        );
        assert_eq!(
            value(fields, "x-myagentmail-signature"),
            "sha256=f216e6fe2f12cc08885e9430adf5743d2dedfd9bae9c7ad5e95ea625229d250c"
        );
    }

    #[test]
    fn an_event_has_one_id_for_each_endpoint() {
        let (one, two) = (WebhookId::from_bytes([1; 16]), WebhookId::from_bytes([2; 16]));
        let event = Cursor { lsn: Lsn(7), index: 0 };
        let next = Cursor { index: 1, ..event };
        let ids = [(one, event), (two, event), (one, next)].map(|(webhook, event)| message_id(webhook, event));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(ids[0], message_id(one, event));
        // A dot would end the id in what is signed.
        assert!(
            ids[0].starts_with("msg_")
                && ids[0]
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
        );
    }

    #[test]
    fn secrets_are_long_enough_and_differ() {
        let (one, two) = (new_secret(), new_secret());
        assert_ne!(one, two);
        let key = base64_decode(one.strip_prefix(PREFIX).expect("the prefix").as_bytes());
        assert_eq!(key.expect("base64").len(), KEY_OCTETS);
    }
}
