//! Requests of several samples, pooled: their distributions as GuideLLM takes them.

use std::collections::BTreeMap;
use std::io;

use super::documents::Row;
use super::model::{Curve, Limits};
use crate::documents::{RequestStatus, Statistics};
use crate::figures::{Figure, Member, Metric};
use crate::generation::Generation;
use crate::statistics::{Accumulation, WeightedSample};
use crate::windows::{Counted, Window, Windowing, is_windowed};

/// Points of a curve.
const CURVE_POINTS: u32 = 256;

/// How the requests of one benchmark count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counting {
    pub(super) windowing: Windowing,
    /// The window that rates are of, if it has a length.
    pub(super) window: Option<Window>,
    pub(super) accumulation: Accumulation,
    /// GuideLLM counts a time that was not measured as 0, in a release that writes statistics.
    unmeasured: Option<f64>,
}

impl Counting {
    /// `trimmed` if it is not the report's own window.
    pub(super) fn new(
        generation: Generation,
        release: Option<&str>,
        window: Option<Window>,
        trimmed: bool,
    ) -> Self {
        let windowed = is_windowed(generation);
        let applied = window.filter(|_| windowed || trimmed);
        Self {
            // A release that is not told is a doubt; the older ones of its generation are more.
            windowing: Windowing::new(generation, release, applied)
                .unwrap_or_else(|| Windowing::by_request(applied)),
            window,
            accumulation: if windowed {
                Accumulation::DistinctValues
            } else {
                Accumulation::EachValue
            },
            unmeasured: (generation != Generation::V0_1).then_some(0.0),
        }
    }
}

/// Values of a metric, each with its weight, that one request adds.
pub(super) fn contributions(row: &Row<'_>, counting: &Counting) -> [Option<(Metric, f64, f64)>; 4] {
    if row.status != RequestStatus::Successful {
        return [None; 4];
    }
    let Counted {
        request,
        first_token,
        decoding,
    } = counting.windowing.counted(&row.instants);
    let measured = |value: Option<f64>| value.or(counting.unmeasured);
    let output = row.output_tokens.unwrap_or_default();
    let gaps = (row.output_tokens.unwrap_or(1.0) - 1.0).max(0.0);
    let of = |counts: bool, metric, value: Option<f64>, weight: f64| {
        let value = measured(value).filter(|_| counts)?;
        Some((metric, value, weight))
    };
    [
        of(first_token, Metric::TimeToFirstToken, row.ttft_ms, 1.0),
        of(decoding, Metric::InterTokenLatency, row.itl_ms, gaps),
        of(request, Metric::TimePerOutputToken, row.tpot_ms, output),
        of(
            request,
            Metric::RequestLatency,
            row.request_latency_seconds,
            1.0,
        ),
    ]
}

/// Requests of one or several benchmarks.
#[derive(Debug, Default)]
pub(super) struct Pool {
    metrics: BTreeMap<Metric, WeightedSample>,
    accumulation: Option<Accumulation>,
    successful: f64,
    errored: f64,
    incomplete: f64,
    good: f64,
    prompt_tokens: f64,
    output_tokens: f64,
    /// Successful requests that ended in the window, and their output tokens.
    completed: f64,
    completed_tokens: f64,
    seconds: f64,
}

impl Pool {
    /// A benchmark follows.
    pub(super) fn open(&mut self, counting: &Counting) {
        self.accumulation.get_or_insert(counting.accumulation);
        let length = counting.window.map(|window| window.end - window.start);
        self.seconds += length.unwrap_or_default();
    }

    /// Counts a request in.
    pub(super) fn push(
        &mut self,
        row: &Row<'_>,
        counting: &Counting,
        limits: &Limits,
    ) -> io::Result<()> {
        for (metric, value, weight) in contributions(row, counting).into_iter().flatten() {
            self.metrics
                .entry(metric)
                .or_default()
                .push(value, weight)?;
        }
        if !counting.windowing.counted(&row.instants).request {
            return Ok(());
        }
        match row.status {
            RequestStatus::Successful => self.succeed(row, counting, limits),
            RequestStatus::Errored => self.errored += 1.0,
            RequestStatus::Incomplete => self.incomplete += 1.0,
        }
        Ok(())
    }

