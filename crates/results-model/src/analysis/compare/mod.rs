//! Two sides, scenario by scenario and figure by figure.

mod comparable;
mod threshold;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::comparable::{FactDifference, Refusal};
pub use self::threshold::{Amount, Crossing, Threshold, ThresholdError};
use super::Direction;
use super::model::{Analysis, Basis, Run, Sample, Scenario};
use crate::documents::FailedRun;
use crate::figures::{Better, Figure};
use crate::inference::{Interval, Method, Observation, Scale, Test, compare_samples};
use crate::scenario::ScenarioKey;

/// How to compare.
#[derive(Debug, Clone, Default)]
pub struct CompareOptions {
    /// What is a regression.
    pub thresholds: Vec<Threshold>,
    /// A threshold has to be crossed significantly.
    pub require_significant: bool,
    /// Compare also what is refused.
    pub force: bool,
    /// Level of intervals and of significance, 0 to 1.
    pub level: f64,
}

/// Two sides.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Runs of the base.
    pub base: Vec<Run>,
    /// Runs of the candidate.
    pub candidate: Vec<Run>,
    /// What differs between the systems under test.
    pub facts: Vec<FactDifference>,
    /// Scenarios that both have.
    pub scenarios: Vec<ScenarioComparison>,
    /// Scenarios of one side alone.
    pub only_base: Vec<ScenarioKey>,
    /// The same of the other.
    pub only_candidate: Vec<ScenarioKey>,
    /// Of each job of the base of which no sample left a report, the first of the samples.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost_base: Vec<FailedRun>,
    /// The same of the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost_candidate: Vec<FailedRun>,
    /// Thresholds, scenario by scenario.
    pub verdicts: Vec<Verdict>,
    /// Level of intervals and of significance, 0 to 1.
    pub level: f64,
}

/// A scenario of both sides.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioComparison {
    /// Which it is.
    pub key: ScenarioKey,
    /// Samples of the base.
    pub base_samples: usize,
    /// Samples of the candidate.
    pub candidate_samples: usize,
    /// Figures that both have, without those that are refused.
    pub figures: Vec<FigureComparison>,
    /// What is not compared, and why.
    pub refusals: Vec<Refusal>,
    /// What has to be known of the figures.
    pub notes: Vec<String>,
}

/// A figure of both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureComparison {
    /// Which it is.
    pub figure: Figure,
    /// The base's, in the figure's unit.
    pub base: f64,
    /// The candidate's.
    pub candidate: f64,
    /// What both are made of; the less exact of the two.
    pub basis: Basis,
    /// The change: relative to the base (0.05 is 5 % more), of a share the difference. Absent where
    /// the base is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// Confidence interval of the change; its width is of the samples' own figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// How likely a difference as large is by chance alone, two-sided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// The p-value, corrected for the number of comparisons (Benjamini and Hochberg): the share of
    /// false alarms among all that have one as small.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q_value: Option<f64>,
    /// What the p-value and the interval rest on; absent where a value has no place on the scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Whether the corrected p-value is below 1 - level.
    pub significant: bool,
    /// Where the figure went.
    pub direction: Direction,
}

/// What came of a threshold in a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The threshold.
    pub threshold: Threshold,
    /// Where it was judged.
    pub scenario: ScenarioKey,
    /// The outcome.
    pub outcome: Outcome,
    /// The figure, unless it could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure: Option<FigureComparison>,
}

/// What came of a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It was not crossed.
    Passed,
    /// It was, but not significantly, which was demanded.
    NotSignificant,
    /// It was: a regression.
    Failed,
    /// It cannot be told.
    NotJudged {
        /// Why.
        reason: String,
    },
}

impl Comparison {
    /// Whether a threshold was crossed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.verdicts.iter().any(|it| it.outcome == Outcome::Failed)
    }

    /// Whether a threshold could not be judged.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let of = |it: &Verdict| matches!(it.outcome, Outcome::NotJudged { .. });
        self.verdicts.iter().any(of)
    }
}

/// Compares a candidate with a base.
///
/// Figures are those of [`Scenario::figures`]. Intervals and p-values are of the samples' own figures:
/// see [`Method`]. Latencies and rates are compared on their logarithms, shares as they are.
#[must_use]
pub fn compare(base: &Analysis, candidate: &Analysis, options: &CompareOptions) -> Comparison {
    let others: BTreeMap<&ScenarioKey, &Scenario> =
        candidate.scenarios.iter().map(|it| (&it.key, it)).collect();
    let mut scenarios = Vec::new();
    let mut only_base = Vec::new();
    for scenario in &base.scenarios {
        match others.get(&scenario.key) {
            Some(other) => scenarios.push(of_scenario(scenario, other, options)),
            None => only_base.push(scenario.key.clone()),
        }
    }
    let is_in_base = |key: &ScenarioKey| base.scenarios.iter().any(|it| it.key == *key);
    let only_candidate = candidate.scenarios.iter().map(|it| it.key.clone());
    let only_candidate = only_candidate.filter(|key| !is_in_base(key)).collect();
    correct(&mut scenarios, options.level);
    Comparison {
        base: base.runs.clone(),
        candidate: candidate.runs.clone(),
        facts: comparable::facts(base, candidate),
        verdicts: verdicts(&scenarios, &only_base, options),
        scenarios,
        only_base,
        only_candidate,
        lost_base: base.unmeasured_jobs().into_iter().cloned().collect(),
        lost_candidate: candidate.unmeasured_jobs().into_iter().cloned().collect(),
        level: options.level,
    }
}

