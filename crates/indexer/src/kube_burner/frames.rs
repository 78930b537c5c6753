//! The documents as polars frames, the form in which they are stored as Parquet.
//!
//! A frame has every column of its kind of document, whether or not one is set in it. Nested members
//! are JSON text.

use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::frames::instants;
use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, PolarsResult, Series};
use serde::Serialize;

use super::{Alert, Document, JobSummary, Metadata, Metric};
use crate::bulk::Kind;

/// A frame of documents of one kind, a row each; others are left out.
pub(crate) fn frame(kind: Kind, documents: &[Document]) -> PolarsResult<DataFrame> {
    match kind {
        Kind::Metric => metrics(&of(documents, |it| match it {
            Document::Metric(metric) => Some(metric),
            _ => None,
        })),
        Kind::JobSummary => job_summaries(&of(documents, |it| match it {
            Document::JobSummary(summary) => Some(&**summary),
            _ => None,
        })),
        Kind::Alert => alerts(&of(documents, |it| match it {
            Document::Alert(alert) => Some(alert),
            _ => None,
        })),
        Kind::Summary | Kind::Request => Ok(DataFrame::empty()),
    }
}

/// Documents of one type, with their ids.
type Rows<'a, T> = Vec<(String, &'a T)>;

fn of<'a, T>(
    documents: &'a [Document],
    typed: impl Fn(&'a Document) -> Option<&'a T>,
) -> Rows<'a, T> {
    let row = |document| Some((Document::id(document).to_string(), typed(document)?));
    documents.iter().filter_map(row).collect()
}

fn metrics(rows: &Rows<'_, Metric>) -> PolarsResult<DataFrame> {
    let columns = vec![
        ids(rows),
        instant(rows, "timestamp", |it| Some(it.timestamp))?,
        column(rows, "metricName", |it| &*it.metric_name),
        column(rows, "value", |it| it.value),
        texts(rows, "labels", |it| Some(json(&*it.labels))),
        column(rows, "uuid", |it| &*it.uuid),
        column(rows, "jobName", |it| &*it.job_name),
        column(rows, "query", |it| &*it.query),
        column(rows, "duringLoad", |it| it.during_load),
        column(rows, "churnMetric", |it| it.churn_metric),
        texts(rows, "metadata", |it| of_metadata(&it.metadata)),
    ];
    DataFrame::new(rows.len(), columns)
}

fn job_summaries(rows: &Rows<'_, JobSummary>) -> PolarsResult<DataFrame> {
    let columns = vec![
        ids(rows),
        instant(rows, "timestamp", |it| Some(it.timestamp))?,
        instant(rows, "endTimestamp", |it| Some(it.end_timestamp))?,
        instant(rows, "churnStartTimestamp", |it| it.churn_start_timestamp)?,
        instant(rows, "churnEndTimestamp", |it| it.churn_end_timestamp)?,
        column(rows, "metricName", |_| "jobSummary"),
        column(rows, "elapsedTime", |it| it.elapsed_time),
        column(rows, "achievedQps", |it| it.achieved_qps),
        column(rows, "uuid", |it| &*it.uuid),
        column(rows, "jobName", JobSummary::job_name),
        texts(rows, "incrementalLoadUUID", |it| {
            it.incremental_load_uuid.clone()
        }),
        texts(rows, "jobConfig", |it| Some(json(&it.job_config))),
        column(rows, "version", |it| &*it.version),
        column(rows, "passed", |it| it.passed),
        texts(rows, "executionErrors", |it| it.execution_errors.clone()),
        texts(rows, "metadata", |it| of_metadata(&it.metadata)),
    ];
    DataFrame::new(rows.len(), columns)
}

fn alerts(rows: &Rows<'_, Alert>) -> PolarsResult<DataFrame> {
    let columns = vec![
        ids(rows),
        instant(rows, "timestamp", |it| Some(it.timestamp))?,
        column(rows, "metricName", |_| "alert"),
        texts(rows, "severity", |it| Some(it.severity.to_string())),
        column(rows, "description", |it| &*it.description),
        column(rows, "uuid", |it| &*it.uuid),
        column(rows, "jobName", |it| &*it.job_name),
        column(rows, "expr", |it| &*it.expr),
        column(rows, "churnMetric", |it| it.churn_metric),
        texts(rows, "metadata", |it| of_metadata(&it.metadata)),
    ];
    DataFrame::new(rows.len(), columns)
}

fn ids<T>(rows: &Rows<'_, T>) -> Column {
    let values: Vec<&str> = rows.iter().map(|(id, _)| &**id).collect();
    Column::new("document_id".into(), values)
}

fn column<'a, T, V>(rows: &Rows<'a, T>, name: &str, value: impl Fn(&'a T) -> V) -> Column
where
    Series: NamedFrom<Vec<V>, [V]>,
{
    let values: Vec<V> = rows.iter().map(|(_, row)| value(row)).collect();
    Column::new(name.into(), values)
}

fn texts<T>(rows: &Rows<'_, T>, name: &str, value: impl Fn(&T) -> Option<String>) -> Column {
    let values: Vec<Option<String>> = rows.iter().map(|(_, row)| value(row)).collect();
    Column::new(name.into(), values)
}

fn instant<T>(
    rows: &Rows<'_, T>,
    name: &str,
    value: impl Fn(&T) -> Option<Timestamp>,
) -> PolarsResult<Column> {
    let micros = |row: &T| value(row).map(Timestamp::epoch_micros);
    let values: Vec<Option<i64>> = rows.iter().map(|(_, row)| micros(row)).collect();
    instants(&Series::new(name.into(), values).into_column())
}

fn of_metadata(metadata: &Metadata) -> Option<String> {
    (!metadata.is_empty()).then(|| json(metadata))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
