//! Summaries for people: a table in text, or the same as JSON.

use anyhow::Result;
use guidellm_results_model::frames::objects;
use polars::frame::DataFrame;
use polars::prelude::AnyValue;

/// Columns of the table: heading, field, decimals, and a factor.
const COLUMNS: &[(&str, &str, usize, f64)] = &[
    ("JOB", "job_name", 0, 1.0),
    ("SAMPLE", "sample", 0, 1.0),
    ("GUIDELLM", "report_generation", 0, 1.0),
    ("STRATEGY", "strategy", 0, 1.0),
    ("RATE", "rate", 2, 1.0),
    ("STREAMS", "streams", 0, 1.0),
    ("OK", "successful_requests", 0, 1.0),
    ("ERR", "errored_requests", 0, 1.0),
    ("INC", "incomplete_requests", 0, 1.0),
    ("OK%", "request_success_rate", 1, 100.0),
    ("REQ/S", "throughput_mean_rps", 2, 1.0),
    ("TTFT P95 ms", "ttft_p95_ms", 1, 1.0),
    ("ITL MEAN ms", "itl_mean_ms", 2, 1.0),
    ("LATENCY P95 s", "request_latency_p95_seconds", 3, 1.0),
    ("OUT TOK/S", "output_tokens_per_second_mean", 1, 1.0),
    ("RUN", "uuid", 0, 1.0),
];

/// A table with one row a benchmark.
pub(crate) fn text(frame: &DataFrame) -> Result<String> {
    let mut rows = vec![
        COLUMNS
            .iter()
            .map(|(heading, ..)| (*heading).to_owned())
            .collect(),
    ];
    for row in 0..frame.height() {
        let cells: Result<Vec<String>> = COLUMNS
            .iter()
            .map(|(_, field, decimals, factor)| {
                Ok(match frame.column(field)?.get(row)? {
                    AnyValue::Null => "-".to_owned(),
                    AnyValue::Float64(number) => format!("{:.decimals$}", number * factor),
                    value => plain(&value),
                })
            })
            .collect();
        rows.push(cells?);
    }
    Ok(aligned(&rows))
}

/// All fields that are set, as an array of objects.
pub(crate) fn json(frame: &DataFrame) -> Result<String> {
    Ok(serde_json::to_string_pretty(&objects(frame)?)? + "\n")
}

fn plain(value: &AnyValue<'_>) -> String {
    value
        .get_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Rows of cells, in columns.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}
