//! The table of scenarios.

use guidellm_results_model::analysis::{Interval, PooledFigure, Sample, Scenario};
use guidellm_results_model::documents::RequestCounts;
use guidellm_results_model::figures::{Figure, Member, Metric};
use serde::Serialize;

use super::families::scenario_name;
use super::numbers;

/// Columns of figures, with what stands above them.
const GROUPS: [(&str, &str, &[(Figure, &str)]); 7] = [
    ("TTFT", "ms", &TTFT),
    ("ITL", "ms", &ITL),
    ("TPOT", "ms", &TPOT),
    ("Latency", "s", &LATENCY),
    ("Throughput", "req/s", &THROUGHPUT),
    ("Output", "tok/s", &OUTPUT),
    ("Success", "", &SUCCESS),
];

const fn of(metric: Metric, member: Member) -> Figure {
    Figure::Statistic(metric, member)
}

const TTFT: [(Figure, &str); 3] = [
    (of(Metric::TimeToFirstToken, Member::P50), "p50"),
    (of(Metric::TimeToFirstToken, Member::P95), "p95"),
    (of(Metric::TimeToFirstToken, Member::P99), "p99"),
];
const ITL: [(Figure, &str); 2] = [
    (of(Metric::InterTokenLatency, Member::Mean), "mean"),
    (of(Metric::InterTokenLatency, Member::P95), "p95"),
];
const TPOT: [(Figure, &str); 2] = [
    (of(Metric::TimePerOutputToken, Member::Mean), "mean"),
    (of(Metric::TimePerOutputToken, Member::P95), "p95"),
];
const LATENCY: [(Figure, &str); 2] = [
    (of(Metric::RequestLatency, Member::P50), "p50"),
    (of(Metric::RequestLatency, Member::P95), "p95"),
];
const THROUGHPUT: [(Figure, &str); 1] = [(of(Metric::Throughput, Member::Mean), "mean")];
const OUTPUT: [(Figure, &str); 1] = [(of(Metric::OutputTokensPerSecond, Member::Mean), "mean")];
const SUCCESS: [(Figure, &str); 1] = [(Figure::RequestSuccessRate, "rate")];

/// A table whose rows are scenarios, or the samples of one.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    groups: Vec<Group>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Group {
    name: &'static str,
    unit: &'static str,
    members: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Which of the data's scenarios, and which sample of it.
    scenario: usize,
    sample: Option<usize>,
    name: String,
    /// Samples, if it is a scenario's.
    samples: Option<usize>,
    successful: String,
    errored: String,
    incomplete: String,
    figures: Vec<Cell>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Cell {
    figure: String,
    /// What it is, for where there is no head of a column.
    label: String,
    text: String,
    interval: Option<String>,
    /// Whether it begins a group.
    first: bool,
}

/// What a row is made of.
struct Source<'a> {
    scenario: usize,
    sample: Option<usize>,
    name: String,
    counts: Vec<&'a RequestCounts>,
    figure: Box<dyn Fn(Figure) -> Option<(f64, Option<Interval>)> + 'a>,
    notes: Vec<String>,
}

/// A row for each scenario.
pub(super) fn of_scenarios(scenarios: &[Scenario]) -> Table {
    let row = |(place, it): (usize, _)| (of_scenario(place, it), Some(it.samples.len()));
    table(scenarios.iter().enumerate().map(row).collect())
}

fn of_scenario(place: usize, scenario: &Scenario) -> Source<'_> {
    let doubts = scenario.doubts.iter().cloned();
    Source {
        scenario: place,
        sample: None,
        name: scenario_name(scenario),
        counts: scenario.samples.iter().map(|it| &it.summary.counts).collect(),
        figure: Box::new(|figure| scenario.figures.get(&figure).map(shown)),
        notes: doubts.chain(not_measured(scenario)).collect(),
    }
}

