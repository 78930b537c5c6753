//! Where documents come from, and what is read of them.

use std::io;
use std::sync::Arc;

use polars::frame::DataFrame;
use polars::prelude::{PolarsError, PolarsResult};
use serde_json::{Map, Value};

use crate::documents::{RequestStatus, Summary, Timestamp};
use crate::windows::Instants;

/// Documents to analyse: a store, or whatever has the same tables.
pub trait Documents {
    /// Why they cannot be read.
    type Error: From<PolarsError> + From<io::Error>;

    /// The benchmarks that are asked about.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn summaries(&self) -> Result<Vec<Summary>, Self::Error>;

    /// Hands out a benchmark's requests, in frames of bounded height that have these columns of
    /// [`requests_frame`](crate::frames::requests_frame).
    ///
    /// # Errors
    ///
    /// If they cannot be read, or with what `each` returns.
    fn requests(
        &self,
        benchmark: &Summary,
        columns: &[&str],
        each: &mut dyn FnMut(&DataFrame) -> Result<(), Self::Error>,
    ) -> Result<(), Self::Error>;

    /// Metadata of a run's `jobSummary` documents, one for each.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn facts(&self, uuid: &str) -> Result<Vec<Map<String, Value>>, Self::Error>;

    /// Samples of Prometheus that were taken in the time of a run's job, in any order.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn metrics(&self, uuid: &str, job_name: &str) -> Result<Vec<MetricSample>, Self::Error>;
}

/// A sample of a Prometheus metric: what is needed of kube-burner's document.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSample {
    /// When it was taken.
    pub timestamp: Timestamp,
    /// kube-burner's `metricName`.
    pub metric_name: Arc<str>,
    /// Its labels, as JSON text.
    pub labels: Arc<str>,
    /// Its value.
    pub value: f64,
    /// Whether load was on.
    pub during_load: bool,
}

/// The columns of a request that [`for_each_row`] reads.
pub(super) const COLUMNS: &[&str] = &[
    "status",
    "timestamp",
    "timestamp_source",
    "first_token_timestamp",
    "end_timestamp",
    "ttft_ms",
    "itl_ms",
    "tpot_ms",
    "request_latency_seconds",
    "prompt_token_count",
    "output_token_count",
    "error_class",
    "http_status",
    "error_message",
];

/// What is read of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) status: RequestStatus,
    pub(super) instants: Instants,
    pub(super) ttft_ms: Option<f64>,
    pub(super) itl_ms: Option<f64>,
    pub(super) tpot_ms: Option<f64>,
    pub(super) request_latency_seconds: Option<f64>,
    pub(super) prompt_tokens: Option<f64>,
    pub(super) output_tokens: Option<f64>,
    pub(super) error_class: Option<&'a str>,
    pub(super) http_status: Option<i64>,
    pub(super) error_message: Option<&'a str>,
}

/// Visits the requests of a frame.
#[expect(
    clippy::cast_precision_loss,
    reason = "epoch microseconds and token counts are below 2^53"
)]
pub(super) fn for_each_row(
    frame: &DataFrame,
    each: &mut dyn FnMut(&Row<'_>) -> io::Result<()>,
) -> PolarsResult<()> {
    let text = |name| frame.column(name)?.str();
    let number = |name| frame.column(name)?.f64();
    let count = |name| frame.column(name)?.i64();
    let micros = |name| PolarsResult::Ok(frame.column(name)?.datetime()?.physical());
    let (statuses, sources) = (text("status")?, text("timestamp_source")?);
    let (starts, first_tokens) = (micros("timestamp")?, micros("first_token_timestamp")?);
    let ends = micros("end_timestamp")?;
    let (ttfts, itls, tpots) = (number("ttft_ms")?, number("itl_ms")?, number("tpot_ms")?);
    let latencies = number("request_latency_seconds")?;
    let (prompts, outputs) = (count("prompt_token_count")?, count("output_token_count")?);
    let (classes, https) = (text("error_class")?, count("http_status")?);
    let messages = text("error_message")?;
    let seconds = |micros: Option<i64>| micros.map(|it| it as f64 / 1e6);
    let tokens = |count: Option<i64>| count.map(|it| it as f64);
    let what = statuses.iter().zip(sources.iter());
    let when = starts.iter().zip(first_tokens.iter()).zip(ends.iter());
    let times = ttfts.iter().zip(itls.iter()).zip(tpots.iter());
    let sizes = latencies.iter().zip(prompts.iter()).zip(outputs.iter());
    let errors = classes.iter().zip(https.iter()).zip(messages.iter());
    let rows = what.zip(when).zip(times).zip(sizes).zip(errors);
    for ((((what, when), times), sizes), errors) in rows {
        let (status, source) = what;
        let ((start, first_token), end) = when;
        let ((ttft_ms, itl_ms), tpot_ms) = times;
        let ((request_latency_seconds, prompt), output) = sizes;
        let ((error_class, http_status), error_message) = errors;
        let Some(status) = status.and_then(RequestStatus::named) else {
            continue;
        };
        each(&Row {
            status,
            instants: Instants {
                start: seconds(start).filter(|_| source == Some("request_start")),
                first_token: seconds(first_token),
                end: seconds(end),
            },
            ttft_ms,
            itl_ms,
            tpot_ms,
            request_latency_seconds,
            prompt_tokens: tokens(prompt),
            output_tokens: tokens(output),
            error_class,
            http_status,
            error_message,
        })
        .map_err(PolarsError::from)?;
    }
    Ok(())
}
