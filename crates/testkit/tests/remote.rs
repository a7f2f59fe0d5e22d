//! The scripted server itself, with the dialogue written out.

use postroom_testkit::remote::{Behaviour, Point, RemoteMx, Trouble};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

const MESSAGE: &str = "EHLO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<gone@y>\r\nRCPT TO:<full@y>\r\nDATA\r\n";
const CONTENT: &str = "Message-ID: <1@x>\r\n\r\n..dot\r\n.\r\nQUIT\r\n";

/// Says all of it, waiting a moment between the pieces, and gives the codes that came back.
async fn codes(mx: &Arc<RemoteMx>, pieces: &[&str]) -> String {
    let mut stream = mx.connect();
    for piece in pieces {
        sleep(Duration::from_secs(1)).await;
        // A server that hangs up does not hear the rest.
        let _ = stream.write_all(piece.as_bytes()).await;
    }
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.expect("replies are text");
    let codes: Vec<_> = heard
        .lines()
        .filter(|line| line.get(3..4) == Some(" "))
        .map(|line| &line[..3])
        .collect();
    codes.join(" ")
}

fn with(trouble: Option<(Point, Trouble)>) -> Arc<RemoteMx> {
    RemoteMx::new("mx", move |_, _| Behaviour {
        trouble,
        ..Behaviour::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_good_server_takes_and_remembers() {
    let mx = with(None);
    // EHLO, DATA and QUIT are followed by more at once, which the script notes.
    assert_eq!(
        codes(&mx, &[MESSAGE, CONTENT]).await,
        "220 250 250 250 550 452 354 250 221"
    );
    assert_eq!(mx.faults(), ["did not wait for the reply to EHLO"]);
    let taken = mx.taken();
    let [taken] = taken.as_slice() else { panic!("{taken:?}") };
    assert_eq!(
        (
            taken.message_id.as_str(),
            taken.reverse_path.as_str(),
            taken.recipient.as_str()
        ),
        ("1@x", "a@x", "b@y")
    );
    assert_eq!(&*taken.content, b"Message-ID: <1@x>\r\n\r\n.dot\r\n");
    assert!(taken.acknowledged && !taken.tls);
}

#[tokio::test(start_paused = true)]
async fn troubles() {
    for (point, trouble, expected, taken) in [
        (
            Point::Greeting,
            Trouble::Reply(554),
            "554 250 250 250 550 452 354 250 221",
            1,
        ),
        (Point::Greeting, Trouble::Silence, "", 0),
        (Point::Hello, Trouble::HangUp, "220", 0),
        (Point::Mail, Trouble::Reply(421), "220 250 421", 0),
        (
            Point::Recipient,
            Trouble::Reply(451),
            "220 250 250 451 550 452 503 500 500 500 500 221",
            0,
        ),
        (Point::Data, Trouble::Nonsense, "220 250 250 250 550 452", 0),
        (
            Point::Final,
            Trouble::Reply(554),
            "220 250 250 250 550 452 354 554 221",
            0,
        ),
        (Point::Final, Trouble::HangUp, "220 250 250 250 550 452 354", 1),
    ] {
        let mx = with(Some((point, trouble)));
        let heard = codes(&mx, &[MESSAGE, CONTENT]).await;
        assert_eq!(heard, expected, "{point:?} {trouble:?}");
        assert_eq!(mx.taken().len(), taken, "{point:?} {trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn greylisting_ends() {
    let mx = RemoteMx::new("mx", |_, _| Behaviour {
        greylist: Some(Duration::from_secs(300)),
        ..Behaviour::default()
    });
    let pieces = ["EHLO c\r\n", "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n", "QUIT\r\n"];
    assert_eq!(codes(&mx, &pieces).await, "220 250 250 451 221");
    sleep(Duration::from_secs(300)).await;
    assert_eq!(codes(&mx, &pieces).await, "220 250 250 250 221");
    assert_eq!((mx.connections(), mx.faults().len()), (2, 0));
}
