//! STARTTLS, LOGIN and AUTHENTICATE (RFC 3501 §6.2, RFC 4959).

use super::capabilities;
use crate::grammar::Scanner;
use crate::grammar::scanner::utf8;
use crate::question::{Answer, Fault, Question};
use crate::session::{Dialogue, Done, Flow, Phase, Refusal, Session, Task, Then};
use postroom_types::Secret;
use postroom_wire::{Credentials, Exchange, Progress, SaslError};

pub(super) fn start_tls(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    if session.tls || !session.options.starttls {
        return Err(Refusal::Bad("TLS cannot be started here"));
    }
    Ok(Flow::Done(Done {
        then: Then::StartTls,
        ..Done::ok("Begin TLS now")
    }))
}

pub(super) fn login(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let user = utf8(&args.astring()?)?.to_owned();
    args.space()?;
    let password = Secret::new(utf8(&args.astring()?)?.to_owned());
    args.end()?;
    Flow::ask(
        Question::Login(Credentials::with_password(user, password)),
        Login { exchange: None },
    )
}

pub(super) fn authenticate(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let mechanism = session.authenticator.find(args.atom()?);
    let mechanism = mechanism.ok_or(Refusal::No("CANNOT", "No such mechanism"))?;
    let initial = if args.eat(b' ') {
        Some(args.take_while(|byte| byte != b' '))
    } else {
        None
    };
    args.end()?;
    let initial = initial.filter(|response| !response.is_empty());
    match session.authenticator.start(mechanism, initial) {
        Ok((exchange, progress)) => authenticate_goes_on(exchange, Ok(progress), WRONG, session),
        Err(error) => Err(broken(error, session)),
    }
}

/// What is said when an exchange fails and the outside has not said why.
const WRONG: Refusal = Refusal::No("AUTHENTICATIONFAILED", "Wrong user or password");

/// An exchange has got further. `refusal` is what is said when it fails.
pub(crate) fn authenticate_goes_on(
    exchange: Exchange,
    progress: Result<Progress, SaslError>,
    refusal: Refusal,
    session: &mut Session,
) -> Result<Flow, Refusal> {
    match progress {
        Ok(Progress::Challenge(challenge)) => {
            session.out.line(&format!("+ {challenge}"));
            Ok(Flow::Listen(Dialogue::Authenticate(exchange, refusal)))
        }
        // Nobody may act as somebody else.
        Ok(Progress::Verify(credentials)) if credentials.wants_another() => {
            session.failed_logins += 1;
            Err(Fault::AuthorizationFailed.into())
        }
        Ok(Progress::Verify(credentials)) => Flow::ask(
            Question::Login(credentials),
            Login {
                exchange: Some(exchange),
            },
        ),
        Ok(Progress::Success) => Ok(logged_in(session)),
        Ok(Progress::Failure) => {
            session.failed_logins += 1;
            Err(refusal)
        }
        Err(error) => Err(broken(error, session)),
    }
}

/// RFC 3501 §6.2.2: BAD when the client cancels or its base64 is wrong.
fn broken(error: SaslError, session: &mut Session) -> Refusal {
    match error {
        SaslError::Cancelled => Refusal::Bad("AUTHENTICATE cancelled"),
        SaslError::Base64 => Refusal::Bad("Not base64"),
        SaslError::Malformed => Refusal::Bad("Malformed response"),
        SaslError::ChannelBinding => {
            session.failed_logins += 1;
            Refusal::No("AUTHENTICATIONFAILED", "Channel binding does not fit")
        }
    }
}

fn logged_in(session: &mut Session) -> Flow {
    session.phase = Phase::Authenticated;
    Flow::Done(Done::with_code(capabilities(session), "Logged in"))
}

struct Login {
    /// That of AUTHENTICATE; LOGIN has none.
    exchange: Option<Exchange>,
}

impl Task for Login {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Login(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        match (result, self.exchange) {
            (Ok(_), None) => Ok(logged_in(session)),
            (Ok(server_signature), Some(mut exchange)) => {
                let progress = exchange.accepted(server_signature.as_ref());
                authenticate_goes_on(exchange, Ok(progress), WRONG, session)
            }
            (Err(fault @ Fault::AuthenticationFailed), Some(mut exchange)) => {
                let progress = exchange.refused();
                authenticate_goes_on(exchange, Ok(progress), fault.into(), session)
            }
            // What may go better later is said at once: a client would take the mechanism's own words for "wrong".
            (Err(fault), _) => {
                session.failed_logins += 1;
                Err(fault.into())
            }
        }
    }
}
