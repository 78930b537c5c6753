//! Go's and sprig's functions, as far as they have an exact counterpart.

use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::expression::{Expr, Kind, Operator};
use super::source::Trouble;

/// A call as an expression.
pub(super) fn call(name: &str, arguments: Vec<Expr>, span: &Range<usize>) -> Result<Expr, Trouble> {
    let count = arguments.len();
    let known = match count {
        1 => one(name, arguments),
        2 => two(name, arguments),
        _ => Err(arguments),
    };
    let value = known.or_else(|arguments| many(name, arguments));
    value.map_err(|_| Trouble::new(span, advice(name, count)))
}

fn advice(name: &str, count: usize) -> String {
    let random = name.starts_with("rand") || matches!(name, "uuidv4" | "shuffle");
    match name {
        _ if random => {
            format!(
                "`{name}` gives another value each time; give the value by `inputVars` or `--set`"
            )
        }
        "b64enc" | "b64dec" => {
            format!("`{name}` of a value that is not fixed; in a Secret, write it to `stringData`")
        }
        "until" | "untilStep" | "seq" => {
            format!("`{name}` is known only as what `range` goes through in a template")
        }
        "env" => "the name of the variable must be fixed".to_owned(),
        "default" | "ternary" | "replace" | "trimSuffix" | "trimPrefix" | "printf" | "join"
        | "index" | "dict" => {
            format!(
                "`{name}` with these {count} arguments has no counterpart; write the value down"
            )
        }
        _ => format!("there is no function `{name}` here; give the value by `inputVars` or `vars`"),
    }
}

/// The arguments come back if the function is not known.
type Called = Result<Expr, Vec<Expr>>;

fn one(name: &str, mut arguments: Vec<Expr>) -> Called {
    let Some(value) = arguments.pop() else {
        return Err(arguments);
    };
    let filter = |value: Expr, name, kind| value.filter(name, Vec::new(), kind);
    Ok(match name {
        "not" | "empty" => value.negated(),
        "len" => filter(value, "length", Kind::Integer),
        "print" | "toString" => value.into_text(),
        "int" | "int64" | "atoi" => value.into_integer(),
        "float64" => filter(value, "float", Kind::Float),
        "lower" => filter(value.into_text(), "lower", Kind::Text),
        "upper" => filter(value.into_text(), "upper", Kind::Text),
        "trim" => filter(value.into_text(), "trim", Kind::Text),
        "first" => filter(value, "first", Kind::Unknown),
        "last" => filter(value, "last", Kind::Unknown),
        "sortAlpha" => value.filter(
            "sort",
            vec![Expr::Named("case_sensitive", Box::new(Expr::Bool(true)))],
            Kind::List,
        ),
        "toJson" => filter(value, "tojson", Kind::Text),
        "add1" => value
            .into_integer()
            .binary(Operator::Plus, Expr::Integer(1)),
        "quote" => quoted(value),
        "squote" => Expr::concat(vec![Expr::text("'"), value, Expr::text("'")]),
        "b64enc" => match &value {
            Expr::Text(text) => Expr::Text(BASE64_STANDARD.encode(text)),
            _ => return Err(vec![value]),
        },
        "b64dec" => match &value {
            Expr::Text(text) => match BASE64_STANDARD.decode(text).map(String::from_utf8) {
                Ok(Ok(decoded)) => Expr::Text(decoded),
                _ => return Err(vec![value]),
            },
            _ => return Err(vec![value]),
        },
        _ => return Err(vec![value]),
    })
}

/// In double quotes, as Go does it for texts of printable characters.
fn quoted(value: Expr) -> Expr {
    let replace = |value: Expr, from: &str, to: &str| {
        value.filter(
            "replace",
            vec![Expr::text(from), Expr::text(to)],
            Kind::Text,
        )
    };
    let inner = match value.into_text() {
        Expr::Text(text) => Expr::Text(text.replace('\\', "\\\\").replace('"', "\\\"")),
        other => replace(replace(other, "\\", "\\\\"), "\"", "\\\""),
    };
    Expr::concat(vec![Expr::text("\""), inner, Expr::text("\"")])
}

