//! From the raw text of records to normalised requests.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::documents::{
    Origin, Request, RequestMetricName, RequestStatus, RequestTimestampSource, Timestamp,
};
use crate::error::{Place, ReadError};
use crate::identity;
use crate::scan::{Records, quick, typed};

/// What records need to know of their benchmark.
#[derive(Debug, Clone)]
pub(crate) struct RecordContext {
    pub(crate) origin: Arc<Origin>,
    /// The summary's `document_id`.
    pub(crate) summary_id: Uuid,
    /// For a request that has no clock of its own.
    pub(crate) benchmark_timestamp: Timestamp,
    /// Path of the benchmark, for errors.
    pub(crate) path: String,
    /// Whether byte offsets mean anything to the user.
    pub(crate) is_json: bool,
}

/// Some records, normalised.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) requests: Vec<Request>,
    /// The clocks of each request, unrounded.
    pub(crate) clocks: Vec<Clocks>,
    /// API that the first record says it called.
    pub(crate) endpoint: Option<String>,
}

/// A record's typed form in one generation.
pub(super) trait Wire: DeserializeOwned {
    /// GuideLLM's id of the request.
    fn id(&self) -> Option<&str>;

    /// The record's earliest clock, epoch seconds.
    fn clock(&self) -> Option<f64>;

    /// API that was called.
    fn endpoint(&self) -> Option<&str> {
        None
    }

    /// Fills in what it knows; identity, status and timestamp are already there.
    fn fill(self, request: &mut Request);

    /// Its clocks.
    fn clocks(&self) -> Clocks;
}

/// Clocks of a request, epoch seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clocks {
    pub(crate) start: Option<f64>,
    pub(crate) first_token: Option<f64>,
    pub(crate) end: Option<f64>,
    pub(super) queued: Option<f64>,
    pub(super) targeted: Option<f64>,
}

/// Something in a list that has a clock.
pub(super) trait Clocked: DeserializeOwned {
    fn clock(&self) -> Option<f64>;
}

impl<W: Wire> Clocked for W {
    fn clock(&self) -> Option<f64> {
        Wire::clock(self)
    }
}

pub(super) fn normalise<W: Wire>(
    records: &Records,
    status: RequestStatus,
    context: &RecordContext,
) -> Result<Batch, ReadError> {
    let mut batch = Batch {
        requests: Vec::with_capacity(records.ranges.len()),
        clocks: Vec::with_capacity(records.ranges.len()),
        ..Batch::default()
    };
    for (text, index, offset) in records.iter() {
        let path = || format!("{}.requests.{status}[{index}]", context.path);
        let text = utf8(text, offset)?;
        let wire: W = parse(text, offset, context.is_json, &path)?;
        if batch.requests.is_empty() {
            batch.endpoint = wire.endpoint().map(str::to_owned);
        }
        let clocks = wire.clocks();
        let mut request = blank(&wire, clocks, index, status, context);
        wire.fill(&mut request);
        batch.requests.push(request);
        batch.clocks.push(clocks);
    }
    Ok(batch)
}

pub(super) fn first_id<W: Wire>(
    records: &Records,
    path: &str,
) -> Result<Option<String>, ReadError> {
    let Some((text, _, offset)) = records.iter().next() else {
        return Ok(None);
    };
    let wire: W = parse(utf8(text, offset)?, offset, true, &|| path.to_owned())?;
    Ok(wire.id().map(str::to_owned))
}

pub(super) fn earliest<C: Clocked>(
    records: &Records,
    path: &str,
) -> Result<Option<f64>, ReadError> {
    let mut earliest: Option<f64> = None;
    for (text, index, offset) in records.iter() {
        let record: C = parse(utf8(text, offset)?, offset, true, &|| {
            format!("{path}[{index}]")
        })?;
        let clock = record
            .clock()
            .filter(|clock| Timestamp::from_epoch_seconds(*clock).is_some());
        earliest = match (earliest, clock) {
            (Some(earliest), Some(clock)) => Some(earliest.min(clock)),
            (earliest, clock) => earliest.or(clock),
        };
    }
    Ok(earliest)
}

fn utf8(text: &[u8], offset: u64) -> Result<&str, ReadError> {
    std::str::from_utf8(text).map_err(|error| ReadError::InvalidUtf8 {
        byte: offset + error.valid_up_to() as u64,
    })
}

/// Parses one record, telling what is wrong with it.
fn parse<T: DeserializeOwned>(
    text: &str,
    offset: u64,
    is_json: bool,
    path: &dyn Fn() -> String,
) -> Result<T, ReadError> {
    if let Some(value) = quick::parse(text) {
        return Ok(value);
    }
    typed::parse(text.as_bytes(), &path()).map_err(|failure| ReadError::Value {
        place: Place {
            byte: is_json.then_some(offset + failure.offset as u64),
            path: failure.path,
        },
        message: failure.message,
    })
}

fn blank<W: Wire>(
    wire: &W,
    clocks: Clocks,
    index: u64,
    status: RequestStatus,
    context: &RecordContext,
) -> Request {
    let instant = |clock: Option<f64>| clock.and_then(Timestamp::from_epoch_seconds);
    let (start, queued) = (instant(clocks.start), instant(clocks.queued));
    let targeted = instant(clocks.targeted);
    let (timestamp, timestamp_source) = match (start, queued, targeted) {
        (Some(start), _, _) => (start, RequestTimestampSource::RequestStart),
        (None, Some(queued), _) => (queued, RequestTimestampSource::Queued),
        (None, None, Some(targeted)) => (targeted, RequestTimestampSource::TargetedStart),
        (None, None, None) => (
            context.benchmark_timestamp,
            RequestTimestampSource::Benchmark,
        ),
    };
    // A record without an id is told by its place, which is the same in every copy of a report; an
    // empty one is none.
    let request_id: Box<str> = wire
        .id()
        .filter(|id| !id.is_empty())
        .map_or_else(|| format!("{status}[{index}]").into_boxed_str(), Into::into);
    Request {
        metric_name: RequestMetricName,
        document_id: identity::request_id(context.summary_id, &request_id),
        timestamp,
        timestamp_source,
        origin: Arc::clone(&context.origin),
        request_id,
        response_id: None,
        conversation_id: None,
        turn_index: None,
        status,
        completed: status == RequestStatus::Successful,
        errored: status == RequestStatus::Errored,
        error_message: None,
        error_class: None,
        http_status: None,
        request_latency_seconds: None,
        tokens_per_second: None,
        output_tokens_per_second: None,
        tpot_ms: None,
        itl_ms: None,
        ttft_ms: None,
        prompt_token_count: None,
        output_token_count: None,
        cached_token_count: None,
        targeted_start_timestamp: targeted,
        queued_timestamp: queued,
        dequeued_timestamp: None,
        scheduled_timestamp: None,
        first_token_timestamp: None,
        last_token_timestamp: None,
        end_timestamp: None,
        queue_seconds: None,
        start_delay_seconds: difference(clocks.start, clocks.targeted),
    }
}

/// `later - earlier`, in seconds, where both are clocks.
pub(super) fn difference(later: Option<f64>, earlier: Option<f64>) -> Option<f64> {
    match (later, earlier) {
        (Some(later), Some(earlier)) if later > 0.0 && earlier > 0.0 => Some(later - earlier),
        _ => None,
    }
}
