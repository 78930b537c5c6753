//! What scenarios are called, and which of them are the same under different load.

use guidellm_results_model::analysis::{Load, Scenario};
use guidellm_results_model::figures::{Figure, Member, Metric};

use super::numbers;

/// Scenarios that differ in their load only: a sweep, or a job's rates or numbers of streams.
pub(super) struct Family<'a> {
    pub(super) name: String,
    /// Two or more, the lightest load first.
    pub(super) members: Vec<&'a Scenario>,
}

/// A scenario's name, a sweep's by the rate that it asked for.
pub(super) fn scenario_name(scenario: &Scenario) -> String {
    let key = &scenario.key;
    match key.load {
        Load::Sweep(_) => format!("{} {}", key.job_name, load_name(scenario))
            .trim_start()
            .to_owned(),
        _ => key.to_string(),
    }
}

/// A scenario's name among those of its family.
pub(super) fn load_name(scenario: &Scenario) -> String {
    let key = &scenario.key;
    match key.load {
        Load::Rate(_) | Load::Streams(_) => key.load.to_string(),
        // A sweep's position says nothing; the rate that was asked for does.
        Load::Sweep(_) => match rate_asked(scenario) {
            Some(rate) => format!("{} {}/s", key.strategy, numbers::alone(rate)),
            None => key.strategy.to_string(),
        },
        Load::Unlimited => key.strategy.to_string(),
    }
}

/// The shortest name that tells it from the others of its family.
pub(super) fn short_name(scenario: &Scenario) -> String {
    match (scenario.key.load, rate_asked(scenario)) {
        (Load::Sweep(_), Some(rate)) => format!("{}/s", numbers::alone(rate)),
        _ => load_name(scenario),
    }
}

/// The rate that was asked for, mean over the samples.
fn rate_asked(scenario: &Scenario) -> Option<f64> {
    let samples = scenario.samples.iter();
    let rates: Vec<f64> = samples.filter_map(|it| it.summary.origin.rate).collect();
    #[expect(clippy::cast_precision_loss, reason = "samples are few")]
    let count = rates.len() as f64;
    (count > 0.0).then(|| rates.iter().sum::<f64>() / count)
}

/// The families of scenarios, in the order of their first members.
pub(super) fn of(scenarios: &[Scenario]) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for scenario in scenarios {
        let known = families.iter_mut().find(|family| {
            let first = family.members.first();
            first.is_some_and(|first| related(first, scenario))
        });
        match known {
            Some(family) => family.members.push(scenario),
            None => families.push(Family {
                name: name(scenario),
                members: vec![scenario],
            }),
        }
    }
    families.retain(|family| family.members.len() > 1);
    for family in &mut families {
        family.members.sort_by(|one, other| {
            let (one, other) = (heaviness(one), heaviness(other));
            one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
        });
    }
    families
}

fn related(one: &Scenario, other: &Scenario) -> bool {
    let (one, other) = (&one.key, &other.key);
    one.job_name == other.job_name
        && match (one.load, other.load) {
            (Load::Sweep(_), Load::Sweep(_)) => true,
            (Load::Rate(_), Load::Rate(_)) | (Load::Streams(_), Load::Streams(_)) => {
                one.strategy == other.strategy
            }
            _ => false,
        }
}

fn name(scenario: &Scenario) -> String {
    let key = &scenario.key;
    let what = match key.load {
        Load::Sweep(_) => "sweep",
        _ => &*key.strategy,
    };
    format!("{} {what}", key.job_name).trim_start().to_owned()
}

/// Among those of a family: how heavy its load is. A sweep begins with one request after the other,
/// and has as many as there can be beside its rates.
fn heaviness(scenario: &Scenario) -> (u8, f64) {
    let throughput = Figure::Statistic(Metric::Throughput, Member::Mean);
    match scenario.key.load {
        Load::Rate(rate) => (1, rate),
        Load::Streams(streams) => (1, streams.into()),
        Load::Sweep(_) | Load::Unlimited => match (rate_asked(scenario), &*scenario.key.strategy) {
            (Some(rate), _) => (1, rate),
            (None, "synchronous") => (0, 0.0),
            (None, _) => (
                2,
                scenario.figures.get(&throughput).map_or(0.0, |it| it.value),
            ),
        },
    }
}