fn two(name: &str, arguments: Vec<Expr>) -> Called {
    let Ok([first, second]) = <[Expr; 2]>::try_from(arguments) else {
        return Err(Vec::new());
    };
    let compare = |operator| first.clone().binary(operator, second.clone());
    let affix = |test| second.clone().into_text().test(test, vec![first.clone()]);
    Ok(match name {
        // An empty value is as good as none.
        "default" => {
            let kind = first.kind().or(second.kind());
            // A default of "" gives way to this one.
            let second = match second {
                Expr::Filter(of, "default", arguments, _) if *arguments == [Expr::text("")] => *of,
                other => other,
            };
            second.filter("default", vec![first, Expr::Bool(true)], kind)
        }
        "ne" => compare(Operator::Unequal),
        "lt" => compare(Operator::Less),
        "le" => compare(Operator::LessOrEqual),
        "gt" => compare(Operator::Greater),
        "ge" => compare(Operator::GreaterOrEqual),
        "sub" => first
            .into_integer()
            .binary(Operator::Minus, second.into_integer()),
        "div" => first
            .into_integer()
            .binary(Operator::FloorDivide, second.into_integer()),
        "mod" => first
            .into_integer()
            .binary(Operator::Remainder, second.into_integer()),
        "contains" | "has" => first.binary(Operator::In, second),
        "hasKey" => second.binary(Operator::In, first),
        "hasPrefix" => affix("startingwith"),
        "hasSuffix" => affix("endingwith"),
        "trimSuffix" | "trimPrefix" => match affixed(name == "trimSuffix", &first, &second) {
            Some(cut) => cut,
            None => return Err(vec![first, second]),
        },
        "trunc" => match first {
            Expr::Integer(length) if length >= 0 => {
                Expr::Slice(Box::new(second), None, Some(length))
            }
            _ => return Err(vec![first, second]),
        },
        "join" => second.filter("join", vec![first], Kind::Text),
        "splitList" => second.into_text().filter("split", vec![first], Kind::List),
        "indent" => indented(first, second),
        "nindent" => Expr::text("\n").binary(Operator::Concat, indented(first, second)),
        _ => return Err(vec![first, second]),
    })
}

fn affixed(suffix: bool, affix: &Expr, text: &Expr) -> Option<Expr> {
    let Expr::Text(fixed) = affix else {
        return None;
    };
    let length = i64::try_from(fixed.chars().count())
        .ok()
        .filter(|it| *it > 0)?;
    let whole = Box::new(text.clone());
    let (test, cut) = if suffix {
        ("endingwith", Expr::Slice(whole, None, Some(-length)))
    } else {
        ("startingwith", Expr::Slice(whole, Some(length), None))
    };
    let applies = text.clone().test(test, vec![affix.clone()]);
    Some(Expr::choice(cut, applies, text.clone()))
}

/// All lines, the first and empty ones too; a line feed at the end is another empty line.
fn indented(width: Expr, text: Expr) -> Expr {
    let spaces = match width {
        Expr::Integer(width) => Expr::Text(" ".repeat(usize::try_from(width).unwrap_or_default())),
        other => Expr::text(" ").binary(Operator::Times, other),
    };
    let break_and_spaces = Expr::concat(vec![Expr::text("\n"), spaces.clone()]);
    let broken = text.into_text().filter(
        "replace",
        vec![Expr::text("\n"), break_and_spaces],
        Kind::Text,
    );
    spaces.binary(Operator::Concat, broken)
}

fn many(name: &str, arguments: Vec<Expr>) -> Called {
    let fold = |arguments: Vec<Expr>, operator| {
        let folded = arguments
            .into_iter()
            .reduce(|before, it| before.binary(operator, it));
        folded.ok_or_else(Vec::new)
    };
    let integers = |arguments: Vec<Expr>| arguments.into_iter().map(Expr::into_integer).collect();
    match name {
        "and" => fold(arguments, Operator::And),
        "or" => fold(arguments, Operator::Or),
        "coalesce" => fold([arguments, vec![Expr::Null]].concat(), Operator::Or),
        "add" => fold(integers(arguments), Operator::Plus),
        "mul" => fold(integers(arguments), Operator::Times),
        "max" => Ok(Expr::List(integers(arguments)).filter("max", Vec::new(), Kind::Integer)),
        "min" => Ok(Expr::List(integers(arguments)).filter("min", Vec::new(), Kind::Integer)),
        "list" => Ok(Expr::List(arguments)),
        "dict" if arguments.len().is_multiple_of(2) => {
            let pairs = arguments.chunks_exact(2).filter_map(|pair| match pair {
                [key, value] => Some((key.clone(), value.clone())),
                _ => None,
            });
            Ok(Expr::Map(pairs.collect()))
        }
        "eq" if arguments.len() >= 2 => {
            let first = arguments.first().cloned().unwrap_or(Expr::Null);
            let equal = arguments.into_iter().skip(1);
            fold(
                equal
                    .map(|it| first.clone().binary(Operator::Equal, it))
                    .collect(),
                Operator::Or,
            )
        }
        "index" | "get" if arguments.len() >= 2 => {
            let item = |of: Expr, key| match key {
                Expr::Text(name) => Expr::Attribute(Box::new(of), name),
                key => Expr::Item(Box::new(of), Box::new(key)),
            };
            arguments.into_iter().reduce(item).ok_or_else(Vec::new)
        }
        "ternary" => match <[Expr; 3]>::try_from(arguments) {
            Ok([then, otherwise, test]) => Ok(Expr::choice(then, test, otherwise)),
            Err(arguments) => Err(arguments),
        },
        "replace" => match <[Expr; 3]>::try_from(arguments) {
            Ok([from, to, text]) => {
                Ok(text
                    .into_text()
                    .filter("replace", vec![from, to], Kind::Text))
            }
            Err(arguments) => Err(arguments),
        },
        "printf" => match arguments.split_first() {
            Some((Expr::Text(format), values)) => printf(format, values).ok_or(arguments),
            _ => Err(arguments),
        },
        _ => Err(arguments),
    }
}

