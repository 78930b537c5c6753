//! `slo.yaml`.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::{Condition, Severity, Slo, Slos};

/// A file of objectives cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SloError {
    /// It is no YAML of this form.
    #[error("{name}: {reason}")]
    Format {
        /// The file.
        name: String,
        /// What is wrong, with its place.
        #[source]
        reason: Box<serde_saphyr::Error>,
    },
    /// An objective means nothing.
    #[error("{name}:{line}: {reason}")]
    Entry {
        /// The file.
        name: String,
        /// From 1.
        line: u64,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// It has no objective, so that all would be met.
    #[error("{0}: it has no objective; write `slos: [ttft_p95_ms <= 500]`")]
    Empty(String),
}

/// Service level objectives that `guidellm-indexer check --slo` judges scenarios by.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// All objectives; each is judged in every scenario that it is for.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Entry>"))]
    slos: Vec<Spanned<Entry>>,
}

/// An objective: its condition alone, or with what else there is to say.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged))]
enum Entry {
    /// The condition: a figure, one of `<=`, `<`, `>=` and `>`, and a number in the figure's unit,
    /// `ttft_p95_ms <= 500` for example.
    Short(String),
    Full(Full),
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Full {
    /// The condition: a figure, one of `<=`, `<`, `>=` and `>`, and a number in the figure's unit,
    /// `ttft_p95_ms <= 500` for example.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    expr: Spanned<String>,
    /// Globs of the names of jobs that it is for; all without.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    scenarios: Vec<Spanned<String>>,
    /// `error` (the default) and `critical` fail the check; `warning` and `info` are only shown.
    #[serde(default)]
    severity: Severity,
    /// What it is for, in words.
    description: Option<String>,
}

// By hand, since serde's untagged enums lose the lines.
impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a condition, or a map with `expr`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Short(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Full::deserialize(MapAccessDeserializer::new(map)).map(Entry::Full)
    }
}

pub(super) fn parse(text: &str, name: &str) -> Result<Slos, SloError> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| unreadable(error, name))?;
    let slos: Result<Vec<Slo>, SloError> = file
        .slos
        .into_iter()
        .map(|entry| slo(entry, name))
        .collect();
    let slos = slos?;
    if slos.is_empty() {
        return Err(SloError::Empty(name.to_owned()));
    }
    Ok(Slos { slos })
}

/// An unknown field is told with the one that was probably meant.
fn unreadable(error: serde_saphyr::Error, name: &str) -> SloError {
    let unknown = match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField {
            field,
            expected,
            location,
        } => Some(("field", field, expected, location)),
        serde_saphyr::Error::SerdeUnknownVariant {
            variant,
            expected,
            location,
        } => Some(("value", variant, expected, location)),
        _ => None,
    };
    let Some((what, found, expected, location)) = unknown else {
        return SloError::Format {
            name: name.to_owned(),
            reason: Box::new(error),
        };
    };
    let nearest = expected
        .iter()
        .min_by_key(|known| strsim::damerau_levenshtein(known, found))
        .filter(|known| strsim::damerau_levenshtein(known, found) <= known.len() / 2);
    let advice = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("known are {}", expected.join(", ")),
    };
    SloError::Entry {
        name: name.to_owned(),
        line: location.line(),
        reason: format!("unknown {what} `{found}`; {advice}"),
    }
}

fn slo(entry: Spanned<Entry>, name: &str) -> Result<Slo, SloError> {
    let wrong = |line: u64, reason: String| SloError::Entry {
        name: name.to_owned(),
        line,
        reason,
    };
    let line = entry.referenced.line();
    let condition = |text: &str, line| {
        text.parse::<Condition>()
            .map_err(|error| wrong(line, error.to_string()))
    };
    let full = match entry.value {
        Entry::Full(full) => full,
        Entry::Short(text) => {
            return Ok(Slo {
                expr: condition(&text, line)?,
                scenarios: Vec::new(),
                severity: Severity::default(),
                description: None,
            });
        }
    };
    let pattern = |glob: &Spanned<String>| {
        glob::Pattern::new(&glob.value).map_err(|error| {
            let reason = format!("`{}` is no glob: {}", glob.value, error.msg);
            wrong(glob.referenced.line(), reason)
        })
    };
    Ok(Slo {
        expr: condition(&full.expr.value, full.expr.referenced.line())?,
        scenarios: full
            .scenarios
            .iter()
            .map(pattern)
            .collect::<Result<_, _>>()?,
        severity: full.severity,
        description: full.description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        parse(text, "slo.yaml").unwrap_err().to_string()
    }

    #[test]
    fn all_that_can_be_said_is_read() {
        let text = "slos:\n  - ttft_p95_ms <= 500\n  - expr: tpot_mean_ms < 30\n    \
                    scenarios: [a-*, b]\n    severity: critical\n    description: chat\n";
        let slos = parse(text, "slo.yaml").unwrap().slos;
        assert_eq!(slos[0].severity, Severity::Error);
        assert_eq!(
            slos[1].expr.to_string(),
            "time_per_output_token_mean_ms < 30"
        );
        assert_eq!(slos[1].severity, Severity::Critical);
        assert_eq!(slos[1].description.as_deref(), Some("chat"));
        assert_eq!(slos[1].scenarios.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert_eq!(
            told("slos:\n  - ttft_p95_ms <= 500\n  - ttft_p96_ms <= 500\n"),
            "slo.yaml:3: no figure is named `ttft_p96_ms`; `ttft_p90_ms` is the nearest"
        );
        assert_eq!(
            told("slos:\n  - expr: ttft_p95_ms <= 500\n    severty: info\n"),
            "slo.yaml:3: unknown field `severty`; did you mean `severity`?"
        );
        assert_eq!(
            told("slos:\n  - expr: ttft_p95_ms <= 500\n    severity: eror\n"),
            "slo.yaml:3: unknown value `eror`; did you mean `error`?"
        );
        assert_eq!(
            told("slos:\n  - expr: ttft_p95_ms <= 500\n    scenarios: ['a***']\n"),
            "slo.yaml:3: `a***` is no glob: wildcards are either regular `*` or recursive `**`"
        );
        assert_eq!(
            told("slo:\n  - ttft_p95_ms <= 500\n"),
            "slo.yaml:1: unknown field `slo`; did you mean `slos`?"
        );
        assert!(
            told("slos:\n  - 5\n").contains("line 2"),
            "{}",
            told("slos:\n  - 5\n")
        );
    }

    #[test]
    fn no_objective_is_not_all_met() {
        assert_eq!(
            told("slos: []"),
            "slo.yaml: it has no objective; write `slos: [ttft_p95_ms <= 500]`"
        );
    }
}
