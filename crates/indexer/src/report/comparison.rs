//! Verdicts, and the comparison with a baseline, as the page shows them.

use guidellm_results_model::analysis::{Scenario, ScenarioKey};
use guidellm_results_model::figures::{Better, Figure};
use serde::Serialize;

use super::families::scenario_name;
use super::given::{Baseline, BaselineRow, Outcome, VerdictRow};
use super::numbers;

/// All verdicts, the bad ones first.
#[derive(Debug, Serialize)]
pub(super) struct Verdicts {
    missed: usize,
    not_measured: usize,
    rows: Vec<VerdictText>,
}

#[derive(Debug, Serialize)]
struct VerdictText {
    outcome: Outcome,
    expression: String,
    scenario: String,
    value: String,
    severity: String,
    description: Option<String>,
}

pub(super) fn verdicts(verdicts: &[VerdictRow]) -> Verdicts {
    let count = |outcome| verdicts.iter().filter(|it| it.outcome == outcome).count();
    let mut rows: Vec<&VerdictRow> = verdicts.iter().collect();
    rows.sort_by_key(|row| match row.outcome {
        Outcome::Missed => 0,
        Outcome::NotMeasured => 1,
        Outcome::Met => 2,
    });
    let text = |row: &VerdictRow| VerdictText {
        outcome: row.outcome,
        expression: row.expression.clone(),
        scenario: row.scenario.clone(),
        value: match (row.value, row.figure) {
            (Some(value), Some(figure)) => with_unit(figure, value),
            (Some(value), None) => numbers::alone(value),
            (None, _) => numbers::NOT_MEASURED.to_owned(),
        },
        severity: row.severity.clone(),
        description: row.description.clone(),
    };
    Verdicts {
        missed: count(Outcome::Missed),
        not_measured: count(Outcome::NotMeasured),
        rows: rows.into_iter().map(text).collect(),
    }
}

fn with_unit(figure: Figure, value: f64) -> String {
    if figure.is_share() {
        return numbers::percent(value);
    }
    format!("{} {}", numbers::alone(value), figure.unit())
        .trim_end()
        .to_owned()
}

/// A figure's name for people.
fn label(figure: Figure) -> String {
    let name = match figure {
        Figure::Statistic(metric, member) => {
            return format!("{} {}", metric.label(), member.name());
        }
        Figure::RequestSuccessRate => "Success rate",
        Figure::IncompleteRate => "Incomplete rate",
        Figure::AchievedRate => "Requests started per second",
        Figure::StartDelayMean => "Start delay mean",
        Figure::SloAttainment => "SLO attainment",
        Figure::TotalRequests => "Requests",
        Figure::ErroredRequests => "Errored requests",
        Figure::PromptTokensMean => "Prompt tokens mean",
        Figure::OutputTokensMean => "Output tokens mean",
    };
    name.to_owned()
}

/// The comparison.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    name: String,
    level: String,
    notes: Vec<String>,
    /// How many figures changed for the worse, and for the better, by more than chance.
    worse: usize,
    better: usize,
    scenarios: Vec<Compared>,
}

#[derive(Debug, Serialize)]
struct Compared {
    name: String,
    rows: Vec<ChangeRow>,
}

#[derive(Debug, Serialize)]
struct ChangeRow {
    figure: String,
    label: String,
    base: String,
    candidate: String,
    unit: &'static str,
    change: String,
    interval: Option<String>,
    direction: Direction,
    significant: bool,
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Better,
    Worse,
    /// Neither, or not known.
    Other,
}

/// It, where `scenarios` are those on the page.
pub(super) fn comparison(baseline: &Baseline, scenarios: &[Scenario]) -> Comparison {
    let name = |key: &ScenarioKey| {
        let known = scenarios.iter().find(|it| it.key == *key);
        known.map_or_else(|| key.to_string(), scenario_name)
    };
    let scenarios: Vec<Compared> = baseline
        .scenarios
        .iter()
        .map(|scenario| Compared {
            name: name(&scenario.key),
            rows: scenario
                .rows
                .iter()
                .filter(|it| tells(it))
                .map(row)
                .collect(),
        })
        .collect();
    let count = |direction| {
        let rows = scenarios.iter().flat_map(|it| &it.rows);
        rows.filter(|it| it.significant && it.direction == direction)
            .count()
    };
    Comparison {
        name: baseline.name.clone(),
        level: numbers::percent(baseline.level),
        notes: baseline.notes.clone(),
        worse: count(Direction::Worse),
        better: count(Direction::Better),
        scenarios,
    }
}