/// `%s`, `%d`, `%v` and `%%`.
fn printf(format: &str, values: &[Expr]) -> Option<Expr> {
    let mut parts = Vec::new();
    let mut values = values.iter();
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        match characters.next()? {
            '%' => text.push('%'),
            's' | 'd' | 'v' => {
                parts.push(Expr::Text(std::mem::take(&mut text)));
                parts.push(values.next()?.clone());
            }
            _ => return None,
        }
    }
    parts.push(Expr::Text(text));
    // Go would say `%!(EXTRA …)`, which nobody wants.
    values.next().is_none().then(|| Expr::concat(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::expression::Quotes;

    fn written(name: &str, arguments: &[Expr]) -> String {
        call(name, arguments.to_vec(), &(0..0))
            .unwrap()
            .written(Quotes::Double)
    }

    fn name(text: &str) -> Expr {
        Expr::Name(text.to_owned(), Kind::Unknown)
    }

    /// Evaluates what a call comes to.
    fn value(function: &str, arguments: &[Expr]) -> String {
        let written = written(function, arguments);
        let engine = minijinja::Environment::new();
        let context = minijinja::context! { x => "a.b\n", n => 7, yes => true, empty => "", list => ["b", "a"] };
        engine
            .compile_expression(&written)
            .unwrap()
            .eval(context)
            .unwrap()
            .to_string()
    }

    #[test]
    fn functions_give_what_go_gives() {
        let text = |text: &str| Expr::text(text);
        for (function, arguments, expected) in [
            ("default", vec![text("d"), name("empty")], "d"),
            ("default", vec![text("d"), name("x")], "a.b\n"),
            ("trimSuffix", vec![text(".b\n"), name("x")], "a"),
            ("trimSuffix", vec![text("nothing"), name("x")], "a.b\n"),
            ("trimPrefix", vec![text("a."), name("x")], "b\n"),
            ("replace", vec![text("."), text("-"), name("x")], "a-b\n"),
            ("printf", vec![text("%s-%03"), name("x")], ""),
            (
                "printf",
                vec![text("<%s %d%%>"), name("x"), name("n")],
                "<a.b\n 7%>",
            ),
            ("ternary", vec![text("y"), text("n"), name("empty")], "n"),
            (
                "add",
                vec![name("n"), Expr::Integer(1), Expr::Integer(2)],
                "10",
            ),
            ("div", vec![name("n"), Expr::Integer(2)], "3"),
            ("mod", vec![name("n"), Expr::Integer(4)], "3"),
            (
                "print",
                vec![
                    call(
                        "eq",
                        vec![name("n"), Expr::Integer(1), Expr::Integer(7)],
                        &(0..0),
                    )
                    .unwrap(),
                ],
                "true",
            ),
            ("print", vec![name("yes")], "true"),
            (
                "print",
                vec![call("contains", vec![text("b"), name("x")], &(0..0)).unwrap()],
                "true",
            ),
            (
                "print",
                vec![call("hasPrefix", vec![text("b"), name("x")], &(0..0)).unwrap()],
                "false",
            ),
            ("join", vec![text("+"), name("list")], "b+a"),
            ("index", vec![name("list"), Expr::Integer(1)], "a"),
            ("quote", vec![name("n")], "\"7\""),
            ("indent", vec![Expr::Integer(2), name("x")], "  a.b\n  "),
            ("nindent", vec![Expr::Integer(1), name("n")], "\n 7"),
            ("b64enc", vec![text("secret")], "c2VjcmV0"),
            ("b64enc", vec![text("pad")], "cGFk"),
            ("b64dec", vec![text("YQ==")], "a"),
            ("max", vec![name("n"), Expr::Integer(9)], "9"),
        ] {
            if expected.is_empty() {
                assert!(call(function, arguments, &(0..0)).is_err(), "{function}");
                continue;
            }
            assert_eq!(value(function, &arguments), expected, "{function}");
        }
    }

    #[test]
    fn what_has_no_counterpart_is_named() {
        let trouble = call("randAlphaNum", vec![Expr::Integer(5)], &(3..9)).unwrap_err();
        assert_eq!(trouble.span, 3..9);
        assert!(
            trouble.advice.contains("another value each time"),
            "{trouble:?}"
        );
        let trouble = call(
            "Binomial",
            vec![Expr::Integer(5), Expr::Integer(2)],
            &(0..1),
        )
        .unwrap_err();
        assert!(trouble.advice.contains("`Binomial`"), "{trouble:?}");
        assert!(
            call("b64enc", vec![name("x")], &(0..1))
                .unwrap_err()
                .advice
                .contains("stringData")
        );
    }
}
