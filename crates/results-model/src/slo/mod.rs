//! Service level objectives: what figures have to keep.

mod condition;
mod file;

pub use condition::{BadCondition, Condition, Operator};
#[cfg(feature = "schema")]
pub(crate) use file::File as SloFile;
pub use file::SloError;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::figures::Figure;

/// How bad it is to miss an objective: kube-burner's severities of alerts.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth looking at.
    Warning,
    /// The check fails.
    #[default]
    Error,
    /// The check fails.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// One objective.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slo {
    /// What a figure has to keep.
    pub expr: Condition,
    /// Globs of the job names it is for; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_texts")]
    pub scenarios: Vec<glob::Pattern>,
    /// How bad it is to miss it.
    pub severity: Severity,
    /// What it is for, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

fn as_texts<S: serde::Serializer>(
    patterns: &[glob::Pattern],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(patterns.iter().map(glob::Pattern::as_str))
}

/// Objectives, in the order of their file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Slos {
    /// All.
    pub slos: Vec<Slo>,
}

/// What came of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The figure keeps it.
    Met,
    /// It does not.
    Missed,
    /// The figure was not measured, so that nobody knows: it counts as missed.
    NotMeasured,
}

/// An objective, judged in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The objective.
    pub slo: Slo,
    /// The figure, in its own unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What came of it.
    pub met: Outcome,
}

impl Slos {
    /// Reads the text of a file; `name` is for messages.
    ///
    /// ```
    /// # use guidellm_results_model::slo::Slos;
    /// let text = "
    /// slos:
    ///   - ttft_p95_ms <= 500
    ///   - expr: request_success_rate >= 99.9%
    ///     scenarios: [steady-*]
    ///     severity: critical
    ///     description: what chat users notice
    /// ";
    /// assert_eq!(Slos::parse(text, "slo.yaml")?.slos.len(), 2);
    /// # Ok::<(), guidellm_results_model::slo::SloError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is no YAML of this form, names what is not known, or has no objective: with the line.
    pub fn parse(text: &str, name: &str) -> Result<Self, SloError> {
        file::parse(text, name)
    }

    /// Judges one scenario by the objectives that are for it.
    pub fn judge(&self, job_name: &str, figure: impl Fn(Figure) -> Option<f64>) -> Vec<Verdict> {
        let concerned = self.slos.iter().filter(|slo| slo.is_for(job_name));
        concerned
            .map(|slo| {
                let value = figure(slo.expr.figure).filter(|value| value.is_finite());
                Verdict {
                    slo: slo.clone(),
                    value,
                    met: match value {
                        None => Outcome::NotMeasured,
                        Some(value) if slo.expr.holds(value) => Outcome::Met,
                        Some(_) => Outcome::Missed,
                    },
                }
            })
            .collect()
    }
}

impl Slo {
    /// Whether it is for the scenarios of a job.
    #[must_use]
    pub fn is_for(&self, job_name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|glob| glob.matches(job_name))
    }
}

impl Verdict {
    /// Whether a check fails of it: an objective of severity `error` or worse that was not met.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.met != Outcome::Met && self.slo.severity >= Severity::Error
    }
}

impl fmt::Display for Verdict {
    /// `ttft_p95_ms <= 500: missed, it is 612.5 ms`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.slo.expr.figure.unit();
        let gap = if unit.is_empty() { "" } else { " " };
        write!(formatter, "{}: ", self.slo.expr)?;
        let value = self.value.map(|value| self.slo.expr.rounded(value));
        match (self.met, value) {
            (Outcome::Met, Some(value)) => write!(formatter, "met, it is {value}{gap}{unit}"),
            (_, Some(value)) => write!(formatter, "missed, it is {value}{gap}{unit}"),
            (_, None) => formatter.write_str("not measured, which counts as missed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slos(text: &str) -> Slos {
        Slos::parse(text, "slo.yaml").unwrap()
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let slos = slos("slos: [ttft_p95_ms <= 500, itl_p95_ms < 20, request_success_rate >= 1]");
        let judged = slos.judge("any", |figure| match figure.to_string().as_str() {
            "ttft_p95_ms" => Some(612.5),
            "request_success_rate" => Some(1.0),
            _ => None,
        });
        let said: Vec<_> = judged.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "ttft_p95_ms <= 500: missed, it is 612.5 ms",
                "itl_p95_ms < 20: not measured, which counts as missed",
                "request_success_rate >= 1: met, it is 1",
            ]
        );
        let fails: Vec<_> = judged.iter().map(Verdict::fails).collect();
        assert_eq!(fails, [true, true, false]);
        let nan = slos.judge("any", |_| Some(f64::NAN));
        assert!(
            nan.iter()
                .all(|verdict| verdict.met == Outcome::NotMeasured)
        );
    }

    #[test]
    fn globs_choose_scenarios() {
        let slos = slos("slos: [{expr: ttft_p95_ms <= 5, scenarios: [steady-*, burst]}]");
        let judged = |job: &str| slos.judge(job, |_| Some(1.0)).len();
        assert_eq!(
            [judged("steady-chat"), judged("burst"), judged("burst-2")],
            [1, 1, 0]
        );
    }

    #[test]
    fn a_warning_fails_no_check() {
        let slos = slos("slos: [{expr: ttft_p95_ms <= 5, severity: warning}]");
        let judged = slos.judge("", |_| Some(6.0));
        assert_eq!((judged[0].met, judged[0].fails()), (Outcome::Missed, false));
    }
}
