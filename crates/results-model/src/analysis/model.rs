//! What an analysis is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::documents::{ErrorClass, FailedRun, Summary, Timestamp};
use crate::figures::{Figure, Metric};
use crate::inference::Interval;
use crate::scenario::ScenarioKey;

/// What to do beside pooling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Seconds to leave out at the beginning of each measured window, beyond GuideLLM's own warm-up.
    pub trim_start_seconds: f64,
    /// Seconds to leave out at the end of each.
    pub trim_end_seconds: f64,
    /// Limits that a good request keeps.
    pub limits: Limits,
    /// Level of confidence intervals, 0 to 1.
    pub level: f64,
    /// Whether samples' standard errors are wanted, which cost a bootstrap each.
    pub standard_errors: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trim_start_seconds: 0.0,
            trim_end_seconds: 0.0,
            limits: Limits::default(),
            level: 0.95,
            standard_errors: false,
        }
    }
}

/// Limits that a good request keeps, all of them. What was not measured keeps no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Longest time to first token, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// Longest inter-token latency, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub itl_ms: Option<f64>,
    /// Longest time per output token, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<f64>,
    /// Longest request latency, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_latency_seconds: Option<f64>,
}

/// What documents say of some runs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Analysis {
    /// The runs, by their start.
    pub runs: Vec<Run>,
    /// Their scenarios, in the order in which they were first run.
    pub scenarios: Vec<Scenario>,
    /// Samples that left no report, so far as somebody told; see
    /// [`with_failed_runs`](Self::with_failed_runs).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_runs: Vec<FailedRun>,
}

/// A run: what has one `uuid`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its id.
    pub uuid: Arc<str>,
    /// Start of its first benchmark.
    pub started: Timestamp,
    /// What is known of the system under test: members of the metadata of kube-burner's
    /// `jobSummary` documents that are the same in all of the run (`eppImage`, `gpuModel`, …). Empty
    /// for a run of saved reports.
    pub facts: Map<String, Value>,
}

/// A scenario: its samples, and all of them together.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// Which it is.
    pub key: ScenarioKey,
    /// Its samples, by run and sample.
    pub samples: Vec<Sample>,
    /// Figures of all samples together; what was measured in none is not there.
    pub figures: BTreeMap<Figure, PooledFigure>,
    /// Distributions of the metrics that requests have, all samples' requests together.
    pub curves: BTreeMap<Metric, Curve>,
    /// Seconds since the start of the measured window, mean over the samples.
    pub seconds: Vec<Second>,
    /// Why requests failed, most frequent first. Requests that the benchmark's end cancelled are
    /// among them (`cancelled`).
    pub errors: Vec<ErrorCount>,
    /// Requests that kept all limits; absent if no limit was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Goodput>,
    /// What Prometheus said of the windows of the samples' runs.
    pub resources: Vec<Resource>,
    /// What makes the figures doubtful, in words.
    pub doubts: Vec<String>,
}

/// A sample of a scenario: one benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// Its summary, as documented.
    pub summary: Summary,
    /// Its own figures: the summary's, or, if its window was trimmed, those of the requests left.
    pub figures: BTreeMap<Figure, f64>,
    /// Request documents that there are of it: those of its records, unless some are lost.
    #[serde(skip)]
    pub requests: u64,
    /// The standard errors that follow from the requests themselves, if they were asked for: of a
    /// figure's natural logarithm, of a share's own value. Absent for too few requests.
    #[serde(skip)]
    pub standard_errors: BTreeMap<Figure, f64>,
}

/// What a pooled figure is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All samples' requests together.
    PooledRequests,
    /// The mean of the samples' own figures.
    MeanOfSamples,
}

/// A figure of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PooledFigure {
    /// The figure, in its own unit.
    pub value: f64,
    /// What it is made of.
    pub basis: Basis,
    /// Where the figure of further samples is expected to lie on average; absent for one sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// A cumulative distribution, thinned for showing: at most 256 points, extremes included.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Curve {
    /// A value in its metric's unit, and the share of the weight at or below it, 0 to 1.
    pub points: Vec<(f64, f64)>,
}

/// A second of the load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Second {
    /// Seconds since the start of the measured window; before it, during warm-up, below 0.
    pub second: i64,
    /// Requests that started.
    pub started: f64,
    /// Requests that completed successfully.
    pub completed: f64,
    /// Requests that failed.
    pub errored: f64,
    /// Requests in flight, mean over the second.
    pub in_flight: f64,
    /// Output tokens of the requests that completed.
    pub output_tokens: f64,
    /// Mean time to first token of the requests whose first token came, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_mean_ms: Option<f64>,
    /// Longest of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_max_ms: Option<f64>,
}

/// How often requests failed in one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorCount {
    /// What kind of failure.
    pub class: ErrorClass,
    /// HTTP status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// How many requests.
    pub count: u64,
    /// One of the error texts, cut to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// Requests that kept all limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goodput {
    /// The limits.
    pub limits: Limits,
    /// How many requests kept them.
    pub good_requests: u64,
    /// Share of the successful and errored requests in the windows, 0 to 1.
    pub share: f64,
    /// Good requests per second of the windows.
    pub rate_rps: f64,
}

/// A series of Prometheus in the windows of a scenario's runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource {
    /// kube-burner's `metricName`, `cpu-usage` for example.
    pub metric_name: String,
    /// The run it is of.
    pub uuid: Arc<str>,
    /// Labels that tell it from its siblings: `pod="epp-0"`.
    pub labels: String,
    /// Seconds since the start of the first sample's measured window, and the value.
    pub points: Vec<(f64, f64)>,
    /// Mean of the values while load was on.
    pub mean: f64,
    /// Largest of these.
    pub max: f64,
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
