//! From what a report says of a benchmark, and what its records say, to its summary.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use crate::documents::{
    Origin, Request, RequestCounts, RequestStatus, RunOutcome, Statistics, Summary,
    SummaryMetricName, SummaryMetrics, SummaryTimestampSource, SummaryWindow, Timestamp,
};
use crate::generation::Generation;
use crate::generations::{Batch, BenchmarkFacts, Clocks, StatusCounts};
use crate::recompute::Recomputed;
use crate::statistics::{Accumulation, Interval, Intervals};
use crate::verify::Recheck;

/// Share of the asked rate that must be offered; less is [`rate_missed`].
const RATE_TOLERANCE: f64 = 0.95;

/// What the records of a benchmark add to its summary.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Records in the report, by status.
    pub(crate) successful: u64,
    pub(crate) errored: u64,
    pub(crate) incomplete: u64,
    /// API that the records say they called.
    pub(crate) endpoint: Option<String>,
    /// For a report without statistics.
    pub(crate) computed: Option<Box<Computed>>,
    /// For one whose statistics are to be verified.
    pub(crate) recheck: Option<Box<Recheck>>,
}

impl Gathered {
    /// How many records there are.
    pub(crate) fn records(&self) -> u64 {
        self.successful + self.errored + self.incomplete
    }

    /// Takes a block of records in.
    pub(crate) fn add(&mut self, status: RequestStatus, batch: &Batch) -> io::Result<()> {
        let count = batch.requests.len() as u64;
        match status {
            RequestStatus::Successful => self.successful += count,
            RequestStatus::Errored => self.errored += count,
            RequestStatus::Incomplete => self.incomplete += count,
        }
        if self.endpoint.is_none() {
            self.endpoint.clone_from(&batch.endpoint);
        }
        let mut records = batch.requests.iter().zip(&batch.clocks);
        if let Some(computed) = &mut self.computed {
            records
                .clone()
                .try_for_each(|(request, clocks)| computed.push(request, clocks))?;
        }
        if let Some(recheck) = &mut self.recheck {
            records.try_for_each(|(request, clocks)| recheck.push(request, clocks))?;
        }
        Ok(())
    }
}

/// What is computed where a report has no statistics.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    requests: Recomputed,
    intervals: Intervals,
}

