//! Documents as polars frames, the form in which they are stored as Parquet.
//!
//! A frame has every column of its kind of document, whether or not one is set in it, so that all
//! files of a store have one schema. Nested members (labels, warnings, conclusions) are JSON text.

use polars::prelude::{
    AnyValue, Column, DataFrame, DataType, IntoColumn, NamedFrom, PolarsResult, Series, TimeUnit,
    TimeZone,
};
use serde_json::{Map, Number, Value};

use crate::documents::{
    ErrorClass, FailedRun, REQUEST_METRIC_NAME, Request, SUMMARY_METRIC_NAME, Statistics, Summary,
    SummaryMetrics, Timestamp,
};

/// A frame of requests, a row each.
///
/// # Errors
///
/// None that the input can cause; polars checks the columns' lengths.
pub fn requests_frame(requests: &[Request]) -> PolarsResult<DataFrame> {
    let rows = Rows(requests);
    DataFrame::new(
        requests.len(),
        vec![
            rows.text("metricName", |_| Some(REQUEST_METRIC_NAME)),
            rows.owned("document_id", |row| row.document_id.to_string()),
            rows.instant("timestamp", |row| Some(row.timestamp))?,
            rows.text("timestamp_source", |row| {
                Some(row.timestamp_source.as_str())
            }),
            rows.count("schema_version", |row| {
                Some(u64::from(row.origin.schema_version))
            }),
            rows.text("uuid", |row| Some(&row.origin.uuid)),
            rows.text("job_name", |row| Some(&row.origin.job_name)),
            rows.text("jobName", |row| Some(&row.origin.kube_burner_job_name)),
            rows.count("sample", |row| Some(u64::from(row.origin.sample))),
            rows.text("run_id", |row| row.origin.run_id.as_deref()),
            rows.text("benchmark_id", |row| Some(&row.origin.benchmark_id)),
            rows.count("benchmark_index", |row| {
                Some(u64::from(row.origin.benchmark_index))
            }),
            rows.text("strategy", |row| Some(&row.origin.strategy)),
            rows.number("rate", |row| row.origin.rate),
            rows.count("streams", |row| row.origin.streams.map(u64::from)),
            rows.text("tpot_definition", |row| {
                Some(row.origin.tpot_definition.as_str())
            }),
            rows.optional_flag("salvaged", |row| row.origin.salvaged.then_some(true)),
            rows.text("request_id", |row| Some(&row.request_id)),
            rows.text("response_id", |row| row.response_id.as_deref()),
            rows.text("conversation_id", |row| row.conversation_id.as_deref()),
            rows.count("turn_index", |row| row.turn_index.map(u64::from)),
            rows.text("status", |row| Some(row.status.as_str())),
            rows.flag("completed", |row| row.completed),
            rows.flag("errored", |row| row.errored),
            rows.text("error_message", |row| row.error_message.as_deref()),
            rows.text("error_class", |row| row.error_class.map(ErrorClass::as_str)),
            rows.count("http_status", |row| row.http_status.map(u64::from)),
            rows.number("request_latency_seconds", |row| row.request_latency_seconds),
            rows.number("tokens_per_second", |row| row.tokens_per_second),
            rows.number("output_tokens_per_second", |row| {
                row.output_tokens_per_second
            }),
            rows.number("tpot_ms", |row| row.tpot_ms),
            rows.number("itl_ms", |row| row.itl_ms),
            rows.number("ttft_ms", |row| row.ttft_ms),
            rows.count("prompt_token_count", |row| row.prompt_token_count),
            rows.count("output_token_count", |row| row.output_token_count),
            rows.count("cached_token_count", |row| row.cached_token_count),
            rows.instant("targeted_start_timestamp", |row| {
                row.targeted_start_timestamp
            })?,
            rows.instant("queued_timestamp", |row| row.queued_timestamp)?,
            rows.instant("dequeued_timestamp", |row| row.dequeued_timestamp)?,
            rows.instant("scheduled_timestamp", |row| row.scheduled_timestamp)?,
            rows.instant("first_token_timestamp", |row| row.first_token_timestamp)?,
            rows.instant("last_token_timestamp", |row| row.last_token_timestamp)?,
            rows.instant("end_timestamp", |row| row.end_timestamp)?,
            rows.number("queue_seconds", |row| row.queue_seconds),
            rows.number("start_delay_seconds", |row| row.start_delay_seconds),
        ],
    )
}

