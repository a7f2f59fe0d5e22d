//! SCRAM-SHA-256 (RFC 5802, RFC 7677): keys beside each secret that may log in, and proofs against them.
//!
//! What always holds: all keys are derived with one salt and count, made once for the whole store; a proof is tried
//! against as many keys whether or not there is such a user, in a time that does not depend on which one fits.

use crate::api_keys::MAX_KEYS;
use crate::attempts::ATTEMPTS;
use crate::hashing::Turn;
use crate::login::{Login, LoginError, Purpose, limited, log};
use crate::record::{InboxRecord, StoredKey, decode, encode};
use crate::secrets::random_bytes;
use crate::{Identity, IdentityError, KeyScope, keys};
use aws_lc_rs::pbkdf2;
use hmac::{Hmac, KeyInit, Mac};
use postroom_store::{CommitBuilder, Key, Value};
use postroom_types::{InboxId, OrganizationId, PodId, ScramParameters, Secret};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// Rounds of PBKDF2 for new stores. They slow down guessing, which 160 random bits do not need.
const ITERATIONS: u32 = 4096;
const SALT_OCTETS: usize = 16;
/// Keys tried for each proof: the password's, and those of as many API keys as an inbox, its pod and its organization can
/// have.
const TRIES: usize = 1 + 4 * MAX_KEYS;

/// The row of the salt and the count.
#[derive(Serialize, Deserialize)]
struct StoredParameters {
    salt: Vec<u8>,
    iterations: u32,
}

/// What is kept of a secret for SCRAM (RFC 5802 §3).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScramKeys {
    /// StoredKey: knows a proof when it sees one.
    stored: [u8; 32],
    /// ServerKey: shows the client that we know it.
    server: [u8; 32],
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An inbox's password as stored. Rows that are older than SCRAM here hold the hash alone.
#[derive(Serialize, Deserialize)]
#[serde(from = "PasswordRow")]
pub(crate) struct StoredPassword {
    /// argon2id, PHC string.
    pub(crate) hash: String,
    pub(crate) scram: Option<ScramKeys>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PasswordRow {
    Hash(String),
    Both { hash: String, scram: Option<ScramKeys> },
}

impl From<PasswordRow> for StoredPassword {
    fn from(row: PasswordRow) -> Self {
        match row {
            PasswordRow::Hash(hash) => Self { hash, scram: None },
            PasswordRow::Both { hash, scram } => Self { hash, scram },
        }
    }
}

impl ScramKeys {
    pub(crate) fn derive(parameters: &ScramParameters, secret: &Secret<String>) -> Self {
        let iterations = NonZeroU32::new(parameters.iterations).unwrap_or(NonZeroU32::MIN);
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &parameters.salt,
            secret.expose().as_bytes(),
            &mut *salted,
        );
        Self {
            stored: Sha256::digest(hmac(&salted, b"Client Key")).into(),
            server: hmac(&salted, b"Server Key"),
        }
    }

    /// Whether a proof shows knowledge of the secret (RFC 5802 §3): it is ClientKey XOR ClientSignature.
    fn fit(&self, auth_message: &[u8], proof: &[u8; 32]) -> Choice {
        let mut client_key = hmac(&self.stored, auth_message);
        client_key.iter_mut().zip(proof).for_each(|(key, proof)| *key ^= proof);
        <[u8; 32]>::from(Sha256::digest(client_key)).ct_eq(&self.stored)
    }
}

/// Keys that may be the ones, and the API key if they are one's.
struct Candidate {
    keys: ScramKeys,
    api_key: Option<StoredKey>,
}

impl Identity {
    /// What SCRAM clients are told; `None` before [`bootstrap`](Self::bootstrap).
    #[must_use]
    pub fn scram_parameters(&self) -> Option<Arc<ScramParameters>> {
        self.scram.get().cloned()
    }

