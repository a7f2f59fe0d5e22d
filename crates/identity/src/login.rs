//! Logins over IMAP and SMTP.
//!
//! What always holds: an address nobody has costs as much time as a wrong password; keys other than the inbox's own, and
//! `am_` keys of its organization or pod where allowed, never log in.

use crate::limiter::{Limiter, LoginLimits};
use crate::record::{CredentialEpoch, InboxRecord, KeyKind, StoredKey};
use crate::successes::{Fingerprint, Successes};
use crate::{Identity, IdentityError, keys};
use postroom_store::{Key, StoreError};
use postroom_types::{EmailAddress, Secret};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading mail.
    Imap,
    /// Sending mail.
    Smtp,
}

/// A session's right to be there.
#[derive(Clone, Debug)]
pub struct Login {
    /// Whose inbox, as it was at login.
    pub inbox: InboxRecord,
    /// Which password counted then.
    pub epoch: CredentialEpoch,
    /// The row of the API key used instead of the password.
    api_key: Option<Key>,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Wrong user, wrong password, or a key that opens something else: nobody is told which.
    #[error("wrong user or password")]
    Wrong,
    /// Too many wrong passwords lately.
    #[error("too many failed logins, try again in {} s", retry_after.as_secs())]
    RateLimited {
        /// When the next try counts.
        retry_after: Duration,
    },
    /// It could not be found out.
    #[error("cannot check passwords now: {0}")]
    Unavailable(IdentityError),
}

/// What came of checking a password.
#[derive(Clone, Copy, Debug)]
enum Checked {
    Right,
    Wrong,
    Limited(Duration),
}

pub(crate) struct Logins {
    limiter: Option<Limiter>,
    successes: Successes<Checked>,
}

impl Logins {
    pub(crate) fn new(limits: Option<LoginLimits>) -> Self {
        Self {
            limiter: limits.as_ref().map(Limiter::new),
            successes: Successes::new(),
        }
    }

    fn take(&self, user: &str, source: IpAddr) -> Result<(), Duration> {
        self.limiter
            .as_ref()
            .map_or(Ok(()), |limiter| limiter.take(user, source, Instant::now()))
    }

    fn give_back(&self, user: &str, source: IpAddr) {
        if let Some(limiter) = &self.limiter {
            limiter.give_back(user, source);
        }
    }
}

impl Identity {
    /// Checks a user and a password: the inbox's canonical address, and its password or a key that may log in.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(
        &self,
        user: &str,
        password: &Secret<String>,
        source: IpAddr,
        purpose: Purpose,
    ) -> Result<Login, LoginError> {
        let result = self.check_login(user, password, source).await;
        match &result {
            Ok(login) => tracing::info!(inbox = %login.inbox.id, peer = %source, ?purpose, "auth"),
            // The user is not logged: people type passwords there.
            Err(error) => tracing::info!(peer = %source, ?purpose, reason = %error, "auth failed"),
        }
        result
    }

    /// Whether what a session logged in with still counts. To be asked again whenever the inbox's topic wakes.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn credentials_current(&self, login: &Login) -> Result<bool, IdentityError> {
        let Some(inbox) = self.live_inbox(login.inbox.id).await? else {
            return Ok(false);
        };
        match &login.api_key {
            None => Ok(inbox.epoch == login.epoch),
            Some(row) => Ok(self.store.get(row).await?.is_some()),
        }
    }

    async fn check_login(&self, user: &str, password: &Secret<String>, source: IpAddr) -> Result<Login, LoginError> {
        let address = EmailAddress::parse(user).ok().map(|address| address.folded());
        let inbox = match &address {
            Some(address) => self.inbox_at(address).await?.filter(|(_, canonical)| *canonical),
            None => None,
        };
        let inbox = inbox.map(|(inbox, _)| inbox);
        // What nobody can have is counted under one name, so that it takes no more room than one.
        let name = address.map_or_else(String::new, |address| address.to_string());
        if KeyKind::ALL
            .iter()
            .any(|kind| password.expose().starts_with(kind.prefix()))
        {
            return self.key_login(&name, inbox, password, source).await;
        }
        let known = inbox.as_ref().map(|inbox| (inbox.id, inbox.epoch));
        let fingerprint = self.logins.successes.fingerprint(&name, known, password);
        let checked = if self.logins.successes.contains(&fingerprint, Instant::now()) {
            Checked::Right
        } else {
            let check = self.check_password(&name, inbox.as_ref(), password, source, fingerprint);
            self.logins.successes.shared(fingerprint, check).await?
        };
        match (checked, inbox) {
            (Checked::Right, Some(inbox)) => Ok(Login {
                epoch: inbox.epoch,
                inbox,
                api_key: None,
            }),
            (Checked::Right | Checked::Wrong, _) => Err(LoginError::Wrong),
            (Checked::Limited(retry_after), _) => Err(LoginError::RateLimited { retry_after }),
        }
    }

    async fn check_password(
        &self,
        name: &str,
        inbox: Option<&InboxRecord>,
        password: &Secret<String>,
        source: IpAddr,
        fingerprint: Fingerprint,
    ) -> Result<Checked, LoginError> {
        if let Err(retry_after) = self.logins.take(name, source) {
            return Ok(Checked::Limited(retry_after));
        }
        let hash = match inbox {
            Some(inbox) => self
                .row::<String>(&keys::password(inbox.id))
                .await?
                .map(|(_, hash)| hash),
            None => None,
        };
        let Some(hash) = hash else {
            self.hasher.waste(password).await?;
            return Ok(Checked::Wrong);
        };
        if !self.hasher.verify(password, hash).await? {
            return Ok(Checked::Wrong);
        }
        self.logins.give_back(name, source);
        self.logins.successes.insert(fingerprint, Instant::now());
        Ok(Checked::Right)
    }

    /// A key instead of the password: as cheap for users there are as for others.
    async fn key_login(
        &self,
        name: &str,
        inbox: Option<InboxRecord>,
        password: &Secret<String>,
        source: IpAddr,
    ) -> Result<Login, LoginError> {
        if let Err(retry_after) = self.logins.take(name, source) {
            return Err(LoginError::RateLimited { retry_after });
        }
        let key = self.stored_key(password.expose()).await?;
        let opens = |key: &StoredKey, inbox: &InboxRecord| match key.kind {
            KeyKind::Inbox => key.inbox == Some(inbox.id),
            KeyKind::Organization => {
                self.options.organization_key_login
                    && key.organization == inbox.organization
                    && key.pod.is_none_or(|pod| pod == inbox.pod)
            }
            KeyKind::Operator | KeyKind::Tenant | KeyKind::Pod => false,
        };
        match (key, inbox) {
            (Some(key), Some(inbox)) if opens(&key, &inbox) => {
                self.logins.give_back(name, source);
                Ok(Login {
                    epoch: inbox.epoch,
                    inbox,
                    api_key: Some(keys::api_key(&key.hash)),
                })
            }
            _ => Err(LoginError::Wrong),
        }
    }
}

impl From<IdentityError> for LoginError {
    fn from(error: IdentityError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}
