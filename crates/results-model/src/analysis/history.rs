//! A figure over runs, and where it changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::Direction;
use super::compare::scale_of;
use super::model::{Analysis, Sample, Scenario};
use super::sparkline::sparkline;
use crate::documents::Timestamp;
use crate::figures::Figure;
use crate::inference::{ChangePoint, Detection, Interval, Scale, change_points, mean};
use crate::scenario::ScenarioKey;

/// A figure of one scenario over its runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// The scenario.
    pub key: ScenarioKey,
    /// The figure.
    pub figure: Figure,
    /// A point for each run that measured it, by time.
    pub points: Vec<Point>,
    /// Where its level changed, by time.
    pub changes: Vec<Change>,
}

/// A figure of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Id of the run.
    pub run: Arc<str>,
    /// Start of the scenario's first sample.
    pub time: Timestamp,
    /// The figure, in its unit.
    pub value: f64,
    /// Its confidence interval; absent for one sample, or where an analysis has several runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Samples of the run.
    pub samples: usize,
}

/// A change of level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The first run of the new level.
    pub run: Arc<str>,
    /// Its time.
    pub time: Timestamp,
    /// Where it is, between which levels, and how sure it is.
    #[serde(flatten)]
    pub point: ChangePoint,
    /// Whether `change` is relative (0.05 is +5 %), or a difference in the figure's unit.
    pub relative: bool,
    /// Where the figure went.
    pub direction: Direction,
}

/// Makes series of a figure, in the order in which scenarios first come.
///
/// An analysis of one run gives its pooled figures. One of several gives each run the mean of its
/// samples' figures: requests of different runs are pooled there. `significance` is the largest
/// p-value of a change, `seed` what permutations follow from.
#[must_use]
pub fn history(analyses: &[Analysis], figure: Figure, significance: f64, seed: u64) -> Vec<Series> {
    let mut order: Vec<ScenarioKey> = Vec::new();
    let mut points: BTreeMap<ScenarioKey, Vec<Point>> = BTreeMap::new();
    for scenario in analyses.iter().flat_map(|analysis| &analysis.scenarios) {
        if !points.contains_key(&scenario.key) {
            order.push(scenario.key.clone());
        }
        let series = points.entry(scenario.key.clone()).or_default();
        series.extend(points_of(scenario, figure));
    }
    let detection = Detection {
        scale: scale_of(figure),
        significance,
        seed,
    };
    let series = order.into_iter().filter_map(|key| {
        let mut points = points.remove(&key)?;
        points.sort_by(|one, other| (one.time, &one.run).cmp(&(other.time, &other.run)));
        let changes = changes(&points, figure, detection);
        (!points.is_empty()).then_some(Series {
            key,
            figure,
            points,
            changes,
        })
    });
    series.collect()
}

fn points_of(scenario: &Scenario, figure: Figure) -> Vec<Point> {
    let mut runs: BTreeMap<Arc<str>, Vec<&Sample>> = BTreeMap::new();
    for sample in &scenario.samples {
        let run = sample.summary.origin.uuid.clone();
        runs.entry(run).or_default().push(sample);
    }
    let alone = runs.len() == 1;
    let pooled = scenario.figures.get(&figure).filter(|_| alone);
    let point = |(run, samples): (Arc<str>, Vec<&Sample>)| {
        let measured = samples
            .iter()
            .filter_map(|sample| sample.figures.get(&figure).copied());
        let own: Vec<f64> = measured.collect();
        Some(Point {
            run,
            time: samples.iter().map(|it| it.summary.timestamp).min()?,
            value: pooled.map(|it| it.value).or_else(|| mean(&own))?,
            interval: pooled.and_then(|it| it.interval),
            samples: samples.len(),
        })
    };
    runs.into_iter().filter_map(point).collect()
}

fn changes(points: &[Point], figure: Figure, detection: Detection) -> Vec<Change> {
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let change = |found: ChangePoint| {
        let at = points.get(found.index)?;
        Some(Change {
            run: at.run.clone(),
            time: at.time,
            relative: detection.scale == Scale::Ratio,
            direction: Direction::of(figure, found.before, found.after),
            point: found,
        })
    };
    let found = change_points(&values, detection);
    found.into_iter().filter_map(change).collect()
}

