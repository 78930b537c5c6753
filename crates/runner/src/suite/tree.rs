//! A suite's text as a tree that knows where each value stands, before anything is made of it.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::SuiteError;

/// A path of more parts is a mistake, and what it makes would be too deep to be walked.
const DEEPEST: usize = 64;

/// Where in a suite a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// In its text, from 1.
    Line(u64),
    /// In no text: it was given by `--set` for this path.
    Set(Arc<str>),
    /// Nowhere: the program's own.
    #[default]
    Unknown,
}

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
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
    pub(super) place: Place,
    pub(super) name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Set(path) => write!(formatter, "--set {path}"),
            Self::Unknown => formatter.write_str("the suite"),
        }
    }
}

impl Node {
    /// Reads a tree.
    pub(super) fn from_yaml(text: &str) -> Result<Self, SuiteError> {
        serde_saphyr::from_str(text).map_err(|error| SuiteError::Yaml(Box::new(error)))
    }

    /// A value of which all stands in one place.
    pub(super) fn at(place: &Place, value: Value) -> Self {
        let shape = match value {
            Value::Array(items) => {
                Shape::List(items.into_iter().map(|it| Self::at(place, it)).collect())
            }
            Value::Object(members) => {
                let keyed = |(name, value)| {
                    let node = Self::at(place, value);
                    let place = place.clone();
                    (Key { place, name }, node)
                };
                Shape::Map(members.into_iter().map(keyed).collect())
            }
            scalar => Shape::Scalar(scalar),
        };
        let place = place.clone();
        Self { place, shape }
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

    pub(super) fn is_null(&self) -> bool {
        self.shape == Shape::Scalar(Value::Null)
    }

    /// A member of a map.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Shape::Map(members) = &self.shape else {
            return None;
        };
        let found = members.iter().find(|(key, _)| key.name == name);
        found.map(|(_, node)| node)
    }

    /// Takes a member out of a map.
    pub(super) fn without(mut self, name: &str) -> Self {
        if let Shape::Map(members) = &mut self.shape {
            members.retain(|(key, _)| key.name != name);
        }
        self
    }

    /// Sets the value at a path of names and numbers of list items, such as `jobs.0.qps`; members
    /// that are not there are made. A dot of a name is written `\.`.
    pub(super) fn set(&mut self, path: &str, value: Value) -> Result<(), String> {
        let place = Place::Set(path.into());
        let mut node = self;
        for name in parts(path)? {
            node = node.reach(&name, &place)?;
        }
        *node = Self::at(&place, value);
        Ok(())
    }

    /// What is at such a path.
    pub(super) fn find(&self, path: &str) -> Option<&Self> {
        let mut node = self;
        for name in parts(path).ok()? {
            node = match &node.shape {
                Shape::List(items) => items.get(name.parse::<usize>().ok()?)?,
                _ => node.member(&name)?,
            };
        }
        Some(node)
    }

    fn reach(&mut self, name: &str, place: &Place) -> Result<&mut Self, String> {
        if self.is_null() {
            self.shape = Shape::Map(Vec::new());
        }
        match &mut self.shape {
            Shape::Map(members) => {
                let found = members.iter().position(|(key, _)| key.name == name);
                let index = found.unwrap_or_else(|| {
                    let key = Key {
                        place: place.clone(),
                        name: name.to_owned(),
                    };
                    members.push((key, Self::at(place, Value::Null)));
                    members.len() - 1
                });
                let node = members.get_mut(index).map(|(_, node)| node);
                node.ok_or_else(|| format!("there is no `{name}`"))
            }
            Shape::List(items) => {
                let count = items.len();
                let node = name
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get_mut(index));
                node.ok_or_else(|| {
                    format!("`{name}` is none of the {count} items, which are numbered from 0")
                })
            }
            Shape::Scalar(_) => Err(format!("`{name}` is asked of a value that has no members")),
        }
    }
}

/// The names of a path.
fn parts(path: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut letters = path.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '.' {
            parts.push(String::new());
            continue;
        }
        let is_escape = letter == '\\' && letters.peek() == Some(&'.');
        let letter = letters.next_if(|_| is_escape).unwrap_or(letter);
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    if parts.iter().any(String::is_empty) {
        return Err("a name in it is empty; it has to be like vars.model or jobs.0.qps".to_owned());
    }
    if parts.len() > DEEPEST {
        return Err(format!("it has more than {DEEPEST} names"));
    }
    Ok(parts)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Shape>::deserialize(deserializer)?;
        Ok(Self {
            place: Place::Line(spanned.referenced.line()),
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
            let place = Place::Line(key.referenced.line());
            let name = key.value;
            map.push((Key { place, name }, node));
        }
        Ok(Shape::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree(text: &str) -> Node {
        Node::from_yaml(text).unwrap()
    }

    fn set(text: &str, path: &str, value: Value) -> Result<Value, String> {
        let mut tree = tree(text);
        tree.set(path, value)?;
        Ok(tree.value())
    }

    #[test]
    fn values_know_their_lines() {
        let tree = tree("a: 1\nb:\n  - x\n  - c: y\n");
        let list = tree.member("b").unwrap();
        let Shape::List(items) = &list.shape else {
            panic!("{list:?}");
        };
        assert_eq!(items[0].place, Place::Line(3));
        assert_eq!(items[1].member("c").unwrap().place, Place::Line(4));
    }

    #[test]
    fn quoted_scalars_are_texts_whatever_they_look_like() {
        for text in [
            "true", "null", "~", "0.8", "42", "1e3", "0x10", "yes", ".inf",
        ] {
            assert_eq!(tree(&format!("'{text}'")).value(), json!(text));
            assert_eq!(tree(&format!("\"{text}\"")).value(), json!(text));
        }
        assert_eq!(
            tree("[true, null, 0.8, 42, -1, 0.8.1, local:1]").value(),
            json!([true, null, 0.8, 42, -1, "0.8.1", "local:1"])
        );
    }

    #[test]
    fn what_is_set_replaces_or_is_made() {
        let text = "a: {b: [1, 2]}\nc:\n";
        let done = |path, value| set(text, path, value).unwrap();
        assert_eq!(
            done("a.b.1", json!([3])),
            json!({"a": {"b": [1, [3]]}, "c": null})
        );
        assert_eq!(done("a", json!(4)), json!({"a": 4, "c": null}));
        assert_eq!(
            done("c.d.e", json!(5)),
            json!({"a": {"b": [1, 2]}, "c": {"d": {"e": 5}}})
        );
        assert_eq!(
            done(r"c.nvidia\.com/gpu", json!("1")),
            json!({"a": {"b": [1, 2]}, "c": {"nvidia.com/gpu": "1"}})
        );
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        let text = "a: {b: [1, 2]}\n";
        for (path, reason) in [
            ("", "empty"),
            ("a..b", "empty"),
            ("a.", "empty"),
            ("a.b.2", "none of the 2 items"),
            ("a.b.-1", "none of the 2 items"),
            ("a.b.x", "none of the 2 items"),
            ("a.b.0.x", "has no members"),
            (&vec!["x"; 65].join("."), "more than 64"),
        ] {
            let refused = set(text, path, json!(1)).unwrap_err();
            assert!(refused.contains(reason), "{path}: {refused}");
        }
    }
}