    /// Checks a user and a proof that the client knows a secret which would log in: see [`login`](Self::login).
    /// `auth_message` and `proof` are AuthMessage and ClientProof of RFC 5802 §3. Gives ServerSignature too.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login_with_proof(
        &self,
        user: &str,
        auth_message: &[u8],
        proof: &[u8; 32],
        source: IpAddr,
        purpose: Purpose,
    ) -> Result<(Login, [u8; 32]), LoginError> {
        let result = self.check_proof(user, auth_message, proof, source, purpose).await;
        log(result.as_ref().map(|(login, _)| login), Some(user), source, purpose);
        result
    }

    async fn check_proof(
        &self,
        user: &str,
        auth_message: &[u8],
        proof: &[u8; 32],
        source: IpAddr,
        purpose: Purpose,
    ) -> Result<(Login, [u8; 32]), LoginError> {
        let (name, inbox) = self.named(user).await?;
        self.logins.take(&name, source).map_err(limited)?;
        let found = find(self.candidates(inbox.as_ref(), purpose).await?, auth_message, proof);
        let (Some(inbox), Some(candidate)) = (inbox, found) else {
            return Err(LoginError::Wrong);
        };
        self.logins.give_back(&name, source);
        let signature = hmac(&candidate.keys.server, auth_message);
        if let Some(key) = &candidate.api_key {
            self.note_use(key);
        }
        Ok((Login::of(inbox, candidate.api_key.as_ref(), purpose), signature))
    }

    /// Nobody's inbox is looked for as well, among the rows of an id that is none.
    async fn candidates(&self, inbox: Option<&InboxRecord>, purpose: Purpose) -> Result<Vec<Candidate>, IdentityError> {
        let zeros = [0; 16];
        let nobody = (
            InboxId::from_bytes(zeros),
            PodId::from_bytes(zeros),
            OrganizationId::from_bytes(zeros),
        );
        let (id, pod, organization) = inbox.map_or(nobody, |inbox| (inbox.id, inbox.pod, inbox.organization));
        let password = self.row::<StoredPassword>(&keys::password(id)).await?;
        let password = password.and_then(|(_, password)| password.scram);
        let mut candidates = Vec::from_iter(password.map(|keys| Candidate { keys, api_key: None }));
        for scope in [
            KeyScope::Inbox(organization, id),
            KeyScope::AgentInbox(organization, pod, id),
            KeyScope::AgentPod(organization, pod),
            KeyScope::Organization(organization),
        ] {
            let listed = self.key_rows(scope.listed()).await?;
            let rows: Vec<Key> = listed.iter().map(|(_, hash)| keys::api_key(hash)).collect();
            for value in self.store.get_many(&rows).await?.into_iter().flatten() {
                let key: StoredKey = decode(&value)?;
                let opens = key.kind == scope.kind() && inbox.is_some_and(|inbox| self.key_opens(&key, inbox, purpose));
                candidates.extend(key.scram.clone().filter(|_| opens).map(|keys| Candidate {
                    keys,
                    api_key: Some(key),
                }));
            }
        }
        Ok(candidates)
    }

    /// The salt and the count; made if the store has none.
    pub(crate) async fn scram(&self) -> Result<&ScramParameters, IdentityError> {
        self.scram
            .get_or_try_init(|| self.open_scram())
            .await
            .map(|parameters| &**parameters)
    }

    async fn open_scram(&self) -> Result<Arc<ScramParameters>, IdentityError> {
        for _ in 0..ATTEMPTS {
            if let Some((_, row)) = self.row::<StoredParameters>(keys::SCRAM).await? {
                let StoredParameters { salt, iterations } = row;
                return Ok(Arc::new(ScramParameters { salt, iterations }));
            }
            let row = StoredParameters {
                salt: random_bytes::<SALT_OCTETS>().to_vec(),
                iterations: ITERATIONS,
            };
            let mut builder = CommitBuilder::new();
            builder.put_new(keys::SCRAM.to_vec(), encode(&row));
            self.commit_new(builder, keys::SCRAM).await?;
        }
        Err(IdentityError::Busy)
    }

    /// What is kept of a new password.
    pub(crate) async fn stored_password(
        &self,
        turn: Turn,
        password: &Secret<String>,
    ) -> Result<StoredPassword, IdentityError> {
        let scram = Some(ScramKeys::derive(self.scram().await?, password));
        let hash = self.hasher.hash(turn, password).await?;
        Ok(StoredPassword { hash, scram })
    }

    /// Gives a password that was right its SCRAM keys, if it is older than they are here.
    pub(crate) async fn complete_password(
        &self,
        inbox: InboxId,
        old: Value,
        mut stored: StoredPassword,
        password: &Secret<String>,
    ) {
        if stored.scram.is_some() {
            return;
        }
        let completed = async {
            stored.scram = Some(ScramKeys::derive(self.scram().await?, password));
            self.replace_secret(keys::password(inbox), old, encode(&stored)).await
        };
        told(completed.await);
    }

    /// The same for an API key.
    pub(crate) async fn complete_key(&self, hash: &[u8; 32], secret: &Secret<String>) {
        let completed = async {
            let row = keys::api_key(hash);
            let Some((old, mut key)) = self.row::<StoredKey>(&row).await? else {
                return Ok(());
            };
            key.scram = Some(ScramKeys::derive(self.scram().await?, secret));
            self.replace_secret(row, old, encode(&key)).await
        };
        told(completed.await);
    }

    /// Whoever was faster has done it, or has changed the secret; else the next login does it.
    async fn replace_secret(&self, row: Key, old: Value, new: Value) -> Result<(), IdentityError> {
        let mut builder = CommitBuilder::new();
        builder.replace(row, old, new);
        self.commit_change(builder).await.map(|_| ())
    }
}

