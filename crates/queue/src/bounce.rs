//! Reverse-paths that lead a bounce back to the recipient it is about (VERP), signed so that nobody can make one up.
//!
//! What always holds: case does not matter, since receivers may fold it; `=` is in no user name, so these addresses meet
//! no inbox.

use crate::Queue;
use crate::model::ItemId;
use hmac::{Hmac, KeyInit, Mac};
use postroom_types::{Domain, EmailAddress, EmailId};
use sha2::Sha256;
use std::sync::PoisonError;
use subtle::ConstantTimeEq;

const PREFIX: &str = "b=";
/// Message id, recipient, and the first octets of the MAC: 240 bits, so that base32 has none to spare.
const OCTETS: usize = 30;
const SIGNED_OCTETS: usize = 18;
/// RFC 4648 §6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Queue {
    /// The reverse-path for this recipient in this domain. `None` before [`start`](Queue::start), or if the domain is
    /// too long for an address with such a local-part.
    #[must_use]
    pub fn bounce_address(&self, item: ItemId, domain: &Domain) -> Option<EmailAddress> {
        self.shared.bounce_address(item, domain)
    }

    /// The recipient that an address of ours leads back to; `None` if we did not sign it.
    #[must_use]
    pub fn parse_bounce_address(&self, address: &EmailAddress) -> Option<ItemId> {
        let key = self.shared.mac_key()?;
        let local_part = address.local_part().to_ascii_lowercase();
        let bytes = decode(local_part.strip_prefix(PREFIX)?)?;
        let (signed, mac) = bytes.split_at(SIGNED_OCTETS);
        if !bool::from(mac.ct_eq(&sign(&key, signed))) {
            return None;
        }
        let (message, recipient) = signed.split_first_chunk::<16>()?;
        Some(ItemId {
            message: EmailId::from_bytes(*message),
            recipient: u16::from_be_bytes(recipient.try_into().ok()?),
        })
    }
}

impl crate::shared::Shared {
    fn mac_key(&self) -> Option<[u8; 32]> {
        *self.mac_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bounce_address(&self, item: ItemId, domain: &Domain) -> Option<EmailAddress> {
        let key = self.mac_key()?;
        let mut bytes = item.message.as_bytes().to_vec();
        bytes.extend(item.recipient.to_be_bytes());
        bytes.extend(sign(&key, &bytes));
        EmailAddress::from_parts(&format!("{PREFIX}{}", encode(&bytes)), domain.clone()).ok()
    }
}

fn sign(key: &[u8; 32], signed: &[u8]) -> [u8; OCTETS - SIGNED_OCTETS] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(signed);
    let digest: [u8; 32] = mac.finalize().into_bytes().into();
    *digest.first_chunk().expect("12 of 32 octets")
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    for group in bytes.chunks_exact(5) {
        let bits = group.iter().fold(0u64, |bits, octet| bits << 8 | u64::from(*octet));
        text.extend(
            (0..8)
                .rev()
                .map(|place| char::from(ALPHABET[(bits >> (place * 5)) as usize & 31])),
        );
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() != OCTETS / 5 * 8 {
        return None;
    }
    let mut bytes = Vec::with_capacity(OCTETS);
    for group in text.as_bytes().chunks_exact(8) {
        let mut bits = 0u64;
        for letter in group {
            bits = bits << 5 | ALPHABET.iter().position(|known| known == letter)? as u64;
        }
        bytes.extend(&bits.to_be_bytes()[3..]);
    }
    Some(bytes)
}
