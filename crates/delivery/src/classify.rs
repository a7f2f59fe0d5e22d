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
    let several = result.recipients.len() > 1;
    result.recipients.iter().map(move |result| outcome(result, several))
}

fn outcome(result: &RecipientResult, several: bool) -> Outcome {
    match result {
        RecipientResult::Accepted(reply) => Outcome::Delivered(theirs(reply)),
        RecipientResult::Refused { phase, reply } => {
            if reply.is_permanent() && !(several && is_too_many(*phase, reply)) {
                Outcome::Bounced(theirs(reply))
            } else {
                Outcome::Deferred(theirs(reply))
            }
        }
        RecipientResult::Unsupported { status, text } => Outcome::Bounced(ours(status, (*text).to_owned())),
        RecipientResult::Lost { phase, failure } => Outcome::Deferred(lost(*phase, *failure)),
        RecipientResult::Unknown { failure } => {
            Outcome::Uncertain(ours("4.4.2", format!("{failure} after the final dot")))
        }
    }
}

/// RFC 5321 §4.5.3.1.10: some servers say 552 for too many recipients and mean 452.
fn is_too_many(phase: Phase, reply: &RemoteReply) -> bool {
    let says_otherwise = reply.enhanced.as_deref().is_some_and(|status| status != "5.5.3");
    phase == Phase::Recipient && reply.code == 552 && !says_otherwise
}

