//! What requests carry, read alike for all dialects; each says in its own form what does not fit.

mod strict;

use crate::State;
use crate::error::{ApiError, invalid};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::str::FromStr;
use strict::Strict;
pub(crate) use strict::strictly;

/// How a dialect says that a request does not fit.
pub(crate) trait Misfit: IntoResponse + From<ApiError> {
    /// A field of the body or the query breaks a rule; its path has dots between names and indices.
    fn field(path: &str, message: impl Into<String>) -> Self;
}

impl Misfit for ApiError {
    fn field(_: &str, message: impl Into<String>) -> Self {
        invalid(message)
    }
}

/// The named segments of the path, decoded; `+` stays `+`.
pub(crate) struct Segments<F> {
    pairs: Vec<(String, String)>,
    failure: PhantomData<fn() -> F>,
}

impl<F: Misfit> FromRequestParts<State> for Segments<F> {
    type Rejection = F;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, F> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        // What does not decode names nothing.
        let Path(pairs) = path.map_err(|_| ApiError::NotFound)?;
        Ok(Self {
            pairs,
            failure: PhantomData,
        })
    }
}

impl<F: Misfit> Segments<F> {
    pub(crate) fn text(&self, name: &str) -> Result<&str, F> {
        let found = self.pairs.iter().find(|(segment, _)| segment == name);
        let (_, text) = found.ok_or(ApiError::NotFound)?;
        Ok(text)
    }

    /// An id; what is not one names nothing.
    pub(crate) fn id<T: FromStr>(&self, name: &str) -> Result<T, F> {
        let parsed = self.text(name)?.parse();
        parsed.map_err(|_| ApiError::NotFound.into())
    }
}

/// The query. An empty value is the same as none: clients send one for what they leave out.
pub(crate) struct Asked<F> {
    pairs: Vec<(String, String)>,
    failure: PhantomData<fn() -> F>,
}

impl<F: Misfit> FromRequestParts<State> for Asked<F> {
    type Rejection = F;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, F> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(|_| invalid("the query is malformed"))?;
        Ok(Self::of(pairs))
    }
}

impl<F> Asked<F> {
    pub(crate) fn of(mut pairs: Vec<(String, String)>) -> Self {
        pairs.retain(|(_, value)| !value.is_empty());
        Self {
            pairs,
            failure: PhantomData,
        }
    }

    /// All values given for a name.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.pairs.iter().filter(move |(given, _)| given == name);
        given.map(|(_, value)| value.as_str())
    }
}

impl<F: Misfit> Asked<F> {
    /// The value given for a name, if it was given once.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, F> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(F::field(name, format!("{name} is given more than once"))),
        }
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, name: &str, bounds: RangeInclusive<u64>) -> Result<Option<u64>, F> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        let (least, most) = bounds.into_inner();
        number
            .map(Some)
            .ok_or_else(|| F::field(name, format!("{name} is a whole number, {least} to {most}")))
    }
}

/// Reads a JSON object, nothing at all as `{}`; an error says where.
pub(crate) fn parse<T: DeserializeOwned, F: Misfit>(bytes: &[u8]) -> Result<T, F> {
    let bytes = match bytes.trim_ascii() {
        b"" => b"{}",
        bytes => bytes,
    };
    if bytes.first() != Some(&b'{') {
        return Err(F::field("", "the body is a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(Strict(&mut json)).map_err(|error| misfit(&error))?;
    json.end().map_err(|error| F::field("", error.to_string()))?;
    Ok(parsed)
}

/// Reads the fields of an object, after something else has looked at them.
pub(crate) fn typed<T: DeserializeOwned, F: Misfit>(fields: Map<String, Value>) -> Result<T, F> {
    serde_path_to_error::deserialize(Strict(Value::Object(fields))).map_err(|error| misfit(&error))
}

fn misfit<F: Misfit>(error: &serde_path_to_error::Error<serde_json::Error>) -> F {
    let path = error.path().to_string();
    F::field(if path == "." { "" } else { &path }, error.inner().to_string())
}

/// For fields of changes, where leaving out is not the same as `null`: `#[serde(default, deserialize_with = "given")]`
/// makes `None` of a field that is not there and `Some(None)` of `null`.
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// One text or an array of them.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}
