//! The llm-d benchmark report, version 0.2.1: what llm-d-benchmark's analyses and stores read.
//!
//! One report stands for one benchmark. What our documents do not know is absent: there is no
//! stack, since GuideLLM sees a URL only.

mod load;
mod statistics;
mod time_series;

pub use load::{
    Distribution, Load, LoadMetadata, LoadNative, LoadSource, LoadStandardized, MultiTurn,
    SequenceLength,
};
pub use statistics::{Statistics, Units};
pub use time_series::{
    LatencySeries, Point, Requests, Series, Spread, ThroughputSeries, TimeSeries, Value,
};

use serde::Serialize;
use uuid::Uuid;

use crate::documents::{
    RequestCounts, Statistics as Measured, Summary, SummaryMetrics, SummaryWindow, Timestamp,
    TpotDefinition,
};

/// Version of the report's schema that this is.
pub const VERSION: &str = "0.2.1";

/// A benchmark report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchmarkReport {
    /// [`VERSION`].
    pub version: &'static str,
    /// Which benchmark this is, and when it ran.
    pub run: Run,
    /// What was asked of the load generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Scenario>,
    /// What came of it.
    pub results: Results,
}

/// Which benchmark a report is of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// This report alone: the summary's `document_id`.
    pub uid: Uuid,
    /// What all reports of a run share: the documents' `uuid`.
    pub eid: String,
    /// Pod that the load generator ran in (`podName`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// The measured window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<RunTime>,
    /// Scenario and sample (`job_name`, `sample`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The user's labels as `name=value`; `salvaged` and `failed` where the documents say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
}

/// The measured window, between warm-up and cool-down.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunTime {
    /// Start, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// End, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// Length, as an ISO 8601 duration in seconds: `PT7.5S`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
}

/// What was asked of the load generator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenario {
    /// The load.
    pub load: Load,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Results {
    /// Of the requests.
    pub request_performance: RequestPerformance,
}

/// Figures of the requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestPerformance {
    /// Over the whole measured window.
    pub aggregate: Aggregate,
    /// By the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_series: Option<TimeSeries>,
}

/// Figures over the whole measured window. Statistics are of its successful requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Aggregate {
    /// How many there were, and how long. Absent where the report did not count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<AggregateRequests>,
    /// How long they took.
    pub latency: AggregateLatency,
    /// How many at a time.
    pub throughput: AggregateThroughput,
}

/// Counts and lengths of the requests in the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AggregateRequests {
    /// All of them.
    pub total: u64,
    /// Those that the server or the connection failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u64>,
    /// Those that the end of the benchmark cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<u64>,
    /// Tokens of a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_length: Option<Statistics>,
    /// Tokens of an output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_length: Option<Statistics>,
}

/// Latencies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AggregateLatency {
    /// Time to first token, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_first_token: Option<Statistics>,
    /// `(last token - request start) / output tokens`, in ms/token: what GuideLLM calls time per
    /// output token from 0.4 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_time_per_output_token: Option<Statistics>,
    /// GuideLLM's time per output token, in ms/token, whatever it covers: so does
    /// llm-d-benchmark's own conversion. From 0.4 on it is the normalised time as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_per_output_token: Option<Statistics>,
    /// Inter-token latency, in ms/token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inter_token_latency: Option<Statistics>,
    /// Request latency, in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_latency: Option<Statistics>,
}

/// Throughputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AggregateThroughput {
    /// Prompt tokens, in tokens/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_token_rate: Option<Statistics>,
    /// Output tokens, in tokens/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_token_rate: Option<Statistics>,
    /// Both, in tokens/s. Absent of 0.2, which counts each prompt twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_token_rate: Option<Statistics>,
    /// Requests, in queries/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_rate: Option<Statistics>,
}

impl BenchmarkReport {
    /// Of a benchmark and its requests.
    #[must_use]
    pub fn new(summary: &Summary, requests: &Requests) -> Self {
        Self {
            version: VERSION,
            run: Run::of(summary),
            scenario: Load::of(summary).map(|load| Scenario { load }),
            results: Results {
                request_performance: RequestPerformance {
                    aggregate: Aggregate {
                        requests: AggregateRequests::of(&summary.counts, &summary.metrics),
                        latency: AggregateLatency::of(
                            &summary.metrics,
                            summary.origin.tpot_definition,
                        ),
                        throughput: AggregateThroughput::of(&summary.metrics),
                    },
                    time_series: requests.series(summary),
                },
            },
        }
    }
}

impl Run {
    fn of(summary: &Summary) -> Self {
        let origin = &summary.origin;
        let labels = summary.settings.labels.iter();
        let mut keywords: Vec<String> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        keywords.extend(origin.salvaged.then(|| "salvaged".to_owned()));
        keywords.extend((summary.outcome.passed == Some(false)).then(|| "failed".to_owned()));
        let named = !origin.job_name.is_empty();
        Self {
            uid: summary.document_id,
            eid: origin.uuid.to_string(),
            pid: summary.outcome.pod_name.clone(),
            time: RunTime::of(&summary.window),
            description: named.then(|| format!("{}, sample {}", origin.job_name, origin.sample)),
            keywords,
        }
    }
}

impl RunTime {
    fn of(window: &SummaryWindow) -> Option<Self> {
        let (start, end) = (window.start_timestamp, window.end_timestamp);
        let duration = window.duration_seconds;
        let known = start.is_some() || end.is_some() || duration.is_some();
        known.then(|| Self {
            start,
            end,
            duration: duration.map(|seconds| format!("PT{seconds}S")),
        })
    }
}

impl AggregateRequests {
    fn of(counts: &RequestCounts, metrics: &SummaryMetrics) -> Option<Self> {
        Some(Self {
            total: counts.total_requests?,
            failures: counts.errored_requests,
            incomplete: counts.incomplete_requests,
            input_length: Statistics::mean(Units::Count, metrics.prompt_token_count_mean),
            output_length: Statistics::mean(Units::Count, metrics.output_token_count_mean),
        })
    }
}

impl AggregateLatency {
    fn of(metrics: &SummaryMetrics, definition: TpotDefinition) -> Self {
        let per_token: Measured = metrics.time_per_output_token.into();
        let normalised = match definition {
            TpotDefinition::IncludesTimeToFirstToken => per_token,
            TpotDefinition::ExcludesTimeToFirstToken => Measured::default(),
        };
        Self {
            time_to_first_token: Statistics::of(Units::Milliseconds, metrics.time_to_first_token),
            normalized_time_per_output_token: Statistics::of(
                Units::MillisecondsPerToken,
                normalised,
            ),
            time_per_output_token: Statistics::of(Units::MillisecondsPerToken, per_token),
            inter_token_latency: Statistics::of(
                Units::MillisecondsPerToken,
                metrics.inter_token_latency,
            ),
            request_latency: Statistics::of(Units::Seconds, metrics.request_latency),
        }
    }
}

impl AggregateThroughput {
    fn of(metrics: &SummaryMetrics) -> Self {
        let total = if metrics.tokens_per_second_counts_prompt_twice {
            Measured::default()
        } else {
            metrics.tokens_per_second.into()
        };
        Self {
            input_token_rate: Statistics::of(
                Units::TokensPerSecond,
                metrics.prompt_tokens_per_second,
            ),
            output_token_rate: Statistics::of(
                Units::TokensPerSecond,
                metrics.output_tokens_per_second,
            ),
            total_token_rate: Statistics::of(Units::TokensPerSecond, total),
            request_rate: Statistics::of(Units::QueriesPerSecond, metrics.throughput),
        }
    }
}
