//! What GuideLLM is told of the load, in the fields of a scenario.

use super::expression::{Expr, Kind, Operator};

/// A rate, which may be a fraction; nothing if it is fixed and no number.
pub(super) fn number(value: Expr) -> Option<Expr> {
    match value {
        Expr::Text(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(value), _) => Some(Expr::Integer(value)),
            (_, Ok(value)) if value.is_finite() => Some(Expr::Float(format!("{value:?}"))),
            _ => None,
        },
        value if matches!(value.kind(), Kind::Integer | Kind::Float) => Some(value),
        value => Some(value.filter("float", Vec::new(), Kind::Float)),
    }
}

/// Tokens of prompts and outputs, of data such as `prompt_tokens=256,output_tokens=64`.
pub(super) fn tokens(data: &Expr) -> Option<[Expr; 2]> {
    let mut parts = Vec::new();
    flattened(data, &mut parts);
    let (mut prompt, mut output) = (None, None);
    let mut name: Option<String> = None;
    for part in parts {
        let Expr::Text(text) = part else {
            let field = name.take()?;
            *slot(&field, &mut prompt, &mut output)? = Some(part.clone().into_integer());
            continue;
        };
        for pair in text
            .trim_matches(['{', '}', ' '])
            .split(',')
            .filter(|pair| !pair.trim().is_empty())
        {
            let (field, value) = pair.split_once(['=', ':'])?;
            let field = field.trim().trim_matches('"').to_owned();
            match value.trim() {
                "" => name = Some(field),
                value => {
                    *slot(&field, &mut prompt, &mut output)? =
                        Some(Expr::Integer(value.parse().ok()?));
                }
            }
        }
    }
    Some([prompt?, output?])
}

fn slot<'a>(
    field: &str,
    prompt: &'a mut Option<Expr>,
    output: &'a mut Option<Expr>,
) -> Option<&'a mut Option<Expr>> {
    match field {
        "prompt_tokens" => Some(prompt),
        "output_tokens" => Some(output),
        _ => None,
    }
}

/// The parts of a text that is put together.
fn flattened<'a>(value: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match value {
        Expr::Binary(left, Operator::Concat, right) => {
            flattened(left, parts);
            flattened(right, parts);
        }
        other => parts.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_fixed_sizes_are_read() {
        let read = |text: &str| tokens(&Expr::text(text));
        let expected = Some([Expr::Integer(256), Expr::Integer(64)]);
        assert_eq!(read("prompt_tokens=256,output_tokens=64"), expected);
        assert_eq!(read("output_tokens=64, prompt_tokens=256"), expected);
        assert_eq!(
            read(r#"{"prompt_tokens": 256, "output_tokens": 64}"#),
            expected
        );
        for other in [
            "",
            "prompt_tokens=256",
            "prompt_tokens=a,output_tokens=1",
            "data.json",
            "prompt_tokens=1,output_tokens=2,turns=3",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
        let prompt = Expr::Name("p".to_owned(), Kind::Integer);
        let parts = vec![
            Expr::text("prompt_tokens="),
            prompt.clone(),
            Expr::text(",output_tokens=64"),
        ];
        assert_eq!(
            tokens(&Expr::concat(parts)),
            Some([prompt, Expr::Integer(64)])
        );
    }
}
