//! The table of scenarios.

use guidellm_results_model::analysis::{PooledFigure, Sample, Scenario};
use guidellm_results_model::documents::RequestCounts;
use guidellm_results_model::figures::{Figure, Member, Metric};
use guidellm_results_model::inference::Interval;
use serde::Serialize;

use super::families::scenario_name;
use super::numbers;

/// Figures of one metric beside one another: what stands above them, and what each is of it.
struct Columns {
    name: &'static str,
    unit: &'static str,
    members: &'static [(Figure, &'static str)],
}

const fn columns(
    name: &'static str,
    unit: &'static str,
    members: &'static [(Figure, &'static str)],
) -> Columns {
    Columns {
        name,
        unit,
        members,
    }
}

const GROUPS: [Columns; 7] = [
    columns("TTFT", "ms", &TTFT),
    columns("ITL", "ms", &ITL),
    columns("TPOT", "ms", &TPOT),
    columns("Latency", "s", &LATENCY),
    columns("Throughput", "req/s", &THROUGHPUT),
    columns("Output", "tok/s", &OUTPUT),
    columns("Success", "", &SUCCESS),
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
    /// Whether any figure has one.
    intervals: bool,
}

#[derive(Debug, Serialize)]
struct Group {
    name: &'static str,
    unit: &'static str,
    members: Vec<&'static str>,
}

#[derive(Debug, Default, Serialize)]
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
    row: Row,
    figures: Box<dyn Fn(Figure) -> Option<Shown> + 'a>,
}

#[derive(Clone, Copy)]
struct Shown {
    value: f64,
    interval: Option<Interval>,
}

/// A row for each scenario.
pub(super) fn of_scenarios(scenarios: &[Scenario]) -> Table {
    let sources = scenarios.iter().enumerate();
    let sources = sources.map(|(place, it)| of_scenario(place, it));
    table(sources.collect())
}

fn of_scenario(place: usize, scenario: &Scenario) -> Source<'_> {
    let counts = scenario.samples.iter().map(|it| &it.summary.counts);
    let doubts = scenario.doubts.iter().cloned();
    let row = Row {
        scenario: place,
        name: scenario_name(scenario),
        samples: Some(scenario.samples.len()),
        notes: doubts.chain(not_measured(scenario)).collect(),
        ..Row::counting(&counts.collect::<Vec<_>>())
    };
    let shown = |it: &PooledFigure| Shown {
        value: it.value,
        interval: it.interval,
    };
    Source {
        row,
        figures: Box::new(move |figure| scenario.figures.get(&figure).map(shown)),
    }
}

/// A row for each sample of a scenario.
pub(super) fn of_samples(place: usize, scenario: &Scenario) -> Table {
    let sources = scenario.samples.iter().enumerate();
    let sources = sources.map(|(sample, it)| of_sample(place, sample, it));
    table(sources.collect())
}

fn of_sample(scenario: usize, place: usize, sample: &Sample) -> Source<'_> {
    let summary = &sample.summary;
    let started = numbers::instant(summary.timestamp);
    let row = Row {
        scenario,
        sample: Some(place),
        name: format!("sample {}, {started}", summary.origin.sample),
        ..Row::counting(&[&summary.counts])
    };
    let shown = |value: &f64| Shown {
        value: *value,
        interval: None,
    };
    Source {
        row,
        figures: Box::new(move |figure| sample.figures.get(&figure).map(shown)),
    }
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

fn table(mut sources: Vec<Source<'_>>) -> Table {
    for group in &GROUPS {
        for (place, (figure, member)) in group.members.iter().enumerate() {
            let member = if group.members.len() > 1 { member } else { "" };
            let label = [group.name, member, group.unit].join(" ");
            column(&mut sources, *figure, label.trim(), place == 0);
        }
    }
    let rows: Vec<Row> = sources.into_iter().map(|it| it.row).collect();
    let mut cells = rows.iter().flat_map(|it| &it.figures);
    let group = |group: &Columns| Group {
        name: group.name,
        unit: group.unit,
        members: group.members.iter().map(|it| it.1).collect(),
    };
    Table {
        intervals: cells.any(|it| it.interval.is_some()),
        groups: GROUPS.iter().map(group).collect(),
        rows,
    }
}

/// Adds a figure to all rows.
fn column(sources: &mut [Source<'_>], figure: Figure, label: &str, first: bool) {
    let shown: Vec<Option<Shown>> = sources.iter().map(|it| (it.figures)(figure)).collect();
    let places = numbers::places(shown.iter().flatten().map(|it| it.value));
    let write = |value: f64| {
        if figure.is_share() {
            numbers::percent(value)
        } else {
            numbers::fixed(value, places)
        }
    };
    for (source, shown) in sources.iter_mut().zip(shown) {
        let interval = shown.and_then(|it| it.interval);
        source.row.figures.push(Cell {
            figure: figure.to_string(),
            label: label.to_owned(),
            text: shown.map_or_else(|| numbers::NOT_MEASURED.to_owned(), |it| write(it.value)),
            interval: interval.map(|it| numbers::span(&write(it.low), &write(it.high))),
            first,
        });
    }
}

impl Row {
    /// One that has nothing but how many requests ended how.
    fn counting(counts: &[&RequestCounts]) -> Self {
        let sum = |of: fn(&RequestCounts) -> Option<u64>| {
            let known: Vec<u64> = counts.iter().filter_map(|it| of(it)).collect();
            if known.is_empty() {
                numbers::NOT_MEASURED.to_owned()
            } else {
                numbers::count(known.iter().sum())
            }
        };
        Self {
            successful: sum(|it| it.successful_requests),
            errored: sum(|it| it.errored_requests),
            incomplete: sum(|it| it.incomplete_requests),
            ..Self::default()
        }
    }
}
