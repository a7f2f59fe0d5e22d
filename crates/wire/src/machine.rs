//! The one shape that SMTP, submission and IMAP share, so that one driver serves them all.

use crate::sasl::ChannelBinding;
use bytes::Bytes;
use postroom_types::BlobSpan;
use std::time::Instant;

/// Bytes and answers go in, actions come out. Same inputs and same `now`, same actions.
///
/// The driver's part of the contract:
/// - After each [`handle`](Self::handle) it takes [`next_action`](Self::next_action) until that gives `None`, and does
///   the actions in order.
/// - After [`Action::Ask`] it reads nothing from the peer until it has handed in the [`Input::Answer`]; what the
///   machine was given before stays in its own (bounded) buffer. News and ticks wait too; a shutdown does not.
/// - After [`Action::StartTls`] it drops what it has read and not handed in, negotiates, and gives [`Input::TlsUp`].
/// - After [`Action::Compress`] it sends what was said before as it is, and goes on with compressed octets; what the
///   machine gives back with it is the beginning of them.
/// - After [`Action::Close`] it flushes, closes, and calls the machine no more.
pub trait Machine {
    /// What only the outside knows: "is this mailbox ours?", "is this password right?"
    type Question;
    /// Long answers come in pages: a FETCH of 100,000 messages is never held whole.
    type Answer;
    /// What happened elsewhere: a message arrived, flags changed.
    type News;

    /// Takes one input.
    fn handle(&mut self, input: Input<'_, Self::Answer, Self::News>, now: Instant);

    /// The next thing to do, oldest first.
    fn next_action(&mut self) -> Option<Action<Self::Question>>;

    /// When the machine wants [`Input::Tick`], if nothing else comes before. `None`: never.
    fn deadline(&self) -> Option<Instant>;
}

/// What goes into a machine.
#[derive(Debug)]
pub enum Input<'a, A, N> {
    /// The peer sent these bytes.
    Bytes(&'a [u8]),
    /// The answer to the open question.
    Answer(A),
    /// Something happened elsewhere.
    News(N),
    /// The TLS handshake that the machine asked for is done (or was done before the first byte, on a TLS port).
    ///
    /// With what binds a login to this connection, if its TLS has it.
    TlsUp(Option<ChannelBinding>),
    /// The deadline has passed.
    Tick,
    /// The peer closed its sending half.
    Eof,
    /// The server is going down: say goodbye at the next fitting moment and close.
    Shutdown,
}

/// The news of a machine that sends on behalf of somebody and has to know what left: what it wanted sent last could
/// not be written to its end, so the peer has certainly not read the last octet of it. Actions not yet taken are void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// The peer did not read in time; else the connection was closed or reset.
    pub timed_out: bool,
    /// What the peer had said and the machine was not given yet, as far as it could be read.
    pub unread: Bytes,
}

/// What comes out of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<Q> {
    /// Send these bytes to the peer.
    Send(Bytes),
    /// Ask the outside and hand in the answer.
    Ask(Q),
    /// The next bytes of a message body (dots undone, literal unwrapped), for the spool.
    Body(Bytes),
    /// The body is complete.
    BodyEnd,
    /// Stream part of a stored body to the peer.
    SendBlob(BlobSpan),
    /// Begin TLS.
    StartTls,
    /// From the next octet on, what is sent and received is compressed with DEFLATE (RFC 4978, RFC 1951). At most once.
    ///
    /// With what the machine was given and has not read.
    Compress(Bytes),
    /// Say nothing more and close.
    Close,
}
