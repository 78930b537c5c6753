//! `guidellm-indexer compare`: did it get better or worse?

mod junit;
mod markdown;
mod text;

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::Options;
use guidellm_results_model::analysis::compare::{
    Amount, CompareOptions, Comparison, FactDifference, FigureComparison, Outcome, Threshold,
    Verdict, compare,
};
use guidellm_results_model::figures::{Figure, Member, Metric};
use guidellm_results_model::inference::Method;
use serde_json::Value;

use crate::cli::CompareArguments;
use crate::output::write_whole;
use crate::selection::{Selected, tell_unmeasured, unmeasured};
use crate::tell;
use crate::unfinished::Registry;

/// Figures that are shown unless others are asked for.
const SHOWN: [Figure; 14] = [
    Figure::Statistic(Metric::TimeToFirstToken, Member::Mean),
    Figure::Statistic(Metric::TimeToFirstToken, Member::P50),
    Figure::Statistic(Metric::TimeToFirstToken, Member::P95),
    Figure::Statistic(Metric::TimeToFirstToken, Member::P99),
    Figure::Statistic(Metric::InterTokenLatency, Member::Mean),
    Figure::Statistic(Metric::InterTokenLatency, Member::P95),
    Figure::Statistic(Metric::TimePerOutputToken, Member::Mean),
    Figure::Statistic(Metric::TimePerOutputToken, Member::P95),
    Figure::Statistic(Metric::RequestLatency, Member::Mean),
    Figure::Statistic(Metric::RequestLatency, Member::P95),
    Figure::Statistic(Metric::RequestLatency, Member::P99),
    Figure::Statistic(Metric::Throughput, Member::Mean),
    Figure::Statistic(Metric::OutputTokensPerSecond, Member::Mean),
    Figure::RequestSuccessRate,
];

/// How a comparison is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ComparisonFormat {
    /// Tables for a terminal
    #[default]
    Text,
    /// For a pull request
    Markdown,
    /// Everything, for machines
    Json,
    /// A test case for each threshold and scenario
    Junit,
}

pub(crate) fn run(arguments: &CompareArguments, unfinished: &Registry) -> Result<Exit> {
    let options = Options {
        standard_errors: true,
        ..arguments.pooling.options()?
    };
    let side = |name: &String| -> Result<_> {
        let selected = Selected::open(std::slice::from_ref(name), &arguments.source, unfinished)?;
        selected.analyse(&options)
    };
    let (base, candidate) = (side(&arguments.base)?, side(&arguments.candidate)?);
    let comparison = compare(
        &base,
        &candidate,
        &CompareOptions {
            thresholds: arguments.fail_on.clone(),
            require_significant: arguments.require_significant,
            force: arguments.force,
            level: options.level,
        },
    );
    let shown = shown(&arguments.figure);
    let format = if arguments.json {
        ComparisonFormat::Json
    } else {
        arguments.format
    };
    let text = match format {
        ComparisonFormat::Text => text::written(&comparison, &shown),
        ComparisonFormat::Markdown => markdown::written(&comparison, &shown),
        ComparisonFormat::Json => serde_json::to_string_pretty(&comparison)? + "\n",
        ComparisonFormat::Junit => {
            [&base, &candidate].into_iter().for_each(tell_unmeasured);
            junit::written(&comparison)?
        }
    };
    let stdout = Path::new("-");
    write_whole(arguments.output.as_deref().unwrap_or(stdout), &text)?;
    if comparison.scenarios.is_empty() {
        tell(
            "error: the two have no scenario in common: a scenario is a job, a strategy and a load",
        );
        return Ok(Exit::SomeFailed);
    }
    Ok(exit(&comparison))
}

/// What a comparison's thresholds came to.
pub(crate) fn exit(comparison: &Comparison) -> Exit {
    if comparison.has_failed() {
        Exit::ThresholdCrossed
    } else if comparison.is_incomplete() {
        tell("error: not every threshold could be judged");
        Exit::SomeFailed
    } else {
        Exit::Done
    }
}

/// The figures that are asked for, or else the usual ones.
pub(crate) fn shown(asked: &[Figure]) -> Vec<Figure> {
    if asked.is_empty() {
        SHOWN.to_vec()
    } else {
        asked.to_vec()
    }
}

/// A value with a sensible number of digits.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A change: percent, or of a share percentage points.
fn change(figure: Figure, change: f64) -> String {
    let unit = if figure.is_share() { "pp" } else { "%" };
    format!("{:+.1} {unit}", change * 100.0)
}

