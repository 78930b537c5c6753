//! One request of a benchmark.

use std::sync::Arc;

use bitcode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Origin, RequestMetricName, RequestStatus, Timestamp};

/// Which clock became a request's `timestamp`: the first of these that the report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RequestTimestampSource {
    /// The request's start.
    RequestStart,
    /// The request never started; when it was queued.
    Queued,
    /// When the schedule wanted it to start.
    TargetedStart,
    /// The request has no clock; the benchmark's `timestamp`.
    Benchmark,
}

impl RequestTimestampSource {
    /// The name in the documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestStart => "request_start",
            Self::Queued => "queued",
            Self::TargetedStart => "targeted_start",
            Self::Benchmark => "benchmark",
        }
    }
}

/// Why a request did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The server answered with an HTTP error status; see `http_status`.
    HttpStatus,
    /// A time limit of the client passed.
    Timeout,
    /// GuideLLM cancelled it at the end of the benchmark: every incomplete request.
    Cancelled,
    /// The connection broke while the response streamed.
    DroppedStream,
    /// Anything else, a refused connection among them; see `error_message`.
    Other,
}

impl ErrorClass {
    /// All.
    pub const ALL: [Self; 5] = [
        Self::HttpStatus,
        Self::Timeout,
        Self::Cancelled,
        Self::DroppedStream,
        Self::Other,
    ];

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// The name in the documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HttpStatus => "http_status",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::DroppedStream => "dropped_stream",
            Self::Other => "other",
        }
    }
}

/// One request, whatever its status. What was not measured is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Request {
    /// Always `guidellmRequest`.
    #[serde(rename = "metricName")]
    #[bitcode(skip)]
    pub metric_name: RequestMetricName,
    /// The document's `_id`: derived from the benchmark's identity and `request_id`.
    pub document_id: Uuid,
    /// The request's start, else the clock that `timestamp_source` names.
    pub timestamp: Timestamp,
    /// Which clock `timestamp` is.
    pub timestamp_source: RequestTimestampSource,
    /// What all documents of this benchmark share.
    #[serde(flatten)]
    #[bitcode(skip)]
    pub origin: Arc<Origin>,
    /// GuideLLM's id of the request.
    pub request_id: Box<str>,
    /// The server's id of the response (`response_id`, from 0.5 on).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response_id: Option<Box<str>>,
    /// The conversation that the request belongs to (from 0.6 on).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation_id: Option<Box<str>>,
    /// Turn of the conversation, from 0 (from 0.6 on).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn_index: Option<u32>,
    /// How it ended.
    pub status: RequestStatus,
    /// True for a successful request only.
    pub completed: bool,
    /// True for an errored request only; an incomplete one is neither.
    pub errored: bool,
    /// GuideLLM's error text, as written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_message: Option<Box<str>>,
    /// What kind of failure; absent for a successful request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_class: Option<ErrorClass>,
    /// HTTP status of the response, where the error text names one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub http_status: Option<u16>,
    /// Start to end of the request, in seconds. Absent where the request has no measured end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_latency_seconds: Option<f64>,
    /// Prompt and output tokens over the latency, per second; successful requests only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens_per_second: Option<f64>,
    /// Output tokens over the latency, per second; successful requests only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_tokens_per_second: Option<f64>,
    /// Time per output token, in milliseconds; `tpot_definition` says what it covers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tpot_ms: Option<f64>,
    /// Inter-token latency, in milliseconds: `(last - first token) / (output tokens - 1)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub itl_ms: Option<f64>,
    /// Time to first token, in milliseconds. Absent without streaming or without a token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ttft_ms: Option<f64>,
    /// Tokens of the prompt: the server's count where it sent one, else GuideLLM's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompt_token_count: Option<u64>,
    /// Tokens received. Absent where nothing was received: 0.2 and 0.3 write the count that was
    /// *asked for* into such a request, which is not kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_token_count: Option<u64>,
    /// Tokens of the prompt that came from the server's prefix cache (from 0.8 on).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached_token_count: Option<u64>,
    /// When the schedule wanted the request to start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub targeted_start_timestamp: Option<Timestamp>,
    /// When GuideLLM queued the request for its workers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queued_timestamp: Option<Timestamp>,
    /// When a worker took the request from the queue.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dequeued_timestamp: Option<Timestamp>,
    /// When the worker scheduled the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scheduled_timestamp: Option<Timestamp>,
    /// When the first token arrived.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_token_timestamp: Option<Timestamp>,
    /// When the last token arrived.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_token_timestamp: Option<Timestamp>,
    /// When the request ended: the measured end, else when GuideLLM gave up on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_timestamp: Option<Timestamp>,
    /// How long the request waited in GuideLLM's queue, in seconds: dequeued less queued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue_seconds: Option<f64>,
    /// How late the request started against its schedule, in seconds: start less targeted
    /// start. Negative where it started early.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_delay_seconds: Option<f64>,
}
