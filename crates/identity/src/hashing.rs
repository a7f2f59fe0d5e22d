//! argon2id off the async threads, and never more at once than there are permits: each takes 19 MiB and some 16 ms.

use crate::IdentityError;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use postroom_store::StoreError;
use postroom_types::Secret;
use std::sync::{Arc, OnceLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    let hashed = Argon2::default().hash_password(password.expose().as_bytes());
    hashed
        .map(|hash| hash.to_string())
        .map_err(|error| StoreError::Unavailable(format!("hashing: {error}").into()).into())
}

fn verify(password: &Secret<String>, hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else {
        return false;
    };
    Argon2::default()
        .verify_password(password.expose().as_bytes(), &parsed)
        .is_ok()
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
