//! Logins over IMAP and SMTP.
//!
//! What always holds: an address nobody has costs as much time as a wrong password; keys other than the inbox's own, and
//! `am_` keys of its organization or pod where allowed, never log in; nor do keys that may not do what the login is for.

mod rights;

pub use rights::LoginRights;

use crate::inboxes::NOWHERE;
use crate::limiter::{Limiter, LoginLimits};
use crate::record::{CredentialEpoch, InboxRecord, KeyKind, StoredKey};
use crate::scram::StoredPassword;
use crate::successes::{Fingerprint, Successes};
use crate::{Identity, IdentityError, Permission, Permissions, keys};
use postroom_mailstore::Mailstore;
use postroom_store::{Key, StoreError};
use postroom_types::{EmailAddress, InboxId, Lsn, OrganizationId, Secret};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading mail.
    Imap,
    /// Sending mail.
    Smtp,
}

impl Purpose {
    /// What a key needs for it.
    const fn permission(self) -> Permission {
        match self {
            Self::Imap => Permission::MessageRead,
            Self::Smtp => Permission::MessageSend,
        }
    }
}

/// A session's right to be there.
#[derive(Clone, Debug)]
pub struct Login {
    /// Whose inbox, as it was at login.
    pub inbox: InboxRecord,
    /// Which password counted then.
    pub epoch: CredentialEpoch,
    /// What it may do.
    pub rights: LoginRights,
    /// The row of the API key used instead of the password.
    api_key: Option<Key>,
    purpose: Purpose,
}

impl Login {
    pub(crate) fn of(inbox: InboxRecord, api_key: Option<&StoredKey>, purpose: Purpose) -> Self {
        Self {
            epoch: inbox.epoch,
            inbox,
            rights: LoginRights::of(api_key.and_then(|key| key.permissions)),
            api_key: api_key.map(|key| keys::api_key(&key.hash)),
            purpose,
        }
    }
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

    pub(crate) fn take(&self, user: &str, source: IpAddr) -> Result<(), Duration> {
        self.limiter
            .as_ref()
            .map_or(Ok(()), |limiter| limiter.take(user, source, Instant::now()))
    }

    pub(crate) fn give_back(&self, user: &str, source: IpAddr) {
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
        let result = self.check_login(user, password, source, purpose).await;
        log(result.as_ref(), Some(user), source, purpose);
        result
    }