impl Computed {
    fn push(&mut self, request: &Request, clocks: &Clocks) -> io::Result<()> {
        self.requests.push(request)?;
        let ran = clocks.start.zip(clocks.end);
        match ran.filter(|_| request.status == RequestStatus::Successful) {
            Some((start, end)) => self.intervals.push(&Interval {
                start,
                end,
                first_token: clocks.first_token,
                prompt_tokens: request.prompt_token_count.unwrap_or_default(),
                output_tokens: request.output_token_count.unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }
}

/// The identity of a summary, and the clock to file it under.
#[derive(Debug, Clone)]
pub(crate) struct Filed {
    pub(crate) origin: Arc<Origin>,
    pub(crate) document_id: Uuid,
    pub(crate) timestamp: Timestamp,
    pub(crate) timestamp_source: SummaryTimestampSource,
    pub(crate) outcome: RunOutcome,
}

pub(crate) fn summarise(
    filed: Filed,
    facts: BenchmarkFacts,
    gathered: Gathered,
) -> io::Result<Summary> {
    let BenchmarkFacts {
        mut settings,
        mut window,
        mut totals,
        run,
        metrics,
        mut validity,
        ..
    } = facts;
    let records = StatusCounts {
        successful: Some(gathered.successful),
        errored: Some(gathered.errored),
        incomplete: Some(gathered.incomplete),
        total: None,
    };
    let metrics = match (metrics, gathered.computed) {
        (Some(metrics), _) => metrics,
        (None, computed) => {
            // 0.1 has no window and no counts but its records, and no incomplete requests.
            totals.successful = records.successful;
            totals.errored = records.errored;
            totals.total = Some(gathered.successful + gathered.errored);
            compute(*computed.unwrap_or_default(), &mut window)?
        }
    };
    let generation = settings.report_generation;
    settings.endpoint = settings.endpoint.or(gathered.endpoint);
    settings.streaming = settings.streaming.or_else(|| streamed(&metrics, totals));
    let offered = totals
        .total
        .zip(window.duration_seconds.filter(|seconds| *seconds > 0.0));
    #[expect(
        clippy::cast_precision_loss,
        reason = "request counts are far below 2^52"
    )]
    if let Some((total, seconds)) = offered.map(|(total, seconds)| (total as f64, seconds)) {
        validity.achieved_rate_rps = Some(total / seconds);
        validity.rate_missed = filed
            .origin
            .rate
            .map(|rate| rate_missed(total, rate * seconds, &filed.origin.strategy));
    }
    Ok(Summary {
        metric_name: SummaryMetricName,
        document_id: filed.document_id,
        timestamp: filed.timestamp,
        timestamp_source: filed.timestamp_source,
        origin: filed.origin,
        settings,
        window,
        counts: RequestCounts {
            records_sampled: sampled(generation, totals, run, records),
            ..counts(totals, run, records)
        },
        metrics: only_measured(&metrics, totals),
        validity,
        outcome: filed.outcome,
    })
}

/// Without a successful request there is nothing to take statistics of, whatever was filled in.
fn only_measured(metrics: &SummaryMetrics, totals: StatusCounts) -> SummaryMetrics {
    if totals.successful != Some(0) {
        return *metrics;
    }
    SummaryMetrics {
        tokens_per_second_counts_prompt_twice: metrics.tokens_per_second_counts_prompt_twice,
        dispatch_delay: metrics.dispatch_delay,
        generation_delay: metrics.generation_delay,
        goodput: metrics.goodput,
        ..SummaryMetrics::default()
    }
}

fn compute(computed: Computed, window: &mut SummaryWindow) -> io::Result<SummaryMetrics> {
    let over_time = computed.intervals.statistics()?;
    window.start_timestamp = over_time.start.and_then(Timestamp::from_epoch_seconds);
    window.end_timestamp = over_time.end.and_then(Timestamp::from_epoch_seconds);
    window.duration_seconds = over_time
        .start
        .zip(over_time.end)
        .map(|(start, end)| end - start);
    let metrics = computed.requests.metrics(Accumulation::EachValue)?;
    Ok(SummaryMetrics {
        throughput: over_time.throughput.into(),
        concurrency: over_time.concurrency.into(),
        output_tokens_per_second: over_time.output_tokens_per_second.into(),
        tokens_per_second: over_time.tokens_per_second.into(),
        prompt_tokens_per_second: over_time.prompt_tokens_per_second.into(),
        ..metrics
    })
}

/// Whether responses were streamed, of a report that does not say.
fn streamed(metrics: &SummaryMetrics, totals: StatusCounts) -> Option<bool> {
    let has_first_token = Statistics::from(metrics.time_to_first_token).max.is_some();
    match totals.successful {
        Some(successful) if successful > 0 => Some(has_first_token),
        _ => None,
    }
}

/// Whether clearly fewer requests were offered than the rate asks for. One request more or less
/// is a matter of where the window begins and ends, and a Poisson process varies by itself: its
/// count is allowed three standard deviations.
fn rate_missed(total: f64, expected: f64, strategy: &str) -> bool {
    let chance = if strategy == "poisson" {
        3.0 * expected.sqrt()
    } else {
        0.0
    };
    total + 1.5 + chance < RATE_TOLERANCE * expected
}

fn counts(totals: StatusCounts, run: StatusCounts, records: StatusCounts) -> RequestCounts {
    RequestCounts {
        total_requests: totals.total,
        successful_requests: totals.successful,
        errored_requests: totals.errored,
        incomplete_requests: totals.incomplete,
        run_total_requests: run.total,
        run_successful_requests: run.successful,
        run_errored_requests: run.errored,
        run_incomplete_requests: run.incomplete,
        successful_records: records.successful.unwrap_or_default(),
        errored_records: records.errored.unwrap_or_default(),
        incomplete_records: records.incomplete.unwrap_or_default(),
        records_sampled: false,
        request_success_rate: totals
            .successful
            .zip(totals.errored)
            .and_then(|(successful, errored)| share(successful, successful + errored)),
        incomplete_rate: totals
            .incomplete
            .zip(totals.total)
            .and_then(|(incomplete, total)| share(incomplete, total)),
    }
}

/// Whether the report kept fewer records than there were. From 0.4 on it keeps those outside the
/// window too; incomplete ones of the run include some that were never sent.
fn sampled(
    generation: Generation,
    totals: StatusCounts,
    run: StatusCounts,
    records: StatusCounts,
) -> bool {
    let fewer = |kept: Option<u64>, counted: Option<u64>| {
        kept.zip(counted)
            .is_some_and(|(kept, counted)| kept < counted)
    };
    let whole = if generation >= Generation::V0_4 {
        run
    } else {
        totals
    };
    fewer(records.successful, whole.successful.or(totals.successful))
        || fewer(records.errored, whole.errored.or(totals.errored))
        || fewer(records.incomplete, totals.incomplete)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "request counts are far below 2^52"
)]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_at_the_windows_edge_is_no_missed_rate() {
        assert!(!rate_missed(19.0, 20.0, "constant"));
        assert!(!rate_missed(19.0 * 60.0, 20.0 * 60.0, "constant"));
        assert!(rate_missed(18.0 * 60.0, 20.0 * 60.0, "constant"));
    }

    #[test]
    fn a_poisson_process_may_vary() {
        assert!(!rate_missed(25.0, 36.0, "poisson"));
        assert!(rate_missed(25.0, 36.0, "constant"));
        assert!(rate_missed(5000.0, 6000.0, "poisson"));
    }

    #[test]
    fn success_rate_leaves_incomplete_requests_out() {
        let totals = StatusCounts {
            successful: Some(18),
            errored: Some(2),
            incomplete: Some(20),
            total: Some(40),
        };
        let counts = counts(totals, StatusCounts::default(), StatusCounts::default());
        assert_eq!(counts.request_success_rate, Some(0.9));
        assert_eq!(counts.incomplete_rate, Some(0.5));
    }
}
