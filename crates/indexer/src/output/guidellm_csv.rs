//! Summaries in the columns of GuideLLM's own `benchmarks.csv`, as 0.8 names them: three rows of
//! headers (group, field, unit or statistic), then a row for each benchmark.
//!
//! Only columns that the documents can fill are there, the same for every benchmark. Lists of
//! percentiles are not: the documents have four of their eleven.

use std::io::Write;

use anyhow::Result;
use csv::Writer;
use guidellm_results_model::documents::{
    Origin, RequestCounts, Statistics, Summary, SummaryMetrics, Timestamp,
};

type Cell = Box<dyn Fn(&Summary) -> Option<String> + Send>;

/// All columns.
pub(super) struct Columns(Vec<Column>);

struct Column {
    /// Group, field, and unit or statistic.
    header: [&'static str; 3],
    cell: Cell,
}

impl Columns {
    pub(super) fn new() -> Self {
        let mut columns = vec![
            column(["Run Info", "Run ID", ""], |it| {
                it.origin.run_id.as_deref().map(str::to_owned)
            }),
            column(["Run Info", "Run Index", ""], |it| {
                Some(it.origin.benchmark_index.to_string())
            }),
            column(["Benchmark", "ID", ""], |it| {
                Some(it.origin.benchmark_id.to_string())
            }),
            column(["Benchmark", "Strategy", ""], |it| {
                Some(strategy(&it.origin))
            }),
            column(["Timings", "Measure Start Time", ""], |it| {
                it.window.start_timestamp.map(clock)
            }),
            column(["Timings", "Measure End Time", ""], |it| {
                it.window.end_timestamp.map(clock)
            }),
            column(["Timings", "Duration", "Sec"], |it| {
                it.window.duration_seconds.map(number)
            }),
            column(["Timings", "Warmup", "Sec"], |it| {
                it.window.warmup_seconds.map(number)
            }),
            column(["Timings", "Cooldown", "Sec"], |it| {
                it.window.cooldown_seconds.map(number)
            }),
        ];
        columns.extend(COUNTS.iter().map(|(group, field, count)| {
            column([group, field, ""], |it| {
                count(&it.counts).map(|count| count.to_string())
            })
        }));
        for (group, field, metric) in DISTRIBUTIONS {
            for (name, statistic) in STATISTICS {
                columns.push(column([group, field, name], |it| {
                    statistic(&metric(&it.metrics)).map(number)
                }));
            }
        }
        columns.extend([
            column(["Token Metrics", "Successful Input Tokens", "Mean"], |it| {
                it.metrics.prompt_token_count_mean.map(number)
            }),
            column(
                ["Token Metrics", "Successful Output Tokens", "Mean"],
                |it| it.metrics.output_token_count_mean.map(number),
            ),
            column(
                [
                    "Scheduler Metrics",
                    "Request Targeted Start Delay Avg",
                    "Sec",
                ],
                |it| it.validity.start_delay_mean_seconds.map(number),
            ),
        ]);
        Self(columns)
    }

    pub(super) fn write_header(&self, to: &mut impl Write) -> Result<()> {
        let mut writer = Writer::from_writer(to);
        for row in 0..3 {
            let headers = self.0.iter().map(|column| column.header.get(row));
            writer.write_record(headers.map(|text| text.copied().unwrap_or_default()))?;
        }
        Ok(writer.flush()?)
    }

    /// Writes a benchmark; what was not measured is an empty cell.
    pub(super) fn write(&self, summary: &Summary, to: &mut impl Write) -> Result<()> {
        let mut writer = Writer::from_writer(to);
        let cells = self.0.iter().map(|column| (column.cell)(summary));
        writer.write_record(cells.map(Option::unwrap_or_default))?;
        Ok(writer.flush()?)
    }
}

fn column(
    header: [&'static str; 3],
    cell: impl Fn(&Summary) -> Option<String> + Send + 'static,
) -> Column {
    Column {
        header,
        cell: Box::new(cell),
    }
}

type Count = fn(&RequestCounts) -> Option<u64>;

/// Group and field of each count.
const COUNTS: &[(&str, &str, Count)] = &[
    ("Request Counts", "Successful", |it| it.successful_requests),
    ("Request Counts", "Incomplete", |it| it.incomplete_requests),
    ("Request Counts", "Errored", |it| it.errored_requests),
    ("Request Counts", "Total", |it| it.total_requests),
    ("Scheduler Metrics", "Requests Made Successful", |it| {
        it.run_successful_requests
    }),
    ("Scheduler Metrics", "Requests Made Incomplete", |it| {
        it.run_incomplete_requests
    }),
    ("Scheduler Metrics", "Requests Made Errored", |it| {
        it.run_errored_requests
    }),
    ("Scheduler Metrics", "Requests Made Total", |it| {
        it.run_total_requests
    }),
];

type Statistic = fn(&Statistics) -> Option<f64>;

const STATISTICS: &[(&str, Statistic)] = &[
    ("Mean", |it| it.mean),
    ("Median", |it| it.p50),
    ("Std Dev", |it| it.stddev),
];

type Metric = fn(&SummaryMetrics) -> Statistics;

/// Group and field of each distribution.
const DISTRIBUTIONS: &[(&str, &str, Metric)] = &[
    ("Request Latency", "Successful Sec", |it| {
        it.request_latency.into()
    }),
    ("Time to First Token", "Successful ms", |it| {
        it.time_to_first_token.into()
    }),
    ("Time per Output Token", "Successful ms", |it| {
        it.time_per_output_token.into()
    }),
    ("Inter Token Latency", "Successful ms", |it| {
        it.inter_token_latency.into()
    }),
    ("Server Throughput", "Successful Requests/Sec", |it| {
        it.throughput.into()
    }),
    ("Server Throughput", "Successful Concurrency", |it| {
        it.concurrency.into()
    }),
    ("Token Throughput", "Successful Input Tokens/Sec", |it| {
        it.prompt_tokens_per_second.into()
    }),
    ("Token Throughput", "Successful Output Tokens/Sec", |it| {
        it.output_tokens_per_second.into()
    }),
    ("Token Throughput", "Successful Total Tokens/Sec", |it| {
        it.tokens_per_second.into()
    }),
    ("Generation Delay", "Sec", |it| it.generation_delay.into()),
];

/// As Python writes it: a whole number keeps its decimal.
fn number(value: f64) -> String {
    format!("{value:?}")
}

/// In UTC, without fractions.
fn clock(timestamp: Timestamp) -> String {
    let text = timestamp.to_string();
    let (seconds, _) = text.split_once('.').unwrap_or((&text, ""));
    seconds.replace('T', " ")
}

/// As 0.8 writes it: with its rate or its streams.
fn strategy(origin: &Origin) -> String {
    let name = &origin.strategy;
    match (origin.rate, origin.streams) {
        (Some(rate), _) => format!("{name}@{rate:.2}"),
        (None, Some(streams)) => format!("{name}@{streams}"),
        (None, None) => name.to_string(),
    }
}