/// A row for each sample of a scenario.
pub(super) fn of_samples(place: usize, scenario: &Scenario) -> Table {
    let row = |(sample, it)| (of_sample(place, sample, it), None);
    table(scenario.samples.iter().enumerate().map(row).collect())
}

fn of_sample(scenario: usize, place: usize, sample: &Sample) -> Source<'_> {
    let summary = &sample.summary;
    let started = numbers::instant(summary.timestamp);
    Source {
        scenario,
        sample: Some(place),
        name: format!("sample {}, {started}", summary.origin.sample),
        counts: vec![&summary.counts],
        figure: Box::new(|figure| Some((*sample.figures.get(&figure)?, None))),
        notes: Vec::new(),
    }
}

fn shown(figure: &PooledFigure) -> (f64, Option<Interval>) {
    (figure.value, figure.interval)
}

/// Why figures are missing, where it is known.
pub(super) fn not_measured(scenario: &Scenario) -> Option<String> {
    let ttft = of(Metric::TimeToFirstToken, Member::Mean);
    if scenario.figures.contains_key(&ttft) {
        return None;
    }
    let all = |is_so: fn(&Sample) -> bool| scenario.samples.iter().all(is_so);
    if all(|it| it.summary.counts.successful_requests == Some(0)) {
        // The doubts say so.
        return None;
    }
    all(|it| it.summary.settings.streaming == Some(false))
        .then(|| "not streamed: there is no TTFT and no ITL".to_owned())
}

fn table(sources: Vec<(Source<'_>, Option<usize>)>) -> Table {
    let columns = GROUPS.iter().flat_map(|(name, unit, members)| {
        let column = move |(place, (figure, member)): (usize, &(Figure, &str))| {
            let label = if members.len() == 1 {
                format!("{name} {unit}")
            } else {
                format!("{name} {member} {unit}")
            };
            (*figure, label.trim().to_owned(), place == 0)
        };
        members.iter().enumerate().map(column)
    });
    let mut rows: Vec<Row> = sources.iter().map(row).collect();
    for (figure, label, first) in columns {
        let values = sources.iter().map(|(source, _)| (source.figure)(figure));
        let values: Vec<_> = values.collect();
        let places = numbers::places(values.iter().flatten().map(|it| it.0));
        let write = |value: f64| {
            if figure.is_share() {
                numbers::percent(value)
            } else {
                numbers::fixed(value, places)
            }
        };
        for (row, value) in rows.iter_mut().zip(values) {
            let text = value.map(|it| write(it.0));
            let interval = value.and_then(|it| it.1);
            row.figures.push(Cell {
                figure: figure.to_string(),
                label: label.clone(),
                text: text.unwrap_or_else(|| numbers::NOT_MEASURED.to_owned()),
                interval: interval.map(|it| numbers::span(&write(it.low), &write(it.high))),
                first,
            });
        }
    }
    let group = |(name, unit, members): &(&'static str, &'static str, &[(Figure, &'static str)])| {
        Group {
            name,
            unit,
            members: members.iter().map(|it| it.1).collect(),
        }
    };
    Table {
        groups: GROUPS.iter().map(group).collect(),
        rows,
    }
}

fn row((source, samples): &(Source<'_>, Option<usize>)) -> Row {
    let sum = |of: fn(&RequestCounts) -> Option<u64>| {
        let known: Vec<u64> = source.counts.iter().filter_map(|it| of(it)).collect();
        if known.is_empty() {
            numbers::NOT_MEASURED.to_owned()
        } else {
            numbers::count(known.iter().sum())
        }
    };
    Row {
        scenario: source.scenario,
        sample: source.sample,
        name: source.name.clone(),
        samples: *samples,
        successful: sum(|it| it.successful_requests),
        errored: sum(|it| it.errored_requests),
        incomplete: sum(|it| it.incomplete_requests),
        figures: Vec::new(),
        notes: source.notes.clone(),
    }
}
