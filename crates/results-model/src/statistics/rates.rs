//! Rates and concurrency: distributions over time, not over requests.
//!
//! The definitions are those of GuideLLM 0.3, the nearest release that has them right: between two
//! events lies an interval; its rate is the events at its start over its length; each rate counts
//! by the length of its interval.

use std::io;

use super::sample::{Accumulation, WeightedSample};
use crate::documents::Statistics;

/// Events closer than this are one, in seconds.
const SAME_INSTANT_SECONDS: f64 = 1e-6;

/// When a request ran, and what it carried. Clocks are epoch seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) first_token: Option<f64>,
    pub(crate) prompt_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// The requests of a benchmark over time.
#[derive(Debug, Default)]
pub(crate) struct Intervals {
    count: u64,
    start: Option<f64>,
    end: Option<f64>,
    prompt_tokens: u64,
    completions: WeightedSample,
    /// +1 at a start, -1 at an end.
    in_flight: WeightedSample,
    output_tokens: WeightedSample,
    tokens: WeightedSample,
}

/// The statistics of [`Intervals`].
#[derive(Debug, Default)]
pub(crate) struct OverTime {
    /// First start, epoch seconds.
    pub(crate) start: Option<f64>,
    /// Last end, epoch seconds.
    pub(crate) end: Option<f64>,
    pub(crate) throughput: Statistics,
    pub(crate) concurrency: Statistics,
    pub(crate) output_tokens_per_second: Statistics,
    pub(crate) tokens_per_second: Statistics,
    /// The mean only.
    pub(crate) prompt_tokens_per_second: Statistics,
}

impl Intervals {
    pub(crate) fn push(&mut self, interval: &Interval) -> io::Result<()> {
        let Interval { start, end, .. } = *interval;
        self.count += 1;
        self.start = Some(self.start.map_or(start, |first| first.min(start)));
        self.end = Some(self.end.map_or(end, |last| last.max(end)));
        self.prompt_tokens += interval.prompt_tokens;
        self.completions.add((end, 1.0))?;
        self.in_flight.add((start, 1.0))?;
        self.in_flight.add((end, -1.0))?;
        if interval.output_tokens > 0 {
            let (prompt, output) = (interval.prompt_tokens, interval.output_tokens);
            // Tokens are taken as evenly spaced from the first one to the end; those of the
            // prompt count with the first one, as from 0.3 on (0.2 counts them twice).
            spread(&mut self.output_tokens, interval, 1, output)?;
            spread(&mut self.tokens, interval, prompt + 1, output)?;
        }
        Ok(())
    }

    pub(crate) fn statistics(mut self) -> io::Result<OverTime> {
        let (Some(start), Some(end)) = (self.start, self.end) else {
            return Ok(OverTime::default());
        };
        self.completions.add((start, 1.0))?;
        for tokens in [&mut self.output_tokens, &mut self.tokens] {
            tokens.add((start, 0.0))?;
            tokens.add((end, 0.0))?;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts are far below 2^52"
        )]
        let prompt_rate = (end > start).then(|| self.prompt_tokens as f64 / (end - start));
        Ok(OverTime {
            start: Some(start),
            end: Some(end),
            throughput: rates(self.completions)?,
            concurrency: levels(self.in_flight)?,
            output_tokens_per_second: rates(self.output_tokens)?,
            tokens_per_second: rates(self.tokens)?,
            prompt_tokens_per_second: Statistics {
                mean: prompt_rate,
                ..Statistics::default()
            },
        })
    }
}

/// Adds `first` tokens at the first token, and the other `output - 1` one by one up to the end.
fn spread(
    sample: &mut WeightedSample,
    interval: &Interval,
    first: u64,
    output: u64,
) -> io::Result<()> {
    let start = interval.first_token.unwrap_or(interval.start);
    #[expect(
        clippy::cast_precision_loss,
        reason = "token counts are far below 2^52"
    )]
    sample.add((start, first as f64))?;
    if output > 1 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts are far below 2^52"
        )]
        let gap = (interval.end - start) / (output - 1) as f64;
        for token in 1..output {
            #[expect(
                clippy::cast_precision_loss,
                reason = "token counts are far below 2^52"
            )]
            sample.add((start + token as f64 * gap, 1.0))?;
        }
    }
    Ok(())
}

/// The distribution of the rate of events.
fn rates(mut events: WeightedSample) -> io::Result<Statistics> {
    let mut rates = WeightedSample::default();
    let mut failure = Ok(());
    let mut last: Option<(f64, f64)> = None;
    events.for_each_sorted(&mut |(time, count)| match &mut last {
        Some((at, together)) if time - *at <= SAME_INSTANT_SECONDS => *together += count,
        last => {
            if let Some((at, count)) = last.replace((time, count)) {
                let pushed = rates.push(count / (time - at), time - at);
                failure = std::mem::replace(&mut failure, Ok(())).and(pushed);
            }
        }
    })?;
    failure?;
    rates.statistics(Accumulation::EachValue)
}

/// The distribution of the running sum of changes.
fn levels(mut changes: WeightedSample) -> io::Result<Statistics> {
    let mut levels = WeightedSample::default();
    let mut failure = Ok(());
    let (mut level, mut since): (f64, Option<f64>) = (0.0, None);
    changes.for_each_sorted(&mut |(time, change)| {
        if let Some(since) = since.replace(time) {
            let pushed = levels.push(level, time - since);
            failure = std::mem::replace(&mut failure, Ok(())).and(pushed);
        }
        level += change;
    })?;
    failure?;
    levels.statistics(Accumulation::EachValue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: f64, end: f64) -> Interval {
        Interval {
            start,
            end,
            first_token: Some(start),
            prompt_tokens: 4,
            output_tokens: 3,
        }
    }

    #[test]
    fn mean_rates_are_counts_over_the_duration() {
        let mut intervals = Intervals::default();
        for second in 0..5 {
            let start = 100.0 + f64::from(second);
            intervals.push(&interval(start, start + 2.0)).unwrap();
        }
        let over_time = intervals.statistics().unwrap();
        let close = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < 1e-9;
        assert!(close(over_time.throughput.mean, 5.0 / 6.0));
        assert!(close(over_time.prompt_tokens_per_second.mean, 20.0 / 6.0));
        assert!(close(over_time.concurrency.mean, 10.0 / 6.0));
        assert_eq!(over_time.concurrency.max, Some(2.0));
        assert_eq!(over_time.concurrency.min, Some(1.0));
    }

    #[test]
    fn without_requests_nothing_is_measured() {
        let over_time = Intervals::default().statistics().unwrap();
        assert_eq!(over_time.throughput, Statistics::default());
        assert_eq!(over_time.start, None);
    }
}
