//! Types a record while looking only at what its type names.
//!
//! Prompts, responses and arguments are most of a record's text, and no document needs them. They
//! are passed over many bytes at a step, up to where they end and no closer. Whatever is unusual
//! or wrong is left to [`typed`](super::typed), which is slower, tells what is wrong, and gives
//! the same values for every text that this module accepts.

mod reader;

use std::fmt::Display;

use reader::{Number, Reader, Text};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;

/// Nesting that is followed; what is only passed over may be deeper.
const MAX_DEPTH: u8 = 32;

/// `record` as a `T`; `None` if that is for [`typed::parse`](super::typed::parse) to decide.
pub(crate) fn parse<'de, T: Deserialize<'de>>(record: &'de str) -> Option<T> {
    let mut reader = Reader::new(record);
    let value = T::deserialize(&mut reader).ok()?;
    (reader.peek().is_none()).then_some(value)
}

/// Not for this module to decide. It says nothing, so that it costs nothing.
#[derive(Debug)]
struct Undecided;

impl Display for Undecided {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("undecided")
    }
}

impl std::error::Error for Undecided {}

impl de::Error for Undecided {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }

    // The default ones would write texts that nobody reads.
    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self
    }

    fn missing_field(_: &'static str) -> Self {
        Self
    }
}

impl<'de> Reader<'de> {
    fn visit_container<V: Visitor<'de>>(
        &mut self,
        (open, close): (u8, u8),
        visit: impl FnOnce(Elements<'_, 'de>) -> Result<V::Value, Undecided>,
    ) -> Result<V::Value, Undecided> {
        self.expect(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Undecided);
        }
        let value = visit(Elements {
            reader: self,
            close,
            first: true,
        })?;
        self.depth -= 1;
        self.expect(close)?;
        Ok(value)
    }
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Undecided;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Undecided> {
        if self.take_absent()? {
            return visitor.visit_unit();
        }
        match self.byte() {
            Some(b'"') => match self.string()? {
                Text {
                    raw,
                    has_escapes: false,
                } => visitor.visit_borrowed_str(raw),
                Text { raw, .. } => {
                    let quoted = format!("\"{raw}\"");
                    visitor.visit_string(serde_json::from_str(&quoted).map_err(|_| Undecided)?)
                }
            },
            Some(b'{') => {
                self.visit_container::<V>((b'{', b'}'), |members| visitor.visit_map(members))
            }
            Some(b'[') => {
                self.visit_container::<V>((b'[', b']'), |elements| visitor.visit_seq(elements))
            }
            Some(b't') => {
                self.expect_word("true")?;
                visitor.visit_bool(true)
            }
            Some(b'f') => {
                self.expect_word("false")?;
                visitor.visit_bool(false)
            }
            _ => match self.number()? {
                Number::Unsigned(value) => visitor.visit_u64(value),
                Number::Negative(value) => visitor.visit_i64(value),
                Number::Float(value) => visitor.visit_f64(value),
            },
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Undecided> {
        if self.take_absent()? {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Undecided> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Undecided> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// The elements of a list, or the members of an object.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    close: u8,
    first: bool,
}

impl Elements<'_, '_> {
    /// Moves to the next element; false before the closing bracket.
    #[inline]
    fn next(&mut self) -> Result<bool, Undecided> {
        let next = self.reader.peek();
        if next == Some(self.close) {
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) {
            self.reader.expect(b',')?;
        }
        Ok(true)
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Undecided;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Undecided> {
        if !self.next()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, 'de> {
    type Error = Undecided;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Undecided> {
        if !self.next()? {
            return Ok(None);
        }
        if self.reader.peek() != Some(b'"') {
            return Err(Undecided);
        }
        let key = self.reader.string()?;
        if key.has_escapes {
            return Err(Undecided);
        }
        let key = BorrowedStrDeserializer::new(key.raw);
        seed.deserialize(key).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Undecided> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::scan::typed;

    /// What the slower parser makes of it.
    fn oracle(text: &str) -> Option<Value> {
        typed::parse(text.as_bytes(), "").ok()
    }

    fn quick(text: &str) -> Option<Value> {
        parse(text)
    }

    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (1.7e9..1.8e9).prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 40, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map("[a-z_ \u{e9}]{0,20}", inner, 0..8)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn json_is_read_as_it_was_written(value in value()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(quick(&text), oracle(&text));
                prop_assert!(quick(&text).is_some(), "{}", text);
            }
        }

        #[test]
        fn what_is_accepted_is_what_the_slower_parser_reads(
            value in value(), at in any::<prop::sample::Index>(), cut in 0_usize..4,
            put in r#"[\[\]{}",:\\ 0-9a-zA-Z.+\-\n\x01]{0,3}"#,
        ) {
            let mut text = value.to_string().into_bytes();
            let start = at.index(text.len() + 1);
            let end = (start + cut).min(text.len());
            text.splice(start..end, put.into_bytes());
            let Ok(text) = String::from_utf8(text) else { return Ok(()) };
            if let Some(value) = quick(&text) {
                prop_assert_eq!(Some(value), oracle(&text), "{}", text);
            }
        }

        #[test]
        fn numbers_keep_every_bit(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            for text in [format!("{number:e}"), format!("{number:?}")] {
                let read: Option<f64> = parse(&text);
                let expected: f64 = text.parse().unwrap();
                prop_assert_eq!(read.map(f64::to_bits), Some(expected.to_bits()), "{}", text);
            }
        }
    }

    #[test]
    fn members_without_a_name_are_passed_over() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Named {
            a: Option<u64>,
            e: Box<str>,
        }
        let heavy = [
            json!("say \"a\": 1, \\"),
            json!({"a": [2, "]"], "e": {"a": 3}}),
            json!([[["}"]], -1.5e-7]),
            json!(true),
            json!(null),
            json!(0),
        ];
        for heavy in heavy {
            let text =
                format!(r#"{{"b":{heavy}, "a" : 7,"c": {heavy} ,"e": "\u00e9", "d": {heavy}}}"#);
            let expected = Named {
                a: Some(7),
                e: "é".into(),
            };
            assert_eq!(parse(&text), Some(expected), "{text}");
        }
    }

    #[test]
    fn python_numbers_that_are_none_are_absent() {
        let text = r#"{"a": NaN, "b": Infinity, "c": -Infinity, "d": null, "e": -1.0}"#;
        let read: BTreeMap<String, Option<f64>> = parse(text).unwrap();
        let absent = read.iter().filter(|(_, number)| number.is_none());
        assert_eq!(
            absent.map(|(name, _)| name.as_str()).collect::<String>(),
            "abcd"
        );
    }

    #[test]
    fn what_is_no_json_is_left_to_the_slower_parser() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "[,1]",
            "[1 2]",
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            "{a:1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "1e999",
            "nul",
            "nulll",
            "truefalse",
            "-Inf",
            "\"a",
            "\"\n\"",
            r#""\q""#,
            "[1]]",
            "{} {}",
            "0x1",
        ] {
            assert_eq!(quick(text), None, "{text}");
        }
    }

    #[test]
    fn no_nesting_is_too_deep_to_be_refused() {
        let text = "[".repeat(2_000_000);
        assert_eq!(quick(&text), None);
    }
}