/// Columns of a summary's frame that are text.
const TEXTS: &[&str] = &[
    "metricName",
    "document_id",
    "timestamp_source",
    "uuid",
    "job_name",
    "jobName",
    "run_id",
    "benchmark_id",
    "strategy",
    "tpot_definition",
    "report_generation",
    "guidellm_version",
    "profile",
    "backend_model",
    "backend_type",
    "target",
    "endpoint",
    "data",
    "prompt_tokens",
    "output_tokens",
    "tokenizer",
    "failure_reason",
    "log_tail",
    "namespace",
    "podName",
    "nodeName",
];

/// Columns of a summary's frame that are JSON text.
const NESTED: &[&str] = &["labels", "warning_codes", "warnings", "conclusions"];

/// Columns of a summary's frame that are instants.
const INSTANTS: &[&str] = &["timestamp", "start_timestamp", "end_timestamp"];

/// Columns of a summary's frame that are whole numbers.
const COUNTS: &[&str] = &[
    "schema_version",
    "sample",
    "benchmark_index",
    "streams",
    "max_requests",
    "max_concurrency",
    "total_requests",
    "successful_requests",
    "errored_requests",
    "incomplete_requests",
    "run_total_requests",
    "run_successful_requests",
    "run_errored_requests",
    "run_incomplete_requests",
    "successful_records",
    "errored_records",
    "incomplete_records",
    "slo_determined_requests",
    "exit_code",
];

/// Columns of a summary's frame that are true or false.
const FLAGS: &[&str] = &[
    "salvaged",
    "streaming",
    "records_sampled",
    "tokens_per_second_counts_prompt_twice",
    "rate_missed",
    "passed",
];

/// Columns of a summary's frame that are numbers, apart from the metrics.
const NUMBERS: &[&str] = &[
    "rate",
    "max_seconds",
    "duration_seconds",
    "warmup_seconds",
    "cooldown_seconds",
    "request_success_rate",
    "incomplete_rate",
    "achieved_rate_rps",
    "start_delay_mean_seconds",
    "slo_attainment",
];

/// A frame of summaries, a row each.
///
/// # Errors
///
/// None that the input can cause; polars checks the columns' lengths.
pub fn summaries_frame(summaries: &[Summary]) -> PolarsResult<DataFrame> {
    let rows: Vec<Value> = summaries
        .iter()
        .map(|summary| serde_json::to_value(summary).unwrap_or_default())
        .collect();
    let rows = Rows(&rows);
    let mut columns = Vec::new();
    columns.extend(
        TEXTS
            .iter()
            .map(|name| rows.text(name, |row| row.get(name)?.as_str())),
    );
    for name in INSTANTS {
        columns.push(rows.instant(name, |row| {
            row.get(name)
                .and_then(|text| serde_json::from_value(text.clone()).ok())
        })?);
    }
    columns.extend(
        COUNTS
            .iter()
            .map(|name| rows.count(name, |row| row.get(name)?.as_u64())),
    );
    columns.extend(
        FLAGS
            .iter()
            .map(|name| rows.optional_flag(name, |row| row.get(name)?.as_bool())),
    );
    columns.extend(
        NUMBERS
            .iter()
            .map(|name| rows.number(name, |row| row.get(name)?.as_f64())),
    );
    columns.extend(
        metric_names()
            .iter()
            .map(|name| rows.number(name, |row| row.get(name)?.as_f64())),
    );
    columns.extend(NESTED.iter().map(|name| {
        let texts: Vec<Option<String>> = rows
            .0
            .iter()
            .map(|row| row.get(name).map(ToString::to_string))
            .collect();
        Column::new((*name).into(), texts)
    }));
    DataFrame::new(summaries.len(), columns)
}

/// A frame of runs that left no report, a row each.
///
/// # Errors
///
/// None that the input can cause; polars checks the columns' lengths.
pub fn failed_runs_frame(runs: &[FailedRun]) -> PolarsResult<DataFrame> {
    let rows = Rows(runs);
    let columns = vec![
        rows.text("metricName", |_| Some(SUMMARY_METRIC_NAME)),
        rows.owned("document_id", |row| row.document_id.to_string()),
        rows.instant("timestamp", |row| Some(row.timestamp))?,
        rows.count("schema_version", |row| Some(u64::from(row.schema_version))),
        rows.text("uuid", |row| Some(&row.uuid)),
        rows.text("job_name", |row| Some(&row.job_name)),
        rows.text("jobName", |row| Some(&row.kube_burner_job_name)),
        rows.count("sample", |row| Some(u64::from(row.sample))),
        rows.optional_flag("passed", |row| row.outcome.passed),
        rows.count("exit_code", |row| row.outcome.exit_code.map(u64::from)),
        rows.text("failure_reason", |row| {
            row.outcome.failure_reason.as_deref()
        }),
        rows.text("log_tail", |row| row.outcome.log_tail.as_deref()),
        rows.text("namespace", |row| row.outcome.namespace.as_deref()),
        rows.text("podName", |row| row.outcome.pod_name.as_deref()),
        rows.text("nodeName", |row| row.outcome.node_name.as_deref()),
    ];
    DataFrame::new(runs.len(), columns)
}

