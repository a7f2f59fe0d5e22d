//! Dialling: the SMTP client over streams that misbehave, with a clock that stands still.

use bytes::Bytes;
use postroom_net::{Answerer, CancellationToken, Limits, dial};
use postroom_smtp_proto::client::{
    Client, ClientAnswer, ClientOptions, ClientQuestion, Failure, Phase, RecipientResult, RemoteReply, SessionFailure,
    Transaction,
};
use postroom_types::{BlobSpan, EmailAddress, ForwardPath, ReversePath};
use postroom_wire::Unsent;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

/// Sends one message and remembers what became of it.
#[derive(Default)]
struct Sender {
    chunks: Vec<Bytes>,
    sent: bool,
    result: Option<RecipientResult>,
    failed: Option<SessionFailure>,
}

impl Answerer for Sender {
    type Machine = Client;

    async fn answer(&mut self, question: ClientQuestion) -> ClientAnswer {
        match question {
            ClientQuestion::Next { tls, extensions, .. } if extensions.starttls && !tls => ClientAnswer::StartTls,
            ClientQuestion::Next { .. } if self.sent => ClientAnswer::Quit,
            ClientQuestion::Next { .. } => {
                self.sent = true;
                ClientAnswer::Send(Transaction {
                    reverse_path: ReversePath::Null,
                    forward_paths: vec![ForwardPath::Mailbox(EmailAddress::parse("b@example.org").unwrap())],
                    size_octets: 1,
                    eight_bit: false,
                    smtputf8: false,
                })
            }
            ClientQuestion::Content { .. } => ClientAnswer::Content(self.chunks.pop().unwrap_or_default()),
            ClientQuestion::Result(mut result) => {
                self.result = result.recipients.pop();
                ClientAnswer::Done
            }
            ClientQuestion::Failed(failure) => {
                self.failed = Some(failure);
                ClientAnswer::Done
            }
        }
    }

    async fn body(&mut self, _chunk: Bytes) {}
    async fn body_end(&mut self) {}

    async fn news(&mut self) -> Unsent {
        std::future::pending().await
    }

    async fn read_blob(&mut self, _span: BlobSpan) -> Option<Bytes> {
        None
    }
}

/// The server's end of the stream.
struct Remote(DuplexStream);

impl Remote {
    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("the client reads");
    }

    /// Reads until this was said.
    async fn hear(&mut self, end: &str) -> Vec<u8> {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            assert!(self.0.read_buf(&mut heard).await.expect("the client speaks") > 0);
        }
        heard
    }

    async fn up_to_354(&mut self) {
        self.say("220 mx\r\n").await;
        self.hear("\r\n").await;
        self.say("250-mx\r\n250 PIPELINING\r\n").await;
        self.hear("DATA\r\n").await;
        self.say("250 OK\r\n250 OK\r\n354 Go\r\n").await;
    }
}

/// A message of 100 chunks over a stream that holds one of them.
const CHUNK: usize = 64 * 1024;

fn sender() -> Sender {
    let line = [[b'x'; 62].as_slice(), b"\r\n"].concat();
    Sender {
        chunks: vec![line.repeat(CHUNK / line.len()).into(); 100],
        ..Sender::default()
    }
}

async fn run(sender: Sender, ours: DuplexStream, shutdown: CancellationToken) -> Sender {
    let machine = Client::new(Arc::new(ClientOptions::default()), Instant::now().into_std());
    dial(
        ours,
        machine,
        sender,
        |stream| async { Ok(stream) },
        &Limits::default(),
        shutdown,
    )
    .await
}

/// Plays a remote against the sender.
async fn with<F: Future<Output = ()> + Send + 'static>(remote: impl FnOnce(Remote) -> F) -> Sender {
    let (ours, theirs) = duplex(CHUNK);
    let remote = tokio::spawn(remote(Remote(theirs)));
    let sender = run(sender(), ours, CancellationToken::new()).await;
    remote.await.expect("the remote did not panic");
    sender
}

fn lost(phase: Phase, failure: Failure) -> Option<RecipientResult> {
    Some(RecipientResult::Lost { phase, failure })
}

