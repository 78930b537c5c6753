//! Which series go into which charts.

use anyhow::Result;
use guidellm_results_model::analysis::{Resource, Scenario, Second};
use guidellm_results_model::figures::{Figure, Member, Metric};

use super::chart::{Axis, Chart, Drawing, SERIES, Scale, Series};
use super::families::{load_name, short_name};

/// Points that a line is drawn with, at most.
const POINTS: usize = 240;

fn drawn(charts: impl IntoIterator<Item = Chart>) -> Result<Vec<Drawing>> {
    let charts = charts.into_iter().filter(|chart| !chart.is_empty());
    charts.map(Chart::drawing).collect()
}

fn linear(label: &str) -> Axis {
    Axis {
        label: label.to_owned(),
        scale: Scale::Linear,
        includes: None,
        shares: false,
        whole: false,
    }
}

fn from_zero(label: &str) -> Axis {
    Axis {
        includes: Some(0.0),
        ..linear(label)
    }
}

/// An axis for values that may be far apart: then it is a log one, and says so.
fn spread(label: &str, values: impl Iterator<Item = f64> + Clone) -> Axis {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    match Scale::fitting(low, high) {
        Scale::Linear => from_zero(label),
        Scale::Log => Axis {
            label: format!("{label}, log scale"),
            scale: Scale::Log,
            ..linear(label)
        },
    }
}

/// The same for values whose distance from nothing does not matter.
fn fitted(label: &str, values: impl Iterator<Item = f64> + Clone) -> Axis {
    Axis {
        includes: None,
        ..spread(label, values)
    }
}

fn labelled(metric: Metric) -> String {
    format!("{} ({})", metric.label(), metric.unit())
}

/// Distributions of the metrics that requests have, of one scenario or several over one another.
pub(super) fn distributions(scenarios: &[&Scenario]) -> Result<Vec<Drawing>> {
    let of_metric = |metric: Metric| {
        let with = scenarios.iter().filter_map(|scenario| {
            let curve = scenario.curves.get(&metric)?;
            Some((scenario, steps(&curve.points)))
        });
        let series: Vec<Series> = with
            .take(SERIES)
            .map(|(scenario, points)| Series {
                name: load_name(scenario),
                points,
                labels: Vec::new(),
            })
            .collect();
        let values = series.iter().flat_map(|it| &it.points).map(|it| it.0);
        Chart {
            title: format!("{} distribution", metric.label()),
            description: format!(
                "Share of successful requests whose {} is at or below a value.",
                metric.label()
            ),
            x: fitted(&labelled(metric), values),
            y: Axis {
                shares: true,
                ..from_zero("Share of requests at or below")
            },
            series,
            rules: Vec::new(),
            ordinal: true,
        }
    };
    drawn(Metric::OF_REQUESTS.map(of_metric))
}

/// A cumulative distribution rises where a value is, and not before: to be seen where values are
/// few.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() > 64 {
        return points.to_vec();
    }
    let mut below = 0.0;
    let mut steps = Vec::with_capacity(points.len() * 2);
    for &(value, share) in points {
        steps.extend([(value, below), (value, share)]);
        below = share;
    }
    steps
}

/// A scenario by the second of its measured window.
pub(super) fn timeline(scenario: &Scenario) -> Result<Vec<Drawing>> {
    let seconds = &scenario.seconds;
    let width = seconds.len().div_ceil(POINTS).max(1);
    let windows = scenario.samples.iter();
    let windows = windows.filter_map(|it| it.summary.window.duration_seconds);
    let end = windows.fold(0.0, f64::max);
    let last = seconds.last().map_or(0, |it| it.second);
    #[expect(clippy::cast_precision_loss, reason = "a benchmark is no 2^52 s long")]
    let rules = [
        (seconds.first().is_some_and(|it| it.second < 0), 0.0),
        (end > 0.0 && end < last as f64, end),
    ];
    let rules = rules.into_iter().filter(|it| it.0).map(|it| it.1);
    let rules: Vec<f64> = rules.collect();
    let x = if width > 1 {
        format!("Seconds of the measured window, means of {width} s")
    } else {
        "Seconds of the measured window".to_owned()
    };
    let line = |name: &str, of: &dyn Fn(&Second) -> Option<f64>| Series {
        name: name.to_owned(),
        points: binned(seconds, width, of),
        labels: Vec::new(),
    };
    let chart = |title: &str, description: &str, y: Axis, series: Vec<Series>| Chart {
        title: title.to_owned(),
        description: description.to_owned(),
        x: Axis {
            whole: true,
            ..linear(&x)
        },
        y,
        series,
        rules: rules.clone(),
        ordinal: false,
    };
    let mut requests = vec![
        line("started", &|it| Some(it.started)),
        line("completed", &|it| Some(it.completed)),
    ];
    if seconds.iter().any(|it| it.errored > 0.0) {
        requests.push(line("errored", &|it| Some(it.errored)));
    }
    let ttft = line("TTFT", &|it| it.ttft_mean_ms);
    let mut tokens = line("output tokens", &|it| Some(it.output_tokens));
    if tokens.points.iter().all(|it| it.1 == 0.0) {
        tokens.points.clear();
    }
    let told = ttft.points.iter().map(|it| it.1);
    let ttft_axis = spread("TTFT, mean (ms)", told.filter(|it| it.is_finite()));
    drawn([
        chart(
            "Requests by the second",
            "Requests that started, completed and failed in each second, mean over the samples.",
            from_zero("Requests/s"),
            requests,
        ),
        chart(
            "In flight",
            "Requests in flight, mean over each second and over the samples.",
            from_zero("Requests in flight"),
            vec![line("in flight", &|it| Some(it.in_flight))],
        ),
        chart(
            "TTFT by the second",
            "Mean time to first token of the requests whose first token came in each second.",
            ttft_axis,
            vec![ttft],
        ),
        chart(
            "Output tokens by the second",
            "Output tokens of the requests that completed in each second, mean over the samples.",
            from_zero("Output tokens/s"),
            vec![tokens],
        ),
    ])
}

