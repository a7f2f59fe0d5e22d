//! STARTTLS, LOGIN and AUTHENTICATE (RFC 3501 §6.2, RFC 4959).

use super::capabilities;
use crate::grammar::Scanner;
use crate::grammar::scanner::utf8;
use crate::question::{Answer, Fault, Question};
use crate::session::{Dialogue, Done, Flow, Phase, Refusal, Session, Task, Then};
use postroom_types::Secret;
use postroom_wire::{Credentials, Exchange, Mechanism, Progress, SaslError};

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
    Flow::ask(Question::Login { user, password }, Login)
}

pub(super) fn authenticate(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let mechanism = Mechanism::from_name(args.atom()?).ok_or(Refusal::No("CANNOT", "No such mechanism"))?;
    let initial = if args.eat(b' ') {
        Some(args.take_while(|byte| byte != b' '))
    } else {
        None
    };
    args.end()?;
    let initial = initial.filter(|response| !response.is_empty());
    match Exchange::start(mechanism, initial).map_err(refusal_of_sasl)? {
        (_, Progress::Complete(credentials)) => credentials_complete(credentials),
        (exchange, Progress::Challenge(challenge)) => {
            session.out.line(&format!("+ {challenge}"));
            Ok(Flow::Listen(Dialogue::Authenticate(exchange)))
        }
    }
}

/// The exchange is over and has a password.
pub(crate) fn credentials_complete(credentials: Credentials) -> Result<Flow, Refusal> {
    let Credentials {
        authorization,
        user,
        password,
    } = credentials;
    // Nobody may act as somebody else.
    if authorization.is_some_and(|wanted| wanted != user) {
        return Err(Fault::AuthorizationFailed.into());
    }
    Flow::ask(Question::Login { user, password }, Login)
}

/// RFC 3501 §6.2.2: BAD when the client cancels or its base64 is wrong.
pub(crate) const fn refusal_of_sasl(error: SaslError) -> Refusal {
    match error {
        SaslError::Cancelled => Refusal::Bad("AUTHENTICATE cancelled"),
        SaslError::Base64 => Refusal::Bad("Not base64"),
        SaslError::Malformed => Refusal::Bad("Malformed response"),
    }
}

struct Login;

impl Task for Login {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Login(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        if let Err(fault) = result {
            session.failed_logins += 1;
            return Err(fault.into());
        }
        session.phase = Phase::Authenticated;
        Ok(Flow::Done(Done::with_code(capabilities(session), "Logged in")))
    }
}