    fn succeed(&mut self, row: &Row<'_>, counting: &Counting, limits: &Limits) {
        let output = row.output_tokens.unwrap_or_default();
        self.successful += 1.0;
        self.good += f64::from(u8::from(limits.are_kept_by(row)));
        self.prompt_tokens += row.prompt_tokens.unwrap_or_default();
        self.output_tokens += output;
        let ended = row.instants.end.zip(counting.window);
        if ended.is_some_and(|(end, window)| (window.start..=window.end).contains(&end)) {
            self.completed += 1.0;
            self.completed_tokens += output;
        }
    }

    /// Good requests, those that count, and the windows' seconds.
    pub(super) fn goodput(&self) -> (f64, f64, f64) {
        (self.good, self.successful + self.errored, self.seconds)
    }

    /// Its figures and curves. What no request was measured for is not there.
    pub(super) fn figures(self) -> io::Result<(BTreeMap<Figure, f64>, BTreeMap<Metric, Curve>)> {
        let mut figures = BTreeMap::new();
        let mut curves = BTreeMap::new();
        let share = |part: f64, of: f64| (of > 0.0).then_some(part / of);
        let ended = self.successful + self.errored;
        let mean = |metric| Figure::Statistic(metric, Member::Mean);
        let others = [
            (Figure::RequestSuccessRate, share(self.successful, ended)),
            (
                Figure::IncompleteRate,
                share(self.incomplete, ended + self.incomplete),
            ),
            (Figure::TotalRequests, Some(ended + self.incomplete)),
            (Figure::ErroredRequests, Some(self.errored)),
            (
                Figure::PromptTokensMean,
                share(self.prompt_tokens, self.successful),
            ),
            (
                Figure::OutputTokensMean,
                share(self.output_tokens, self.successful),
            ),
            (
                mean(Metric::Throughput),
                share(self.completed, self.seconds),
            ),
            (
                mean(Metric::OutputTokensPerSecond),
                share(self.completed_tokens, self.seconds),
            ),
        ];
        figures.extend(
            others
                .into_iter()
                .filter_map(|(it, value)| Some((it, value?))),
        );
        let accumulation = self.accumulation.unwrap_or(Accumulation::DistinctValues);
        for (metric, sample) in self.metrics {
            let (statistics, curve) = described(sample, accumulation)?;
            // A time that no request has was counted as 0.
            if statistics.max.is_some_and(|max| max > 0.0) {
                let of = |member: Member| {
                    Some((Figure::Statistic(metric, member), member.of(&statistics)?))
                };
                figures.extend(Member::ALL.into_iter().filter_map(of));
                curves.insert(metric, curve);
            }
        }
        Ok((figures, curves))
    }
}

fn described(
    sample: WeightedSample,
    accumulation: Accumulation,
) -> io::Result<(Statistics, Curve)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut last = None;
    let mut next = 0;
    let statistics = sample.described(accumulation, &mut |value, share| {
        last = Some((value, share));
        if share >= f64::from(next) / f64::from(CURVE_POINTS - 1) {
            points.push((value, share));
            while share >= f64::from(next) / f64::from(CURVE_POINTS - 1) && next < CURVE_POINTS {
                next += 1;
            }
        }
    })?;
    if points.last() != last.as_ref() {
        points.extend(last);
    }
    Ok((statistics, Curve { points }))
}

impl Limits {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn are_kept_by(&self, row: &Row<'_>) -> bool {
        let kept = |limit: Option<f64>, value: Option<f64>| {
            limit.zip(value).is_none_or(|(limit, value)| value <= limit)
        };
        kept(self.ttft_ms, row.ttft_ms)
            && kept(self.itl_ms, row.itl_ms)
            && kept(self.tpot_ms, row.tpot_ms)
            && kept(self.request_latency_seconds, row.request_latency_seconds)
    }
}
