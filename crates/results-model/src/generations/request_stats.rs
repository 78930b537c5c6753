//! GuideLLM's `GenerativeRequestStats`, as 0.4 to 0.8 write them.

use serde::Deserialize;

use super::record::{Clocks, Wire, difference};
use super::shared::{fill_error, measured};
use crate::documents::{Request, RequestStatus, Timestamp};

/// An element of `requests.*`, to 0.8.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    request_id: Option<Box<str>>,
    response_id: Option<Box<str>>,
    request_type: Option<Box<str>>,
    #[serde(default)]
    info: Info,
    request_start_time: Option<f64>,
    request_end_time: Option<f64>,
    request_latency: Option<f64>,
    prompt_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    output_tokens: Option<u64>,
    time_to_first_token_ms: Option<f64>,
    time_per_output_token_ms: Option<f64>,
    inter_token_latency_ms: Option<f64>,
    tokens_per_second: Option<f64>,
    output_tokens_per_second: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct Info {
    request_id: Option<Box<str>>,
    conversation_id: Option<Box<str>>,
    turn_index: Option<u32>,
    error: Option<Box<str>>,
    #[serde(default)]
    timings: Timings,
}

#[derive(Debug, Default, Deserialize)]
struct Timings {
    targeted_start: Option<f64>,
    queued: Option<f64>,
    dequeued: Option<f64>,
    scheduled_at: Option<f64>,
    request_start: Option<f64>,
    first_token_iteration: Option<f64>,
    last_token_iteration: Option<f64>,
    resolve_end: Option<f64>,
}

impl Wire for Record {
    fn id(&self) -> Option<&str> {
        self.request_id
            .as_deref()
            .or(self.info.request_id.as_deref())
    }

    fn clock(&self) -> Option<f64> {
        self.request_start_time.or(self.info.timings.request_start)
    }

    fn endpoint(&self) -> Option<&str> {
        self.request_type.as_deref()
    }

    fn clocks(&self) -> Clocks {
        let timings = &self.info.timings;
        Clocks {
            start: self.clock(),
            first_token: timings.first_token_iteration,
            end: self.request_end_time,
            queued: timings.queued,
            targeted: timings.targeted_start,
        }
    }

    fn fill(self, request: &mut Request) {
        let successful = request.status == RequestStatus::Successful;
        let instant = |clock: Option<f64>| clock.and_then(Timestamp::from_epoch_seconds);
        let timings = &self.info.timings;
        request.dequeued_timestamp = instant(timings.dequeued);
        request.scheduled_timestamp = instant(timings.scheduled_at);
        request.queue_seconds = difference(timings.dequeued, timings.queued);
        request.first_token_timestamp = instant(timings.first_token_iteration);
        request.last_token_timestamp = instant(timings.last_token_iteration);
        request.end_timestamp = instant(self.request_end_time.or(timings.resolve_end));
        request.request_latency_seconds = measured(self.request_latency);
        request.ttft_ms = measured(self.time_to_first_token_ms);
        request.tpot_ms = measured(self.time_per_output_token_ms);
        let streamed = timings.first_token_iteration.is_some();
        request.itl_ms = self.inter_token_latency_ms.filter(|_| streamed);
        request.prompt_token_count = self.prompt_tokens;
        request.output_token_count = self.output_tokens;
        request.cached_token_count = self.cached_tokens;
        request.tokens_per_second = self.tokens_per_second.filter(|_| successful);
        request.output_tokens_per_second = self.output_tokens_per_second.filter(|_| successful);
        request.response_id = self.response_id;
        request.conversation_id = self.info.conversation_id;
        request.turn_index = self.info.turn_index;
        fill_error(request, self.info.error);
    }
}
