//! What requests carry, as the vendor's clients write it (agentmail.md §3).

use super::failure::{Answer, Failure};
use crate::State;
use crate::request::read_body;
use crate::wire::{self, Misfit};
pub(crate) use crate::wire::{OneOrMany, given};
use axum::extract::{FromRequest, Request};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    /// A text that has to be there, of so many characters.
    pub(crate) fn required_text(&self, name: &str, characters: std::ops::RangeInclusive<usize>) -> Answer<&str> {
        let text = self.text(name)?.unwrap_or_default();
        if characters.contains(&text.chars().count()) {
            return Ok(text);
        }
        let (least, most) = characters.into_inner();
        Err(Failure::field(name, format!("{name} has {least} to {most} characters")))
    }

    /// `true` or `false`; false if not given.
    pub(crate) fn flag(&self, name: &str) -> Answer<bool> {
        match self.text(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Failure::field(name, format!("{name} is true or false"))),
        }
    }

    /// A time, as milliseconds since 1970.
    pub(crate) fn time(&self, name: &str) -> Answer<Option<i64>> {
        self.text(name)?.map(|text| time(name, text)).transpose()
    }

    /// Several texts: a JSON array, texts between commas, the name several times, or one text.
    pub(crate) fn texts(&self, name: &str) -> Answer<Vec<String>> {
        let given: Vec<&str> = self.values(name).collect();
        let [only] = given.as_slice() else {
            return Ok(given.into_iter().map(str::to_owned).collect());
        };
        if only.trim_start().starts_with('[') {
            return serde_json::from_str(only)
                .map_err(|_| Failure::field(name, format!("{name} is not a JSON array of strings")));
        }
        let parts = only.split(',').map(str::trim).filter(|part| !part.is_empty());
        Ok(parts.map(str::to_owned).collect())
    }
}

/// A time with any offset (RFC 3339), as milliseconds since 1970.
pub(crate) fn time(name: &str, text: &str) -> Answer<i64> {
    // A plus sign that was not encoded arrives as a space.
    let text = text.trim().replace(' ', "+");
    let parsed: Result<Timestamp, _> = text.parse();
    parsed
        .map(Timestamp::as_millisecond)
        .map_err(|_| Failure::field(name, format!("{name} is not a time of RFC 3339")))
}

/// A JSON body. None at all is `{}` (agentmail.md §3).
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &State) -> Result<Self, Failure> {
        let bytes = read_body(request, MAX_BODY_OCTETS).await?;
        parse(&bytes).map(Self)
    }
}

/// Reads a JSON object; an error says where.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    wire::parse(bytes)
}

/// A JSON object of any fields.
pub(crate) type Object = serde_json::Map<String, Value>;

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        let pairs = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Asked::of(pairs.collect())
    }

    #[test]
    fn four_ways_to_say_two_labels() {
        for pairs in [
            &[("labels", r#"["a", "b"]"#)][..],
            &[("labels", r#"["a","b"]"#)],
            &[("labels", "a,b")],
            &[("labels", "a"), ("labels", "b")],
        ] {
            assert_eq!(asked(pairs).texts("labels").unwrap(), ["a", "b"], "{pairs:?}");
        }
        assert_eq!(asked(&[("labels", "a")]).texts("labels").unwrap(), ["a"]);
        assert!(asked(&[]).texts("labels").unwrap().is_empty());
        assert!(asked(&[("labels", "[1]")]).texts("labels").is_err());
    }

    #[test]
    fn times_of_any_offset() {
        let utc = time("after", "2026-11-21T10:00:00.000Z").unwrap();
        assert_eq!(time("after", "2026-11-21T12:00:00+02:00").unwrap(), utc);
        assert_eq!(time("after", "2026-11-21T12:00:00 02:00").unwrap(), utc);
        assert!(time("after", "yesterday").is_err());
    }

    #[test]
    fn absent_and_null_differ() {
        #[derive(Deserialize)]
        struct Change {
            #[serde(default, deserialize_with = "given")]
            name: Option<Option<String>>,
        }
        let name = |json: &str| parse::<Change>(json.as_bytes()).unwrap().name;
        assert_eq!(name(""), None);
        assert_eq!(name("{}"), None);
        assert_eq!(name(r#"{"name":null}"#), Some(None));
        assert_eq!(name(r#"{"name":"x"}"#), Some(Some("x".into())));
        for other in ["[]", r#"["x"]"#, "null", "7", " [] "] {
            assert!(parse::<Change>(other.as_bytes()).is_err(), "{other}");
        }
        let failure = parse::<Change>(br#"{"name":5}"#).err().unwrap();
        assert_eq!(failure.body.code, "validation_error");
    }
}
