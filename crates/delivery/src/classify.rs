//! What a server's reply, or its silence, means for a recipient: the one place where this is decided.

use postroom_queue::{Outcome, Reason};
use postroom_smtp_proto::client::{Failure, Phase, RecipientResult, RemoteReply, SessionFailure, TransactionResult};
use std::io;

/// Most octets of a reason's text.
const MAX_TEXT_OCTETS: usize = 512;

/// Why one host did not come to the point of taking or refusing the message. The next host may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setback {
    /// Whether it will be the same next time. The recipient bounces if all hosts say so.
    pub(crate) permanent: bool,
    /// For the history.
    pub(crate) reason: Reason,
}

impl Setback {
    /// Something we found out ourselves.
    pub(crate) fn ours(permanent: bool, status: &str, text: String) -> Self {
        let reason = ours(status, text);
        Self { permanent, reason }
    }

    /// The server is going down.
    pub(crate) fn shutdown() -> Self {
        Self::ours(false, "4.3.2", "our server is shutting down".into())
    }

    /// No connection.
    pub(crate) fn connect(error: &io::Error) -> Self {
        Self::ours(false, "4.4.1", format!("cannot connect: {error}"))
    }

    /// The session ended before the message could be offered.
    ///
    /// A refusal with 5xx at the greeting or EHLO speaks for that host (RFC 5321 §3.1, RFC 7504). One of STARTTLS or AUTH is
    /// about how the operator set things up, and ends when that is put right.
    pub(crate) fn session(failure: &SessionFailure) -> Self {
        match (&failure.reply, failure.failure) {
            // A server that echoes what we said would put the password into the history.
            (Some(reply), _) if failure.phase == Phase::Auth => Self {
                permanent: false,
                reason: Reason {
                    text: "the relay refuses our login".into(),
                    ..theirs(reply)
                },
            },
            (Some(reply), _) => Self {
                permanent: reply.is_permanent() && failure.phase <= Phase::Hello,
                reason: theirs(reply),
            },
            (None, Some(how)) => Self {
                permanent: false,
                reason: lost(failure.phase, how),
            },
            (None, None) => Self::ours(false, "4.4.2", "the session ended".into()),
        }
    }

    /// The same for a message that nobody dialled for.
    pub(crate) fn not_tried(mut self) -> Self {
        let text = format!("not tried: {}", self.reason.text);
        self.reason.text = ours("", text).text;
        self
    }

    /// What it means for a recipient when no host is left to try.
    pub(crate) fn into_outcome(self) -> Outcome {
        if self.permanent {
            Outcome::Bounced(self.reason)
        } else {
            Outcome::Deferred(self.reason)
        }
    }
}

/// What became of each recipient, in their order.
pub(crate) fn outcomes(result: &TransactionResult) -> impl Iterator<Item = Outcome> {
    result.recipients.iter().map(outcome)
}

fn outcome(result: &RecipientResult) -> Outcome {
    match result {
        RecipientResult::Accepted(reply) => Outcome::Delivered(theirs(reply)),
        RecipientResult::Refused { phase, reply } => {
            if reply.is_permanent() && !is_too_many(*phase, reply) {
                Outcome::Bounced(theirs(reply))
            } else {
                Outcome::Deferred(theirs(reply))
            }
        }
        // Others got the message here; this one is alone next time, and then all hosts are asked.
        RecipientResult::Unsupported { status, text } => Outcome::Deferred(ours(status, (*text).to_owned())),
        RecipientResult::Unfit { status, text } => Outcome::Bounced(ours(status, (*text).to_owned())),
        RecipientResult::Unknown {
            failure: Failure::Shutdown,
        } => gone(true),
        RecipientResult::Lost { phase, failure } => Outcome::Deferred(lost(*phase, *failure)),
        RecipientResult::Unknown { failure } => {
            Outcome::Uncertain(ours("4.4.2", format!("{failure} after the final dot")))
        }
    }
}

/// RFC 5321 §4.5.3.1.10: some servers say 552 for too many recipients and mean 452; they may count those of other
/// transactions too.
fn is_too_many(phase: Phase, reply: &RemoteReply) -> bool {
    let says_otherwise = reply.enhanced.as_deref().is_some_and(|status| status != "5.5.3");
    phase == Phase::Recipient && reply.code == 552 && !says_otherwise
}

