//! Sockets that systemd opened for us, and those we open ourselves.
//!
//! What always holds: a service that was given sockets uses these and not its list in the configuration, and a socket that
//! no service takes is an error, since mail would wait there for ever.
//!
//! All sockets of one unit have one name, so a socket belongs to the service it is named after, or else to the one whose
//! port it has: a port of `[listen]`, or the one the service usually has.

use crate::config::Listen;
use crate::startup::Waiting;
use bytes::Bytes;
use listenfd::ListenFd;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// The services that have sockets, with their usual ports.
const SERVICES: [(&str, u16); 7] = [
    ("smtp_in", 25),
    ("submission", 587),
    ("submissions", 465),
    ("imap", 143),
    ("imaps", 993),
    ("http", 8080),
    ("https", 443),
];

/// The sockets not yet taken, by the names of services.
#[derive(Debug, Default)]
pub(crate) struct Sockets(BTreeMap<&'static str, Vec<std::net::TcpListener>>);

impl Sockets {
    /// What systemd passed, if it did (`sd_listen_fds_with_names`).
    pub(crate) fn passed(listen: &Listen) -> Result<Self> {
        // Read first: the crate removes the variables, so that they mean nothing to anybody else.
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut passed = ListenFd::from_env();
        let mut sockets = Self::default();
        let mut names = names.split(':');
        for at in 0..passed.len() {
            let name = names.next().unwrap_or_default();
            let wrong = |error| invalid(format!("the socket `{name}` from systemd: {error}"));
            if let Some(socket) = passed.take_tcp_listener(at).map_err(wrong)? {
                socket.set_nonblocking(true)?;
                let service = service(name, socket.local_addr()?, listen)?;
                sockets.0.entry(service).or_default().push(socket);
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

fn service(name: &str, address: SocketAddr, listen: &Listen) -> Result<&'static str> {
    let port = address.port();
    let has_port = |service: &str| listen.of(service).iter().any(|listed| listed.port() == port);
    let find = |fits: &dyn Fn(&str, u16) -> bool| SERVICES.into_iter().find(|(service, usual)| fits(service, *usual));
    let found = find(&|service, _| service == name)
        .or_else(|| find(&|service, _| has_port(service)))
        .or_else(|| find(&|_, usual| usual == port));
    found.map(|(service, _)| service).ok_or_else(|| {
        let names = SERVICES.map(|(service, _)| service).join(", ");
        invalid(format!(
            "systemd passed a socket `{name}` on {address}: no service has that port in [listen], and it is not named after \
             one of {names}"
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
    fn a_socket_belongs_to_a_service_by_name_or_by_port() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let listen = Listen {
            imap: vec![at(8443), at(443)],
            ..Listen::default()
        };
        for (name, port, expected) in [
            ("imaps", 8443, "imaps"),
            ("postroom.socket", 8443, "imap"),
            ("postroom.socket", 443, "imap"),
            ("postroom.socket", 587, "submission"),
            ("", 25, "smtp_in"),
        ] {
            assert_eq!(service(name, at(port), &listen).unwrap(), expected, "{name} {port}");
        }
        let told = service("pop3", at(110), &listen).unwrap_err().to_string();
        assert!(
            told.contains("`pop3`") && told.contains("smtp_in, submission"),
            "{told}"
        );
    }
}
