//! The driver over real sockets, with a toy machine.

mod toy;

use bytes::Bytes;
use postroom_net::{Limits, ListenerOptions, TlsConfig};
use postroom_wire::ChannelBinding;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::version;
use toy::{certificate, connector_of, localhost, rest, server, talk};

fn connector(trusted: CertificateDer<'static>) -> TlsConnector {
    connector_of(trusted, &[&version::TLS13, &version::TLS12])
}

#[tokio::test]
async fn plain_conversation() {
    let server = server(ListenerOptions::default()).await;
    let mut client = TcpStream::connect(server.address).await.expect("connected");
    talk(&mut client, "hello\r\n", "hello tls=false\r\n").await;
    talk(&mut client, "one\r\ntwo\r\n", "one tls=false\r\ntwo tls=false\r\n").await;
    talk(
        &mut client,
        "body abc\r\nbody de\r\nask what\r\nx\r\n",
        "what abc.de.\r\nx tls=false\r\n",
    )
    .await;
    talk(&mut client, "ask news\r\n", "news abc.de.\r\nsomething happened\r\n").await;
    talk(&mut client, "time 20\r\n", "tick\r\n").await;
    talk(&mut client, "last\r\nquit\r\nnot read\r\n", "last tls=false\r\n").await;
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn stored_bodies_are_streamed_in_order() {
    let server = server(ListenerOptions::default()).await;
    let mut client = TcpStream::connect(server.address).await.expect("connected");
    client
        .write_all(b"first\r\nblob 3000000\r\nlast\r\nquit\r\n")
        .await
        .expect("sent");
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.expect("a clean end");
    let mut expected = b"first tls=false\r\n".to_vec();
    expected.extend((0..3_000_000u32).map(|at| at as u8));
    expected.extend_from_slice(b"last tls=false\r\n");
    assert!(got == expected, "{} octets instead of {}", got.len(), expected.len());
}

#[tokio::test]
async fn starttls_implicit_tls_and_reload() {
    let (cert, key, trusted) = certificate();
    let tls = TlsConfig::from_pem(cert.as_bytes(), key.as_bytes(), false).expect("a good pair");
    let clear = server(ListenerOptions {
        tls: Some(tls.clone()),
        ..ListenerOptions::default()
    });
    let secure = server(ListenerOptions {
        tls: Some(tls.clone()),
        implicit_tls: true,
        ..ListenerOptions::default()
    });
    let (clear, secure) = tokio::join!(clear, secure);

    let mut client = TcpStream::connect(clear.address).await.expect("connected");
    talk(&mut client, "hello\r\n", "hello tls=false\r\n").await;
    client.write_all(b"tls\r\n").await.expect("sent");
    let mut client = connector(trusted.clone())
        .connect(localhost(), client)
        .await
        .expect("a handshake");
    talk(&mut client, "hello\r\n", "hello tls=true\r\n").await;

    let tcp = TcpStream::connect(secure.address).await.expect("connected");
    let mut client = connector(trusted.clone())
        .connect(localhost(), tcp)
        .await
        .expect("a handshake");
    talk(
        &mut client,
        "hello\r\nblob 3\r\nquit\r\n",
        "hello tls=true\r\n\0\u{1}\u{2}",
    )
    .await;
    assert_eq!(rest(&mut client).await, "");

    let (cert, key, trusted_now) = certificate();
    assert!(tls.replace(cert.as_bytes(), b"no key").is_err());
    tls.replace(cert.as_bytes(), key.as_bytes()).expect("a good pair");
    let tcp = TcpStream::connect(secure.address).await.expect("connected");
    assert!(
        connector(trusted).connect(localhost(), tcp).await.is_err(),
        "the old one is gone"
    );
    let tcp = TcpStream::connect(secure.address).await.expect("connected");
    assert!(connector(trusted_now).connect(localhost(), tcp).await.is_ok());

    // A client that never begins its handshake does not hold up a shutdown.
    let _silent = TcpStream::connect(secure.address).await.expect("connected");
    drop(client);
    tokio::time::sleep(Duration::from_millis(20)).await;
    secure.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), secure.task).await;
    ended.expect("before the handshake's time-out").expect("no panic");
}

