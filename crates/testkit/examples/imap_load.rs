//! IMAP load over TLS for `tests/bench/imap`. The certificate is not looked at, sessions are never resumed.
//!
//! - `imap_load fill ADDRESS MESSAGES OCTETS MAILBOX USER PASSWORD`: appends pipelined. Subjects repeat, every message but
//!   the first of five replies to the one before.
//! - `imap_load append ADDRESS CONNECTIONS MESSAGES OCTETS MAILBOX USER PASSWORD [USER PASSWORD …]`: each connection
//!   appends and waits for the OK, to a user of its own as far as there are enough.
//! - `imap_load login ADDRESS CONNECTIONS LOGINS USER PASSWORD [USER PASSWORD …]`: connect, LOGIN, LOGOUT.
//! - `imap_load idle ADDRESS SESSIONS USER PASSWORD [USER PASSWORD …]`: opens sessions in IDLE on INBOX and keeps them until
//!   standard input ends.
//!
//! Prints `SECONDS COUNT MEDIAN_MS P99_MS`, the latter of single commands (or logins).

use postroom_testkit::anyone::client_config;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::collections::VecDeque;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Appends that are on their way at once while a mailbox is filled.
const WINDOW: usize = 100;

struct Plan {
    address: String,
    users: Vec<(String, String)>,
    tls: Arc<ClientConfig>,
    count: usize,
    next: AtomicUsize,
}

impl Plan {
    fn new(address: &str, count: &str, users: &[String]) -> Outcome<Arc<Self>> {
        Ok(Arc::new(Self {
            address: address.to_owned(),
            users: users.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
            tls: client_config()?,
            count: count.parse()?,
            next: AtomicUsize::new(0),
        }))
    }

    /// The next piece of work, if there is one.
    fn take(&self) -> Option<usize> {
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < self.count)
    }
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let begun = Instant::now();
    let waits = match word(0) {
        "fill" => fill(&Plan::new(word(1), word(2), &words[5..])?, word(3).parse()?, word(4))?,
        "append" => {
            let (octets, mailbox) = (word(4).parse()?, word(5).to_owned());
            let plan = Plan::new(word(1), word(3), &words[6..])?;
            at_once(&plan, word(2).parse()?, move |plan, number| {
                append(plan, number, octets, &mailbox)
            })?
        }
        "login" => at_once(&Plan::new(word(1), word(3), &words[4..])?, word(2).parse()?, login)?,
        "idle" => return idle(&Plan::new(word(1), word(2), &words[3..])?),
        _ => return Err("see the head of imap_load.rs".into()),
    };
    report(begun, waits);
    Ok(())
}

fn report(begun: Instant, mut waits: Vec<Duration>) {
    let seconds = begun.elapsed().as_secs_f64();
    waits.sort();
    let at = |part: f64| {
        let index = (waits.len().saturating_sub(1) as f64 * part) as usize;
        waits.get(index).map_or(0.0, |wait| wait.as_secs_f64() * 1e3)
    };
    println!("{seconds:.4} {} {:.2} {:.2}", waits.len(), at(0.5), at(0.99));
}

/// Runs the work on so many threads.
fn at_once(
    plan: &Arc<Plan>,
    threads: usize,
    work: impl Fn(&Plan, usize) -> Outcome<Vec<Duration>> + Clone + Send + 'static,
) -> Outcome<Vec<Duration>> {
    let start = |number| {
        let (plan, work) = (Arc::clone(plan), work.clone());
        std::thread::spawn(move || work(&plan, number))
    };
    let workers: Vec<_> = (0..threads).map(start).collect();
    let mut waits = Vec::new();
    for worker in workers {
        waits.extend(worker.join().map_err(|_| "a worker panicked")??);
    }
    Ok(waits)
}

struct Session {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Session {
    fn open(plan: &Plan, number: usize) -> Outcome<Self> {
        let tcp = TcpStream::connect(&plan.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(Duration::from_secs(120)))?;
        let connection = ClientConnection::new(Arc::clone(&plan.tls), ServerName::try_from("localhost")?)?;
        let mut session = Self {
            stream: BufReader::new(StreamOwned::new(connection, tcp)),
        };
        session.line_that_begins("* OK")?;
        let (user, password) = &plan.users[number % plan.users.len()];
        session.command(&format!("a LOGIN \"{user}\" \"{password}\"\r\n"), "a OK")?;
        Ok(session)
    }

    fn send(&mut self, octets: &[u8]) -> Outcome<()> {
        self.stream.get_mut().write_all(octets)?;
        self.stream.get_mut().flush()?;
        Ok(())
    }

