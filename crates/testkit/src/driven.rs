//! A session without a socket: bytes go in, and what the peer hears of them comes out.

use bytes::Bytes;
use postroom_net::Answerer;
use postroom_types::BlobSpan;
use postroom_wire::{Action, ChannelBinding, Input, Machine};
use std::time::{Duration, Instant};

/// Most that one piece of input may make a session say, octets: some KiB of commands, each with all the mail of a test.
const SAID_OCTETS: usize = 64 << 20;

type News<A> = <<A as Answerer>::Machine as Machine>::News;
type Given<'a, A> = Input<'a, <<A as Answerer>::Machine as Machine>::Answer, News<A>>;

/// A machine with what answers its questions. Dropped, it is gone as if the network had failed.
pub struct Driven<A: Answerer> {
    machine: A::Machine,
    answerer: A,
    closed: bool,
}

impl<A: Answerer> Driven<A> {
    /// A connection that was just made, and what it is greeted with.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub async fn connect(session: (A::Machine, A)) -> (Self, Vec<u8>) {
        let mut driven = Self::new(session);
        let greeting = driven.act().await;
        (driven, greeting)
    }

    /// The same on a port where TLS comes before the first byte, with this binding.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub async fn connect_tls(session: (A::Machine, A), binding: Option<ChannelBinding>) -> (Self, Vec<u8>) {
        let mut driven = Self::new(session);
        let greeting = driven.secure(binding).await;
        (driven, greeting)
    }

    fn new((machine, answerer): (A::Machine, A)) -> Self {
        Self {
            machine,
            answerer,
            closed: false,
        }
    }

    /// Whether the connection is closed.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Hands bytes in; what is said of them: nothing once it is closed.
    ///
    /// # Panics
    /// If the machine says more than 64 MiB, acts after it has closed, or wants TLS or compression; if more is read of a
    /// stored body than was asked for. One that cannot be read ends the connection, as in the driver.
    pub async fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.give(Input::Bytes(bytes)).await
    }

    /// TLS is up, with this binding; what is said of it.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub async fn secure(&mut self, binding: Option<ChannelBinding>) -> Vec<u8> {
        self.give(Input::TlsUp(binding)).await
    }

    /// What is said of news, if there are any within this time.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub async fn listen(&mut self, limit: Duration) -> Option<Vec<u8>> {
        if self.closed {
            return None;
        }
        let news = tokio::time::timeout(limit, self.answerer.news()).await.ok()?;
        Some(self.give(Input::News(news)).await)
    }

    async fn give(&mut self, input: Given<'_, A>) -> Vec<u8> {
        if self.closed {
            return Vec::new();
        }
        self.machine.handle(input, Instant::now());
        self.act().await
    }

    async fn act(&mut self) -> Vec<u8> {
        let mut told = Vec::new();
        while let Some(action) = self.machine.next_action() {
            assert!(!self.closed, "an action after Close");
            match action {
                Action::Send(bytes) => told.extend_from_slice(&bytes),
                Action::Ask(question) => {
                    let answer = self.answerer.answer(question).await;
                    self.machine.handle(Input::Answer(answer), Instant::now());
                }
                Action::Body(bytes) => self.answerer.body(bytes).await,
                Action::BodyEnd => self.answerer.body_end().await,
                Action::SendBlob(span) => {
                    if !self.read(span, &mut told).await {
                        self.closed = true;
                        break;
                    }
                }
                Action::StartTls | Action::Compress(_) => panic!("nobody asked for it"),
                Action::Close => self.closed = true,
            }
            assert!(told.len() <= SAID_OCTETS, "{} octets at once", told.len());
        }
        told
    }

    /// Whether all of it could be read.
    async fn read(&mut self, mut span: BlobSpan, told: &mut Vec<u8>) -> bool {
        while span.octets > 0 {
            let bytes: Bytes = self.answerer.read_blob(span).await.unwrap_or_default();
            let octets = bytes.len() as u64;
            assert!(octets <= span.octets, "{octets} of {}", span.octets);
            if octets == 0 {
                return false;
            }
            told.extend_from_slice(&bytes);
            span.offset += octets;
            span.octets -= octets;
        }
        true
    }
}
