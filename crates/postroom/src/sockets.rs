//! Sockets that systemd opened for us, by the names of `postroom.socket`, and those we open ourselves.
//!
//! What always holds: a service that was given sockets uses these and not its list in the configuration, and a socket that
//! no service takes is an error, since mail would wait there for ever.

use crate::startup::Waiting;
use bytes::Bytes;
use listenfd::ListenFd;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// The services that have sockets.
const SERVICES: [&str; 7] = ["smtp_in", "submission", "submissions", "imap", "imaps", "http", "https"];

/// The sockets not yet taken, by the names of services.
#[derive(Debug, Default)]
pub(crate) struct Sockets(BTreeMap<&'static str, Vec<std::net::TcpListener>>);

impl Sockets {
    /// What systemd passed, if it did (`sd_listen_fds_with_names`).
    pub(crate) fn passed() -> Result<Self> {
        // Read first: the crate removes the variables, so that they mean nothing to anybody else.
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut passed = ListenFd::from_env();
        let mut sockets = Self::default();
        let mut names = names.split(':');
        for at in 0..passed.len() {
            let name = known(names.next().unwrap_or_default())?;
            let wrong = |error| invalid(format!("the socket `{name}` from systemd: {error}"));
            if let Some(socket) = passed.take_tcp_listener(at).map_err(wrong)? {
                socket.set_nonblocking(true)?;
                sockets.0.entry(name).or_default().push(socket);
            }
        }
        Ok(sockets)
    }

    /// The sockets of a service, with clients being refused: those passed, else new ones at these addresses.
    pub(crate) async fn open(
        &mut self,
        service: &str,
        addresses: &[SocketAddr],
        refusal: &'static [u8],
    ) -> Result<Vec<Waiting>> {
        let refusal = Bytes::from_static(refusal);
        let mut waiting = Vec::new();
        if let Some(passed) = self.0.remove(service) {
            for socket in passed {
                tracing::info!(service, address = %socket.local_addr()?, "socket from systemd");
                waiting.push(Waiting::on(TcpListener::from_std(socket)?, refusal.clone()));
            }
            return Ok(waiting);
        }
        for address in addresses {
            waiting.push(Waiting::bind(*address, refusal.clone()).await?);
        }
        Ok(waiting)
    }
}

fn known(name: &str) -> Result<&'static str> {
    let found = SERVICES.into_iter().find(|service| *service == name);
    found.ok_or_else(|| {
        let names = SERVICES.join(", ");
        invalid(format!(
            "systemd passed a socket named `{name}`; FileDescriptorName must be one of {names}"
        ))
    })
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> std::net::TcpListener {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    #[tokio::test]
    async fn passed_sockets_win() {
        let (one, two) = (socket(), socket());
        let expected = [one.local_addr().unwrap(), two.local_addr().unwrap()];
        let mut sockets = Sockets(BTreeMap::from([("imap", vec![one, two])]));
        let listed = [SocketAddr::from(([127, 0, 0, 1], 0))];
        let mut found = Vec::new();
        for waiting in sockets.open("imap", &listed, b"").await.unwrap() {
            found.push(waiting.take_over().await.unwrap().local_addr().unwrap());
        }
        assert_eq!(found, expected);
        assert_eq!(sockets.open("imaps", &listed, b"").await.unwrap().len(), 1);
        assert_eq!(sockets.open("http", &[], b"").await.unwrap().len(), 0);
    }

    #[test]
    fn strangers_are_refused() {
        assert_eq!(known("imaps").unwrap(), "imaps");
        let told = known("pop3").unwrap_err().to_string();
        assert!(
            told.contains("`pop3`") && told.contains("smtp_in, submission"),
            "{told}"
        );
    }
}
