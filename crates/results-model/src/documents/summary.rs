//! One benchmark of a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Concurrency, DispatchDelay, GenerationDelay, Goodput, InterTokenLatency, Origin,
    OutputTokensPerSecond, PromptTokensPerSecond, RequestLatency, RunOutcome, SummaryMetricName,
    Throughput, TimePerOutputToken, TimeToFirstToken, Timestamp, TokensPerSecond,
};
use crate::generation::Generation;

/// Which clock became a summary's `timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SummaryTimestampSource {
    /// Start of the measured window, as the report says (from 0.2 on).
    MeasuredStart,
    /// The earliest clock of the benchmark's records: 0.1, and what was salvaged of a report
    /// that was cut off before its window.
    EarliestRecord,
}

/// One benchmark: its settings, its measured window, its counts and its statistics.
///
/// All statistics are of the *successful* requests in the measured window, as the report gives
/// them; those of 0.1, which has none, are computed from its records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Always `guidellmSummary`.
    #[serde(rename = "metricName")]
    pub metric_name: SummaryMetricName,
    /// The document's `_id`: derived from uuid, job, sample and the report's own ids.
    pub document_id: Uuid,
    /// Start of the measured window, else the clock that `timestamp_source` names.
    pub timestamp: Timestamp,
    /// Which clock `timestamp` is.
    pub timestamp_source: SummaryTimestampSource,
    /// What all documents of this benchmark share.
    #[serde(flatten)]
    pub origin: Arc<Origin>,
    /// What was asked of GuideLLM.
    #[serde(flatten)]
    pub settings: SummarySettings,
    /// When it ran.
    #[serde(flatten)]
    pub window: SummaryWindow,
    /// How many requests ended how.
    #[serde(flatten)]
    pub counts: RequestCounts,
    /// Statistics.
    #[serde(flatten)]
    pub metrics: SummaryMetrics,
    /// Whether the figures can be trusted, and whether goals were met.
    #[serde(flatten)]
    pub validity: SummaryValidity,
    /// How the benchmark's process ended.
    #[serde(flatten)]
    pub outcome: RunOutcome,
}

/// What was asked of GuideLLM, and of whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SummarySettings {
    /// Layout of the report that this came from.
    pub report_generation: Generation,
    /// GuideLLM's release (`metadata.guidellm_version`, from 0.5 on).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guidellm_version: Option<String>,
    /// The profile that made this benchmark, `sweep` among them (0.1 `args.mode`, to
    /// 0.3 `args.profile.type_`, to 0.6 `config.profile.type_`, then `config.profile.kind`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<String>,
    /// Model under test (`model` of the arguments, the worker or the backend).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backend_model: Option<String>,
    /// Kind of GuideLLM's backend, `openai_http` for example (`backend_type`, `backend`, from 0.7
    /// on `backend.kind`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backend_type: Option<String>,
    /// URL under test (`target` of the arguments or the backend).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<String>,
    /// API that was called: `chat_completions`, `text_completions`, or a path as newer releases
    /// write it (to 0.6 the arguments' formatter or `request_format`, from 0.7 on
    /// `backend.request_format`; else the first record's `request_type`). Absent in 0.1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoint: Option<String>,
    /// Whether responses were streamed (from 0.7 on `backend.stream`). Where the report does not
    /// say, whether any successful request has a time to first token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub streaming: Option<bool>,
    /// The data's description, as GuideLLM got it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<String>,
    /// Prompt tokens configured, as a string. Absent where the data is not synthetic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompt_tokens: Option<String>,
    /// Output tokens configured, as a string. Absent where the data is not synthetic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_tokens: Option<String>,
    /// Tokenizer that counted the tokens (`tokenizer`, `processor`, from 0.7 on
    /// `tokenizer.model`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokenizer: Option<String>,
    /// Limit on the benchmark's duration, in seconds (to 0.3 `max_duration`, to 0.6
    /// `max_seconds`, then the constraint `max_duration`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_seconds: Option<f64>,
    /// Limit on the number of requests (`max_number`, `max_requests`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_requests: Option<u64>,
    /// Most requests that the strategy lets be in flight at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_concurrency: Option<u64>,
    /// The user's labels (0.2 and 0.3 `extras`, from 0.7 on `config.metadata.labels`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
}

/// The measured window: between warm-up and cool-down. 0.1 has none; its window is from the first
/// start to the last end of a successful request, and absent without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SummaryWindow {
    /// Start of the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_timestamp: Option<Timestamp>,
    /// End of the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_timestamp: Option<Timestamp>,
    /// Length of the window, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_seconds: Option<f64>,
    /// Warm-up before the window, in seconds: done (from 0.4 on), or asked for (0.2, 0.3).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warmup_seconds: Option<f64>,
    /// Cool-down after the window, in seconds: done (from 0.4 on), or asked for (0.2, 0.3).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cooldown_seconds: Option<f64>,
}

