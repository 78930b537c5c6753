//! Expressions as they are written.

use std::fmt::Write;

use super::expression::{Expr, Operator, Quotes, is_name};

const CHOICE: u8 = 1;
const NOT: u8 = 4;
const COMPARISON: u8 = 5;
const ATOM: u8 = 10;

impl Operator {
    fn text(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Concat => "~",
            Self::Times => "*",
            Self::FloorDivide => "//",
            Self::Remainder => "%",
        }
    }

    fn strength(self) -> u8 {
        match self {
            Self::Or => 2,
            Self::And => 3,
            Self::Equal
            | Self::Unequal
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::In => COMPARISON,
            Self::Plus | Self::Minus => 6,
            Self::Concat => 7,
            Self::Times | Self::FloorDivide | Self::Remainder => 8,
        }
    }
}

impl Expr {
    fn strength(&self) -> u8 {
        match self {
            Self::Choice(_) => CHOICE,
            Self::Not(_) => NOT,
            // As weak as what it looks like, so that it gets parentheses in a comparison.
            Self::Test(..) => COMPARISON,
            Self::Binary(_, operator, _) => operator.strength(),
            _ => ATOM,
        }
    }

    /// As it is written.
    pub(super) fn written(&self, quotes: Quotes) -> String {
        let mut text = String::new();
        self.write(&mut text, quotes);
        text
    }

    /// With parentheses, if it binds no stronger than `strength`.
    fn write_within(&self, text: &mut String, quotes: Quotes, strength: u8) {
        let inner = self.strength();
        // Comparisons cannot be chained; others of the same strength are read from the left.
        if inner < strength || (inner == COMPARISON && strength == COMPARISON) {
            text.push('(');
            self.write(text, quotes);
            text.push(')');
        } else {
            self.write(text, quotes);
        }
    }

    fn write(&self, text: &mut String, quotes: Quotes) {
        match self {
            Self::Text(value) => write_quoted(text, value, quotes),
            Self::Integer(value) => {
                let _ = write!(text, "{value}");
            }
            Self::Float(value) | Self::Name(value, _) => text.push_str(value),
            Self::Bool(value) => {
                let _ = write!(text, "{value}");
            }
            Self::Null => text.push_str("none"),
            Self::Version(version, _) => {
                let _ = write!(text, "vars.version{version}");
            }
            Self::Attribute(of, name) => {
                of.write_within(text, quotes, ATOM);
                if is_name(name) {
                    let _ = write!(text, ".{name}");
                } else {
                    text.push('[');
                    write_quoted(text, name, quotes);
                    text.push(']');
                }
            }
            Self::Item(of, key) => {
                of.write_within(text, quotes, ATOM);
                text.push('[');
                key.write(text, quotes);
                text.push(']');
            }
            Self::Slice(of, from, to) => {
                of.write_within(text, quotes, ATOM);
                let bound =
                    |bound: &Option<i64>| bound.map(|it| it.to_string()).unwrap_or_default();
                let _ = write!(text, "[{}:{}]", bound(from), bound(to));
            }
            Self::Filter(of, name, arguments, _) => {
                of.write_within(text, quotes, ATOM);
                let _ = write!(text, " | {name}");
                write_arguments(text, arguments, quotes);
            }
            Self::Named(name, value) => {
                let _ = write!(text, "{name}=");
                value.write(text, quotes);
            }
            Self::Test(of, name, arguments) => {
                of.write_within(text, quotes, COMPARISON);
                let _ = write!(text, " is {name}");
                write_arguments(text, arguments, quotes);
            }
            Self::Binary(left, operator, right) => {
                let strength = operator.strength();
                left.write_within(text, quotes, strength);
                let _ = write!(text, " {} ", operator.text());
                right.write_within(text, quotes, strength + 1);
            }
            Self::Not(inner) => {
                text.push_str("not ");
                inner.write_within(text, quotes, NOT);
            }
            Self::Choice(parts) => {
                let [then, test, otherwise] = &**parts;
                then.write_within(text, quotes, CHOICE + 1);
                text.push_str(" if ");
                test.write_within(text, quotes, CHOICE + 1);
                text.push_str(" else ");
                otherwise.write_within(text, quotes, CHOICE);
            }
            Self::List(items) => {
                text.push('[');
                write_list(text, items, quotes);
                text.push(']');
            }
            Self::Map(members) => {
                text.push('{');
                for (number, (key, value)) in members.iter().enumerate() {
                    text.push_str(if number == 0 { "" } else { ", " });
                    key.write(text, quotes);
                    text.push_str(": ");
                    value.write(text, quotes);
                }
                text.push('}');
            }
            Self::Call(name, arguments, _) => {
                let _ = write!(text, "{name}(");
                write_list(text, arguments, quotes);
                text.push(')');
            }
        }
    }
}

