//! A suite's text as a tree that knows the line of each value, before anything is made of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::SuiteError;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// From 1; of a value that came from elsewhere, 0.
    pub(super) line: u64,
    pub(super) shape: Shape,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Text, a number, a boolean or null.
    Scalar(Value),
    List(Vec<Node>),
    /// In the order of the text.
    Map(Vec<(Key, Node)>),
}

/// A member's name, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) line: u64,
    pub(super) name: String,
}

impl Node {
    /// Reads a tree.
    pub(super) fn from_yaml(text: &str) -> Result<Self, SuiteError> {
        serde_saphyr::from_str(text).map_err(|error| SuiteError::Yaml(Box::new(error)))
    }

    /// A value that stands in no text.
    pub(super) fn placeless(value: Value) -> Self {
        let shape = match value {
            Value::Array(items) => Shape::List(items.into_iter().map(Self::placeless).collect()),
            Value::Object(members) => {
                let keyed = |(name, value)| (Key { line: 0, name }, Self::placeless(value));
                Shape::Map(members.into_iter().map(keyed).collect())
            }
            scalar => Shape::Scalar(scalar),
        };
        Self { line: 0, shape }
    }

    /// The value alone.
    pub(super) fn value(&self) -> Value {
        match &self.shape {
            Shape::Scalar(value) => value.clone(),
            Shape::List(items) => items.iter().map(Self::value).collect(),
            Shape::Map(members) => members
                .iter()
                .map(|(key, node)| (key.name.clone(), node.value()))
                .collect(),
        }
    }

    /// A member of a map.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Shape::Map(members) = &self.shape else {
            return None;
        };
        let found = members.iter().find(|(key, _)| key.name == name);
        found.map(|(_, node)| node)
    }

    /// Puts a value at a path of members and numbers of list items, such as `jobs.0.qps`; members
    /// that are not there are made.
    pub(super) fn set(&mut self, path: &str, value: Value) -> Result<(), String> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let place = self.place(first)?;
        match rest {
            Some(rest) => place.set(rest, value),
            None => {
                *place = Self::placeless(value);
                Ok(())
            }
        }
    }

    fn place(&mut self, name: &str) -> Result<&mut Self, String> {
        if self.shape == Shape::Scalar(Value::Null) {
            self.shape = Shape::Map(Vec::new());
        }
        match &mut self.shape {
            Shape::Map(members) => {
                let found = members.iter().position(|(key, _)| key.name == name);
                let index = found.unwrap_or_else(|| {
                    let name = name.to_owned();
                    members.push((Key { line: 0, name }, Self::placeless(Value::Null)));
                    members.len() - 1
                });
                let place = members.get_mut(index).map(|(_, node)| node);
                place.ok_or_else(|| format!("there is no `{name}`"))
            }
            Shape::List(items) => {
                let count = items.len();
                let place = name
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get_mut(index));
                place.ok_or_else(|| {
                    format!("`{name}` is none of the {count} items, which are numbered from 0")
                })
            }
            Shape::Scalar(_) => Err(format!("`{name}` is asked of a value that has no members")),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Shape>::deserialize(deserializer)?;
        Ok(Self {
            line: spanned.referenced.line(),
            shape: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Shape, E> {
        let number = serde_json::Number::from_f64(value);
        let number = number.ok_or_else(|| E::custom("a number that is not finite"))?;
        Ok(Shape::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Shape::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
        let mut map = Vec::new();
        while let Some((key, node)) = members.next_entry::<Spanned<String>, Node>()? {
            let line = key.referenced.line();
            let name = key.value;
            map.push((Key { line, name }, node));
        }
        Ok(Shape::Map(map))
    }
}
