//! The statistics of one metric over one benchmark, and their flat field names.
//!
//! The documents are flat because OpenSearch dashboards, orion and kube-burner's tools aggregate
//! on top-level numeric fields. A metric is therefore one struct whose field names *are* the
//! document's, unit included, and [`Statistics`] is what they have in common.

use serde::{Deserialize, Serialize};

/// What is known of a metric's distribution, before its fields get their metric's name.
///
/// Every member is absent where the metric was not measured. Percentiles follow GuideLLM: the
/// smallest value whose cumulative weight reaches the rank, without interpolation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// Arithmetic mean, weighted where the metric is.
    pub mean: Option<f64>,
    /// 50th percentile.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Population standard deviation.
    pub stddev: Option<f64>,
}

/// Declares the flat form of one metric; the eight names are the document's field names.
macro_rules! metric {
    (
        $(#[$doc:meta])* $name:ident, $of:literal in $unit:literal,
        [$mean:ident $p50:ident $p90:ident $p95:ident $p99:ident $min:ident $max:ident $stddev:ident]
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(default)]
        pub struct $name {
            #[doc = concat!($of, ": mean, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $mean: Option<f64>,
            #[doc = concat!($of, ": 50th percentile, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $p50: Option<f64>,
            #[doc = concat!($of, ": 90th percentile, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $p90: Option<f64>,
            #[doc = concat!($of, ": 95th percentile, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $p95: Option<f64>,
            #[doc = concat!($of, ": 99th percentile, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $p99: Option<f64>,
            #[doc = concat!($of, ": smallest value, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $min: Option<f64>,
            #[doc = concat!($of, ": largest value, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $max: Option<f64>,
            #[doc = concat!($of, ": population standard deviation, in ", $unit, ".")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $stddev: Option<f64>,
        }

        impl From<Statistics> for $name {
            fn from(statistics: Statistics) -> Self {
                Self {
                    $mean: statistics.mean,
                    $p50: statistics.p50,
                    $p90: statistics.p90,
                    $p95: statistics.p95,
                    $p99: statistics.p99,
                    $min: statistics.min,
                    $max: statistics.max,
                    $stddev: statistics.stddev,
                }
            }
        }

        impl From<$name> for Statistics {
            fn from(metric: $name) -> Self {
                Self {
                    mean: metric.$mean,
                    p50: metric.$p50,
                    p90: metric.$p90,
                    p95: metric.$p95,
                    p99: metric.$p99,
                    min: metric.$min,
                    max: metric.$max,
                    stddev: metric.$stddev,
                }
            }
        }
    };
}

metric! {
    /// Time to first token of the successful requests (GuideLLM `time_to_first_token_ms`).
    /// Absent where the responses were not streamed.
    TimeToFirstToken, "Time to first token" in "milliseconds",
    [ttft_mean_ms ttft_p50_ms ttft_p90_ms ttft_p95_ms ttft_p99_ms ttft_min_ms ttft_max_ms ttft_stddev_ms]
}

metric! {
    /// Inter-token latency of the successful requests, `(last - first token) / (tokens - 1)`
    /// (GuideLLM `inter_token_latency_ms`). Each request counts `output tokens - 1` times, in
    /// every release. Absent where the responses were not streamed.
    InterTokenLatency, "Inter-token latency" in "milliseconds",
    [itl_mean_ms itl_p50_ms itl_p90_ms itl_p95_ms itl_p99_ms itl_min_ms itl_max_ms itl_stddev_ms]
}

metric! {
    /// Time per output token of the successful requests (GuideLLM `time_per_output_token_ms`).
    /// Each request counts by its output tokens, in every release. What the time covers changed
    /// at 0.4: see [`TpotDefinition`](super::TpotDefinition).
    TimePerOutputToken, "Time per output token" in "milliseconds",
    [time_per_output_token_mean_ms time_per_output_token_p50_ms time_per_output_token_p90_ms
     time_per_output_token_p95_ms time_per_output_token_p99_ms time_per_output_token_min_ms
     time_per_output_token_max_ms time_per_output_token_stddev_ms]
}