/// The names of all metrics' fields, in order.
fn metric_names() -> Vec<String> {
    let set = Some(0.0);
    let statistics = Statistics {
        mean: set,
        p50: set,
        p90: set,
        p95: set,
        p99: set,
        min: set,
        max: set,
        stddev: set,
    };
    match serde_json::to_value(SummaryMetrics::all(statistics)) {
        Ok(Value::Object(members)) => members.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The rows of a frame of documents, as their JSON objects: what is not set is not there.
///
/// # Errors
///
/// If the frame is none of documents.
pub fn objects(frame: &DataFrame) -> PolarsResult<Vec<Map<String, Value>>> {
    let mut rows = vec![Map::new(); frame.height()];
    for column in frame.columns() {
        let name = column.name().as_str();
        for (index, row) in rows.iter_mut().enumerate() {
            let value = match column.get(index)? {
                AnyValue::Null => None,
                AnyValue::Float64(number) => Number::from_f64(number).map(Value::Number),
                AnyValue::Int64(number) => Some(number.into()),
                AnyValue::Boolean(flag) => Some(flag.into()),
                AnyValue::Datetime(micros, ..) | AnyValue::DatetimeOwned(micros, ..) => {
                    Timestamp::from_epoch_micros(micros).map(|instant| instant.to_string().into())
                }
                value => Some(text(&value, NESTED.contains(&name))),
            };
            row.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    Ok(rows)
}

fn text(value: &AnyValue<'_>, nested: bool) -> Value {
    let text = value
        .get_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let parsed = nested.then(|| serde_json::from_str(&text).ok()).flatten();
    parsed.unwrap_or(Value::String(text))
}

/// A column of epoch microseconds, or of instants without a zone, as instants in UTC. A cast
/// alone drops the zone of all but empty columns.
///
/// # Errors
///
/// If the column holds neither.
pub fn instants(column: &Column) -> PolarsResult<Column> {
    let micros = column.cast(&DataType::Int64)?;
    let instants = micros.i64()?.clone();
    let instants = instants.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    Ok(instants.into_column())
}

/// Makes columns of rows.
struct Rows<'a, R>(&'a [R]);

impl<'a, R> Rows<'a, R> {
    fn text(&self, name: &str, value: impl Fn(&'a R) -> Option<&'a str>) -> Column {
        let values: Vec<Option<&str>> = self.0.iter().map(value).collect();
        Column::new(name.into(), values)
    }

    fn owned(&self, name: &str, value: impl Fn(&'a R) -> String) -> Column {
        let values: Vec<String> = self.0.iter().map(value).collect();
        Column::new(name.into(), values)
    }

    fn number(&self, name: &str, value: impl Fn(&'a R) -> Option<f64>) -> Column {
        let values: Vec<Option<f64>> = self.0.iter().map(value).collect();
        Column::new(name.into(), values)
    }

    /// Signed, as every reader of Parquet takes whole numbers.
    fn count(&self, name: &str, value: impl Fn(&'a R) -> Option<u64>) -> Column {
        let signed = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let values: Vec<Option<i64>> = self.0.iter().map(|row| value(row).map(signed)).collect();
        Column::new(name.into(), values)
    }

    fn flag(&self, name: &str, value: impl Fn(&'a R) -> bool) -> Column {
        let values: Vec<bool> = self.0.iter().map(value).collect();
        Column::new(name.into(), values)
    }

    fn optional_flag(&self, name: &str, value: impl Fn(&'a R) -> Option<bool>) -> Column {
        let values: Vec<Option<bool>> = self.0.iter().map(value).collect();
        Column::new(name.into(), values)
    }

    fn instant(
        &self,
        name: &str,
        value: impl Fn(&'a R) -> Option<Timestamp>,
    ) -> PolarsResult<Column> {
        let values: Vec<Option<i64>> = self
            .0
            .iter()
            .map(|row| value(row).map(Timestamp::epoch_micros))
            .collect();
        instants(&Series::new(name.into(), values).into_column())
    }
}
