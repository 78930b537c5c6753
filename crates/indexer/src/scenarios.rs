//! `guidellm-indexer scenarios`: what the samples of each scenario say together.

use std::io::Write;
use std::str::FromStr;

use anyhow::{Result, bail};
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::{
    Analysis, Limits, Options, PooledFigure, Scenario, sparkline,
};
use guidellm_results_model::figures::{Figure, Member, Metric};

use crate::cli::{PoolingArguments, ScenariosArguments};
use crate::selection::{Selected, tell_doubts};
use crate::table;
use crate::unfinished::Registry;

/// Columns: heading, figure, decimals, and a factor.
const COLUMNS: &[(&str, Figure, usize, f64)] = &[
    ("OK%", Figure::RequestSuccessRate, 1, 100.0),
    (
        "REQ/S",
        Figure::Statistic(Metric::Throughput, Member::Mean),
        2,
        1.0,
    ),
    (
        "OUT TOK/S",
        Figure::Statistic(Metric::OutputTokensPerSecond, Member::Mean),
        1,
        1.0,
    ),
    (
        "TTFT P50 ms",
        Figure::Statistic(Metric::TimeToFirstToken, Member::P50),
        1,
        1.0,
    ),
    (
        "TTFT P95 ms",
        Figure::Statistic(Metric::TimeToFirstToken, Member::P95),
        1,
        1.0,
    ),
    (
        "TTFT P99 ms",
        Figure::Statistic(Metric::TimeToFirstToken, Member::P99),
        1,
        1.0,
    ),
    (
        "ITL MEAN ms",
        Figure::Statistic(Metric::InterTokenLatency, Member::Mean),
        2,
        1.0,
    ),
    (
        "LATENCY P95 s",
        Figure::Statistic(Metric::RequestLatency, Member::P95),
        3,
        1.0,
    ),
];

/// Characters of a sparkline.
const SPARKLINE: usize = 20;

/// A limit of one metric, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit(Limits);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || format!("`{text}` is no limit; write ttft_ms=500 for example");
        let (name, limit) = text.split_once('=').ok_or_else(form)?;
        let limit: f64 = limit.parse().map_err(|_| form())?;
        let mut limits = Limits::default();
        let named = match name {
            "ttft_ms" => &mut limits.ttft_ms,
            "itl_ms" => &mut limits.itl_ms,
            "tpot_ms" => &mut limits.tpot_ms,
            "request_latency_seconds" => &mut limits.request_latency_seconds,
            _ => {
                return Err(format!(
                    "`{name}` has no limit; there are ttft_ms, itl_ms, tpot_ms and \
                     request_latency_seconds"
                ));
            }
        };
        *named = Some(limit);
        Ok(Self(limits))
    }
}

impl PoolingArguments {
    pub(crate) fn options(&self) -> Result<Options> {
        if !(self.level > 0.0 && self.level < 1.0) {
            bail!("--level {}: it lies between 0 and 1", self.level);
        }
        if !(self.trim_start >= 0.0 && self.trim_end >= 0.0) {
            bail!("--trim-start and --trim-end are seconds, and not negative");
        }
        let mut limits = Limits::default();
        for Limit(one) in &self.limit {
            limits = Limits {
                ttft_ms: one.ttft_ms.or(limits.ttft_ms),
                itl_ms: one.itl_ms.or(limits.itl_ms),
                tpot_ms: one.tpot_ms.or(limits.tpot_ms),
                request_latency_seconds: one
                    .request_latency_seconds
                    .or(limits.request_latency_seconds),
            };
        }
        Ok(Options {
            trim_start_seconds: self.trim_start,
            trim_end_seconds: self.trim_end,
            limits,
            level: self.level,
            standard_errors: false,
        })
    }
}

pub(crate) fn run(arguments: &ScenariosArguments, unfinished: &Registry) -> Result<Exit> {
    let options = arguments.about.pooling.options()?;
    let selected = Selected::open(&arguments.about.what, &arguments.about.source, unfinished)?;
    let analyses = if arguments.pool_runs {
        vec![selected.analyse(&options)?]
    } else {
        selected.analyse_each_run(&options)?
    };
    let text = if arguments.json {
        serde_json::to_string_pretty(&analyses)? + "\n"
    } else {
        analyses.iter().for_each(tell_doubts);
        table(&analyses, !options.limits.is_empty())
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

fn table(analyses: &[Analysis], limited: bool) -> String {
    let mut headings: Vec<&str> = vec!["SCENARIO", "SAMPLES"];
    headings.extend(COLUMNS.iter().map(|(heading, ..)| *heading));
    if limited {
        headings.push("GOODPUT");
    }
    headings.extend(["DONE/S OVER TIME", "RUN"]);
    let mut rows = vec![headings.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for analysis in analyses {
        for scenario in &analysis.scenarios {
            rows.push(row(scenario, analysis, limited));
        }
    }
    table::aligned(&rows)
}

fn row(scenario: &Scenario, analysis: &Analysis, limited: bool) -> Vec<String> {
    let mut cells = vec![scenario.key.to_string(), scenario.samples.len().to_string()];
    cells.extend(COLUMNS.iter().map(|(_, figure, decimals, factor)| {
        let pooled = scenario.figures.get(figure);
        pooled.map_or_else(|| "-".to_owned(), |pooled| cell(pooled, *decimals, *factor))
    }));
    if limited {
        cells.push(scenario.goodput.map_or_else(
            || "-".to_owned(),
            |it| format!("{:.2} ({:.1} %)", it.rate_rps, it.share * 100.0),
        ));
    }
    let done: Vec<f64> = scenario.seconds.iter().map(|it| it.completed).collect();
    cells.push(sparkline(&done, Some(0.0), SPARKLINE));
    let runs: Vec<&str> = analysis.runs.iter().map(|run| &*run.uuid).collect();
    cells.push(match &*runs {
        [run] => (*run).to_owned(),
        runs => format!("{} runs", runs.len()),
    });
    cells
}

fn cell(pooled: &PooledFigure, decimals: usize, factor: f64) -> String {
    let value = format!("{:.decimals$}", pooled.value * factor);
    match pooled.interval {
        Some(interval) => {
            let reach = (interval.high - interval.low) / 2.0 * factor;
            format!("{value} ±{reach:.decimals$}")
        }
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_the_names_of_requests_fields() {
        let Limit(limits) = "ttft_ms=500".parse().unwrap();
        assert_eq!(limits.ttft_ms, Some(500.0));
        assert!("ttft=500".parse::<Limit>().unwrap_err().contains("ttft_ms"));
        assert!("ttft_ms".parse::<Limit>().is_err());
    }
}
