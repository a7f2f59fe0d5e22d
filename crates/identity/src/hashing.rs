//! argon2id off the async threads, and never more at once than there are permits: each takes 19 MiB and some 16 ms.

use crate::IdentityError;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use postroom_store::StoreError;
use postroom_types::Secret;
use std::sync::{Arc, OnceLock};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Blocks of 1 KiB asked for at once, of which a hash uses some 19,000. glibc gives blocks of memory above 32 MiB back to
/// the system when they are freed (`M_MMAP_THRESHOLD_MAX`); smaller ones it keeps, 19 MiB for each thread that ever hashed.
const RESERVED_BLOCKS: usize = 33 << 10;
const HASH_OCTETS: usize = 32;

/// The bounded pool.
pub(crate) struct Hasher {
    permits: Arc<Semaphore>,
    dummy: OnceLock<String>,
}

/// The right to run one hash.
pub(crate) struct Turn(OwnedSemaphorePermit);

impl Hasher {
    pub(crate) fn new(permits: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(permits.max(1))),
            dummy: OnceLock::new(),
        }
    }

    /// Waits until a hash may run.
    pub(crate) async fn turn(&self) -> Turn {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        Turn(permit.expect("the semaphore is never closed"))
    }

    /// Hashes with a salt of its own (PHC string).
    pub(crate) async fn hash(&self, turn: Turn, password: &Secret<String>) -> Result<String, IdentityError> {
        let password = password.clone();
        blocking(turn, move || hash(&password)).await?
    }

    /// Whether the password is the one that was hashed.
    pub(crate) async fn verify(&self, password: &Secret<String>, hash: String) -> Result<bool, IdentityError> {
        let password = password.clone();
        let turn = self.turn().await;
        blocking(turn, move || verify(&password, &hash)).await
    }

    /// Takes as long as [`verify`](Self::verify) does, so that time does not tell which users there are.
    pub(crate) async fn waste(&self, password: &Secret<String>) -> Result<(), IdentityError> {
        let dummy = match self.dummy.get() {
            Some(dummy) => dummy.clone(),
            None => {
                let made = self.hash(self.turn().await, &crate::secrets::random_secret("")).await?;
                self.dummy.get_or_init(|| made).clone()
            }
        };
        self.verify(password, dummy).await.map(|_| ())
    }
}

async fn blocking<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, IdentityError> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        // Given back by the thread and not by the caller, who may be gone while the thread still works.
        drop(turn.0);
        result
    });
    done.await
        .map_err(|_| StoreError::Unavailable("hashing was cut off".into()).into())
}

/// OWASP's least parameters (m = 19 MiB, t = 2, p = 1), the crate's defaults.
fn hash(password: &Secret<String>) -> Result<String, IdentityError> {
    let salt = Salt::generate();
    let made = raw_hash(&Argon2::default(), password, &salt).and_then(|hash| {
        Some(PasswordHash {
            algorithm: Algorithm::default().ident(),
            version: Some(Version::default().into()),
            params: ParamsString::try_from(&Params::DEFAULT).ok()?,
            salt: Some(salt),
            hash: Some(Output::new(&hash).ok()?),
        })
    });
    made.map(|hash| hash.to_string())
        .ok_or_else(|| StoreError::Unavailable("a password cannot be hashed".into()).into())
}

fn verify(password: &Secret<String>, hash: &str) -> bool {
    let verified = || {
        let stored = PasswordHash::new(hash).ok()?;
        let version = stored.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
        let argon = Argon2::new(algorithm, version, Params::try_from(&stored).ok()?);
        let hash = raw_hash(&argon, password, &stored.salt?)?;
        Some(bool::from(hash.ct_eq(stored.hash?.as_bytes())))
    };
    verified().unwrap_or(false)
}

fn raw_hash(argon: &Argon2<'_>, password: &Secret<String>, salt: &Salt) -> Option<[u8; HASH_OCTETS]> {
    let blocks = argon.params().block_count();
    let mut memory = Vec::with_capacity(blocks.max(RESERVED_BLOCKS));
    memory.resize(blocks, Block::default());
    let mut hash = [0; HASH_OCTETS];
    argon
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, &mut hash, memory)
        .ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn right_and_wrong() {
        let hasher = Hasher::new(1);
        let password = Secret::new("correct".to_owned());
        let hash = hasher.hash(hasher.turn().await, &password).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify(&password, hash.clone()).await.unwrap());
        assert!(!hasher.verify(&Secret::new("wrong".to_owned()), hash).await.unwrap());
        hasher.waste(&password).await.unwrap();
    }
}