    /// Checks a bearer token: a key that may log in. `user` is the inbox's canonical address; without it, the token has
    /// to be a key of one inbox.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login_with_token(
        &self,
        user: Option<&str>,
        token: &Secret<String>,
        source: IpAddr,
        purpose: Purpose,
    ) -> Result<Login, LoginError> {
        let result = self.check_token(user, token, source, purpose).await;
        log(result.as_ref(), user, source, purpose);
        result
    }

    /// Wakes whoever has to ask again whether a login still counts, and at every other change of the inbox.
    #[must_use]
    pub fn watch(&self, inbox: InboxId) -> watch::Receiver<Lsn> {
        self.store.watch(Mailstore::topic(inbox))
    }

    /// Wakes whoever has to ask again what a key of this organization opens: one was changed or revoked, or went with what it
    /// was of.
    #[must_use]
    pub fn watch_keys(&self, organization: OrganizationId) -> watch::Receiver<Lsn> {
        self.store.watch(keys::changed_keys(organization))
    }

    /// Whether what a session logged in with still counts. To be asked again whenever the inbox's topic wakes.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn credentials_current(&self, login: &Login) -> Result<bool, IdentityError> {
        Ok(self.current_inbox(login).await?.is_some())
    }

    /// The inbox as it is now; `None` if what a session logged in with no longer counts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn current_inbox(&self, login: &Login) -> Result<Option<InboxRecord>, IdentityError> {
        let Some(inbox) = self.live_inbox(login.inbox.id).await? else {
            return Ok(None);
        };
        let is_current = match &login.api_key {
            None => inbox.epoch == login.epoch,
            Some(row) => {
                let key = self.row::<StoredKey>(row).await?;
                // One with other rights is another login.
                key.is_some_and(|(_, key)| {
                    LoginRights::of(key.permissions) == login.rights && self.key_opens(&key, &inbox, login.purpose)
                })
            }
        };
        Ok(is_current.then_some(inbox))
    }

    async fn check_login(
        &self,
        user: &str,
        password: &Secret<String>,
        source: IpAddr,
        purpose: Purpose,
    ) -> Result<Login, LoginError> {
        let (name, inbox) = self.named(user).await?;
        if KeyKind::ALL
            .iter()
            .any(|kind| password.expose().starts_with(kind.prefix()))
        {
            return self.key_login(&name, inbox, password, source, purpose).await;
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
            (Checked::Right, Some(inbox)) => Ok(Login::of(inbox, None, purpose)),
            (Checked::Right | Checked::Wrong, _) => Err(LoginError::Wrong),
            (Checked::Limited(retry_after), _) => Err(limited(retry_after)),
        }
    }

    /// The inbox whose canonical address a user is, and the name under which its failures are counted. What nobody can
    /// have is counted under one name, so that it takes no more room than one.
    pub(crate) async fn named(&self, user: &str) -> Result<(String, Option<InboxRecord>), IdentityError> {
        let Ok(address) = EmailAddress::parse(user) else {
            return Ok((String::new(), None));
        };
        let address = address.folded();
        let found = self.inbox_at(&address).await?.filter(|(_, canonical)| *canonical);
        Ok((address.to_string(), found.map(|(inbox, _)| inbox)))
    }

    async fn check_token(
        &self,
        user: Option<&str>,
        token: &Secret<String>,
        source: IpAddr,
        purpose: Purpose,
    ) -> Result<Login, LoginError> {
        let (name, inbox) = match user {
            Some(user) => self.named(user).await?,
            None => match self.stored_key(token.expose()).await?.and_then(|key| key.inbox) {
                Some(id) => {
                    let inbox = self.live_inbox(id).await?;
                    let name = inbox.as_ref().map(|inbox| inbox.canonical.to_string());
                    (name.unwrap_or_default(), inbox)
                }
                None => (String::new(), None),
            },
        };
        self.key_login(&name, inbox, token, source, purpose).await
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
        let inbox = inbox.map_or(NOWHERE, |inbox| inbox.id);
        let Some((row, stored)) = self.row::<StoredPassword>(&keys::password(inbox)).await? else {
            self.hasher.waste(password).await?;
            return Ok(Checked::Wrong);
        };
        if !self.hasher.verify(password, stored.hash.clone()).await? {
            return Ok(Checked::Wrong);
        }
        self.complete_password(inbox, row, stored, password).await;
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
        purpose: Purpose,
    ) -> Result<Login, LoginError> {
        if let Err(retry_after) = self.logins.take(name, source) {
            return Err(limited(retry_after));
        }
        let key = self.stored_key(password.expose()).await?;
        match (key, inbox) {
            (Some(key), Some(inbox)) if self.key_opens(&key, &inbox, purpose) => {
                self.logins.give_back(name, source);
                if key.scram.is_none() {
                    self.complete_key(&key.hash, password).await;
                }
                self.note_use(&key);
                Ok(Login::of(inbox, Some(&key), purpose))
            }
            _ => Err(LoginError::Wrong),
        }
    }

    pub(crate) fn key_opens(&self, key: &StoredKey, inbox: &InboxRecord, purpose: Purpose) -> bool {
        let may = |permissions: Permissions| permissions.contains(purpose.permission());
        if key.has_expired() || !key.permissions.is_none_or(may) {
            return false;
        }
        match key.kind {
            KeyKind::Inbox | KeyKind::AgentInbox => key.inbox == Some(inbox.id),
            KeyKind::Organization | KeyKind::AgentPod => {
                self.options.organization_key_login
                    && key.organization == inbox.organization
                    && key.pod.is_none_or(|pod| pod == inbox.pod)
            }
            KeyKind::Operator | KeyKind::Tenant | KeyKind::Pod => false,
        }
    }
}

pub(crate) const fn limited(retry_after: Duration) -> LoginError {
    LoginError::RateLimited { retry_after }
}

pub(crate) fn log(result: Result<&Login, &LoginError>, user: Option<&str>, source: IpAddr, purpose: Purpose) {
    match result {
        Ok(login) => tracing::info!(inbox = %login.inbox.id, peer = %source, ?purpose, "auth"),
        Err(error) => {
            let user = user.and_then(address_tried);
            tracing::info!(peer = %source, ?purpose, user, reason = %error, "auth failed");
        }
    }
}

/// The user of a login that failed, as far as it is an address: those are short, and what else people type there may be
/// their password. As text, the log escapes what is in it.
fn address_tried(user: &str) -> Option<String> {
    let address = EmailAddress::parse(user).ok()?;
    Some(address.folded().to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_told() {
        for (user, expected) in [
            ("Scout@Example.Test", Some("Scout@example.test")),
            ("scout", None),
            ("correct horse battery", None),
            ("a\r\nb@example.test", None),
            ("", None),
        ] {
            let told = address_tried(user);
            let same = told.as_deref().map(str::to_lowercase) == expected.map(str::to_lowercase);
            assert!(same, "{user:?}: {told:?}");
        }
        let longest = format!("{}@{}.test", "x".repeat(65), "y".repeat(60));
        assert_eq!(address_tried(&longest), None);
    }
}
