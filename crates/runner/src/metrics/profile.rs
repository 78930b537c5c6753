//! Profiles of metrics and of alerts, as kube-burner reads them.

use std::path::Path;
use std::time::Duration;

use guidellm_indexer::kube_burner::Severity;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Spanned;

use super::template::{Description, Query};

/// Queries whose answers become documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricProfile {
    pub(super) metrics: Vec<Metric>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) query: Query,
    /// Asked at the end of the window alone.
    pub(super) instant: bool,
    /// And at its start, under a name of its own.
    pub(super) capture_start: bool,
}

/// Expressions that should give nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertProfile {
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// As in the profile.
    pub(super) text: String,
    pub(super) expr: Query,
    pub(super) description: Description,
    pub(super) severity: Severity,
    /// How long it has to give something without a break.
    pub(super) held: Duration,
}

/// A profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It cannot be read.
    #[error("{name}: cannot read the profile: {source}")]
    Io {
        /// The file.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a list of what it should be.
    #[error("{name}: not a profile: {reason}")]
    Format {
        /// The file.
        name: String,
        /// What is wrong, and where.
        reason: Box<serde_saphyr::Error>,
    },
    /// An entry makes no sense.
    #[error("{name}, line {line}: {reason}")]
    Entry {
        /// The file.
        name: String,
        /// Where the entry is.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MetricEntry {
    query: Spanned<String>,
    metric_name: Spanned<String>,
    #[serde(default)]
    instant: bool,
    #[serde(default)]
    capture_start: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AlertEntry {
    expr: Spanned<String>,
    description: Spanned<String>,
    severity: Severity,
    #[serde(default, rename = "for")]
    held: Option<Spanned<String>>,
}

impl MetricProfile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or used; the error names the place.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let (name, text) = read(path)?;
        Self::from_yaml(&name, &text)
    }

    /// Reads a text, which errors call by a name.
    ///
    /// # Errors
    ///
    /// If it cannot be used; the error names the place.
    pub fn from_yaml(name: &str, text: &str) -> Result<Self, ProfileError> {
        let entries = entries::<MetricEntry>(name, text)?;
        let metric = |entry: MetricEntry| {
            let at = |reason| Err(wrong(name, &entry.query, reason));
            if entry.query.value.trim().is_empty() {
                return at("it has no query".to_owned());
            }
            if entry.metric_name.value.is_empty() {
                return at("it has no metricName".to_owned());
            }
            if entry.capture_start && !entry.instant {
                let reason = "captureStart is of instant queries; add `instant: true`";
                return at(reason.to_owned());
            }
            let query = Query::parse(&entry.query.value);
            Ok(Metric {
                query: query.or_else(at_of(name, &entry.query))?,
                name: entry.metric_name.value,
                instant: entry.instant,
                capture_start: entry.capture_start,
            })
        };
        let metrics = entries.into_iter().map(metric).collect::<Result<_, _>>()?;
        Ok(Self { metrics })
    }

    /// How many queries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}

impl AlertProfile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or used; the error names the place.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let (name, text) = read(path)?;
        Self::from_yaml(&name, &text)
    }

    /// Reads a text, which errors call by a name.
    ///
    /// # Errors
    ///
    /// If it cannot be used; the error names the place.
    pub fn from_yaml(name: &str, text: &str) -> Result<Self, ProfileError> {
        let entries = entries::<AlertEntry>(name, text)?;
        let rule = |entry: AlertEntry| {
            let expr = Query::parse(&entry.expr.value).or_else(at_of(name, &entry.expr))?;
            let description = Description::parse(&entry.description.value)
                .or_else(at_of(name, &entry.description))?;
            let held = match &entry.held {
                Some(text) => humantime::parse_duration(&text.value)
                    .map_err(|error| format!("for: {error}; write 30s or 2m"))
                    .or_else(at_of(name, text))?,
                None => Duration::ZERO,
            };
            Ok(Rule {
                text: entry.expr.value,
                expr,
                description,
                severity: entry.severity,
                held,
            })
        };
        let rules = entries.into_iter().map(rule).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// How many expressions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn read(path: &Path) -> Result<(String, String), ProfileError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(source) => Err(ProfileError::Io { name, source }),
    }
}

fn entries<T: DeserializeOwned>(name: &str, text: &str) -> Result<Vec<T>, ProfileError> {
    serde_saphyr::from_str(text).map_err(|error| ProfileError::Format {
        name: name.to_owned(),
        reason: Box::new(error),
    })
}

fn wrong<T>(name: &str, at: &Spanned<T>, reason: String) -> ProfileError {
    ProfileError::Entry {
        name: name.to_owned(),
        line: at.referenced.line(),
        reason,
    }
}

fn at_of<T>(name: &str, at: &Spanned<String>) -> impl FnOnce(String) -> Result<T, ProfileError> {
    move |reason| Err(wrong(name, at, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_burners_profiles_are_read() {
        let profile = MetricProfile::from_yaml(
            "m.yml",
            "- query: sum(x{n=\"{{.namespace}}\"})\n  metricName: x\n\
             - {query: 'max_over_time(y[{{.elapsed}}:])', metricName: y, instant: true, captureStart: true}\n",
        )
        .unwrap();
        let shapes: Vec<_> = profile
            .metrics
            .iter()
            .map(|it| (&*it.name, it.instant, it.capture_start))
            .collect();
        assert_eq!(shapes, [("x", false, false), ("y", true, true)]);
        let profile = AlertProfile::from_yaml(
            "a.yml",
            "- expr: up == 0\n  description: '{{$labels.pod}} is at {{$value}}'\n  severity: critical\n\
             - {expr: z > 1, description: z, severity: info, for: 2m}\n",
        )
        .unwrap();
        assert_eq!(profile.rules[0].severity, Severity::Critical);
        assert_eq!(profile.rules[1].held, Duration::from_mins(2));
        assert_eq!(profile.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        let metric = |text: &str| {
            MetricProfile::from_yaml("m.yml", text)
                .unwrap_err()
                .to_string()
        };
        let alert = |text: &str| {
            AlertProfile::from_yaml("a.yml", text)
                .unwrap_err()
                .to_string()
        };
        let good = "- {query: x, metricName: x}\n";
        for (error, parts) in [
            (
                metric(&format!("{good}- {{query: y, metricsName: y}}\n")),
                ["metricsName", "2"],
            ),
            (
                metric(&format!("{good}- {{query: y}}\n")),
                ["metricName", "2"],
            ),
            (
                metric(&format!("{good}- query: ''\n  metricName: y\n")),
                ["no query", "line 2"],
            ),
            (
                metric(&format!(
                    "{good}- metricName: y\n  query: 'y[{{{{ e }}}}]'\n"
                )),
                ["`e`", "line 3"],
            ),
            (
                metric("- {query: y, metricName: y, captureStart: true}"),
                ["instant: true", "line 1"],
            ),
            (metric("metrics: []"), ["not a profile", "m.yml"]),
            (
                alert("- {expr: x, description: d, severity: bad}"),
                ["bad", "a.yml"],
            ),
            (
                alert("- expr: x\n  description: d\n  severity: info\n  for: soon\n"),
                ["for:", "line 4"],
            ),
            (
                alert("- expr: x\n  description: '{{ $x }}'\n  severity: info\n"),
                ["`x`", "line 2"],
            ),
        ] {
            assert!(
                parts.iter().all(|part| error.contains(part)),
                "{error}: {parts:?}"
            );
        }
    }
}
