//! From a tree to types, by serde; what does not fit is told with its place, and what was probably
//! meant.

use std::fmt;
use std::slice;

use serde::Deserialize;
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde_json::Value;

use super::tree::{Key, Node, Place, Shape};

/// Names further apart than this are not taken for one another.
const ALIKE: usize = 3;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) place: Place,
    /// The names that lead there.
    path: String,
    reason: String,
}

/// Makes a value of a type.
pub(super) fn typed<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, Misfit> {
    T::deserialize(Reader(node))
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let measured = known
        .into_iter()
        .map(|other| (distance(name, other), other));
    let (distance, other) = measured.min_by_key(|(distance, _)| *distance)?;
    (distance < ALIKE.min(other.len())).then_some(other)
}

/// How far names are from each other; how they are written does not count.
pub(super) fn distance(name: &str, other: &str) -> usize {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    strsim::damerau_levenshtein(&plain(name), &plain(other))
}

impl Misfit {
    fn at(mut self, place: &Place) -> Self {
        if self.place == Place::Unknown {
            self.place = place.clone();
        }
        self
    }

    /// It is said of something in a member.
    pub(super) fn within(mut self, name: &str) -> Self {
        self.path = match &*self.path {
            "" => name.to_owned(),
            path => format!("{name}.{path}"),
        };
        self
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self {
            place: Place::Unknown,
            path: String::new(),
            reason: reason.to_string(),
        }
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unit | Unexpected::Option => "null".to_owned(),
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("the number {value}"),
            Unexpected::Signed(value) => format!("the number {value}"),
            Unexpected::Float(value) => format!("the number {value}"),
            Unexpected::Str(text) => format!("the text `{text}`"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a map".to_owned(),
            other => other.to_string(),
        };
        let wanted = wanted.to_string();
        let wanted = match &*wanted {
            "u32" => "a whole number from 0 to 4294967295",
            "f64" => "a number",
            "a string" => "a text",
            "path string" => "the path of a file",
            "a sequence" => "a list",
            other if other.starts_with("struct ") => "a map",
            other => other,
        };
        Self::custom(format_args!("{found} is where {wanted} is needed"))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing"))
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
        match &*self.path {
            "" => formatter.write_str(&self.reason),
            path => write!(formatter, "{path}: {}", self.reason),
        }
    }
}

impl std::error::Error for Misfit {}

#[derive(Clone, Copy)]
struct Reader<'de>(&'de Node);

/// A field's name: what is said against it is said of its line.
struct Name<'de>(&'de Key);

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let named = visitor.visit_borrowed_str(&self.0.name);
        named.map_err(|misfit: Misfit| misfit.at(&self.0.place))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Members<'de> {
    left: slice::Iter<'de, (Key, Node)>,
    value: Option<&'de (Key, Node)>,
    /// Members of these names are left out if they are null: it stands for what is so by default.
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let fields = self.fields;
        self.value = self
            .left
            .find(|(key, node)| !(node.is_null() && fields.contains(&&*key.name)));
        let key = self.value.map(|(key, _)| seed.deserialize(Name(key)));
        key.transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let pair = self.value.take();
        let (key, node) =
            pair.ok_or_else(|| <Misfit as de::Error>::custom("a value has no name"))?;
        let value = seed.deserialize(Reader(node));
        value.map_err(|misfit| misfit.at(&node.place).within(&key.name))
    }
}

struct Items<'de>(std::iter::Enumerate<slice::Iter<'de, Node>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some((number, node)) = self.0.next() else {
            return Ok(None);
        };
        let value = seed.deserialize(Reader(node));
        let value = value.map_err(|misfit| misfit.at(&node.place).within(&number.to_string()));
        value.map(Some)
    }
}

