//! What replies and silences come to.

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
        (refused(Phase::Data, 421, ""), "deferred 421 4.0.0"),
        (refused(Phase::Data, 554, ""), "bounced 554 5.0.0"),
        (refused(Phase::Final, 452, "4.3.1"), "deferred 452 4.3.1"),
        (refused(Phase::Final, 552, "5.3.4"), "bounced 552 5.3.4"),
        (lost(Phase::Mail, Failure::Closed), "deferred 0 4.4.2"),
        (lost(Phase::Content, Failure::Timeout), "deferred 0 4.4.2"),
        (lost(Phase::Data, Failure::Protocol("nonsense")), "deferred 0 4.5.0"),
        (lost(Phase::Content, Failure::Unreadable), "deferred 0 4.3.0"),
        (lost(Phase::Recipient, Failure::Shutdown), "deferred 0 4.3.2"),
        (
            RecipientResult::Unknown {
                failure: Failure::Shutdown,
            },
            "uncertain 0 4.3.2",
        ),
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
            "deferred 0 5.6.7",
        ),
        (
            RecipientResult::Unfit {
                status: "5.6.0",
                text: "a bare CR",
            },
            "bounced 0 5.6.0",
        ),
    ] {
        assert_eq!(shown(&outcome(&result)), expected, "{result:?}");
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
    for (result, expected) in [
        (refused(Phase::Recipient, 552, ""), "deferred 552 5.0.0"),
        (refused(Phase::Recipient, 552, "5.5.3"), "deferred 552 5.5.3"),
        (refused(Phase::Recipient, 552, "5.2.2"), "bounced 552 5.2.2"),
        (refused(Phase::Final, 552, ""), "bounced 552 5.0.0"),
    ] {
        assert_eq!(shown(&outcome(&result)), expected, "{result:?}");
    }
}

#[test]
fn which_results_lead_to_the_next_host_and_which_to_a_new_connection() {
    let lost = |phase, failure| RecipientResult::Lost { phase, failure };
    let accepted = || RecipientResult::Accepted(reply(250, ""));
    let unsupported = || RecipientResult::Unsupported {
        status: "5.6.7",
        text: "no SMTPUTF8",
    };
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
        (vec![unsupported()], true, false),
        (vec![unsupported(), refused(Phase::Mail, 451, "")], true, false),
        (vec![unsupported(), accepted()], false, false),
        (
            vec![RecipientResult::Unfit {
                status: "5.6.0",
                text: "a bare CR",
            }],
            false,
            false,
        ),
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
fn what_every_host_lacks_ends_the_message() {
    let lacking = RecipientResult::Unsupported {
        status: "5.3.4",
        text: "too large",
    };
    for (recipients, expected) in [
        (vec![lacking.clone()], "bounced 0 5.3.4"),
        (vec![lacking, refused(Phase::Mail, 451, "4.3.0")], "deferred 451 4.3.0"),
    ] {
        let result = TransactionResult { recipients };
        let outcome = setback(&result).map(Setback::into_outcome);
        assert_eq!(outcome.as_ref().map(shown).as_deref(), Some(expected), "{result:?}");
    }
}

#[test]
fn what_is_said_to_a_login_is_not_kept() {
    let failure = SessionFailure {
        phase: Phase::Auth,
        reply: Some(RemoteReply {
            text: "bad command: AUTH PLAIN AHVzZXIAcGFzcw==".into(),
            ..reply(535, "5.7.8")
        }),
        failure: None,
    };
    let reason = Setback::session(&failure).reason;
    assert_eq!((reason.code, &*reason.status), (535, "5.7.8"));
    assert_eq!(reason.text, "the relay refuses our login");
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
