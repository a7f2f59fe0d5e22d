//! Requests against a local server, with names that point wherever the test wants.

use bytes::Bytes;
use postroom_outgoing_http::{Bounds, Names, Options, OutgoingError, OutgoingHttp, Reach};
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Names and the answers each question gets, in turn; the last one for good.
#[derive(Default)]
struct Zone {
    answers: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    asked: Mutex<HashMap<String, usize>>,
}

impl Zone {
    fn new(answers: &[(&'static str, &[&[&str]])]) -> Arc<Self> {
        let parse = |text: &&str| text.parse().expect("an address");
        let rows = answers.iter().map(|(name, turns)| {
            let turns = turns.iter().map(|turn| turn.iter().map(parse).collect()).collect();
            (*name, turns)
        });
        Arc::new(Self {
            answers: rows.collect(),
            asked: Mutex::default(),
        })
    }
}

impl Names for Zone {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, OutgoingError>> + Send + 'a>> {
        let mut asked = self.asked.lock().expect("no panic");
        let turn = asked.entry(host.to_owned()).or_default();
        let turns = self.answers.get(host);
        let answer = turns.and_then(|turns| turns.get(*turn).or(turns.last()).cloned());
        *turn += 1;
        Box::pin(async move { answer.ok_or_else(|| OutgoingError::NoAddress(host.to_owned())) })
    }
}

fn client(reach: Reach, zone: &Arc<Zone>) -> OutgoingHttp {
    let options = Options {
        reach,
        servers: Vec::new(),
        user_agent: "test".into(),
    };
    OutgoingHttp::with_names(&options, Arc::clone(zone) as Arc<dyn Names>).expect("a client")
}

const BOUNDS: Bounds = Bounds {
    deadline: Duration::from_secs(2),
    answer_octets: 1000,
};

/// A server that says this to everybody, and counts them; each connection serves one request.
async fn server(says: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let (address, count) = (listener.local_addr().expect("bound"), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _ = stream.write_all(says.as_bytes()).await;
                let _ = stream.shutdown().await;
                // Until the peer has read it.
                let _ = stream.read_to_end(&mut head).await;
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn connections_go_to_the_address_that_was_checked() {
    let (at, _) = server("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok").await;
    let zone = Zone::new(&[("hooks.example.org", &[&["127.0.0.1"]])]);
    let http = client(Reach::Loopback, &zone);
    let target = http
        .target(&format!("http://hooks.example.org:{}/x", at.port()))
        .expect("a target");
    let answer = http.get(&target, BOUNDS).await.expect("an answer");
    assert_eq!((answer.status, &answer.body[..], answer.cut), (200, &b"ok"[..], false));
    assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
    let answer = http.post(&target, &[], Bytes::from_static(b"{}"), BOUNDS).await;
    assert!(answer.expect("an answer").is_success());
}

#[tokio::test]
async fn names_with_an_address_that_is_not_allowed_are_refused() {
    let (at, count) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let zone = Zone::new(&[
        ("loop.example.org", &[&["127.0.0.1"]]),
        ("metadata.example.org", &[&["169.254.169.254"]]),
        ("mapped.example.org", &[&["::ffff:127.0.0.1"]]),
        ("mixed.example.org", &[&["8.8.8.8", "127.0.0.1"]]),
        ("ula.example.org", &[&["fd00::1"]]),
        ("nowhere.example.org", &[&[]]),
    ]);
    let http = client(Reach::Public, &zone);
    let get = async |host: &str| {
        let target = http.target(&format!("http://{host}:{}/", at.port())).expect("a target");
        http.get(&target, BOUNDS).await.expect_err("no answer")
    };
    for host in ["loop", "metadata", "mapped", "mixed", "ula"] {
        let error = get(&format!("{host}.example.org")).await;
        assert!(matches!(error, OutgoingError::Forbidden(_)), "{host}: {error}");
    }
    let here = http.target("http://localhost/");
    assert!(matches!(here, Err(OutgoingError::Forbidden(_))));
    assert!(matches!(get("nowhere.example.org").await, OutgoingError::NoAddress(_)));
    assert!(matches!(get("unknown.example.org").await, OutgoingError::NoAddress(_)));
    assert_eq!(count.load(Ordering::Relaxed), 0, "nobody was talked to");
}

#[tokio::test]
async fn a_name_that_changes_its_answer_gains_nothing() {
    let (at, count) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    // Harmless when it is asked about first, ours when it is dialled: whoever looks up twice is had.
    let zone = Zone::new(&[("rebind.example.org", &[&["8.8.8.8"], &["127.0.0.1"]])]);
    let http = client(Reach::Public, &zone);
    let target = http
        .target(&format!("http://rebind.example.org:{}/", at.port()))
        .expect("a target");
    let bounds = Bounds {
        deadline: Duration::from_millis(300),
        ..BOUNDS
    };
    // The address that was checked is dialled, wherever that leads.
    assert!(http.get(&target, bounds).await.is_err());
    let error = http.get(&target, bounds).await.expect_err("no answer");
    assert!(matches!(error, OutgoingError::Forbidden(_)), "{error}");
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn redirects_are_answers() {
    let (elsewhere, count) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let says = format!("HTTP/1.1 302 Found\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let (at, _) = server(says.leak()).await;
    let http = client(Reach::Loopback, &Zone::new(&[]));
    let target = http.target(&format!("http://{at}/")).expect("a target");
    let answer = http.get(&target, BOUNDS).await.expect("an answer");
    assert_eq!((answer.status, answer.is_success()), (302, false));
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn time_and_size_have_an_end() {
    let http = client(Reach::Loopback, &Zone::new(&[]));
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{}", "x".repeat(5000));
    let (at, _) = server(long.leak()).await;
    let target = http.target(&format!("http://{at}/")).expect("a target");
    let answer = http.get(&target, BOUNDS).await.expect("an answer");
    assert_eq!((answer.body.len(), answer.cut), (1000, true));
    // A body that does not come counts like an answer that does not come.
    for says in ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let at = listener.local_addr().expect("bound");
        let held = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.read_buf(&mut Vec::with_capacity(4096)).await.expect("a request");
            stream.write_all(says.as_bytes()).await.expect("written");
            std::future::pending::<()>().await;
        });
        let target = http.target(&format!("http://{at}/")).expect("a target");
        let bounds = Bounds {
            deadline: Duration::from_millis(200),
            ..BOUNDS
        };
        assert_eq!(
            http.get(&target, bounds).await,
            Err(OutgoingError::TimedOut),
            "{says:?}"
        );
        held.abort();
    }
    let (at, _) = server("rubbish\r\n\r\n").await;
    let target = http.target(&format!("http://{at}/")).expect("a target");
    assert!(matches!(http.get(&target, BOUNDS).await, Err(OutgoingError::Failed(_))));
    let bad = [("a b".to_owned(), "c".to_owned())];
    let refused = http.post(&target, &bad, Bytes::new(), BOUNDS).await;
    assert!(matches!(refused, Err(OutgoingError::Failed(_))));
}
