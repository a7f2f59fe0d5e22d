//! LOGIN and AUTHENTICATE: who may have which inbox.

use crate::answer::Session;
use crate::fault::of_login;
use postroom_identity::{Login, LoginError, Purpose};
use postroom_imap_proto::Fault;
use postroom_mailstore::Mailstore;
use postroom_wire::{Credentials, Evidence, ScramProof};

/// The answer to a failed login never waits longer than so many times the first.
const MOST_DELAYS: u32 = 5;

impl Session {
    /// Gives what we prove ourselves with to a client that has shown a proof.
    pub(crate) async fn log_in(&mut self, credentials: &Credentials) -> Result<Option<[u8; 32]>, Fault> {
        match self.check(credentials).await {
            Ok((login, server_signature)) => {
                let topic = Mailstore::topic(login.inbox.id);
                self.wake_ups = Some(self.service.mailstore.store().watch(topic));
                // What was revoked between the check and the watch is found at the first look.
                self.awake = true;
                self.login = Some(Box::new(login));
                Ok(server_signature)
            }
            Err(error) => {
                let fault = of_login(&error);
                self.failed_logins += 1;
                tokio::time::sleep(self.service.failure_delay * self.failed_logins.min(MOST_DELAYS)).await;
                Err(fault)
            }
        }
    }

    async fn check(&self, credentials: &Credentials) -> Result<(Login, Option<[u8; 32]>), LoginError> {
        let (identity, source, purpose) = (&self.service.identity, self.peer, Purpose::Imap);
        let user = credentials.user.as_str();
        match &credentials.evidence {
            Evidence::Password(password) => {
                let login = identity.login(user, password, source, purpose).await?;
                Ok((login, None))
            }
            Evidence::Token(token) => {
                let user = Some(user).filter(|user| !user.is_empty());
                let login = identity.login_with_token(user, token, source, purpose).await?;
                Ok((login, None))
            }
            Evidence::Scram(ScramProof { auth_message, proof }) => {
                let proved = identity.login_with_proof(user, auth_message, proof, source, purpose);
                let (login, server_signature) = proved.await?;
                Ok((login, Some(server_signature)))
            }
        }
    }
}