#[tokio::test]
async fn both_ends_know_the_channel_binding_of_tls_1_3() {
    let (cert, key, trusted) = certificate();
    let tls = TlsConfig::from_pem(cert.as_bytes(), key.as_bytes(), false).expect("a good pair");
    let server = server(ListenerOptions {
        tls: Some(tls),
        implicit_tls: true,
        ..ListenerOptions::default()
    })
    .await;
    let connect = async |version| {
        let tcp = TcpStream::connect(server.address).await.expect("connected");
        let connector = connector_of(trusted.clone(), &[version]);
        connector.connect(localhost(), tcp).await.expect("a handshake")
    };
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut client = connect(&version::TLS13).await;
        let exported = client
            .get_ref()
            .1
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None)
            .expect("the handshake is done");
        talk(
            &mut client,
            "binding\r\n",
            &format!("{:?}\r\n", Some(ChannelBinding(exported))),
        )
        .await;
        seen.push(exported);
    }
    assert_ne!(seen[0], seen[1], "each connection has its own");
    talk(&mut connect(&version::TLS12).await, "binding\r\n", "None\r\n").await;
}

#[tokio::test]
async fn a_full_listener_refuses_and_recovers() {
    let server = server(ListenerOptions {
        limits: Limits {
            per_address: 2,
            ..Limits::default()
        },
        refusal: Bytes::from_static(b"421 too many\r\n"),
        ..ListenerOptions::default()
    })
    .await;
    let mut first = TcpStream::connect(server.address).await.expect("connected");
    let mut second = TcpStream::connect(server.address).await.expect("connected");
    talk(&mut first, "a\r\n", "a tls=false\r\n").await;
    talk(&mut second, "b\r\n", "b tls=false\r\n").await;
    let mut third = TcpStream::connect(server.address).await.expect("connected");
    assert_eq!(rest(&mut third).await, "421 too many\r\n");
    first.shutdown().await.expect("closed");
    assert_eq!(rest(&mut first).await, "");
    drop(first);
    let free = async {
        loop {
            let mut again = TcpStream::connect(server.address).await.expect("connected");
            // A refused connection may be reset before this is sent.
            let _ = again.write_all(b"quit\r\n").await;
            let mut text = Vec::new();
            if again.read_to_end(&mut text).await.is_ok() && text.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), free)
        .await
        .expect("room again");
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed() {
    let server = server(ListenerOptions {
        limits: Limits {
            write_timeout: Duration::from_millis(100),
            ..Limits::default()
        },
        ..ListenerOptions::default()
    })
    .await;
    let mut client = TcpStream::connect(server.address).await.expect("connected");
    client.write_all(b"blob 1000000000\r\n").await.expect("sent");
    // The shutdown waits for the session, and the session is stuck in writing: only the time-out ends it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), server.task)
        .await
        .expect("ended")
        .expect("no panic");
}

#[tokio::test]
async fn shutdown_says_goodbye_and_ends_in_bounded_time() {
    let server = server(ListenerOptions {
        limits: Limits {
            drain_timeout: Duration::from_millis(300),
            ..Limits::default()
        },
        ..ListenerOptions::default()
    })
    .await;
    let mut idle = TcpStream::connect(server.address).await.expect("connected");
    talk(&mut idle, "a\r\n", "a tls=false\r\n").await;
    let mut stuck = TcpStream::connect(server.address).await.expect("connected");
    talk(&mut stuck, "b\r\n", "b tls=false\r\n").await;
    stuck.write_all(b"ask hang\r\n").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.shutdown.cancel();
    assert_eq!(rest(&mut idle).await, "bye\r\n");
    drop(idle);
    let started = Instant::now();
    server.task.await.expect("no panic");
    assert!(
        started.elapsed() >= Duration::from_millis(200),
        "the open question had its time"
    );
    assert!(TcpStream::connect(server.address).await.is_err(), "the door is closed");
}