metric! {
    /// Latency of the successful requests, first byte sent to last byte received
    /// (GuideLLM `request_latency`).
    RequestLatency, "Request latency" in "seconds",
    [request_latency_mean_seconds request_latency_p50_seconds request_latency_p90_seconds
     request_latency_p95_seconds request_latency_p99_seconds request_latency_min_seconds
     request_latency_max_seconds request_latency_stddev_seconds]
}

metric! {
    /// Completed successful requests per second (GuideLLM `requests_per_second`). The mean is
    /// requests over time: to 0.3 over the span of the successful requests, from 0.4 on of those
    /// that completed inside the window. The other members are of the instantaneous rate, which
    /// is wild.
    Throughput, "Completed successful requests per second" in "requests per second",
    [throughput_mean_rps throughput_p50_rps throughput_p90_rps throughput_p95_rps
     throughput_p99_rps throughput_min_rps throughput_max_rps throughput_stddev_rps]
}

metric! {
    /// Prompt and output tokens of the successful requests per second (GuideLLM
    /// `tokens_per_second`). Members other than the mean are of the instantaneous rate. 0.2
    /// counts each prompt twice: see `tokens_per_second_counts_prompt_twice`.
    TokensPerSecond, "Prompt and output tokens per second" in "tokens per second",
    [tokens_per_second_mean tokens_per_second_p50 tokens_per_second_p90 tokens_per_second_p95
     tokens_per_second_p99 tokens_per_second_min tokens_per_second_max tokens_per_second_stddev]
}

metric! {
    /// Output tokens of the successful requests per second (GuideLLM
    /// `output_tokens_per_second`). Members other than the mean are of the instantaneous rate.
    OutputTokensPerSecond, "Output tokens per second" in "tokens per second",
    [output_tokens_per_second_mean output_tokens_per_second_p50 output_tokens_per_second_p90
     output_tokens_per_second_p95 output_tokens_per_second_p99 output_tokens_per_second_min
     output_tokens_per_second_max output_tokens_per_second_stddev]
}

metric! {
    /// Prompt tokens of the successful requests per second (GuideLLM
    /// `prompt_tokens_per_second`, from 0.4 on). To 0.3 only the mean: prompt tokens over the
    /// window's duration.
    PromptTokensPerSecond, "Prompt tokens per second" in "tokens per second",
    [prompt_tokens_per_second_mean prompt_tokens_per_second_p50 prompt_tokens_per_second_p90
     prompt_tokens_per_second_p95 prompt_tokens_per_second_p99 prompt_tokens_per_second_min
     prompt_tokens_per_second_max prompt_tokens_per_second_stddev]
}

metric! {
    /// Requests in flight that ended successfully, weighted by time (GuideLLM
    /// `request_concurrency`).
    Concurrency, "Requests in flight" in "requests",
    [concurrency_mean concurrency_p50 concurrency_p90 concurrency_p95 concurrency_p99
     concurrency_min concurrency_max concurrency_stddev]
}

metric! {
    /// How late requests that start a conversation left the load generator against their
    /// schedule (GuideLLM 0.8 `root_dispatch_delay`). Large values void an open-loop benchmark.
    DispatchDelay, "Lateness of requests against their schedule" in "seconds",
    [dispatch_delay_mean_seconds dispatch_delay_p50_seconds dispatch_delay_p90_seconds
     dispatch_delay_p95_seconds dispatch_delay_p99_seconds dispatch_delay_min_seconds
     dispatch_delay_max_seconds dispatch_delay_stddev_seconds]
}

metric! {
    /// Time that the load generator needed to make a request's data (GuideLLM 0.8
    /// `scheduler_metrics.generation_delay`).
    GenerationDelay, "Time to make a request's data" in "seconds",
    [generation_delay_mean_seconds generation_delay_p50_seconds generation_delay_p90_seconds
     generation_delay_p95_seconds generation_delay_p99_seconds generation_delay_min_seconds
     generation_delay_max_seconds generation_delay_stddev_seconds]
}

metric! {
    /// Requests per second that met every service level objective of the run (GuideLLM 0.8
    /// `request_goodput`). Absent where the run had no objectives.
    Goodput, "Requests per second that met every objective" in "requests per second",
    [goodput_mean_rps goodput_p50_rps goodput_p90_rps goodput_p95_rps goodput_p99_rps
     goodput_min_rps goodput_max_rps goodput_stddev_rps]
}
