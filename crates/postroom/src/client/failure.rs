//! Why a command failed, for people and as an exit code.

use super::show::one_line;
use reqwest::StatusCode;
use serde_json::Value;
use std::fmt;
use std::process::ExitCode;

/// What the exit codes mean; the help text tells them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Key = 4,
    Late = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    text: String,
    /// Trying again may help: the server was not reached, or had no time.
    passing: bool,
}

/// What a 403 says when it is for the key; any other is a refusal of what was asked for.
const ABOUT_THE_KEY: [&str; 6] = [
    "",
    "admin_key_required",
    "forbidden",
    "missing_permission",
    "permission_escalation",
    "unrestricted_key_required",
];

/// What helps most often when nobody answers.
const NOBODY_THERE: &str =
    "--url or POSTROOM_URL says where the server is: `postroom serve` listens on port 8080 unless told otherwise.";

/// Who has a name that was asked for.
fn in_the_way_of_a_handle(namespace: &str) -> Option<&'static str> {
    match namespace {
        "identities" => Some("An identity has it or had it, or it is kept back."),
        "mail" => Some("An inbox has it, or had it, as its address."),
        _ => None,
    }
}

impl Failure {
    pub(super) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self {
            exit,
            text: text.into(),
            passing: false,
        }
    }

    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text)
    }

    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, text)
    }

    pub(super) const fn exit(&self) -> Exit {
        self.exit
    }

    pub(super) const fn is_passing(&self) -> bool {
        self.passing
    }

    /// What the server answered, in any form that our errors have.
    pub(super) fn answered(status: StatusCode, body: &Value) -> Self {
        // In the Inkbox API they are below `detail`, and `error` is the code.
        let (body, code_name) = match &body["detail"] {
            detail @ Value::Object(_) => (detail, "error"),
            _ => (body, "code"),
        };
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let code = text(code_name).to_lowercase();
        let message = ["message", "error"].map(text).into_iter().find(|text| !text.is_empty());
        let mut told = format!("{} [{}", message.unwrap_or("no reason given"), status.as_u16());
        if !code.is_empty() {
            told.push_str(&format!(" {code}"));
        }
        told.push(']');
        let errors = body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let mut further: Vec<&str> = errors.iter().filter_map(|error| error["message"].as_str()).collect();
        further.retain(|further| Some(*further) != message);
        further.extend(body["fix"].as_str());
        let in_the_way = ["blocking_namespace", "blockingNamespace"].map(text);
        further.extend(in_the_way.into_iter().find_map(in_the_way_of_a_handle));
        let lines = std::iter::once(told.as_str()).chain(further).map(one_line);
        let exit = match status {
            StatusCode::UNAUTHORIZED => Exit::Key,
            StatusCode::FORBIDDEN if ABOUT_THE_KEY.contains(&code.as_str()) => Exit::Key,
            StatusCode::NOT_FOUND => Exit::NotFound,
            _ => Exit::Failed,
        };
        Self {
            passing: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
            ..Self::new(exit, lines.collect::<Vec<_>>().join("\n  "))
        }
    }

    /// The same with a line of advice.
    pub(super) fn with_advice(mut self, advice: &str) -> Self {
        self.text.push_str(&format!("\n  {advice}"));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<reqwest::Error> for Failure {
    /// What is below "error sending request": a refused connection, a name that is not found.
    fn from(error: reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        let url = error.url().map_or_else(String::new, |url| format!("{url}: "));
        let told = Self {
            passing: !error.is_builder(),
            ..Self::failed(format!("{url}{cause}"))
        };
        match error.is_connect() {
            true => told.with_advice(NOBODY_THERE),
            false => told,
        }
    }
}

impl From<std::io::Error> for Failure {
    /// Who stops reading what we print has seen enough: that is no failure.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::new(Exit::Done, ""),
            _ => Self::failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_have_their_exit_code() {
        let check = |status: u16, body: Value, exit: Exit, text: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            let failure = Failure::answered(status, &body);
            assert_eq!((failure.exit(), failure.to_string().as_str()), (exit, text), "{body}");
        };
        let told = |code: &str, fix: Value| json!({ "name": "E", "code": code, "message": "No", "fix": fix });
        check(
            401,
            told("unknown_api_key", json!("Use another.")),
            Exit::Key,
            "No [401 unknown_api_key]\n  Use another.",
        );
        check(
            403,
            told("missing_permission", Value::Null),
            Exit::Key,
            "No [403 missing_permission]",
        );
        check(
            403,
            told("inbox_paused", Value::Null),
            Exit::Failed,
            "No [403 inbox_paused]",
        );
        check(
            403,
            json!({ "error": "no", "code": "FORBIDDEN" }),
            Exit::Key,
            "no [403 forbidden]",
        );
        check(
            403,
            json!({ "error": "no", "code": "SENDING_PAUSED" }),
            Exit::Failed,
            "no [403 sending_paused]",
        );
        check(
            404,
            json!({ "error": "no\u{1b}[31m", "code": "NOT_FOUND" }),
            Exit::NotFound,
            "no [31m [404 not_found]",
        );
        let detail = json!({ "error": "admin_key_required", "message": "no" });
        check(
            403,
            json!({ "detail": detail }),
            Exit::Key,
            "no [403 admin_key_required]",
        );
        let detail = json!({ "error": "agent_handle_unavailable", "message": "no", "blocking_namespace": "mail" });
        check(
            409,
            json!({ "detail": detail }),
            Exit::Failed,
            "no [409 agent_handle_unavailable]\n  An inbox has it, or had it, as its address.",
        );
        check(502, Value::Null, Exit::Failed, "no reason given [502]");
        let errors =
            json!({ "code": "validation_error", "message": "a", "errors": [{ "message": "a" }, { "message": "b" }] });
        check(400, errors, Exit::Failed, "a [400 validation_error]\n  b");
    }

    #[test]
    fn who_stops_reading_fails_nothing() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit(), Exit::Done);
        assert_eq!(Failure::from(std::io::Error::other("x")).exit(), Exit::Failed);
    }
}
