//! A benchmark at a glance: how many requests were done, and how long first tokens took, over its
//! time. Bounded, whatever its length, and of requests in whatever order.

use polars::frame::DataFrame;
use polars::prelude::PolarsResult;

use crate::documents::{Request, RequestStatus, RequestTimestampSource, Timestamp};
use crate::over_time::{Bucket, OverTime};

/// Buckets that are kept; many more than anybody draws.
const BUCKETS: usize = 240;

/// What came of a benchmark over its time, from the first start to the last end of a request.
#[derive(Debug, Default)]
pub struct Glance(OverTime<Moment, BUCKETS>);

#[derive(Debug, Default, Clone, Copy)]
struct Moment {
    completed: f64,
    first_tokens: f64,
    ttft_sum_ms: f64,
}

impl Bucket for Moment {
    fn merge(&mut self, next: Self) {
        self.completed += next.completed;
        self.first_tokens += next.first_tokens;
        self.ttft_sum_ms += next.ttft_sum_ms;
    }
}

/// A part of a benchmark's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Requests that ended successfully in it, per second.
    pub completed_rps: f64,
    /// Mean time to first token of the requests whose first token came in it, in milliseconds.
    pub ttft_mean_ms: Option<f64>,
}

/// What is looked at of a request.
struct Seen {
    /// `None` where it never started.
    start: Option<Timestamp>,
    first_token: Option<Timestamp>,
    end: Option<Timestamp>,
    ttft_ms: Option<f64>,
    successful: bool,
}

impl Glance {
    /// The columns of requests that [`Self::push_frame`] reads.
    pub const COLUMNS: &[&str] = &[
        "status",
        "timestamp",
        "timestamp_source",
        "first_token_timestamp",
        "end_timestamp",
        "ttft_ms",
    ];

    /// Takes a request in.
    pub fn push(&mut self, request: &Request) {
        let started = request.timestamp_source == RequestTimestampSource::RequestStart;
        self.see(&Seen {
            start: started.then_some(request.timestamp),
            first_token: request.first_token_timestamp,
            end: request.end_timestamp,
            ttft_ms: request.ttft_ms,
            successful: request.status == RequestStatus::Successful,
        });
    }

    /// Takes the requests of a frame in that has [`Self::COLUMNS`].
    ///
    /// # Errors
    ///
    /// If it has not.
    pub fn push_frame(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        let text = |name| frame.column(name)?.str();
        let micros = |name| PolarsResult::Ok(frame.column(name)?.datetime()?.physical());
        let (statuses, sources) = (text("status")?, text("timestamp_source")?);
        let (starts, firsts) = (micros("timestamp")?, micros("first_token_timestamp")?);
        let (ends, ttfts) = (micros("end_timestamp")?, frame.column("ttft_ms")?.f64()?);
        let instant = |micros: Option<i64>| micros.and_then(Timestamp::from_epoch_micros);
        let what = statuses.iter().zip(sources.iter()).zip(ttfts.iter());
        let when = starts.iter().zip(firsts.iter()).zip(ends.iter());
        for (((status, source), ttft_ms), ((start, first_token), end)) in what.zip(when) {
            let started = source == Some(RequestTimestampSource::RequestStart.as_str());
            self.see(&Seen {
                start: instant(start).filter(|_| started),
                first_token: instant(first_token),
                end: instant(end),
                ttft_ms,
                successful: status == Some(RequestStatus::Successful.as_str()),
            });
        }
        Ok(())
    }

    fn see(&mut self, request: &Seen) {
        if let Some(start) = request.start {
            self.0.reach(start);
        }
        if let Some((at, ttft_ms)) = request.first_token.zip(request.ttft_ms) {
            self.0.add(at, |moment| {
                moment.first_tokens += 1.0;
                moment.ttft_sum_ms += ttft_ms;
            });
        }
        if let Some(end) = request.end {
            self.0.add(end, |moment| {
                moment.completed += f64::from(u8::from(request.successful));
            });
        }
    }

    /// Its time in at most so many parts, each of as many buckets as the others, or one more.
    #[must_use]
    pub fn spans(&self, most: usize) -> Vec<Span> {
        let buckets = self.0.buckets();
        let count = buckets.len();
        let spans = most.min(count);
        let mut buckets = buckets.map(|(_, moment)| moment);
        let span = |place: usize| {
            let width = (place + 1) * count / spans - place * count / spans;
            let mut sum = Moment::default();
            let own = buckets.by_ref().take(width);
            own.for_each(|moment| sum.merge(*moment));
            #[expect(clippy::cast_precision_loss, reason = "buckets are few")]
            let seconds = width as f64 * self.0.width_seconds();
            let measured = sum.first_tokens > 0.0;
            Span {
                completed_rps: sum.completed / seconds,
                ttft_mean_ms: measured.then_some(sum.ttft_sum_ms / sum.first_tokens),
            }
        };
        (0..spans).map(span).collect()
    }
}
