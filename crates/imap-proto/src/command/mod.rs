//! The commands, one file for each or for a few that are alike; each parses its arguments and runs.

mod append;
mod compress;
mod context;
mod copy;
mod expunge;
mod fetch;
mod fresh;
mod general;
mod idle;
mod list;
mod login;
mod manage;
mod notify;
mod quota;
mod replace;
mod resync;
mod search;
mod select;
mod sort;
mod status;
mod store;
mod thread;

pub(crate) use append::{AppendRequest, Next, Segment, Step};
pub(crate) use general::capabilities;
pub(crate) use login::authenticate_goes_on;
pub(crate) use notify::Notify;

use crate::grammar::Scanner;
use crate::session::{Flow, Phase, Refusal, Session};

/// When a command may be given (RFC 3501 §6.1–6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    NotAuthenticated,
    /// Before login, and only where a password may be given.
    Login,
    Authenticated,
    Selected,
}

/// One row of the command table.
pub(crate) struct Command {
    name: &'static str,
    when: When,
    /// Whether expunges may be told when it ends: not for FETCH, STORE and SEARCH (RFC 3501 §7.4.1).
    pub(crate) tells_expunges: bool,
    run: fn(&mut Scanner<'_>, &mut Session) -> Result<Flow, Refusal>,
}

const fn command(
    name: &'static str,
    when: When,
    run: fn(&mut Scanner<'_>, &mut Session) -> Result<Flow, Refusal>,
) -> Command {
    Command {
        name,
        when,
        tells_expunges: true,
        run,
    }
}

/// By sequence numbers, which must not shift while it runs.
const fn by_number(name: &'static str, run: fn(&mut Scanner<'_>, &mut Session) -> Result<Flow, Refusal>) -> Command {
    Command {
        name,
        when: When::Selected,
        tells_expunges: false,
        run,
    }
}

static COMMANDS: &[Command] = &[
    command("CAPABILITY", When::Always, general::capability),
    command("NOOP", When::Always, general::noop),
    command("LOGOUT", When::Always, general::logout),
    command("ID", When::Always, general::id),
    command("STARTTLS", When::NotAuthenticated, login::start_tls),
    command("LOGIN", When::Login, login::login),
    command("AUTHENTICATE", When::Login, login::authenticate),
    command("ENABLE", When::Authenticated, general::enable),
    command("NAMESPACE", When::Authenticated, general::namespace),
    command("SELECT", When::Authenticated, select::select),
    command("EXAMINE", When::Authenticated, select::examine),
    command("CREATE", When::Authenticated, manage::create),
    command("DELETE", When::Authenticated, manage::delete),
    command("RENAME", When::Authenticated, manage::rename),
    command("SUBSCRIBE", When::Authenticated, manage::subscribe),
    command("UNSUBSCRIBE", When::Authenticated, manage::unsubscribe),
    command("LIST", When::Authenticated, list::list),
    command("LSUB", When::Authenticated, list::lsub),
    command("STATUS", When::Authenticated, status::status),
    command("GETQUOTA", When::Authenticated, quota::get_quota),
    command("GETQUOTAROOT", When::Authenticated, quota::get_quota_root),
    command("SETQUOTA", When::Authenticated, quota::set_quota),
    command("NOTIFY", When::Authenticated, notify::notify),
    command("APPEND", When::Authenticated, append::append),
    command("COMPRESS", When::Authenticated, compress::compress),
    command("IDLE", When::Authenticated, idle::idle),
    command("CHECK", When::Selected, general::check),
    command("CLOSE", When::Selected, expunge::close),
    command("UNSELECT", When::Selected, select::unselect),
    command("EXPUNGE", When::Selected, expunge::expunge),
    by_number("SEARCH", search::search),
    by_number("SORT", sort::sort),
    by_number("THREAD", thread::thread),
    command("CANCELUPDATE", When::Selected, context::cancel_update),
    by_number("FETCH", fetch::fetch),
    by_number("STORE", store::store),
    command("COPY", When::Selected, copy::copy),
    command("MOVE", When::Selected, copy::move_),
    command("REPLACE", When::Selected, append::replace),
    command("UID REPLACE", When::Selected, append::uid_replace),
    command("UID SEARCH", When::Selected, search::uid_search),
    command("UID SORT", When::Selected, sort::uid_sort),
    command("UID THREAD", When::Selected, thread::uid_thread),
    command("UID FETCH", When::Selected, fetch::uid_fetch),
    command("UID STORE", When::Selected, store::uid_store),
    command("UID COPY", When::Selected, copy::uid_copy),
    command("UID MOVE", When::Selected, copy::uid_move),
    command("UID EXPUNGE", When::Selected, expunge::uid_expunge),
];

impl Command {
    /// Reads the verb and finds its row, if it may be given now.
    pub(crate) fn find(scanner: &mut Scanner<'_>, session: &Session) -> Result<&'static Self, Refusal> {
        let mut name = verb(scanner)?;
        if name == "UID" {
            scanner.space()?;
            name.push(' ');
            name.push_str(&verb(scanner)?);
        }
        let unknown = Refusal::Bad("Unknown command");
        let command = COMMANDS.iter().find(|command| command.name == name).ok_or(unknown)?;
        match (command.when, &session.phase) {
            (When::Always, _)
            | (When::NotAuthenticated, Phase::NotAuthenticated)
            | (When::Authenticated, Phase::Authenticated | Phase::Selected(_))
            | (When::Selected, Phase::Selected(_)) => Ok(command),
            // RFC 3501 §6.2.3: no password goes in clear, unless this listener was told to take it.
            (When::Login, Phase::NotAuthenticated) if session.takes_passwords() => Ok(command),
            (When::Login, Phase::NotAuthenticated) => Err(Refusal::No("PRIVACYREQUIRED", "Start TLS first")),
            (When::NotAuthenticated | When::Login, _) => Err(Refusal::Bad("Already logged in")),
            (When::Authenticated | When::Selected, Phase::NotAuthenticated) => Err(Refusal::Bad("Log in first")),
            (When::Selected, Phase::Authenticated) => Err(Refusal::Bad("Select a mailbox first")),
        }
    }

    /// Whether it expunges messages itself, and is told of that whatever NOTIFY has asked for.
    pub(crate) fn expunges(&self) -> bool {
        let verb = self.name.trim_start_matches("UID ");
        matches!(verb, "EXPUNGE" | "MOVE" | "REPLACE")
    }

    /// Reads APPEND and REPLACE, whose messages are not collected, up to a literal. `None`: it is another command, or the
    /// literal is an argument.
    pub(crate) fn read_append(
        &self,
        scanner: &mut Scanner<'_>,
        session: &Session,
    ) -> Result<Option<(AppendRequest, Segment)>, Refusal> {
        match self.name {
            "APPEND" => AppendRequest::append(scanner, session),
            "REPLACE" => AppendRequest::replace(scanner, session, false),
            "UID REPLACE" => AppendRequest::replace(scanner, session, true),
            _ => Ok(None),
        }
    }

    /// Whether its messages may come as literal8.
    pub(crate) fn is_append(&self) -> bool {
        matches!(self.name, "APPEND" | "REPLACE" | "UID REPLACE")
    }

    pub(crate) fn run(&self, scanner: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
        (self.run)(scanner, session)
    }
}

fn verb(scanner: &mut Scanner<'_>) -> Result<String, Refusal> {
    let name = scanner.take_while(|byte| byte.is_ascii_alphabetic());
    let good = !name.is_empty() && name.len() <= 20 && matches!(scanner.peek(), None | Some(b' '));
    if !good {
        return Err(Refusal::Bad("Unknown command"));
    }
    Ok(String::from_utf8_lossy(name).to_ascii_uppercase())
}