impl<'de> Reader<'de> {
    fn read<V: Visitor<'de>>(
        self,
        visitor: V,
        fields: &'static [&'static str],
    ) -> Result<V::Value, Misfit> {
        let read = match &self.0.shape {
            Shape::Map(members) => visitor.visit_map(Members {
                left: members.iter(),
                value: None,
                fields,
            }),
            Shape::List(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Shape::Scalar(Value::Bool(value)) => visitor.visit_bool(*value),
            Shape::Scalar(Value::String(text)) => visitor.visit_borrowed_str(text),
            Shape::Scalar(Value::Number(number)) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Shape::Scalar(_) => visitor.visit_unit(),
        };
        read.map_err(|misfit: Misfit| misfit.at(&self.0.place))
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.read(visitor, &[])
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.0.shape {
            // By the order of its members, which nobody should have to know.
            Shape::List(_) => {
                let misfit: Misfit = de::Error::invalid_type(Unexpected::Seq, &"a map");
                Err(misfit.at(&self.0.place))
            }
            _ => self.read(visitor, fields),
        }
    }

    /// Expressions that divide give fractions, though whole ones.
    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let whole = match &self.0.shape {
            Shape::Scalar(Value::Number(number)) if number.is_f64() => {
                let digits = number.as_f64().map(|it| it.to_string());
                digits.and_then(|digits| digits.parse().ok())
            }
            _ => None,
        };
        match whole {
            Some(whole) => {
                let read = visitor.visit_u64(whole);
                read.map_err(|misfit: Misfit| misfit.at(&self.0.place))
            }
            None => self.read(visitor, &[]),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
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
        read.map_err(|misfit: Misfit| misfit.at(&self.0.place))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u64 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[serde(default)]
        count: u32,
        #[serde(default)]
        free: serde_json::Map<String, Value>,
        #[serde(default)]
        list: Vec<f64>,
    }

    fn read(text: &str) -> Result<Example, String> {
        let tree = Node::from_yaml(text).unwrap();
        let read: Result<Example, Misfit> = typed(&tree);
        read.map_err(|misfit| format!("{}: {misfit}", misfit.place))
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_line_and_its_path() {
        for (text, told) in [
            (
                "a: 1\n",
                "line 1: unknown field `a`; known are count, free, list",
            ),
            (
                "free: {}\ncuont: 1\n",
                "line 2: unknown field `cuont`; did you mean `count`?",
            ),
            (
                "free: {}\ncuont:\n",
                "line 2: unknown field `cuont`; did you mean `count`?",
            ),
            (
                "\ncount: many\n",
                "line 2: count: the text `many` is where a whole number from 0 to 4294967295 is needed",
            ),
            (
                "count: -1\n",
                "line 1: count: the number -1 is where a whole number from 0 to 4294967295 is needed",
            ),
            (
                "count: 1.5\n",
                "line 1: count: the number 1.5 is where a whole number from 0 to 4294967295 is needed",
            ),
            (
                "list:\n  - 1\n  - x\n",
                "line 3: list.1: the text `x` is where a number is needed",
            ),
            (
                "list: {}\n",
                "line 1: list: a map is where a list is needed",
            ),
            (
                "free: [1]\n",
                "line 1: free: a list is where a map is needed",
            ),
            ("- 1\n", "line 1: a list is where a map is needed"),
            ("text\n", "line 1: the text `text` is where a map is needed"),
        ] {
            assert_eq!(read(text).unwrap_err(), told, "{text}");
        }
    }

    #[test]
    fn null_is_what_is_so_by_default_but_a_value_where_names_are_free() {
        let read = read("count:\nlist: null\nfree: {a: null}\n").unwrap();
        assert_eq!(read.count, 0);
        assert_eq!(read.free.get("a"), Some(&Value::Null));
    }

    #[test]
    fn a_fraction_that_is_whole_is_a_whole_number() {
        assert_eq!(read("count: 30.0\n").unwrap().count, 30);
    }

    #[test]
    fn names_are_taken_for_those_near_them() {
        let known = ["promptTokens", "rate", "qps"];
        for (name, near) in [
            ("prompt_tokens", Some("promptTokens")),
            ("promttoken", Some("promptTokens")),
            ("rat", Some("rate")),
            ("qsp", Some("qps")),
            ("x", None),
            ("seconds", None),
        ] {
            assert_eq!(nearest(name, known), near, "{name}");
        }
    }
}
