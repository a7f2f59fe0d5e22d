//! What requests carry, as the vendor's client writes it. An unknown field of a body is 422 (inkbox.md §2): the types that
//! [`Body`] reads say `deny_unknown_fields`.

use super::failure::{Answer, Failure};
use crate::State;
use crate::request::read_body;
pub(crate) use crate::wire::given;
use crate::wire::{self, Misfit};
use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Longest body of a request that carries no mail.
const MAX_BODY_OCTETS: usize = 256 << 10;

/// The named segments of the path.
pub(crate) type Segments = wire::Segments<Failure>;

/// The query.
pub(crate) type Asked = wire::Asked<Failure>;

impl Misfit for Failure {
    fn field(path: &str, message: impl Into<String>) -> Self {
        Self::field(path, message)
    }
}

impl Asked {
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
}

/// A JSON body. None at all is `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &State) -> Result<Self, Failure> {
        parse(&read_body(request, MAX_BODY_OCTETS).await?).map(Self)
    }
}

/// The body of what takes none: `{}` or nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Reads the fields of an object, after something else has looked at them.
pub(crate) fn typed<T: DeserializeOwned>(fields: Map<String, Value>) -> Answer<T> {
    wire::typed(fields)
}

/// Reads a JSON object; an error says where.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    wire::parse(bytes)
}
