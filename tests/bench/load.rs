//! SMTP load for `tests/bench/run`: delivers messages over several connections, in clear, one command at a time.
//!
//! `load ADDRESS CONNECTIONS MESSAGES OCTETS SEED RECIPIENT…`, recipients in turn. Prints one line:
//! `SECONDS ACCEPTED MEDIAN_MS P99_MS`, the latter from the final dot to its 250. No dependencies: `rustc -O load.rs`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Plan {
    address: String,
    messages: usize,
    octets: usize,
    seed: String,
    recipients: Vec<String>,
    next: AtomicUsize,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words[at].parse::<usize>().expect("a number");
    let plan = Arc::new(Plan {
        address: words[0].clone(),
        messages: number(2),
        octets: number(3),
        seed: words[4].clone(),
        recipients: words[5..].to_vec(),
        next: AtomicUsize::new(0),
    });
    let begun = Instant::now();
    let workers: Vec<_> = (0..number(1))
        .map(|_| {
            let plan = plan.clone();
            std::thread::spawn(move || work(&plan).expect("delivery failed"))
        })
        .collect();
    let mut waits: Vec<Duration> = workers.into_iter().flat_map(|worker| worker.join().expect("a worker failed")).collect();
    let seconds = begun.elapsed().as_secs_f64();
    waits.sort();
    let at = |part: f64| waits.get(((waits.len() - 1) as f64 * part) as usize).map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
    println!("{seconds:.4} {} {:.2} {:.2}", waits.len(), at(0.5), at(0.99));
}

/// One connection: messages until there are no more. Gives the wait for each final reply.
fn work(plan: &Plan) -> std::io::Result<Vec<Duration>> {
    let mut out = TcpStream::connect(&plan.address)?;
    out.set_nodelay(true)?;
    out.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut replies = BufReader::new(out.try_clone()?);
    let mut command = |text: &[u8], code: &str| -> std::io::Result<()> {
        out.write_all(text)?;
        expect(&mut replies, code)
    };
    command(b"", "220")?;
    command(b"EHLO load.example.test\r\n", "250")?;
    let mut waits = Vec::new();
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.messages {
            command(b"QUIT\r\n", "221")?;
            return Ok(waits);
        }
        let recipient = &plan.recipients[number % plan.recipients.len()];
        let content = message(plan, number, recipient);
        command(b"MAIL FROM:<sender@load.example.test>\r\n", "250")?;
        command(format!("RCPT TO:<{recipient}>\r\n").as_bytes(), "250")?;
        command(b"DATA\r\n", "354")?;
        let sent = Instant::now();
        command(&content, "250")?;
        waits.push(sent.elapsed());
    }
}

fn expect(replies: &mut BufReader<TcpStream>, code: &str) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        replies.read_line(&mut line)?;
        if !line.starts_with(code) {
            return Err(std::io::Error::other(format!("expected {code}, got {line:?}")));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}

/// Content of about the planned size with its final dot; no line starts with a dot.
fn message(plan: &Plan, number: usize, recipient: &str) -> Vec<u8> {
    let mut content = format!(
        "From: Sender {number} <sender@load.example.test>\r\nTo: <{recipient}>\r\nSubject: Message {number} of {seed}\r\n\
         Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{seed}.{number}@load.example.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n",
        seed = plan.seed
    )
    .into_bytes();
    let mut state = number as u64 ^ 0x9e37_79b9_7f4a_7c15;
    while content.len() < plan.octets {
        for _ in 0..10 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            content.extend_from_slice(format!("{:06x} ", state >> 40).as_bytes());
        }
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(b".\r\n");
    content
}