fn reply(code: u16, text: &str) -> RemoteReply {
    RemoteReply {
        code,
        enhanced: None,
        text: text.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_and_the_stream_closed() {
    let sender = with(|mut remote| async move {
        remote.up_to_354().await;
        let content = remote.hear("\r\n.\r\n").await;
        assert_eq!(content.len(), 100 * CHUNK + 3);
        remote.say("250 Taken\r\n").await;
        assert_eq!(remote.hear("\r\n").await, b"QUIT\r\n");
        remote.say("221 Bye\r\n").await;
        assert_eq!(remote.0.read(&mut [0]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(sender.result, Some(RecipientResult::Accepted(reply(250, "Taken"))));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_the_machines_deadline() {
    let begun = Instant::now();
    let sender = with(|mut remote| async move {
        remote.say("220 mx\r\n").await;
        remote.hear("\r\n").await;
        sleep(Duration::from_secs(301)).await;
    })
    .await;
    let failure = Some(Failure::Timeout);
    let expected = SessionFailure {
        phase: Phase::Hello,
        reply: None,
        failure,
    };
    assert_eq!(sender.failed, Some(expected));
    assert_eq!(begun.elapsed().as_secs(), 301);
}

#[tokio::test(start_paused = true)]
async fn a_reply_lost_after_the_final_dot_is_told_apart() {
    let after = with(|mut remote| async move {
        remote.up_to_354().await;
        remote.hear("\r\n.\r\n").await;
    })
    .await;
    assert_eq!(
        after.result,
        Some(RecipientResult::Unknown {
            failure: Failure::Closed
        })
    );
    let within = with(|mut remote| async move {
        remote.up_to_354().await;
        remote.0.read_exact(&mut vec![0; 99 * CHUNK]).await.unwrap();
    })
    .await;
    assert_eq!(within.result, lost(Phase::Content, Failure::Closed));
}

/// Small enough to be gathered with its dot; the stream does not take all of it.
#[tokio::test(start_paused = true)]
async fn a_dot_that_was_not_written_was_not_sent() {
    let (ours, theirs) = duplex(64);
    let mut remote = Remote(theirs);
    let remote = tokio::spawn(async move {
        remote.up_to_354().await;
        sleep(Duration::from_secs(1)).await;
        // 66 octets were to be sent, so the dot's line is cut.
    });
    let small = Sender {
        chunks: vec![Bytes::from([&[b'x'; 61][..], b"\r\n"].concat())],
        ..Sender::default()
    };
    let sender = run(small, ours, CancellationToken::new()).await;
    remote.await.unwrap();
    assert_eq!(sender.result, lost(Phase::Content, Failure::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_reason_for_hanging_up_is_heard() {
    let sender = with(|mut remote| async move {
        remote.up_to_354().await;
        remote.0.read_exact(&mut vec![0; CHUNK]).await.unwrap();
        remote.say("552 5.3.4 Too big\r\n").await;
    })
    .await;
    let Some(RecipientResult::Refused { phase, reply }) = sender.result else {
        panic!("{:?}", sender.result);
    };
    assert_eq!(
        (phase, reply.to_string().as_str()),
        (Phase::Content, "552 5.3.4 Too big")
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_left() {
    let begun = Instant::now();
    let sender = with(|mut remote| async move {
        remote.up_to_354().await;
        sleep(Duration::from_secs(200)).await;
    })
    .await;
    assert_eq!(sender.result, lost(Phase::Content, Failure::Timeout));
    assert!(begun.elapsed() <= Duration::from_secs(200));
}

async fn through_tls<U>(tls: impl FnOnce(DuplexStream) -> U) -> Sender
where
    U: Future<Output = io::Result<DuplexStream>> + Send,
{
    let (ours, theirs) = duplex(CHUNK);
    let mut remote = Remote(theirs);
    let remote = tokio::spawn(async move {
        remote.say("220 mx\r\n").await;
        remote.hear("\r\n").await;
        remote.say("250-mx\r\n250 STARTTLS\r\n").await;
        remote.hear("STARTTLS\r\n").await;
        remote.say("220 Go\r\n").await;
        let mut rest = Vec::new();
        remote.0.read_to_end(&mut rest).await.unwrap();
        rest
    });
    let machine = Client::new(Arc::new(ClientOptions::default()), Instant::now().into_std());
    let sender = dial(
        ours,
        machine,
        sender(),
        tls,
        &Limits::default(),
        CancellationToken::new(),
    )
    .await;
    assert_eq!(remote.await.unwrap(), b"", "nothing more leaves in clear");
    sender
}

#[tokio::test(start_paused = true)]
async fn tls_that_does_not_come_up_fails_the_session() {
    let fails = |failure| {
        let phase = Phase::StartTls;
        Some(SessionFailure {
            phase,
            reply: None,
            failure: Some(failure),
        })
    };
    let refused = through_tls(|_| async { Err(io::Error::other("a certificate for another name")) }).await;
    assert_eq!(refused.failed, fails(Failure::Closed));
    let silent = through_tls(|stream| async {
        let _stream = stream;
        std::future::pending().await
    })
    .await;
    assert_eq!(silent.failed, fails(Failure::Timeout));
}

#[tokio::test(start_paused = true)]
async fn after_the_handshake_all_goes_over_tls() {
    let (inside, theirs) = duplex(CHUNK);
    let mut remote = Remote(theirs);
    let remote = tokio::spawn(async move {
        assert_eq!(remote.hear("\r\n").await, b"EHLO localhost\r\n");
        remote.say("250 mx\r\n").await;
        remote.hear("MAIL FROM:<>\r\n").await;
        remote.say("550 No\r\n").await;
        remote.hear("QUIT\r\n").await;
    });
    let sender = through_tls(|_| async { Ok(inside) }).await;
    remote.await.unwrap();
    let expected = RecipientResult::Refused {
        phase: Phase::Mail,
        reply: reply(550, "No"),
    };
    assert_eq!(sender.result, Some(expected));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_shortens_the_wait() {
    let (ours, theirs) = duplex(CHUNK);
    let mut remote = Remote(theirs);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let remote = tokio::spawn(async move {
        remote.say("220 mx\r\n").await;
        remote.hear("\r\n").await;
        stop.cancel();
        remote.0.read_u8().await.expect_err("nothing more is said");
    });
    let begun = Instant::now();
    let sender = run(sender(), ours, shutdown).await;
    remote.await.unwrap();
    assert_eq!(sender.failed.and_then(|failed| failed.failure), Some(Failure::Shutdown));
    assert_eq!(begun.elapsed().as_secs(), 10);
}
