//! What requests carry, checked: path, query, and a JSON object.

use crate::State;
use crate::error::{ApiError, invalid};
use crate::wire;
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde_json::{Map, Value};

/// Longest body of a request that provisions something.
const MAX_BODY_OCTETS: usize = 64 * 1024;

/// The named segments of the path, decoded.
pub(crate) type Segments = wire::Segments<ApiError>;

/// The query.
pub(crate) struct Asked(Vec<(String, String)>);

impl FromRequestParts<State> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        query
            .map(|Query(pairs)| Self(pairs))
            .map_err(|_| invalid("the query is malformed"))
    }
}

impl Asked {
    /// The value given for a name, if it was given once.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self
            .0
            .iter()
            .filter(|(given, _)| given == name)
            .map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(invalid(format!("{name} is given more than once"))),
        }
    }

    /// `true` or `false`; false if not given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(format!("{name} is true or false"))),
        }
    }

    /// A number, at least `least`.
    pub(crate) fn number(&self, name: &str, least: u64, default: u64) -> Result<u64, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| *number >= least);
        number.ok_or_else(|| invalid(format!("{name} is a whole number, at least {least}")))
    }
}

/// The fields of a JSON object. `null` is the same as leaving a field out, unless asked otherwise.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct Fields(Map<String, Value>);

impl FromRequest<State> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &State) -> Result<Self, ApiError> {
        Self::read(request, MAX_BODY_OCTETS).await
    }
}

/// A body without a type is taken for JSON; one of another type is not JSON.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(invalid("the body must be JSON: send Content-Type: application/json"))
}

/// Reads a JSON body of at most so many octets.
pub(crate) async fn read_body(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    check_type(request.headers())?;
    if Fields::declared_octets(request.headers()).is_some_and(|octets| octets > limit as u64) {
        return Err(ApiError::TooLarge);
    }
    to_bytes(request.into_body(), limit)
        .await
        .map_err(|error| body_error(&error))
}

fn body_error(error: &axum::Error) -> ApiError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return ApiError::TooLarge;
        }
        cause = error.source();
    }
    invalid("the body could not be read")
}

impl From<Map<String, Value>> for Fields {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

impl Fields {
    /// Reads a body of at most so many octets.
    pub(crate) async fn read(request: Request, limit: usize) -> Result<Self, ApiError> {
        Self::parse(&read_body(request, limit).await?)
    }

    /// How long the body is, if the client says.
    pub(crate) fn declared_octets(headers: &HeaderMap) -> Option<u64> {
        headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        wire::parse(body).map(Self)
    }

    /// For our own routes, where no other client's fields have to be borne: a misspelt name is not passed over.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(invalid(format!("there is no field {name:?}"))),
        }
    }

    /// Whether the field is there, be it `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// From now on what is `null` is not there, also for [`change`](Self::change).
    pub(crate) fn leave_out_nulls(&mut self) {
        self.0.retain(|_, value| !value.is_null());
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(format!("{name} must be a string"))),
        }
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| invalid(format!("{name} is missing")))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(invalid(format!("{name} must be true or false"))),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u32>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                number
                    .map(Some)
                    .ok_or_else(|| invalid(format!("{name} must be a whole number, 0 to {}", u32::MAX)))
            }
        }
    }

    /// A size; whole numbers above 2^53 are not the same to all clients.
    pub(crate) fn octets(&mut self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_u64().filter(|number| *number <= 1 << 53);
                number
                    .map(Some)
                    .ok_or_else(|| invalid(format!("{name} must be a whole number, 0 to {}", 1u64 << 53)))
            }
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(invalid(format!("{name} must be an object"))),
        }
    }

    /// For changes, where `null` takes a value away: `None` if the field is not there, `Some(None)` if it is `null`.
    pub(crate) fn change<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Result<Option<T>, ApiError>,
    ) -> Result<Option<Option<T>>, ApiError> {
        if self.has(name) {
            read(self, name).map(Some)
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_absent_but_a_change() {
        let mut fields = Fields::parse(br#"{"a": null, "b": "x", "c": 7, "d": -1, "e": 4294967296}"#).unwrap();
        assert_eq!(fields.change("a", Fields::text).unwrap(), Some(None));
        assert_eq!(fields.text("a").unwrap(), None);
        assert_eq!(fields.change("z", Fields::text).unwrap(), None);
        assert_eq!(fields.text("b").unwrap().as_deref(), Some("x"));
        assert!(fields.text("c").is_err());
        for number in ["d", "e"] {
            assert!(fields.number(number).is_err(), "{number}");
        }
    }

    #[test]
    fn only_objects() {
        let deep = format!("{{\"a\":{}", "[".repeat(10_000));
        for bad in ["[]", "1", "\"x\"", "{", "{}x", "null", "{\"a\":\"\\ud800\"}", &deep] {
            assert!(Fields::parse(bad.as_bytes()).is_err(), "{bad:.20}");
        }
        assert!(Fields::parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(Fields::parse(b"").is_ok());
    }
}
