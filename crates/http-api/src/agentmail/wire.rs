//! What requests carry, as the vendor's clients write it (agentmail.md §3).

use super::failure::{Answer, Failure};
use crate::State;
use crate::request::read_body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Longest body of a request that carries no mail.
const MAX_BODY_OCTETS: usize = 256 << 10;

/// The named segments of the path, decoded; `+` stays `+`.
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

/// The query. An empty value is the same as none: clients send one for what they leave out.
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
    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter_map(move |(given, value)| (given == name).then_some(value.as_str()))
    }

    /// The value given for a name, if it was given once.
    pub(crate) fn text(&self, name: &str) -> Answer<Option<&str>> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Failure::field(name, format!("{name} is given more than once"))),
        }
    }

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

/// A JSON object of any fields.
pub(crate) type Object = serde_json::Map<String, Value>;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        Asked(
            pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        )
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
