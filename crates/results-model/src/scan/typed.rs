//! Typed parsing of a slice of JSON text, with the place of a failure.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Why a slice is not a `T`.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Byte offset in the slice.
    pub(crate) offset: usize,
    /// Path from the report's root.
    pub(crate) path: String,
    /// What is wrong.
    pub(crate) message: String,
}

/// Parses `text`; `path` is where it stands in the report.
///
/// Tokens that Python's `json.dump` writes for what JSON has no number (NaN, Infinity,
/// -Infinity) count as null.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8], path: &str) -> Result<T, Failure> {
    let text = without_non_finite(text);
    serde_json::from_slice(&text).map_err(|error| {
        let mut deserializer = serde_json::Deserializer::from_slice(&text);
        match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) => failure(&text, path, &error),
            // The value is a `T`, so what follows it is wrong.
            Ok(_) => plain_failure(&text, path.to_owned(), &error),
        }
    })
}

fn failure(
    text: &[u8],
    path: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> Failure {
    let inner = error.path().to_string();
    let path = match (path, inner.as_str()) {
        (_, ".") => path.to_owned(),
        ("", _) => inner,
        _ => format!("{path}.{inner}"),
    };
    plain_failure(text, path, error.inner())
}

fn plain_failure(text: &[u8], path: String, error: &serde_json::Error) -> Failure {
    // serde_json appends " at line 1 column 34567", of a text that the user never sees.
    let message = error.to_string();
    let message = message
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    Failure {
        offset: offset_of(text, error.line(), error.column()),
        path,
        message,
    }
}

fn offset_of(text: &[u8], line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => memchr::memchr_iter(b'\n', text)
            .nth(line - 2)
            .map_or(0, |newline| newline + 1),
    };
    (start + column.saturating_sub(1)).min(text.len())
}

/// Replaces NaN, Infinity and -Infinity outside strings by null, padded to keep offsets where
/// that is possible.
pub(crate) fn without_non_finite(text: &[u8]) -> Cow<'_, [u8]> {
    let mut copy = Vec::new();
    let (mut inside, mut escaped, mut done) = (false, false, 0);
    let mut index = 0;
    while let Some(&byte) = text.get(index) {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' if inside && !was_escaped => escaped = true,
            b'"' if !was_escaped => inside = !inside,
            b'N' | b'I' | b'-' if !inside => {
                let rest = text.get(index..).unwrap_or_default();
                if let Some(token) = [&b"NaN"[..], b"Infinity", b"-Infinity"]
                    .iter()
                    .find(|t| rest.starts_with(t))
                {
                    copy.extend_from_slice(text.get(done..index).unwrap_or_default());
                    copy.extend_from_slice(b"null");
                    copy.resize(copy.len() + token.len().saturating_sub(4), b' ');
                    index += token.len();
                    done = index;
                    continue;
                }
            }
            _ => {}
        }
        index += 1;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    copy.extend_from_slice(text.get(done..).unwrap_or_default());
    Cow::Owned(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_tokens_become_null_outside_strings_only() {
        let text = br#"{"a": NaN, "b": [-Infinity,Infinity], "c": "NaN \" NaN", "d": -1}"#;
        let clean = without_non_finite(text);
        let value: serde_json::Value = serde_json::from_slice(&clean).unwrap();
        let expected =
            serde_json::json!({"a": null, "b": [null, null], "c": "NaN \" NaN", "d": -1});
        assert_eq!(value, expected);
    }

    #[test]
    fn text_without_them_is_not_copied() {
        assert!(matches!(
            without_non_finite(br#"{"a": "Infinity", "b": -2}"#),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn a_failure_names_path_and_offset() {
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[expect(dead_code)]
            inner: Vec<u32>,
        }
        let failure = parse::<Outer>(b"{\n \"inner\": [1, \"x\"]\n}", "top").unwrap_err();
        assert_eq!(failure.path, "top.inner[1]");
        assert_eq!(failure.message, "invalid type: string \"x\", expected u32");
        assert!((15..=18).contains(&failure.offset), "{}", failure.offset);
    }
}