fn interval(comparison: &FigureComparison) -> String {
    comparison.interval.map_or_else(
        || "-".to_owned(),
        |interval| {
            let unit = if comparison.figure.is_share() {
                "pp"
            } else {
                "%"
            };
            let (low, high) = (interval.low * 100.0, interval.high * 100.0);
            format!("[{low:+.1}, {high:+.1}] {unit}")
        },
    )
}

fn p_value(comparison: &FigureComparison) -> String {
    comparison.p_value.map_or_else(
        || "-".to_owned(),
        |p_value| {
            if p_value < 0.001 {
                "<0.001".to_owned()
            } else {
                format!("{p_value:.3}")
            }
        },
    )
}

/// Values of a fact on one side; `None` where it is not known.
pub(crate) fn known(values: &[Value]) -> Option<String> {
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    (!values.is_empty()).then(|| values.iter().map(plain).collect::<Vec<_>>().join(", "))
}

fn fact(difference: &FactDifference) -> String {
    let FactDifference {
        name,
        base,
        candidate,
    } = difference;
    let side = |values| known(values).unwrap_or_else(|| "unknown".to_owned());
    format!("{name}: {} -> {}", side(base), side(candidate))
}

/// What one side alone has, and what a side lost, in words.
fn one_sided(comparison: &Comparison) -> impl Iterator<Item = String> {
    let alone = [
        ("base", &comparison.only_base),
        ("candidate", &comparison.only_candidate),
    ];
    let alone = alone.into_iter().flat_map(|(side, keys)| {
        let keys = keys.iter();
        keys.map(move |key| format!("only the {side} has {key}"))
    });
    let lost = [
        ("base", &comparison.lost_base),
        ("candidate", &comparison.lost_candidate),
    ];
    alone.chain(lost.into_iter().flat_map(|(side, runs)| {
        let runs = runs.iter();
        runs.map(move |run| format!("lost by the {side}: {}", unmeasured(run)))
    }))
}

/// What a threshold came to, in words.
fn verdict(verdict: &Verdict) -> String {
    let of = &verdict.threshold;
    let found = verdict.figure.as_ref().map(|it| measured(of, it));
    let found = found.unwrap_or_default();
    let scenario = &verdict.scenario;
    match &verdict.outcome {
        Outcome::Passed => format!("passed: {scenario}: {of}: {found}"),
        Outcome::NotSignificant => {
            format!("passed: {scenario}: {of}: {found}; crossed, but not significantly")
        }
        Outcome::Failed => format!("FAILED: {scenario}: {of}: {found}"),
        Outcome::NotJudged { reason } => format!("NOT JUDGED: {scenario}: {of}: {reason}"),
    }
}

fn measured(threshold: &Threshold, found: &FigureComparison) -> String {
    let difference = match (threshold.amount, found.change) {
        (Amount::Plain(_), _) => format!("{:+}", found.candidate - found.base),
        (Amount::Percent(_), Some(by)) if !found.figure.is_share() => change(found.figure, by),
        (Amount::Percent(_), _) => {
            format!("{:+.1} %", (found.candidate / found.base - 1.0) * 100.0)
        }
    };
    let p_value = p_value(found);
    let mark = if found.significant {
        "significant"
    } else {
        "not significant"
    };
    format!(
        "{} -> {} ({difference}; p {p_value}, {mark})",
        number(found.base),
        number(found.candidate)
    )
}

/// What the figures and their errors are, in words.
fn explained(comparison: &Comparison) -> String {
    let methods = || {
        let figures = comparison.scenarios.iter().flat_map(|it| &it.figures);
        figures.filter_map(|it| it.method)
    };
    let of_samples =
        methods().any(|it| matches!(it, Method::Welch { .. } | Method::WelchFloored { .. }));
    let of_requests = methods().any(|it| it == Method::RequestsOnly);
    let percent = comparison.level * 100.0;
    let mut text = format!(
        "Percentiles are of all samples' requests together. Intervals ({percent} %) and p-values: "
    );
    let welch = "Welch's t-test on the samples' figures (latencies and rates on their logarithms), of \
                 less than five with at least the variance of a block bootstrap of the requests";
    let bootstrap = "a block bootstrap of the requests alone where a side has one sample, so that noise \
                     between runs is left out";
    text += match (of_samples, of_requests) {
        (true, true) => return format!("{text}{welch}; {bootstrap}. {CORRECTED}"),
        (true, false) => welch,
        (false, true) => bootstrap,
        (false, false) => return format!("{text}none: there are too few samples and requests."),
    };
    format!("{text}. {CORRECTED}")
}

const CORRECTED: &str = "* is significant after Benjamini and Hochberg's correction.";