/// How many requests ended how.
///
/// Three counts differ in GuideLLM's reports: those in the measured window, those of the whole
/// run, warm-up and cool-down included, and the records that the report kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestCounts {
    /// Requests in the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total_requests: Option<u64>,
    /// Successful requests in the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub successful_requests: Option<u64>,
    /// Errored requests in the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub errored_requests: Option<u64>,
    /// Requests in the window that the end of the benchmark cancelled. 0.1 leaves them out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incomplete_requests: Option<u64>,
    /// Requests of the whole run. From 0.4 to 0.7 it also counts incomplete ones that were
    /// queued, but never sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_total_requests: Option<u64>,
    /// Successful requests of the whole run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_successful_requests: Option<u64>,
    /// Errored requests of the whole run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_errored_requests: Option<u64>,
    /// Incomplete requests of the whole run; see `run_total_requests`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_incomplete_requests: Option<u64>,
    /// Successful records in the report: as many request documents follow.
    pub successful_records: u64,
    /// Errored records in the report.
    pub errored_records: u64,
    /// Incomplete records in the report.
    pub incomplete_records: u64,
    /// True where the report kept fewer records than it counted, so that figures computed from
    /// the records are of a sample.
    pub records_sampled: bool,
    /// `successful / (successful + errored)` in the window, 0 to 1. Absent where both are 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_success_rate: Option<f64>,
    /// `incomplete / total` in the window, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incomplete_rate: Option<f64>,
}

impl RequestCounts {
    /// Records in the report: as many request documents belong to the summary.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.successful_records + self.errored_records + self.incomplete_records
    }
}

/// The statistics of a benchmark, over its successful requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SummaryMetrics {
    /// True for reports of 0.2, whose `tokens_per_second` counts each prompt twice and must not
    /// be compared with another release's; absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub tokens_per_second_counts_prompt_twice: bool,
    /// `ttft_*_ms`
    #[serde(flatten)]
    pub time_to_first_token: TimeToFirstToken,
    /// `itl_*_ms`
    #[serde(flatten)]
    pub inter_token_latency: InterTokenLatency,
    /// `time_per_output_token_*_ms`
    #[serde(flatten)]
    pub time_per_output_token: TimePerOutputToken,
    /// `request_latency_*_seconds`
    #[serde(flatten)]
    pub request_latency: RequestLatency,
    /// `throughput_*_rps`
    #[serde(flatten)]
    pub throughput: Throughput,
    /// `tokens_per_second_*`
    #[serde(flatten)]
    pub tokens_per_second: TokensPerSecond,
    /// `output_tokens_per_second_*`
    #[serde(flatten)]
    pub output_tokens_per_second: OutputTokensPerSecond,
    /// `prompt_tokens_per_second_*`
    #[serde(flatten)]
    pub prompt_tokens_per_second: PromptTokensPerSecond,
    /// `concurrency_*`
    #[serde(flatten)]
    pub concurrency: Concurrency,
    /// `dispatch_delay_*_seconds`
    #[serde(flatten)]
    pub dispatch_delay: DispatchDelay,
    /// `generation_delay_*_seconds`
    #[serde(flatten)]
    pub generation_delay: GenerationDelay,
    /// `goodput_*_rps`
    #[serde(flatten)]
    pub goodput: Goodput,
    /// Mean tokens of a prompt, as counted (not as configured).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompt_token_count_mean: Option<f64>,
    /// Mean tokens of an output, as counted (not as configured).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_token_count_mean: Option<f64>,
}

impl SummaryMetrics {
    /// Every metric with the same statistics: what has all names.
    #[cfg(any(test, feature = "frames"))]
    pub(crate) fn all(statistics: super::Statistics) -> Self {
        Self {
            tokens_per_second_counts_prompt_twice: false,
            time_to_first_token: statistics.into(),
            inter_token_latency: statistics.into(),
            time_per_output_token: statistics.into(),
            request_latency: statistics.into(),
            throughput: statistics.into(),
            tokens_per_second: statistics.into(),
            output_tokens_per_second: statistics.into(),
            prompt_tokens_per_second: statistics.into(),
            concurrency: statistics.into(),
            dispatch_delay: statistics.into(),
            generation_delay: statistics.into(),
            goodput: statistics.into(),
            prompt_token_count_mean: statistics.mean,
            output_token_count_mean: statistics.mean,
        }
    }
}

/// Whether a benchmark's figures can be trusted, and whether its goals were met.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SummaryValidity {
    /// Requests that started, per second of the window: all statuses, since a server that fails
    /// or is slow does not change the load that was offered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub achieved_rate_rps: Option<f64>,
    /// Our own flag: the load generator offered clearly less than the rate asked for, so that
    /// the figures are of another load. Absent where no rate was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate_missed: Option<bool>,
    /// Mean of request start less targeted start over the whole run, in seconds: the load
    /// generator's lag (from 0.2 on; 0.2 and 0.3 count each request twice, once by its worker's
    /// start). Where the strategy has no schedule of its own (`concurrent`, `synchronous`,
    /// `throughput`), 0.4 and 0.5 count the wait for the request before as well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_delay_mean_seconds: Option<f64>,
    /// Codes of `warnings`, to filter by.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warning_codes: Vec<String>,
    /// GuideLLM's own warnings on the benchmark's validity (from 0.8 on).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<ReportWarning>,
    /// Share of requests that met every service level objective, 0 to 1 (0.8
    /// `slo_attainment`). Absent where the run had no objectives.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slo_attainment: Option<f64>,
    /// Requests of which it is known whether they met the objectives (0.8).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slo_determined_requests: Option<u64>,
    /// What a goodput or knee search over the report's benchmarks concluded (0.8
    /// `conclusions`), as written; the same in every summary of the report.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub conclusions: Vec<serde_json::Value>,
}

/// One of GuideLLM 0.8's `warnings`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ReportWarning {
    /// `generation_delay_ttft` or `root_late` for example.
    pub code: String,
    /// The warning in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was observed, in `unit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<f64>,
    /// From where on it is a warning, in `unit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Unit of `observed` and `threshold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Observations behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_count: Option<u64>,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