/// The login is good either way.
fn told(completed: Result<(), IdentityError>) {
    if let Err(error) = completed {
        tracing::warn!(%error, "cannot store SCRAM keys");
    }
}

fn find(mut candidates: Vec<Candidate>, auth_message: &[u8], proof: &[u8; 32]) -> Option<Candidate> {
    let nothing = ScramKeys {
        stored: [0; 32],
        server: [0; 32],
    };
    let mut found = None;
    for at in 0..TRIES.max(candidates.len()) {
        let keys = candidates.get(at).map_or(&nothing, |candidate| &candidate.keys);
        if bool::from(keys.fit(auth_message, proof)) {
            found = Some(at);
        }
    }
    found
        .filter(|at| *at < candidates.len())
        .map(|at| candidates.swap_remove(at))
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: [u8; 32] = [
        0x74, 0x7c, 0xdb, 0x65, 0xaa, 0x56, 0x22, 0x4e, 0x23, 0x52, 0x13, 0x7e, 0x52, 0xd7, 0xbd, 0xca, 0xd6, 0xa0,
        0xf7, 0x38, 0xdf, 0x30, 0x78, 0x2c, 0xaa, 0x69, 0xa2, 0xcf, 0xb0, 0x27, 0x75, 0x54,
    ];
    const SIGNATURE: [u8; 32] = [
        0xea, 0xba, 0xe2, 0x4d, 0x10, 0x62, 0xdb, 0x75, 0xa9, 0x45, 0x1f, 0xf0, 0xb6, 0xea, 0x7e, 0x98, 0xc8, 0x54,
        0x65, 0x49, 0xff, 0x74, 0x1e, 0x67, 0x2d, 0x32, 0x51, 0xb2, 0x39, 0x7d, 0xe4, 0x6e,
    ];
    const AUTH_MESSAGE: &[u8] = b"n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    fn keys(secret: &str) -> ScramKeys {
        let parameters = ScramParameters {
            salt: [
                0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81,
            ]
            .to_vec(),
            iterations: 4096,
        };
        ScramKeys::derive(&parameters, &Secret::new(secret.to_owned()))
    }

    #[test]
    fn the_proof_and_the_signature_of_rfc_7677() {
        let keys = keys("pencil");
        assert_eq!(hmac(&keys.server, AUTH_MESSAGE), SIGNATURE);
        assert!(bool::from(keys.fit(AUTH_MESSAGE, &PROOF)));
        assert!(!bool::from(keys.fit(&AUTH_MESSAGE[1..], &PROOF)));
        assert!(!bool::from(keys.fit(AUTH_MESSAGE, &SIGNATURE)));
    }

    #[test]
    fn the_one_that_fits_is_found() {
        let secrets = ["rubber", "pencil", "paper"];
        let candidates = |secrets: &[&str]| {
            let candidate = |secret: &&str| Candidate {
                keys: keys(secret),
                api_key: None,
            };
            secrets.iter().map(candidate).collect()
        };
        let found = find(candidates(&secrets), AUTH_MESSAGE, &PROOF).expect("one fits");
        assert!(found.keys == keys("pencil"));
        assert!(find(candidates(&["rubber"]), AUTH_MESSAGE, &PROOF).is_none());
        assert!(find(Vec::new(), AUTH_MESSAGE, &PROOF).is_none());
    }

    #[test]
    fn passwords_of_before_are_read() {
        let old: StoredPassword = decode(&encode(&"$argon2id$x")).unwrap();
        assert_eq!((old.hash.as_str(), old.scram), ("$argon2id$x", None));
        let new = StoredPassword {
            hash: "y".to_owned(),
            scram: Some(keys("y")),
        };
        let read: StoredPassword = decode(&encode(&new)).unwrap();
        assert_eq!((read.hash, read.scram), (new.hash, new.scram));
    }
}