/// Whether the host itself, and not the message or a recipient, was the trouble: then the next one is tried (RFC 5321
/// §5.1). So it is when MAIL gets 4xx, when the connection breaks at MAIL, and when the host lacks what the message needs.
pub(crate) fn setback(result: &TransactionResult) -> Option<Setback> {
    let hopeless = |result: &RecipientResult| match result {
        RecipientResult::Refused { phase, reply } => *phase == Phase::Mail && reply.is_transient(),
        RecipientResult::Lost { phase, failure } => *phase <= Phase::Mail && *failure != Failure::Unreadable,
        RecipientResult::Unsupported { .. } => true,
        RecipientResult::Accepted(_) | RecipientResult::Unfit { .. } | RecipientResult::Unknown { .. } => false,
    };
    if !result.recipients.iter().all(hopeless) {
        return None;
    }
    let is_lacking = |result: &&RecipientResult| matches!(result, RecipientResult::Unsupported { .. });
    // What may do better next time keeps the message.
    let passing = result.recipients.iter().find(|result| !is_lacking(result));
    match outcome(passing.or(result.recipients.first())?) {
        Outcome::Deferred(reason) => Some(Setback {
            permanent: passing.is_none(),
            reason,
        }),
        _ => None,
    }
}

/// Whether a connection that had been kept open was no longer good: nothing was refused, nothing was taken, and a new
/// connection may do better. Servers close idle connections, or say 421 after so many messages.
pub(crate) fn is_stale(result: &TransactionResult) -> bool {
    result.recipients.iter().all(|result| match result {
        RecipientResult::Refused { phase, reply } => *phase == Phase::Mail && reply.code == 421,
        RecipientResult::Lost { failure, .. } => *failure == Failure::Closed,
        RecipientResult::Accepted(_)
        | RecipientResult::Unsupported { .. }
        | RecipientResult::Unfit { .. }
        | RecipientResult::Unknown { .. } => false,
    })
}

/// The connection was dropped without a word on the message: we went down. `ended`: the final dot may have left.
pub(crate) fn gone(ended: bool) -> Outcome {
    if ended {
        let text = "our server is shutting down; the reply to the final dot did not come";
        Outcome::Uncertain(ours("4.3.2", text.into()))
    } else {
        Setback::shutdown().into_outcome()
    }
}

/// What we found out may quote the other side: a certificate's names, for one.
fn ours(status: &str, text: String) -> Reason {
    let printable = |c: char| if c.is_control() { '?' } else { c };
    let mut text: String = text.chars().map(printable).collect();
    text.truncate(text.floor_char_boundary(MAX_TEXT_OCTETS));
    Reason {
        code: 0,
        status: status.to_owned(),
        text,
    }
}

fn theirs(reply: &RemoteReply) -> Reason {
    // RFC 3463 §2: X.0.0 says no more than the class does.
    let status = reply.enhanced.clone();
    Reason {
        code: reply.code,
        status: status.unwrap_or_else(|| format!("{}.0.0", reply.code / 100)),
        text: reply.text.clone(),
    }
}

fn lost(phase: Phase, failure: Failure) -> Reason {
    let status = match failure {
        Failure::Timeout | Failure::Closed if phase == Phase::Connect => "4.4.1",
        Failure::Timeout | Failure::Closed => "4.4.2",
        Failure::Protocol(_) => "4.5.0",
        Failure::Unreadable => "4.3.0",
        Failure::Shutdown => return Setback::shutdown().reason,
    };
    let during = match phase {
        Phase::Connect => "while connecting",
        Phase::Greeting => "before the greeting",
        Phase::Hello => "during EHLO",
        Phase::StartTls => "during STARTTLS",
        Phase::Auth => "during AUTH",
        Phase::Mail => "during MAIL",
        Phase::Recipient => "during RCPT",
        Phase::Data => "during DATA",
        Phase::Content => "during the content",
        Phase::Final => "at the final dot",
    };
    ours(status, format!("{failure} {during}"))
}

#[cfg(test)]
mod tests;
