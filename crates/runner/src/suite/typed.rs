//! From a tree to types, by serde; what does not fit is told with its line, and what was probably
//! meant.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, IntoDeserializer, Visitor};
use serde_json::Value;

use super::tree::{Key, Node, Shape};

/// Names further apart than this are not taken for one another.
const ALIKE: usize = 3;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// From 1; 0 if it is not known, or what is wrong stands in no text.
    pub(super) line: u64,
    pub(super) reason: String,
}

/// Makes a value of a type.
pub(super) fn typed<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, Misfit> {
    T::deserialize(Reader(node))
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let distance = |other: &str| strsim::damerau_levenshtein(&plain(name), &plain(other));
    let measured = known.into_iter().map(|other| (distance(other), other));
    let (distance, other) = measured.min_by_key(|(distance, _)| *distance)?;
    (distance < ALIKE.min(other.len())).then_some(other)
}

impl Misfit {
    fn at(mut self, line: u64) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        let reason = reason.to_string();
        Self { line: 0, reason }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("field", field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("value", variant, expected)
    }
}

fn unknown(what: &str, name: &str, expected: &'static [&'static str]) -> Misfit {
    let advice = match nearest(name, expected.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", expected.join(", ")),
    };
    de::Error::custom(format_args!("unknown {what} `{name}`; {advice}"))
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

impl std::error::Error for Misfit {}

#[derive(Clone, Copy)]
struct Reader<'de>(&'de Node);

impl<'de> IntoDeserializer<'de, Misfit> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A field's name: what is said against it is said of its line.
struct Name<'de>(&'de Key);

impl<'de> IntoDeserializer<'de, Misfit> for Name<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let named = visitor.visit_borrowed_str(&self.0.name);
        named.map_err(|misfit: Misfit| misfit.at(self.0.line))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let read = match &self.0.shape {
            Shape::Map(members) => {
                let members = members.iter().map(|(key, node)| (Name(key), Reader(node)));
                visitor.visit_map(MapDeserializer::new(members))
            }
            Shape::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Reader))),
            Shape::Scalar(value) => return self.scalar(|| value.deserialize_any(visitor)),
        };
        read.map_err(|misfit: Misfit| misfit.at(self.0.line))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            Shape::Scalar(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let read = match &self.0.shape {
            Shape::Scalar(Value::String(text)) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            _ => Err(de::Error::custom("a text is needed here")),
        };
        read.map_err(|misfit: Misfit| misfit.at(self.0.line))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl Reader<'_> {
    fn scalar<T>(self, read: impl FnOnce() -> serde_json::Result<T>) -> Result<T, Misfit> {
        read().map_err(|error| Misfit {
            line: self.0.line,
            reason: error.to_string(),
        })
    }
}
