//! What the page tells of one scenario.

use anyhow::Result;
use guidellm_results_model::analysis::{ErrorCount, Goodput, Limits, Resource, Scenario};
use guidellm_results_model::documents::ErrorClass;
use serde::Serialize;

use super::chart::Drawing;
use super::charts;
use super::families::scenario_name;
use super::numbers;
use super::table::{self, Table};

/// Series of one metric that are listed, at most.
const SERIES_LISTED: usize = 20;

/// One scenario.
#[derive(Debug, Serialize)]
pub(super) struct Details {
    name: String,
    doubts: Vec<String>,
    distributions: Vec<Drawing>,
    timeline: Vec<Drawing>,
    goodput: Option<GoodputText>,
    errors: Vec<ErrorRow>,
    /// Of its samples, if there are several.
    samples: Option<Table>,
    resources: Vec<ResourceText>,
}

#[derive(Debug, Serialize)]
struct GoodputText {
    limits: Vec<String>,
    good: String,
    share: String,
    rate: String,
}

#[derive(Debug, Serialize)]
struct ErrorRow {
    class: &'static str,
    status: String,
    count: String,
    example: Option<String>,
}

#[derive(Debug, Serialize)]
struct ResourceText {
    name: String,
    drawings: Vec<Drawing>,
    rows: Vec<ResourceRow>,
    /// Series that are not listed.
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct ResourceRow {
    series: String,
    mean: String,
    max: String,
}

pub(super) fn of(place: usize, scenario: &Scenario) -> Result<Details> {
    let several = scenario.samples.len() > 1;
    Ok(Details {
        name: scenario_name(scenario),
        doubts: scenario
            .doubts
            .iter()
            .cloned()
            .chain(table::not_measured(scenario))
            .collect(),
        distributions: charts::distributions(&[scenario])?,
        timeline: charts::timeline(scenario)?,
        goodput: scenario.goodput.as_ref().map(goodput),
        errors: scenario.errors.iter().map(error).collect(),
        samples: several.then(|| table::of_samples(place, scenario)),
        resources: resources(&scenario.resources)?,
    })
}

fn goodput(goodput: &Goodput) -> GoodputText {
    let Limits {
        ttft_ms,
        itl_ms,
        tpot_ms,
        request_latency_seconds,
    } = goodput.limits;
    let limits = [
        ("TTFT", ttft_ms, "ms"),
        ("ITL", itl_ms, "ms"),
        ("TPOT", tpot_ms, "ms"),
        ("latency", request_latency_seconds, "s"),
    ];
    let told = limits.into_iter().filter_map(|(name, limit, unit)| {
        Some(format!("{name} ≤ {} {unit}", numbers::alone(limit?)))
    });
    GoodputText {
        limits: told.collect(),
        good: numbers::count(goodput.good_requests),
        share: numbers::percent(goodput.share),
        rate: numbers::alone(goodput.rate_rps),
    }
}

fn error(error: &ErrorCount) -> ErrorRow {
    ErrorRow {
        class: match error.class {
            ErrorClass::HttpStatus => "HTTP error",
            ErrorClass::Timeout => "timeout",
            ErrorClass::Cancelled => "cancelled by the benchmark's end",
            ErrorClass::DroppedStream => "stream dropped",
            ErrorClass::Other => "other",
        },
        status: error
            .http_status
            .map_or_else(|| numbers::NOT_MEASURED.to_owned(), |it| it.to_string()),
        count: numbers::count(error.count),
        example: error.example.clone(),
    }
}

fn resources(resources: &[Resource]) -> Result<Vec<ResourceText>> {
    let mut runs: Vec<&str> = resources.iter().map(|it| &*it.uuid).collect();
    runs.dedup();
    let several_runs = runs.len() > 1;
    let mut metrics: Vec<(&str, Vec<&Resource>)> = Vec::new();
    for resource in resources {
        let name = &*resource.metric_name;
        match metrics.iter_mut().find(|it| it.0 == name) {
            Some((_, series)) => series.push(resource),
            None => metrics.push((name, vec![resource])),
        }
    }
    metrics.sort_by_key(|it| it.0);
    let texts = metrics.into_iter().map(|(name, mut series)| {
        series.sort_by(|one, other| other.max.total_cmp(&one.max));
        metric(name, &series, several_runs)
    });
    texts.collect()
}

fn metric(name: &str, series: &[&Resource], several_runs: bool) -> Result<ResourceText> {
    let text = |resource: &&Resource| {
        let labels = match &*resource.labels {
            "" => "all",
            labels => labels,
        };
        if several_runs {
            format!("{labels} (run {})", resource.uuid)
        } else {
            labels.to_owned()
        }
    };
    let names: Vec<String> = series.iter().map(text).collect();
    let listed = series.iter().take(SERIES_LISTED);
    let places = numbers::places(listed.clone().flat_map(|it| [it.mean, it.max]));
    let row = |(resource, series): (&&Resource, &String)| ResourceRow {
        series: series.clone(),
        mean: numbers::fixed(resource.mean, places),
        max: numbers::fixed(resource.max, places),
    };
    Ok(ResourceText {
        name: name.to_owned(),
        drawings: charts::resource(name, series, &names)?,
        rows: listed.zip(&names).map(row).collect(),
        left_out: series.len().saturating_sub(SERIES_LISTED),
    })
}
