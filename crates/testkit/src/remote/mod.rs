//! Another mail server, scripted: it misbehaves as it is told, and remembers what it took.
//!
//! It reads a dialogue in the plainest way and shares no code with our own server. What always holds:
//! - A message is in [`RemoteMx::taken`] once for each recipient it was taken for, whether or not the client heard so.
//! - What a client does against the standards is in [`RemoteMx::faults`].
//! - Time is the executor's, so a test may stop it.
//!
//! Local-parts that begin with `gone` do not exist (550); those that begin with `full` never have room (452).

mod behaviour;
mod report;
mod session;
mod speech;
mod tls;

pub use behaviour::{Behaviour, Point, Tls, Trouble};

use session::Session;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// What each direction of a connection holds; a client has to wait beyond that.
const WINDOW_OCTETS: usize = 16 * 1024;

/// A message that was taken, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its Message-ID, without angle brackets; empty if it has none.
    pub message_id: String,
    /// MAIL FROM, without angle brackets.
    pub reverse_path: String,
    /// RCPT TO, without angle brackets.
    pub recipient: String,
    /// The content, dots undone.
    pub content: Arc<[u8]>,
    /// Whether 250 was said. If not, the client cannot know.
    pub acknowledged: bool,
    /// Whether it came over TLS.
    pub tls: bool,
    /// How long after the server was made.
    pub at: Duration,
}

/// One host. Clones of the `Arc` are the same host.
pub struct RemoteMx {
    name: String,
    plan: Box<dyn Fn(usize, Duration) -> Behaviour + Send + Sync>,
    begun: Instant,
    /// With a certificate for its name, and for another one; made when they are wanted.
    tls: [OnceLock<TlsAcceptor>; 2],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: usize,
    taken: Vec<Taken>,
    faults: Vec<String>,
    /// When each recipient was first named.
    greylist: HashMap<String, Instant>,
}

impl RemoteMx {
    /// A host with this name. The plan says what it does on each connection, by its number, from 0, and by how long
    /// after this call it is made.
    pub fn new(name: &str, plan: impl Fn(usize, Duration) -> Behaviour + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            plan: Box::new(plan),
            begun: Instant::now(),
            tls: Default::default(),
            state: Mutex::default(),
        })
    }

    /// The client's end of a new connection. The server's end runs as a task until the dialogue is over.
    pub fn connect(self: &Arc<Self>) -> DuplexStream {
        let (ours, theirs) = duplex(WINDOW_OCTETS);
        let number = {
            let mut state = self.state();
            state.connections += 1;
            state.connections - 1
        };
        let behaviour = (self.plan)(number, self.begun.elapsed());
        let mx = Arc::clone(self);
        // An error is the client hanging up, which is its right.
        tokio::spawn(async move { Session::new(&mx, behaviour, theirs).run().await.is_ok() });
        ours
    }

    /// What was taken so far, oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.state().taken.clone()
    }

    /// What clients did wrong.
    pub fn faults(&self) -> Vec<String> {
        self.state().faults.clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// Whether a recipient has to come again later.
    fn is_greylisted(&self, recipient: &str, wait: Duration) -> bool {
        let now = Instant::now();
        let first = *self.state().greylist.entry(recipient.to_owned()).or_insert(now);
        now < first + wait
    }

    /// Speaks TLS under its own name, or under another one.
    fn acceptor(&self, own_name: bool) -> TlsAcceptor {
        let (place, name) = if own_name {
            (0, self.name.as_str())
        } else {
            (1, "another.example")
        };
        self.tls[place].get_or_init(|| tls::acceptor(name)).clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
