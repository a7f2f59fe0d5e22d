//! What the SMTP machine asks, and what it can be told.

use crate::reply::Reply;
use postroom_types::{ForwardPath, ReversePath};
use postroom_wire::Credentials;

/// What only the outside knows. Each is answered by one [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Are these good? Answered by [`Answer::Authenticated`] or [`Answer::Refuse`] (535 5.7.8, 454 4.7.0). A client may
    /// give up even after a yes (it does not believe in our signature) and log in as somebody else then: the last answer
    /// counts.
    Authenticate(Credentials),
    /// May a transaction with this reverse-path begin?
    Mail {
        /// The client's EHLO or HELO argument, as given.
        client: String,
        /// MAIL FROM.
        reverse_path: ReversePath,
        /// Its parameters.
        params: MailParams,
    },
    /// Will mail to this forward-path be taken?
    Recipient {
        /// MAIL FROM.
        reverse_path: ReversePath,
        /// RCPT TO.
        forward_path: ForwardPath,
        /// From the SIZE parameter of MAIL, octets.
        declared_size: Option<u64>,
    },
    /// DATA was given with at least one accepted recipient: may the message come? (354 or a refusal.)
    Data(Envelope),
    /// The whole message was handed over as `Body` … `BodyEnd`: is it accepted? The reply to this is the promise.
    Message(Envelope),
    /// A message came that this machine refuses by itself: too big, or with a bare CR or LF. Told so that it is logged
    /// and what was handed over of it is dropped; the answer changes nothing.
    Refused {
        /// Of the message.
        envelope: Envelope,
        /// What the client will hear.
        reply: Reply,
    },
}

/// What the outside says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes; the machine sends its usual positive reply.
    Accept,
    /// Yes, with this reply (`250 2.0.0 Accepted, id …`).
    AcceptWith(Reply),
    /// To Authenticate: yes.
    Authenticated {
        /// What we prove ourselves with, if the evidence was a SCRAM proof (RFC 5802 §3).
        server_signature: Option<[u8; 32]>,
    },
    /// No, with this 4xx or 5xx reply. A 421 also closes.
    Refuse(Reply),
}

/// Parameters of MAIL (RFC 1870, 6152, 6531).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParams {
    /// SIZE, octets.
    pub declared_size: Option<u64>,
    /// BODY=8BITMIME.
    pub eight_bit: bool,
    /// SMTPUTF8.
    pub smtputf8: bool,
}

/// A transaction's envelope; it always has a forward-path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The client's EHLO or HELO argument, as given.
    pub client: String,
    /// Whether the client said EHLO.
    pub extended: bool,
    /// Whether the session runs over TLS.
    pub tls: bool,
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// Its parameters.
    pub params: MailParams,
    /// The accepted RCPT TO paths, in order, never empty.
    pub forward_paths: Vec<ForwardPath>,
}
