//! Types read strictly. serde takes an array for an object, its values in the order in which the type has its fields, and
//! `{"word": null}` for a word; of a name that is there twice it may take the last.
//!
//! What always holds: behind a [`Strict`] an object is an object, a word is a string, and no name of an object is there
//! twice, at every level. What serde keeps aside before it reads it (flattened fields, tagged enums) has to be wrapped again.

use serde::Deserialize;
use serde::de::value::StringDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// Most names of one object; no contract has a tenth of them.
const MAX_NAMES: usize = 10_000;

/// For fields that serde keeps aside: `#[serde(flatten, deserialize_with = "strictly")]`.
pub(crate) fn strictly<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(Strict(deserializer))
}

/// A deserializer, or what goes in and out of it, that is strict.
pub(super) struct Strict<T>(pub(super) T);

macro_rules! read_as_they_are {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(Strict(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    read_as_they_are! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq
        deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(Word { words, visitor })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Strict(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Strict(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, Strict(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, len, Strict(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! seen_as_they_are {
    ($($method:ident: $kind:ty,)*) => {$(
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    seen_as_they_are! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_borrowed_str: &'de str,
        visit_string: String, visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>,
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        let names = HashSet::new();
        self.0.visit_map(Named { fields, names })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

/// The fields of an object, each name once.
struct Named<A> {
    fields: A,
    names: HashSet<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Named<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Some(name) = self.fields.next_key::<String>()? else {
            return Ok(None);
        };
        if self.names.len() == MAX_NAMES {
            return Err(Error::custom(format_args!("an object has at most {MAX_NAMES} names")));
        }
        if !self.names.insert(name.clone()) {
            return Err(Error::custom(format_args!("{name:?} is there twice")));
        }
        let name: StringDeserializer<A::Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.fields.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.fields.size_hint()
    }
}

/// One of several words, and nothing with it.
struct Word<V> {
    words: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.words.join(", "))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(word.into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ApiError;
    use crate::wire::{OneOrMany, given, parse, strictly, typed};
    use serde::Deserialize;
    use serde_json::{Map, Value};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Blue,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        colour: Option<Colour>,
        size: Option<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read, and not looked at")]
    struct Outer {
        one: Option<Inner>,
        many: Option<Vec<Inner>>,
        #[serde(default, deserialize_with = "given")]
        change: Option<Option<Inner>>,
        names: Option<OneOrMany>,
        any: Option<Map<String, Value>>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read, and not looked at")]
    struct Around {
        #[serde(flatten, deserialize_with = "strictly")]
        outer: Outer,
        more: Option<u8>,
    }

    /// Whether it is read, as a body and after something else has looked at it, alone and in another.
    fn read(json: &str) -> [bool; 3] {
        let fields: Option<Map<String, Value>> = serde_json::from_str(json).ok();
        [
            parse::<Outer, ApiError>(json.as_bytes()).is_ok(),
            parse::<Around, ApiError>(json.as_bytes()).is_ok(),
            fields.is_some_and(|fields| typed::<Outer, ApiError>(fields).is_ok()),
        ]
    }

    #[test]
    fn objects_words_and_names_at_every_level() {
        for good in [
            "{}",
            r#"{"one":{"colour":"red","size":3},"many":[{"size":1},{"colour":"blue"}],"change":null,"x":[]}"#,
            r#"{"one":null,"change":{"colour":null},"names":"a","any":{"a":{"b":[1,2.5,-1,true,null,"x"]}}}"#,
            r#"{"names":["a","b"],"any":{},"many":[]}"#,
        ] {
            assert_eq!(read(good), [true; 3], "{good}");
        }
        for bad in [
            r#"["red",3]"#,
            r#"{"one":[]}"#,
            r#"{"one":["red",3]}"#,
            r#"{"many":[["red",3]]}"#,
            r#"{"many":{"size":1}}"#,
            r#"{"change":[null,null]}"#,
            r#"{"one":{"colour":{"red":null}}}"#,
            r#"{"many":[{"colour":{"blue":null}}]}"#,
            r#"{"one":{"colour":["red"]}}"#,
            r#"{"one":{"colour":"green"}}"#,
            r#"{"one":{"size":"3"}}"#,
            r#"{"names":{"a":"b"}}"#,
            r#"{"any":[]}"#,
        ] {
            assert_eq!(read(bad), [false; 3], "{bad}");
        }
        // Of these a value that was read before has only one.
        for twice in [
            r#"{"one":null,"one":null}"#,
            r#"{"x":1,"x":1}"#,
            r#"{"one":{"size":1,"size":2}}"#,
            r#"{"any":{"a":{"b":1,"b":1}}}"#,
            r#"{"any":{"a":1,"\u0061":1}}"#,
        ] {
            assert_eq!(read(twice)[..2], [false; 2], "{twice}");
        }
    }

    #[test]
    fn any_number_of_names_is_too_many() {
        let object = |names: usize| {
            let names: Vec<String> = (0..names).map(|name| format!("\"{name}\":0")).collect();
            format!("{{{}}}", names.join(","))
        };
        assert_eq!(read(&object(super::MAX_NAMES)), [true; 3]);
        assert_eq!(read(&object(super::MAX_NAMES + 1)), [false; 3]);
    }

    #[test]
    fn words_are_told() {
        let failure = parse::<Inner, ApiError>(br#"{"colour":{"red":null}}"#).unwrap_err();
        assert!(failure.to_string().contains("one of red, blue"), "{failure}");
        let failure = parse::<Inner, ApiError>(br#"{"size":1,"size":1}"#).unwrap_err();
        assert!(failure.to_string().contains("\"size\" is there twice"), "{failure}");
    }
}