/// Characters of a line; more runs than that share one.
const WIDTH: usize = 60;

/// Series as text: a sparkline each, and where the level changed.
#[must_use]
pub fn text(series: &[Series]) -> String {
    let mut out = String::new();
    for each in series {
        let unit = each.figure.unit();
        let gap = if unit.is_empty() { "" } else { " " };
        let _ = writeln!(out, "{} {}", each.key, each.figure);
        let values: Vec<f64> = each.points.iter().map(|point| point.value).collect();
        let _ = write!(out, "  {}", sparkline(&values, None, WIDTH));
        if let Some(last) = each.points.last() {
            let (runs, value) = (each.points.len(), last.value);
            let _ = write!(out, "  {runs} runs, last {value:.4}{gap}{unit}");
        }
        out.push('\n');
        if each.changes.is_empty() {
            let _ = writeln!(out, "  no change of level found");
        }
        for change in &each.changes {
            let ChangePoint {
                before,
                after,
                change: by,
                p_value,
                ..
            } = change.point;
            let by = if change.relative {
                format!("{:+.1} %", by * 100.0)
            } else {
                format!("{by:+.4}")
            };
            let direction = match change.direction {
                Direction::Better => ", better",
                Direction::Worse => ", worse",
                Direction::Same | Direction::Other => "",
            };
            let _ = writeln!(
                out,
                "  {} {}: {by} ({before:.4} to {after:.4}{gap}{unit}{direction}, p {p_value:.3})",
                change.time, change.run
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::by_hand::{analysis, sample, scenario};
    use super::*;

    const FIGURE: &str = "ttft_p95_ms";

    /// One sample of each run, at its level.
    fn runs(values: &[f64]) -> Vec<Sample> {
        let run = |(minute, value): (i64, &f64)| {
            let figures = [(FIGURE, *value)];
            sample(
                &format!("run-{minute}"),
                "chat",
                minute,
                &figures,
                &json!({}),
            )
        };
        (0..).zip(values).map(run).collect()
    }

    const STEP: [f64; 14] = [
        100.0, 101.0, 99.0, 100.5, 100.0, 99.5, 100.2, 99.8, 112.0, 111.0, 113.0, 112.5, 111.5,
        112.2,
    ];

    #[test]
    fn a_step_is_told_with_its_run() {
        // As they may come from a store: in no order, each an analysis.
        let mut analyses: Vec<Analysis> = runs(&STEP)
            .into_iter()
            .map(|sample| analysis("one", &json!({}), vec![scenario("chat", vec![sample])]))
            .collect();
        analyses.rotate_left(5);
        let series = history(&analyses, FIGURE.parse().unwrap(), 0.05, 0);
        let [only] = &series[..] else {
            panic!("{series:?}")
        };
        assert_eq!(only.points.len(), 14);
        let [change] = &only.changes[..] else {
            panic!("{:?}", only.changes)
        };
        assert_eq!(
            (&*change.run, change.direction),
            ("run-8", Direction::Worse)
        );
        insta::assert_snapshot!(text(&series));
    }

    #[test]
    fn an_analysis_of_all_runs_gives_the_same_points() {
        let apart: Vec<Analysis> = runs(&STEP)
            .into_iter()
            .map(|sample| analysis("one", &json!({}), vec![scenario("chat", vec![sample])]))
            .collect();
        let together = [analysis(
            "all",
            &json!({}),
            vec![scenario("chat", runs(&STEP))],
        )];
        let figure = FIGURE.parse().unwrap();
        assert_eq!(
            history(&apart, figure, 0.05, 0),
            history(&together, figure, 0.05, 0)
        );
    }

    #[test]
    fn what_no_run_measured_has_no_series() {
        let all = [analysis(
            "all",
            &json!({}),
            vec![scenario("chat", runs(&STEP))],
        )];
        assert_eq!(history(&all, "itl_p95_ms".parse().unwrap(), 0.05, 0), []);
    }
}
