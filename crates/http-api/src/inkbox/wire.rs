//! What requests carry, as the vendor's client writes it. An unknown field of a body is 422 (inkbox.md §2): the types that
//! [`Body`] reads say `deny_unknown_fields`.

use super::failure::{Answer, Failure};
use crate::State;
pub(crate) use crate::agentmail::wire::given;
use crate::request::read_body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Longest body of a request that carries no mail.
const MAX_BODY_OCTETS: usize = 256 << 10;

/// The named segments of the path, decoded.
pub(crate) struct Segments(Vec<(String, String)>);

impl FromRequestParts<State> for Segments {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        // What does not decode names nothing.
        path.map(|Path(segments)| Self(segments))
            .map_err(|_| Failure::not_found())
    }
}

impl Segments {
    pub(crate) fn text(&self, name: &str) -> Answer<&str> {
        let found = self.0.iter().find(|(segment, _)| segment == name);
        found.map(|(_, text)| text.as_str()).ok_or_else(Failure::not_found)
    }

    /// An id; what is not one names nothing.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str) -> Answer<T> {
        self.text(name)?.parse().map_err(|_| Failure::not_found())
    }
}

/// The query. An empty value is the same as none.
#[derive(Clone, Debug)]
pub(crate) struct Asked(Vec<(String, String)>);

impl FromRequestParts<State> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Ok(Query(mut pairs)) = query else {
            return Err(Failure::invalid("the query is malformed"));
        };
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self(pairs))
    }
}

impl Asked {
    /// The value given for a name, if it was given once.
    pub(crate) fn text(&self, name: &str) -> Answer<Option<&str>> {
        let mut values = self
            .0
            .iter()
            .filter_map(|(given, value)| (given == name).then_some(value.as_str()));
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Failure::field(name, format!("{name} is given more than once"))),
        }
    }

    /// An id; what is not one is 422.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str) -> Answer<Option<T>> {
        let parsed = self.text(name)?.map(str::parse).transpose();
        parsed.map_err(|_| Failure::field(name, format!("{name} is a UUID")))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Answer<Option<bool>> {
        match self.text(name)? {
            None => Ok(None),
            Some("false" | "False") => Ok(Some(false)),
            Some("true" | "True") => Ok(Some(true)),
            Some(_) => Err(Failure::field(name, format!("{name} is true or false"))),
        }
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, name: &str, bounds: std::ops::RangeInclusive<u64>) -> Answer<Option<u64>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        let (least, most) = bounds.into_inner();
        number
            .map(Some)
            .ok_or_else(|| Failure::field(name, format!("{name} is a whole number, {least} to {most}")))
    }
}

/// A JSON body. None at all is `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &State) -> Result<Self, Failure> {
        parse(&read_body(request, MAX_BODY_OCTETS).await?).map(Self)
    }
}

/// Reads the fields of an object, after something else has looked at them.
pub(crate) fn typed<T: DeserializeOwned>(fields: Map<String, Value>) -> Answer<T> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        Failure::field(if path == "." { "" } else { &path }, error.inner().to_string())
    })
}

/// Reads a JSON object; an error says where.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    let bytes = match bytes.trim_ascii() {
        b"" => b"{}",
        bytes => bytes,
    };
    // An array of values could stand for the fields of a type in their order.
    if bytes.first() != Some(&b'{') {
        return Err(Failure::field("", "the body is a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        Failure::field(if path == "." { "" } else { &path }, error.inner().to_string())
    })?;
    json.end().map_err(|error| Failure::field("", error.to_string()))?;
    Ok(parsed)
}
