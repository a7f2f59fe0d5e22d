//! Random secrets and their hashes.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use postroom_types::Secret;
use sha2::{Digest, Sha256};

/// Letters and digits that need no quoting anywhere; 32 of them, so that each carries five bits.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 160 bits.
const CHARACTERS: usize = 32;

/// `prefix` and 160 random bits.
pub(crate) fn random_secret(prefix: &str) -> Secret<String> {
    let mut text = String::with_capacity(prefix.len() + CHARACTERS);
    text.push_str(prefix);
    // 256 is a multiple of 32, so every letter is equally likely.
    text.extend(random_bytes::<CHARACTERS>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])));
    Secret::new(text)
}

/// A random text of 160 bits that allows something once it is sent back.
#[must_use]
pub fn random_token() -> Secret<String> {
    random_secret("")
}

/// Random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.expect("the operating system's random source works, or nothing here can be safe");
    bytes
}

/// The seed of one connection's SCRAM nonces.
#[must_use]
pub fn random_seed() -> Secret<[u8; 32]> {
    Secret::new(random_bytes())
}

/// What of an API key is kept.
pub(crate) fn hash_of(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_need_no_quoting_and_differ() {
        let (one, two) = (random_secret("ak_"), random_secret("ak_"));
        assert_eq!(one.expose().len(), 35);
        assert!(one.expose()[3..].bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(one.expose(), two.expose());
    }
}
