//! Summaries for people: a table in text, or the same as JSON.

use std::collections::BTreeMap;

use anyhow::Result;
use guidellm_results_model::analysis::{Glance, sparkline};
use guidellm_results_model::frames::objects;
use polars::frame::DataFrame;
use polars::prelude::AnyValue;

/// Characters of a sparkline.
const SPARKLINE: usize = 8;

/// Characters that runs are told apart by, at least.
const RUN: usize = 8;

/// A column of the table of summaries.
struct Column {
    /// Its heading, and what stands below it.
    heading: [&'static str; 2],
    content: Content,
    /// Whether it goes first where there is no room for all; 0 stays.
    dispensable: u8,
}

enum Content {
    /// A field, its decimals, and a factor.
    Field(&'static str, usize, f64),
    /// Strategy and load.
    Load,
    /// The beginning of the run's uuid.
    Run,
    Completed,
    TimeToFirstToken,
}

const COLUMNS: &[Column] = &[
    column(["JOB", ""], Content::Field("job_name", 0, 1.0), 0),
    column(["SAMPLE", ""], Content::Field("sample", 0, 1.0), 3),
    column(
        ["GUIDELLM", ""],
        Content::Field("report_generation", 0, 1.0),
        6,
    ),
    column(["LOAD", ""], Content::Load, 0),
    column(["OK", ""], Content::Field("successful_requests", 0, 1.0), 2),
    column(["ERR", ""], Content::Field("errored_requests", 0, 1.0), 0),
    column(
        ["INC", ""],
        Content::Field("incomplete_requests", 0, 1.0),
        5,
    ),
    column(
        ["REQ/S", "MEAN"],
        Content::Field("throughput_mean_rps", 2, 1.0),
        0,
    ),
    column(["DONE/S", "BY TIME"], Content::Completed, 1),
    column(["TTFT", "P95 ms"], Content::Field("ttft_p95_ms", 1, 1.0), 0),
    column(["TTFT", "BY TIME"], Content::TimeToFirstToken, 1),
    column(["ITL", "MEAN ms"], Content::Field("itl_mean_ms", 2, 1.0), 2),
    column(
        ["LATENCY", "P95 s"],
        Content::Field("request_latency_p95_seconds", 3, 1.0),
        3,
    ),
    column(
        ["OUT", "TOK/S"],
        Content::Field("output_tokens_per_second_mean", 1, 1.0),
        4,
    ),
    column(["RUN", ""], Content::Run, 0),
];

const fn column(heading: [&'static str; 2], content: Content, dispensable: u8) -> Column {
    Column {
        heading,
        content,
        dispensable,
    }
}

/// What came of a benchmark over its time, drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// Requests done per second, from 0.
    completed: String,
    /// Mean time to first token, from 0; blank where no first token came.
    ttft: String,
}

impl Drawn {
    pub(crate) fn of(glance: &Glance) -> Self {
        let spans = glance.spans(SPARKLINE);
        let completed: Vec<f64> = spans.iter().map(|it| it.completed_rps).collect();
        let ttfts: Vec<f64> = spans
            .iter()
            .map(|it| it.ttft_mean_ms.unwrap_or(f64::NAN))
            .collect();
        Self {
            completed: sparkline(&completed, Some(0.0), SPARKLINE),
            ttft: sparkline(&ttfts, Some(0.0), SPARKLINE),
        }
    }
}

/// A table with one row a benchmark, and `drawn` by its `document_id`. Where it is wider than there
/// is room, it is told without what is least needed.
pub(crate) fn text(
    frame: &DataFrame,
    drawn: &BTreeMap<String, Drawn>,
    room: Option<usize>,
) -> Result<String> {
    let run_length = run_length(frame)?;
    let headings = |line: fn(&[&'static str; 2]) -> &'static str| -> Vec<String> {
        let headings = COLUMNS.iter().map(|it| line(&it.heading).to_owned());
        headings.collect()
    };
    let mut rows = vec![headings(|it| it[0]), headings(|it| it[1])];
    for row in 0..frame.height() {
        let id = field(frame, "document_id", row, 0, 1.0)?;
        let cells = COLUMNS.iter().map(|column| {
            Ok(match column.content {
                Content::Field(name, decimals, factor) => {
                    field(frame, name, row, decimals, factor)?
                }
                Content::Load => load(frame, row)?,
                Content::Run => {
                    let uuid = field(frame, "uuid", row, 0, 1.0)?;
                    uuid.chars().take(run_length).collect()
                }
                Content::Completed => line(drawn.get(&id).map(|it| &it.completed)),
                Content::TimeToFirstToken => line(drawn.get(&id).map(|it| &it.ttft)),
            })
        });
        rows.push(cells.collect::<Result<_>>()?);
    }
    fit(&mut rows, room);
    Ok(aligned(&rows))
}

/// A sparkline, if it shows anything.
fn line(drawn: Option<&String>) -> String {
    let shown = drawn.filter(|it| !it.trim().is_empty());
    shown.map_or_else(|| "-".to_owned(), Clone::clone)
}

fn field(
    frame: &DataFrame,
    name: &str,
    row: usize,
    decimals: usize,
    factor: f64,
) -> Result<String> {
    Ok(match frame.column(name)?.get(row)? {
        AnyValue::Null => "-".to_owned(),
        AnyValue::Float64(number) => format!("{:.decimals$}", number * factor),
        value => plain(&value),
    })
}

/// `constant 4/s`, `concurrent 8`, `throughput`
fn load(frame: &DataFrame, row: usize) -> Result<String> {
    let strategy = field(frame, "strategy", row, 0, 1.0)?;
    let (rate, streams) = (
        field(frame, "rate", row, 2, 1.0)?,
        field(frame, "streams", row, 0, 1.0)?,
    );
    Ok(match (&*rate, &*streams) {
        ("-", "-") => strategy,
        ("-", streams) => format!("{strategy} {streams}"),
        (rate, _) => {
            let rate = rate.trim_end_matches('0').trim_end_matches('.');
            format!("{strategy} {rate}/s")
        }
    })
}

/// How much of the uuids has to be shown so that runs differ where their uuids do.
fn run_length(frame: &DataFrame) -> Result<usize> {
    let uuids = frame.column("uuid")?.str()?;
    let mut uuids: Vec<&str> = uuids.iter().flatten().collect();
    uuids.sort_unstable();
    uuids.dedup();
    let neighbours = uuids.iter().zip(uuids.iter().skip(1));
    let common = neighbours.map(|(one, other)| {
        let same = one.chars().zip(other.chars());
        same.take_while(|(one, other)| one == other).count()
    });
    Ok(common.max().map_or(RUN, |it| RUN.max(it + 1)))
}

/// Leaves columns out until the rest fits.
fn fit(rows: &mut [Vec<String>], room: Option<usize>) {
    let Some(room) = room else {
        return;
    };
    let mut dispensable: Vec<u8> = COLUMNS.iter().map(|it| it.dispensable).collect();
    while width(rows) > room {
        let worst = dispensable.iter().copied().max().unwrap_or_default();
        let Some(place) = dispensable.iter().rposition(|it| *it == worst) else {
            return;
        };
        if worst == 0 {
            return;
        }
        dispensable.remove(place);
        for row in rows.iter_mut() {
            row.remove(place);
        }
    }
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

/// What stands between columns.
const GAP: &str = "  ";

/// Widths of the columns.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max()
    };
    (0..columns).map(|it| width(it).unwrap_or(0)).collect()
}

/// Width of all columns.
fn width(rows: &[Vec<String>]) -> usize {
    let widths = widths(rows);
    widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
}

/// Rows of cells, in columns.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use polars::prelude::Column as Values;

    use super::*;

    #[test]
    fn what_is_least_needed_goes_first_where_there_is_no_room() {
        let row = |line: usize| COLUMNS.iter().map(move |it| it.heading[line].to_owned());
        let whole = vec![row(0).collect::<Vec<_>>(), row(1).collect()];
        let fitted = |room| {
            let mut rows = whole.clone();
            fit(&mut rows, room);
            rows
        };
        assert_eq!(fitted(None), whole);
        assert_eq!(fitted(Some(width(&whole))), whole);
        let narrow = fitted(Some(80));
        assert!(width(&narrow) <= 80);
        assert!(narrow[0].len() > 8 && !narrow[0].iter().any(|it| it == "GUIDELLM"));
        assert_eq!(narrow[0].len(), narrow[1].len());
        // What has to be there is, whatever the room.
        let least = fitted(Some(1));
        assert_eq!(least[0], ["JOB", "LOAD", "ERR", "REQ/S", "TTFT", "RUN"]);
    }

    #[test]
    fn runs_differ_where_their_uuids_do() {
        let length = |uuids: &[&str]| {
            let uuids = Values::new("uuid".into(), uuids);
            run_length(&DataFrame::new(uuids.len(), vec![uuids]).unwrap()).unwrap()
        };
        assert_eq!(length(&[]), 8);
        assert_eq!(length(&["7a11f00d-1", "7a11f00d-1", "0b54c0de-1"]), 8);
        assert_eq!(length(&["7a11f00d-1", "0b54c0de-1", "7a11f00d-2"]), 10);
    }
}
