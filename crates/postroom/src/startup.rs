//! While the store replays its journal, the doors are open already and say "later", so that no sender bounces mail and
//! no monitor sees a dead host.

use bytes::Bytes;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a client may take to read one line.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket whose clients hear a refusal until it is [taken over](Self::take_over).
pub(crate) struct Waiting {
    task: JoinHandle<TcpListener>,
    ready: CancellationToken,
}

impl Waiting {
    /// Binds a socket and begins to refuse. An empty refusal closes the connection without a word, for ports where the
    /// client speaks first or in TLS.
    pub(crate) async fn bind(address: std::net::SocketAddr, refusal: Bytes) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| std::io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        Ok(Self::on(listener, refusal))
    }

    /// Begins to refuse on a socket that is open.
    pub(crate) fn on(listener: TcpListener, refusal: Bytes) -> Self {
        let ready = CancellationToken::new();
        let task = tokio::spawn(refuse_until(listener, refusal, ready.clone()));
        Self { task, ready }
    }

    /// The socket, for the real server.
    pub(crate) async fn take_over(self) -> std::io::Result<TcpListener> {
        self.ready.cancel();
        self.task.await.map_err(std::io::Error::other)
    }
}

async fn refuse_until(listener: TcpListener, refusal: Bytes, ready: CancellationToken) -> TcpListener {
    loop {
        let mut client = tokio::select! {
            () = ready.cancelled() => return listener,
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => client,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        // One at a time: whoever comes meanwhile waits in the kernel's queue, which is what we want of them.
        let _ = timeout(REFUSAL_TIMEOUT, async {
            client.write_all(&refusal).await?;
            client.shutdown().await
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn says_later_until_taken_over() {
        let refusal = Bytes::from_static(b"421 4.3.0 later\r\n");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let waiting = Waiting::bind(address, refusal.clone()).await.unwrap();
        let mut heard = Vec::new();
        TcpStream::connect(address)
            .await
            .unwrap()
            .read_to_end(&mut heard)
            .await
            .unwrap();
        assert_eq!(heard, refusal);
        let listener = waiting.take_over().await.unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
    }
}
