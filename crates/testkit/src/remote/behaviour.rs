//! What a scripted server does on one connection.

use std::time::Duration;

/// A point of the dialogue where the server has to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The first reply.
    Greeting,
    /// EHLO, or HELO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// MAIL.
    Mail,
    /// RCPT, the first of a transaction.
    Recipient,
    /// DATA.
    Data,
    /// After some octets of the content.
    Content,
    /// The final dot.
    Final,
}

impl Point {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Greeting,
        Self::Hello,
        Self::StartTls,
        Self::Mail,
        Self::Recipient,
        Self::Data,
        Self::Content,
        Self::Final,
    ];
}

/// What it says instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// This code, 4xx or 5xx. At [`Point::Content`] it then hangs up.
    Reply(u16),
    /// Nothing, for an hour; at [`Point::Content`] it does not read either.
    Silence,
    /// Nothing, and it hangs up. At [`Point::Final`] this is the lost reply: it has taken the message.
    HangUp,
    /// A reply without end.
    EndlessReply,
    /// One line of 10 MB.
    LongLine,
    /// Nothing that SMTP has a name for.
    Nonsense,
}

/// What it does about TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// Offers none.
    #[default]
    None,
    /// Offers it; the certificate is of its own making and has its name.
    Good,
    /// Offers it; the certificate has another name.
    WrongName,
    /// Offers it, says 220, and answers our first message with something that is no TLS.
    Garbage,
    /// Offers it, and says 220 with more in clear behind it, as one who sits between would.
    Injected,
    /// Offers it, says 220, hears our first message and hangs up.
    Cut,
    /// Offers it, says 220, then nothing.
    Silence,
}

/// What it does on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Whether it offers PIPELINING. If not, a client that does not wait is noted as a fault.
    pub pipelining: bool,
    /// TLS.
    pub tls: Tls,
    /// One thing that goes wrong, each time the dialogue comes there.
    pub trouble: Option<(Point, Trouble)>,
    /// Each recipient gets 451 until so long after it was first named.
    pub greylist: Option<Duration>,
    /// Says 421 to the MAIL after so many messages.
    pub messages: usize,
    /// Says 421 after so long without a command.
    pub idle: Duration,
}

impl Default for Behaviour {
    /// A good server.
    fn default() -> Self {
        Self {
            pipelining: true,
            tls: Tls::None,
            trouble: None,
            greylist: None,
            messages: usize::MAX,
            idle: Duration::from_secs(300),
        }
    }
}