fn write_arguments(text: &mut String, arguments: &[Expr], quotes: Quotes) {
    if !arguments.is_empty() {
        text.push('(');
        write_list(text, arguments, quotes);
        text.push(')');
    }
}

fn write_list(text: &mut String, items: &[Expr], quotes: Quotes) {
    for (number, item) in items.iter().enumerate() {
        text.push_str(if number == 0 { "" } else { ", " });
        item.write(text, quotes);
    }
}

fn write_quoted(text: &mut String, value: &str, quotes: Quotes) {
    let quote = match quotes {
        Quotes::Single => '\'',
        Quotes::Double => '"',
    };
    text.push(quote);
    for character in value.chars() {
        match character {
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '\\' => text.push_str("\\\\"),
            _ if character == quote => text.extend(['\\', quote]),
            _ if character.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            _ => text.push(character),
        }
    }
    text.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::expression::Kind;

    fn name(text: &str) -> Expr {
        Expr::Name(text.to_owned(), Kind::Plain)
    }

    #[test]
    fn parentheses_stand_where_they_are_needed() {
        let sum = name("a").binary(Operator::Plus, name("b"));
        let product = sum.clone().binary(Operator::Times, name("c"));
        assert_eq!(product.written(Quotes::Double), "(a + b) * c");
        let difference = name("a").binary(
            Operator::Minus,
            name("b").binary(Operator::Minus, name("c")),
        );
        assert_eq!(difference.written(Quotes::Double), "a - (b - c)");
        let filtered = sum.filter("string", Vec::new(), Kind::Text);
        assert_eq!(filtered.written(Quotes::Double), "(a + b) | string");
        let either = name("a")
            .binary(Operator::Or, name("b"))
            .binary(Operator::And, name("c").negated());
        assert_eq!(either.written(Quotes::Double), "(a or b) and not c");
        let chosen = Expr::choice(
            name("a"),
            name("t"),
            Expr::choice(name("b"), name("u"), name("c")),
        );
        assert_eq!(chosen.written(Quotes::Double), "a if t else b if u else c");
        let same = name("a").binary(Operator::Equal, name("b"));
        let compared = same.clone().binary(Operator::Equal, same);
        assert_eq!(compared.written(Quotes::Double), "(a == b) == (a == b)");
    }

    #[test]
    fn texts_survive_their_quotes() {
        let awkward = "a\"b'c\\d\n\u{1}{{ ü";
        let engine = minijinja::Environment::new();
        for quotes in [Quotes::Single, Quotes::Double] {
            let written = Expr::text(awkward).written(quotes);
            let value = engine
                .compile_expression(&written)
                .unwrap()
                .eval(())
                .unwrap();
            assert_eq!(value.as_str(), Some(awkward), "{written}");
        }
    }

    #[test]
    fn what_follows_is_joined() {
        let parts = vec![
            Expr::text("a"),
            Expr::Integer(1),
            Expr::text("-"),
            name("b"),
            Expr::text(""),
        ];
        assert_eq!(Expr::concat(parts).written(Quotes::Double), "\"a1-\" ~ b");
        assert_eq!(
            Expr::concat(vec![name("b")]).written(Quotes::Double),
            "b | string"
        );
        assert_eq!(Expr::concat(Vec::new()), Expr::text(""));
    }
}