    fn command(&mut self, text: &str, end: &str) -> Outcome<()> {
        self.send(text.as_bytes())?;
        self.line_that_begins(end)
    }

    /// Reads up to a line that begins so; a tagged NO or BAD is an error.
    fn line_that_begins(&mut self, end: &str) -> Outcome<()> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(format!("closed instead of {end}").into());
            }
            if line.starts_with(end) {
                return Ok(());
            }
            if !line.starts_with('*') && !line.starts_with('+') {
                return Err(format!("expected {end}, got {line:?}").into());
            }
        }
    }
}

fn fill(plan: &Arc<Plan>, octets: usize, mailbox: &str) -> Outcome<Vec<Duration>> {
    let mut session = Session::open(plan, 0)?;
    let mut on_their_way = VecDeque::new();
    let mut waits = Vec::new();
    loop {
        let next = if on_their_way.len() < WINDOW { plan.take() } else { None };
        if let Some(number) = next {
            let command = append_command(number, mailbox, &message(number, octets));
            session.send(&command)?;
            on_their_way.push_back((number, Instant::now()));
            continue;
        }
        let Some((number, sent)) = on_their_way.pop_front() else {
            return Ok(waits);
        };
        session.line_that_begins(&format!("m{number} OK"))?;
        waits.push(sent.elapsed());
    }
}

fn append(plan: &Plan, number: usize, octets: usize, mailbox: &str) -> Outcome<Vec<Duration>> {
    let mut session = Session::open(plan, number)?;
    let mut waits = Vec::new();
    while let Some(number) = plan.take() {
        let command = append_command(number, mailbox, &message(number, octets));
        let sent = Instant::now();
        session.send(&command)?;
        session.line_that_begins(&format!("m{number} OK"))?;
        waits.push(sent.elapsed());
    }
    Ok(waits)
}

fn append_command(number: usize, mailbox: &str, content: &str) -> Vec<u8> {
    let day = number % 28 + 1;
    let date = format!(
        "{day:02}-{}-2026 10:{:02}:00 +0000",
        ["Jan", "Apr", "Jul", "Oct"][number % 4],
        number % 60
    );
    format!(
        "m{number} APPEND {mailbox} () \"{date}\" {{{}+}}\r\n{content}\r\n",
        content.len()
    )
    .into_bytes()
}

fn login(plan: &Plan, _: usize) -> Outcome<Vec<Duration>> {
    let mut waits = Vec::new();
    while let Some(number) = plan.take() {
        let begun = Instant::now();
        let mut session = Session::open(plan, number)?;
        session.command("b LOGOUT\r\n", "b OK")?;
        waits.push(begun.elapsed());
    }
    Ok(waits)
}

fn idle(plan: &Arc<Plan>) -> Outcome<()> {
    let begun = Instant::now();
    let mut sessions = Vec::new();
    while let Some(number) = plan.take() {
        let mut session = Session::open(plan, number)?;
        session.command("b SELECT INBOX\r\n", "b OK")?;
        session.command("c IDLE\r\n", "+")?;
        sessions.push(session);
    }
    println!("{:.4} {} 0 0", begun.elapsed().as_secs_f64(), sessions.len());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn message(number: usize, octets: usize) -> String {
    const PEOPLE: [&str; 7] = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Tony"];
    let (topic, place) = (number / 5, number % 5);
    let person = PEOPLE[number % PEOPLE.len()];
    let mut text = format!(
        "From: {person} {number} <{}.{number}@load.example.test>\r\nTo: Someone <to@example.test>, other@example.test\r\n\
         Subject: {}Topic {} of many\r\nDate: Sat, {:02} Nov 2026 {:02}:{:02}:00 +0000\r\n\
         Message-ID: <{number}@load.example.test>\r\n",
        person.to_lowercase(),
        if place > 0 { "Re: " } else { "" },
        topic % 5000,
        number % 28 + 1,
        number % 24,
        number % 60,
    );
    if place > 0 {
        let references: Vec<String> = (topic * 5..number)
            .map(|of| format!("<{of}@load.example.test>"))
            .collect();
        text.push_str(&format!(
            "In-Reply-To: <{}@load.example.test>\r\nReferences: {}\r\n",
            number - 1,
            references.join(" ")
        ));
    }
    text.push_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
    let line = format!("{}\r\n", format!("{number:07} ").repeat(9));
    while text.len() + line.len() <= octets {
        text.push_str(&line);
    }
    text
}