/// Whether a row tells anything.
fn tells(row: &BaselineRow) -> bool {
    row.base.is_some() || row.candidate.is_some() || row.note.is_some()
}

fn row(row: &BaselineRow) -> ChangeRow {
    let share = row.figure.is_share();
    let places = numbers::places([row.base, row.candidate].into_iter().flatten());
    let value = |value: Option<f64>| match value {
        None => numbers::NOT_MEASURED.to_owned(),
        Some(value) if share => numbers::percent(value),
        Some(value) => numbers::fixed(value, places),
    };
    let change = |change| {
        if share {
            numbers::points(change)
        } else {
            numbers::change(change)
        }
    };
    let direction = row.change.map_or(Direction::Other, |change| {
        match (row.figure.better(), change < 0.0) {
            _ if change == 0.0 => Direction::Other,
            (Better::Neither, _) => Direction::Other,
            (Better::Lower, true) | (Better::Higher, false) => Direction::Better,
            (Better::Lower, false) | (Better::Higher, true) => Direction::Worse,
        }
    });
    ChangeRow {
        figure: row.figure.to_string(),
        label: label(row.figure),
        base: value(row.base),
        candidate: value(row.candidate),
        unit: row.figure.unit(),
        change: row
            .change
            .map_or_else(|| numbers::NOT_MEASURED.to_owned(), change),
        interval: row
            .interval
            .map(|it| numbers::span(&change(it.low), &change(it.high))),
        direction,
        significant: row.significant,
        note: row.note.clone(),
    }
}

#[cfg(test)]
mod tests {
    use guidellm_results_model::inference::Interval;

    use super::*;

    fn changed(figure: &str, base: f64, candidate: f64, change: f64) -> ChangeRow {
        row(&BaselineRow {
            figure: figure.parse().unwrap(),
            base: Some(base),
            candidate: Some(candidate),
            change: Some(change),
            interval: Some(Interval {
                low: change - 0.02,
                high: change + 0.02,
            }),
            significant: true,
            note: None,
        })
    }

    #[test]
    fn more_latency_is_worse_and_more_throughput_better() {
        let row = changed("ttft_p95_ms", 100.0, 110.0, 0.1);
        assert_eq!((row.direction, &*row.change), (Direction::Worse, "+10.0 %"));
        assert_eq!(row.interval.unwrap(), "+8.0 to +12.0 %");
        let row = changed("throughput_mean_rps", 100.0, 110.0, 0.1);
        assert_eq!(row.direction, Direction::Better);
        let row = changed("concurrency_mean", 100.0, 110.0, 0.1);
        assert_eq!(row.direction, Direction::Other);
    }

    #[test]
    fn shares_differ_in_points() {
        let row = changed("request_success_rate", 1.0, 0.99, -0.01);
        assert_eq!((&*row.base, &*row.candidate), ("100 %", "99 %"));
        assert_eq!(
            (row.direction, &*row.change),
            (Direction::Worse, "−1.00 pp")
        );
    }

    #[test]
    fn what_was_not_measured_is_told_before_what_is_met() {
        let verdict = |outcome, value| VerdictRow {
            expression: "ttft_p95_ms <= 500".to_owned(),
            scenario: "steady".to_owned(),
            figure: Some("ttft_p95_ms".parse().unwrap()),
            value,
            outcome,
            severity: "error".to_owned(),
            description: None,
        };
        let shown = verdicts(&[
            verdict(Outcome::Met, Some(480.0)),
            verdict(Outcome::NotMeasured, None),
        ]);
        assert_eq!((shown.missed, shown.not_measured), (0, 1));
        let values: Vec<&str> = shown.rows.iter().map(|it| &*it.value).collect();
        assert_eq!(values, ["–", "480 ms"]);
    }
}
