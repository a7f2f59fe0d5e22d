//! Submission load for `tests/bench/sending`: STARTTLS, AUTH PLAIN and many messages on each of several kept connections.
//!
//! `submit_load ADDRESS CONNECTIONS MESSAGES OCTETS SEED RECIPIENT-DOMAINS USER PASSWORD [USER PASSWORD …]`: connections take
//! the users in turn; message n goes to `rN@dN.DOMAIN` with N counting up to RECIPIENT-DOMAINS. The certificate is not
//! looked at. Prints `SECONDS ACCEPTED MEDIAN_MS P99_MS`, the latter from the final dot to its 250.

use postroom_testkit::anyone::client_config;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Plan {
    address: String,
    messages: usize,
    octets: usize,
    seed: String,
    domains: usize,
    users: Vec<(String, String)>,
    next: AtomicUsize,
    tls: Arc<ClientConfig>,
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let plan = Arc::new(Plan {
        address: words[0].clone(),
        messages: words[2].parse()?,
        octets: words[3].parse()?,
        seed: words[4].clone(),
        domains: words[5].parse()?,
        users: words[6..]
            .chunks(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect(),
        next: AtomicUsize::new(0),
        tls: client_config()?,
    });
    let sessions: Vec<_> = (0..words[1].parse::<usize>()?)
        .map(|number| Session::open(&plan, number))
        .collect::<Outcome<_>>()?;
    let begun = Instant::now();
    let workers: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            let plan = Arc::clone(&plan);
            std::thread::spawn(move || session.work(&plan))
        })
        .collect();
    let mut waits = Vec::new();
    for worker in workers {
        waits.extend(worker.join().map_err(|_| "a worker panicked")??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    waits.sort();
    let at = |part: f64| {
        waits
            .get(((waits.len() - 1) as f64 * part) as usize)
            .map_or(0.0, |wait: &Duration| wait.as_secs_f64() * 1e3)
    };
    println!("{seconds:.4} {} {:.2} {:.2}", waits.len(), at(0.5), at(0.99));
    Ok(())
}

struct Session {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    user: String,
}

impl Session {
    fn open(plan: &Plan, number: usize) -> Outcome<Self> {
        let (user, password) = &plan.users[number % plan.users.len()];
        let mut clear = TcpStream::connect(&plan.address)?;
        clear.set_nodelay(true)?;
        clear.set_read_timeout(Some(Duration::from_secs(60)))?;
        exchange(&mut clear, b"", "220")?;
        exchange(&mut clear, b"EHLO load.example.test\r\n", "250")?;
        exchange(&mut clear, b"STARTTLS\r\n", "220")?;
        let connection = ClientConnection::new(Arc::clone(&plan.tls), ServerName::try_from("localhost")?)?;
        let mut session = Self {
            stream: BufReader::new(StreamOwned::new(connection, clear)),
            user: user.clone(),
        };
        session.command(b"EHLO load.example.test\r\n", "250")?;
        let plain = postroom_wire::base64_encode(format!("\0{user}\0{password}").as_bytes());
        session.command(format!("AUTH PLAIN {plain}\r\n").as_bytes(), "235")?;
        Ok(session)
    }

    fn work(mut self, plan: &Plan) -> Outcome<Vec<Duration>> {
        let mut waits = Vec::new();
        loop {
            let number = plan.next.fetch_add(1, Ordering::Relaxed);
            if number >= plan.messages {
                self.command(b"QUIT\r\n", "221")?;
                return Ok(waits);
            }
            let recipient = format!("r{number}@d{}.sink.test", number % plan.domains);
            let content = message(plan, number, &self.user, &recipient);
            self.command(format!("MAIL FROM:<{}>\r\n", self.user).as_bytes(), "250")?;
            self.command(format!("RCPT TO:<{recipient}>\r\n").as_bytes(), "250")?;
            self.command(b"DATA\r\n", "354")?;
            let sent = Instant::now();
            self.command(&content, "250")?;
            waits.push(sent.elapsed());
        }
    }

    fn command(&mut self, text: &[u8], code: &str) -> Outcome<()> {
        self.stream.get_mut().write_all(text)?;
        self.stream.get_mut().flush()?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            match (line.starts_with(code), line.as_bytes().get(3)) {
                (true, Some(b' ')) => return Ok(()),
                (true, Some(b'-')) => {}
                _ => return Err(format!("expected {code}, got {line:?}").into()),
            }
        }
    }
}

/// One command in clear; nothing is read beyond its reply.
fn exchange(stream: &mut TcpStream, text: &[u8], code: &str) -> Outcome<()> {
    stream.write_all(text)?;
    loop {
        let (mut line, mut octet) = (Vec::new(), [0]);
        while octet[0] != b'\n' {
            stream.read_exact(&mut octet)?;
            line.push(octet[0]);
        }
        match (line.starts_with(code.as_bytes()), line.get(3)) {
            (true, Some(b' ')) => return Ok(()),
            (true, Some(b'-')) => {}
            _ => return Err(format!("expected {code}, got {:?}", String::from_utf8_lossy(&line)).into()),
        }
    }
}

fn message(plan: &Plan, number: usize, user: &str, recipient: &str) -> Vec<u8> {
    let mut text = format!(
        "From: Load <{user}>\r\nTo: {recipient}\r\nSubject: Message {number} of many\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <{number}.{}@load.example.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        plan.seed
    );
    let line = format!("{}\r\n", format!("{number:07} ").repeat(9));
    while text.len() + line.len() <= plan.octets {
        text.push_str(&line);
    }
    text.push_str(".\r\n");
    text.into_bytes()
}
