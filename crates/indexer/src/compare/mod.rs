//! `guidellm-indexer compare`: did it get better or worse?

mod junit;
mod markdown;
mod text;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::Options;
use guidellm_results_model::analysis::compare::{
    Amount, CompareOptions, Comparison, FactDifference, FigureComparison, Outcome, Threshold,
    Verdict, compare,
};
use guidellm_results_model::figures::Figure;
use guidellm_results_model::inference::Method;
use serde_json::Value;

use crate::cli::CompareArguments;
use crate::selection::Selected;
use crate::tell;
use crate::unfinished::Registry;

/// Figures that are shown unless others are asked for.
const SHOWN: [&str; 14] = [
    "ttft_mean_ms",
    "ttft_p50_ms",
    "ttft_p95_ms",
    "ttft_p99_ms",
    "itl_mean_ms",
    "itl_p95_ms",
    "time_per_output_token_mean_ms",
    "time_per_output_token_p95_ms",
    "request_latency_mean_seconds",
    "request_latency_p95_seconds",
    "request_latency_p99_seconds",
    "throughput_mean_rps",
    "output_tokens_per_second_mean",
    "request_success_rate",
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
        ComparisonFormat::Junit => junit::written(&comparison)?,
    };
    write(arguments.output.as_ref(), &text)?;
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

fn write(output: Option<&PathBuf>, text: &str) -> Result<()> {
    match output {
        Some(path) if path.as_os_str() != "-" => std::fs::write(path, text)
            .with_context(|| format!("{}: cannot write it", path.display())),
        _ => Ok(std::io::stdout().lock().write_all(text.as_bytes())?),
    }
}

/// The figures that are asked for, or else the usual ones.
pub(crate) fn shown(asked: &[Figure]) -> Vec<Figure> {
    if asked.is_empty() {
        SHOWN.iter().filter_map(|name| name.parse().ok()).collect()
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

fn fact(difference: &FactDifference) -> String {
    let side = |values: &[Value]| {
        let plain = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        if values.is_empty() {
            "unknown".to_owned()
        } else {
            values.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
    };
    let FactDifference {
        name,
        base,
        candidate,
    } = difference;
    format!("{name}: {} -> {}", side(base), side(candidate))
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
    let welch = "Welch's t-test on the samples' figures (latencies and rates on their logarithms), with \
                 at least the variance of a block bootstrap of the requests";
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