/// Whether the host itself, and not the message or a recipient, was the trouble: then the next one is tried (RFC 5321
/// §5.1). So it is when MAIL gets 4xx, or the connection breaks at MAIL.
pub(crate) fn setback(result: &TransactionResult) -> Option<Setback> {
    let hopeless = |result: &RecipientResult| match result {
        RecipientResult::Refused { phase, reply } => *phase == Phase::Mail && reply.is_transient(),
        RecipientResult::Lost { phase, failure } => *phase <= Phase::Mail && *failure != Failure::Unreadable,
        RecipientResult::Accepted(_) | RecipientResult::Unsupported { .. } | RecipientResult::Unknown { .. } => false,
    };
    if !result.recipients.iter().all(hopeless) {
        return None;
    }
    match outcomes(result).next() {
        Some(Outcome::Deferred(reason)) => Some(Setback {
            permanent: false,
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
        RecipientResult::Accepted(_) | RecipientResult::Unsupported { .. } | RecipientResult::Unknown { .. } => false,
    })
}

/// The connection was dropped without a word on the message: we went down. `ended`: the final dot may have left.
pub(crate) fn gone(ended: bool) -> Outcome {
    if ended {
        Outcome::Uncertain(ours("4.4.2", "our server went down after the final dot".into()))
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
mod tests {
    use super::*;

    fn reply(code: u16, enhanced: &str) -> RemoteReply {
        RemoteReply {
            code,
            enhanced: (!enhanced.is_empty()).then(|| enhanced.to_owned()),
            text: "text".into(),
        }
    }

    fn refused(phase: Phase, code: u16, enhanced: &str) -> RecipientResult {
        let reply = reply(code, enhanced);
        RecipientResult::Refused { phase, reply }
    }

    /// `kind code status`
    fn shown(outcome: &Outcome) -> String {
        let (kind, reason) = match outcome {
            Outcome::Delivered(reason) => ("delivered", reason),
            Outcome::Deferred(reason) => ("deferred", reason),
            Outcome::Bounced(reason) => ("bounced", reason),
            Outcome::Uncertain(reason) => ("uncertain", reason),
        };
        format!("{kind} {} {}", reason.code, reason.status)
    }

    #[test]
    fn one_recipient() {
        let lost = |phase, failure| RecipientResult::Lost { phase, failure };
        for (result, expected) in [
            (RecipientResult::Accepted(reply(250, "2.6.0")), "delivered 250 2.6.0"),
            (RecipientResult::Accepted(reply(250, "")), "delivered 250 2.0.0"),
            (refused(Phase::Mail, 450, ""), "deferred 450 4.0.0"),
            (refused(Phase::Mail, 550, "5.7.1"), "bounced 550 5.7.1"),
            (refused(Phase::Recipient, 450, "4.2.0"), "deferred 450 4.2.0"),
            (refused(Phase::Recipient, 550, "5.1.1"), "bounced 550 5.1.1"),
            (refused(Phase::Recipient, 552, ""), "bounced 552 5.0.0"),
            (refused(Phase::Data, 421, ""), "deferred 421 4.0.0"),
            (refused(Phase::Data, 554, ""), "bounced 554 5.0.0"),
            (refused(Phase::Final, 452, "4.3.1"), "deferred 452 4.3.1"),
            (refused(Phase::Final, 552, "5.3.4"), "bounced 552 5.3.4"),
            (lost(Phase::Mail, Failure::Closed), "deferred 0 4.4.2"),
            (lost(Phase::Content, Failure::Timeout), "deferred 0 4.4.2"),
            (lost(Phase::Data, Failure::Protocol("nonsense")), "deferred 0 4.5.0"),
            (lost(Phase::Content, Failure::Unreadable), "deferred 0 4.3.0"),
            (
                RecipientResult::Unknown {
                    failure: Failure::Timeout,
                },
                "uncertain 0 4.4.2",
            ),
            (
                RecipientResult::Unsupported {
                    status: "5.6.7",
                    text: "no SMTPUTF8",
                },
                "bounced 0 5.6.7",
            ),
        ] {
            assert_eq!(shown(&outcome(&result, false)), expected, "{result:?}");
        }
    }

    #[test]
    fn what_we_quote_is_one_line_and_bounded() {
        let setback = Setback::ours(false, "4.7.5", format!("a\r\nb{}", "é".repeat(400)));
        assert!(setback.reason.text.starts_with("a??bé"));
        assert_eq!(setback.reason.text.len(), 512);
    }

    #[test]
    fn too_many_recipients_is_not_for_good() {
        for (result, several, expected) in [
            (refused(Phase::Recipient, 552, ""), true, "deferred 552 5.0.0"),
            (refused(Phase::Recipient, 552, "5.5.3"), true, "deferred 552 5.5.3"),
            (refused(Phase::Recipient, 552, "5.2.2"), true, "bounced 552 5.2.2"),
            (refused(Phase::Final, 552, ""), true, "bounced 552 5.0.0"),
        ] {
            assert_eq!(shown(&outcome(&result, several)), expected, "{result:?}");
        }
    }

    #[test]
    fn which_results_lead_to_the_next_host_and_which_to_a_new_connection() {
        let lost = |phase, failure| RecipientResult::Lost { phase, failure };
        let accepted = || RecipientResult::Accepted(reply(250, ""));
        for (recipients, next, stale) in [
            (vec![refused(Phase::Mail, 451, "")], true, false),
            (
                vec![refused(Phase::Mail, 421, ""), refused(Phase::Mail, 421, "")],
                true,
                true,
            ),
            (vec![refused(Phase::Mail, 550, "")], false, false),
            (vec![refused(Phase::Recipient, 450, "")], false, false),
            (vec![refused(Phase::Recipient, 421, "")], false, false),
            (vec![lost(Phase::Mail, Failure::Closed)], true, true),
            (vec![lost(Phase::Mail, Failure::Timeout)], true, false),
            (vec![lost(Phase::Data, Failure::Closed)], false, true),
            (vec![lost(Phase::Content, Failure::Unreadable)], false, false),
            (
                vec![refused(Phase::Recipient, 550, ""), lost(Phase::Data, Failure::Closed)],
                false,
                false,
            ),
            (vec![accepted()], false, false),
            (
                vec![RecipientResult::Unknown {
                    failure: Failure::Closed,
                }],
                false,
                false,
            ),
        ] {
            let result = TransactionResult { recipients };
            assert_eq!(setback(&result).is_some(), next, "next host: {result:?}");
            assert_eq!(is_stale(&result), stale, "stale: {result:?}");
        }
    }

    #[test]
    fn sessions_that_do_not_come_to_mail() {
        let refused = |phase, code| SessionFailure {
            phase,
            reply: Some(reply(code, "")),
            failure: None,
        };
        for (failure, expected) in [
            (refused(Phase::Greeting, 421), "deferred 421 4.0.0"),
            (refused(Phase::Greeting, 554), "bounced 554 5.0.0"),
            (refused(Phase::Hello, 550), "bounced 550 5.0.0"),
            (refused(Phase::StartTls, 554), "deferred 554 5.0.0"),
            (refused(Phase::Auth, 535), "deferred 535 5.0.0"),
            (
                SessionFailure {
                    phase: Phase::Greeting,
                    reply: None,
                    failure: Some(Failure::Timeout),
                },
                "deferred 0 4.4.2",
            ),
        ] {
            assert_eq!(
                shown(&Setback::session(&failure).into_outcome()),
                expected,
                "{failure:?}"
            );
        }
    }
}