fn of_scenario(
    base: &Scenario,
    candidate: &Scenario,
    options: &CompareOptions,
) -> ScenarioComparison {
    let refusals = comparable::refusals(base, candidate);
    let is_refused = |figure| !options.force && refusals.iter().any(|it| it.concerns(figure));
    let figures = base.figures.keys().filter(|figure| !is_refused(**figure));
    let figures = figures.filter_map(|figure| of_figure(*figure, base, candidate, options.level));
    ScenarioComparison {
        key: base.key.clone(),
        base_samples: base.samples.len(),
        candidate_samples: candidate.samples.len(),
        figures: figures.collect(),
        notes: comparable::notes(base, candidate),
        refusals,
    }
}

fn of_figure(
    figure: Figure,
    base: &Scenario,
    candidate: &Scenario,
    level: f64,
) -> Option<FigureComparison> {
    let of_base = base.figures.get(&figure)?;
    let of_candidate = candidate.figures.get(&figure)?;
    let scale = scale_of(figure);
    let tested = compare_samples(
        &observations(figure, &base.samples),
        &observations(figure, &candidate.samples),
        scale,
        level,
    );
    let (base, candidate) = (of_base.value, of_candidate.value);
    let difference = scale.of(candidate).zip(scale.of(base));
    let difference = difference.map(|(candidate, base)| candidate - base);
    // What all requests say, with the noise of the samples.
    let found: Option<Test> = tested.ok().zip(difference).map(|(it, by)| it.about(by));
    let interval = found.and_then(|it| it.interval);
    let interval = interval.map(|(low, high)| Interval {
        low: scale.change(low),
        high: scale.change(high),
    });
    let basis = [of_base.basis, of_candidate.basis];
    Some(FigureComparison {
        figure,
        base,
        candidate,
        basis: if basis.contains(&Basis::MeanOfSamples) {
            Basis::MeanOfSamples
        } else {
            Basis::PooledRequests
        },
        change: difference.map(|by| scale.change(by)),
        interval,
        p_value: found.and_then(|it| it.p_value),
        q_value: None,
        method: found.map(|it| it.method),
        significant: false,
        direction: Direction::of(figure, base, candidate),
    })
}

/// Latencies and rates are compared by their ratio, shares by their difference.
pub(super) fn scale_of(figure: Figure) -> Scale {
    if figure.is_share() {
        Scale::Difference
    } else {
        Scale::Ratio
    }
}

fn observations(figure: Figure, samples: &[Sample]) -> Vec<Observation> {
    let of = |sample: &Sample| {
        Some(Observation {
            value: *sample.figures.get(&figure)?,
            within: sample.standard_errors.get(&figure).copied(),
        })
    };
    samples.iter().filter_map(of).collect()
}

/// Benjamini and Hochberg over all figures that can be good or bad.
fn correct(scenarios: &mut [ScenarioComparison], level: f64) {
    let mut tested: Vec<&mut FigureComparison> = scenarios
        .iter_mut()
        .flat_map(|scenario| &mut scenario.figures)
        .filter(|it| it.p_value.is_some() && it.figure.better() != Better::Neither)
        .collect();
    let p_value = |it: &FigureComparison| it.p_value.unwrap_or(1.0);
    tested.sort_by(|one, other| p_value(one).total_cmp(&p_value(other)));
    #[expect(clippy::cast_precision_loss, reason = "comparisons are few")]
    let count = tested.len() as f64;
    let mut smallest = 1.0_f64;
    for (place, figure) in tested.iter_mut().enumerate().rev() {
        #[expect(clippy::cast_precision_loss, reason = "comparisons are few")]
        let rank = (place + 1) as f64;
        smallest = smallest.min(p_value(figure) * count / rank);
        figure.q_value = Some(smallest);
        figure.significant = smallest <= 1.0 - level;
    }
}

fn verdicts(
    scenarios: &[ScenarioComparison],
    missing: &[ScenarioKey],
    options: &CompareOptions,
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for threshold in &options.thresholds {
        for scenario in scenarios {
            let figure = scenario.figures.iter();
            let figure = figure.clone().find(|it| it.figure == threshold.figure);
            verdicts.push(Verdict {
                threshold: *threshold,
                scenario: scenario.key.clone(),
                outcome: outcome(threshold, figure, scenario, options.require_significant),
                figure: figure.cloned(),
            });
        }
        verdicts.extend(missing.iter().map(|key| Verdict {
            threshold: *threshold,
            scenario: key.clone(),
            outcome: Outcome::NotJudged {
                reason: "the candidate has no such scenario".to_owned(),
            },
            figure: None,
        }));
    }
    verdicts
}

fn outcome(
    threshold: &Threshold,
    figure: Option<&FigureComparison>,
    scenario: &ScenarioComparison,
    require_significant: bool,
) -> Outcome {
    let not_judged = |reason: &str| Outcome::NotJudged {
        reason: reason.to_owned(),
    };
    let Some(figure) = figure else {
        let refusal = scenario.refusals.iter();
        let refusal = refusal.clone().find(|it| it.concerns(threshold.figure));
        let missing = "it was not measured on both sides";
        return not_judged(refusal.map_or(missing, |it| &it.reason));
    };
    match threshold.is_crossed(figure.base, figure.candidate) {
        None => not_judged("the base is 0"),
        Some(false) => Outcome::Passed,
        Some(true) if !require_significant => Outcome::Failed,
        Some(true) if figure.p_value.is_none() => {
            not_judged("it is crossed, but no test is possible: take more samples")
        }
        Some(true) if figure.significant => Outcome::Failed,
        Some(true) => Outcome::NotSignificant,
    }
}
