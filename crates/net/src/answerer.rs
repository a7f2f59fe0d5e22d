//! The side of a session that knows things, as the driver sees it.

use bytes::Bytes;
use postroom_types::BlobSpan;
use postroom_wire::Machine;
use std::net::SocketAddr;

/// Who is connected, and to which of our doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// Our address.
    pub local: SocketAddr,
    /// Whether TLS came before the first byte.
    pub implicit_tls: bool,
}

/// Answers the questions of one session's machine, takes its bodies and brings it news. Dropped when the connection
/// ends, however it ends.
pub trait Answerer: Send {
    /// The protocol this answers for.
    type Machine: Machine<Question: Send, Answer: Send, News: Send> + Send;

    /// Answers one question. Nothing is read from the peer meanwhile. It is up to the answerer that this ends.
    fn answer(
        &mut self,
        question: <Self::Machine as Machine>::Question,
    ) -> impl Future<Output = <Self::Machine as Machine>::Answer> + Send;

    /// Takes the next bytes of a body to the spool. Trouble is remembered and told by the next answer.
    fn body(&mut self, chunk: Bytes) -> impl Future<Output = ()> + Send;

    /// The body is complete.
    fn body_end(&mut self) -> impl Future<Output = ()> + Send;

    /// The next news. Must be cancel safe; pends for ever when there is none.
    fn news(&mut self) -> impl Future<Output = <Self::Machine as Machine>::News> + Send;

    /// Reads from the start of a span: at least one octet and at most as many as asked. `None`: the blob cannot be
    /// read, and the connection is closed, since what was promised to the peer cannot be sent.
    fn read_blob(&mut self, span: BlobSpan) -> impl Future<Output = Option<Bytes>> + Send;
}