/// Means of so many seconds at a time; NaN where there is no value in any of them.
fn binned(
    seconds: &[Second],
    width: usize,
    of: &dyn Fn(&Second) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let bin = |bin: &[Second]| {
        let first = bin.first()?;
        let values: Vec<f64> = bin.iter().filter_map(of).collect();
        #[expect(clippy::cast_precision_loss, reason = "a benchmark is no 2^52 s long")]
        let (at, count) = (first.second as f64, values.len() as f64);
        Some((at, values.iter().sum::<f64>() / count))
    };
    seconds.chunks(width).filter_map(bin).collect()
}

/// What latency throughput is paid with, over the loads of a family.
pub(super) fn loads(scenarios: &[&Scenario]) -> Result<Vec<Drawing>> {
    let figures = [
        (Metric::TimeToFirstToken, Member::P95),
        (Metric::RequestLatency, Member::P95),
        (Metric::InterTokenLatency, Member::P95),
        (Metric::TimePerOutputToken, Member::P95),
    ];
    let value = |scenario: &Scenario, metric, member| {
        let figure = Figure::Statistic(metric, member);
        scenario.figures.get(&figure).map(|it| it.value)
    };
    drawn(figures.map(|(metric, member)| {
        let both = scenarios.iter().filter_map(|scenario| {
            let x = value(scenario, Metric::Throughput, Member::Mean)?;
            Some((short_name(scenario), (x, value(scenario, metric, member)?)))
        });
        let (labels, points): (Vec<String>, Vec<(f64, f64)>) = both.unzip();
        let y = format!("{}, {} ({})", metric.label(), member.name(), metric.unit());
        let values = points.iter().map(|it| it.1);
        Chart {
            title: format!("{} {} by throughput", metric.label(), member.name()),
            description: format!(
                "{} {} over the throughput that was achieved, a point for each load.",
                metric.label(),
                member.name()
            ),
            x: from_zero("Throughput achieved (req/s)"),
            y: spread(&y, values),
            series: vec![Series {
                name: metric.label().to_owned(),
                points,
                labels,
            }],
            rules: Vec::new(),
            ordinal: false,
        }
    }))
}

/// A metric of Prometheus, with a line for each of its series: the highest ones, if there are many.
pub(super) fn resource(name: &str, series: &[&Resource], names: &[String]) -> Result<Vec<Drawing>> {
    let mut named: Vec<_> = series.iter().zip(names).collect();
    named.sort_by(|one, other| other.0.max.total_cmp(&one.0.max));
    let all = named.len();
    named.truncate(SERIES.min(6));
    let of = if named.len() < all {
        format!(" The {} highest of {all} series.", named.len())
    } else {
        String::new()
    };
    let series = named.into_iter().map(|(resource, name)| Series {
        name: name.clone(),
        points: thinned(&resource.points),
        labels: Vec::new(),
    });
    drawn([Chart {
        title: name.to_owned(),
        description: format!("The metric {name} of Prometheus over time.{of}"),
        x: linear("Seconds since the start of the measured window"),
        y: from_zero(name),
        series: series.collect(),
        rules: Vec::new(),
        ordinal: false,
    }])
}

/// Means of neighbours, so that few enough are left.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let width = points.len().div_ceil(POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        #[expect(clippy::cast_precision_loss, reason = "points are few")]
        let count = points.len() as f64;
        let sum = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
        (sum(|it| it.0) / count, sum(|it| it.1) / count)
    };
    points.chunks(width).map(mean).collect()
}
