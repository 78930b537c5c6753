//! GuideLLM 0.1: `benchmarks[0].benchmarks[]`, records without statistics, no ids.

use serde::Deserialize;

use super::record::{Clocked, Clocks, Wire};
use super::shared::{ConfiguredTokens, fill_error, measured};
use super::{BenchmarkFacts, OriginFacts, StatusCounts};
use crate::documents::{
    Request, SummarySettings, SummaryValidity, SummaryWindow, Timestamp, TpotDefinition,
};
use crate::generation::Generation;

/// An element of the report's `benchmarks`, without its benchmarks.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Group {
    #[serde(default)]
    args: Args,
}

#[derive(Debug, Default, Deserialize)]
struct Args {
    backend_type: Option<String>,
    target: Option<String>,
    model: Option<String>,
    data: Option<String>,
    tokenizer: Option<String>,
    mode: Option<String>,
    max_number: Option<u64>,
    max_duration: Option<f64>,
}

/// An element of the group's `benchmarks`, without its lists.
#[derive(Debug, Deserialize)]
pub(crate) struct Benchmark {
    mode: Option<String>,
    rate: Option<f64>,
}

impl Benchmark {
    pub(super) fn origin(&self, group: &Group) -> OriginFacts {
        // 0.1 says `asynchronous` for both; the arguments say which. A sweep's are constant.
        let strategy = match (self.mode.as_deref(), group.args.mode.as_deref()) {
            (Some("asynchronous"), Some("poisson")) => Some("poisson"),
            (Some("asynchronous"), Some(_)) => Some("constant"),
            (Some("asynchronous"), None) => None,
            (mode, _) => mode,
        };
        OriginFacts {
            run_id: None,
            benchmark_id: None,
            strategy: strategy.map(str::to_owned),
            rate: self.rate,
            streams: None,
            tpot_definition: TpotDefinition::ExcludesTimeToFirstToken,
            measured_start: None,
            measured_end: None,
        }
    }

    pub(super) fn facts(&self, group: &Group) -> BenchmarkFacts {
        let args = &group.args;
        let tokens = ConfiguredTokens::from_text(args.data.as_deref().unwrap_or_default());
        let mut origin = self.origin(group);
        // Salvaged before the arguments, which come last.
        origin.strategy = origin.strategy.or_else(|| self.mode.clone());
        BenchmarkFacts {
            origin,
            settings: SummarySettings {
                report_generation: Generation::V0_1,
                guidellm_version: None,
                profile: args.mode.clone(),
                backend_model: args.model.clone(),
                backend_type: args.backend_type.clone(),
                target: args.target.clone(),
                endpoint: None,
                streaming: None,
                data: args.data.clone(),
                prompt_tokens: tokens.prompt,
                output_tokens: tokens.output,
                tokenizer: args.tokenizer.clone(),
                max_seconds: args.max_duration,
                max_requests: args.max_number,
                max_concurrency: None,
                labels: std::collections::BTreeMap::new(),
            },
            window: SummaryWindow::default(),
            totals: StatusCounts::default(),
            run: StatusCounts::default(),
            metrics: None,
            validity: SummaryValidity::default(),
        }
    }
}

/// An element of `results`.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    request: Asked,
    prompt_token_count: Option<u64>,
    output_token_count: Option<u64>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    /// Seconds after `start_time`.
    first_token_time: Option<f64>,
    decode_times: Option<Gaps>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    id: Option<Box<str>>,
    prompt_token_count: Option<u64>,
}

/// Seconds between a token and the one before it, from the second on.
#[derive(Debug, Deserialize)]
struct Gaps {
    data: Vec<f64>,
}

impl Record {
    /// Seconds from the first token to the last.
    fn decode_seconds(&self) -> Option<f64> {
        self.decode_times
            .as_ref()
            .map(|gaps| gaps.data.iter().sum())
    }

    fn latency(&self) -> Option<f64> {
        measured(Some(self.end_time? - self.start_time?))
    }
}

impl Wire for Record {
    fn id(&self) -> Option<&str> {
        self.request.id.as_deref()
    }

    fn clock(&self) -> Option<f64> {
        self.start_time
    }

    fn clocks(&self) -> Clocks {
        let first = self.start_time.zip(self.first_token_time);
        Clocks {
            start: self.start_time,
            first_token: first.map(|(start, seconds)| start + seconds),
            end: self.end_time,
            ..Clocks::default()
        }
    }

    fn fill(self, request: &mut Request) {
        let latency = self.latency();
        let decode = self.decode_seconds();
        let first = measured(self.first_token_time);
        let clock = |seconds: Option<f64>| {
            seconds
                .and_then(|seconds| Some(self.start_time? + seconds))
                .and_then(Timestamp::from_epoch_seconds)
        };
        request.first_token_timestamp = clock(first);
        request.last_token_timestamp = clock(first.map(|first| first + decode.unwrap_or_default()));
        request.end_timestamp = self.end_time.and_then(Timestamp::from_epoch_seconds);
        request.request_latency_seconds = latency;
        request.ttft_ms = first.map(|seconds| seconds * 1000.0);
        request.prompt_token_count = self.prompt_token_count.or(self.request.prompt_token_count);
        request.output_token_count = self.output_token_count;
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts are far below 2^52"
        )]
        if let Some(tokens) = self.output_token_count.map(|tokens| tokens as f64) {
            let decode_ms = first.and(decode).map(|seconds| seconds * 1000.0);
            request.tpot_ms = decode_ms.filter(|_| tokens > 0.0).map(|time| time / tokens);
            request.itl_ms = decode_ms
                .filter(|_| tokens > 1.0)
                .map(|time| time / (tokens - 1.0));
            request.output_tokens_per_second = latency.map(|seconds| tokens / seconds);
            let prompt = request.prompt_token_count.map(|tokens| tokens as f64);
            request.tokens_per_second =
                latency.and_then(|seconds| Some((prompt? + tokens) / seconds));
        }
    }
}

/// An element of `errors`: without any clock.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorRecord {
    request: Asked,
    message: Option<Box<str>>,
}

impl Wire for ErrorRecord {
    fn id(&self) -> Option<&str> {
        self.request.id.as_deref()
    }

    fn clock(&self) -> Option<f64> {
        None
    }

    fn clocks(&self) -> Clocks {
        Clocks::default()
    }

    fn fill(self, request: &mut Request) {
        request.prompt_token_count = self.request.prompt_token_count;
        fill_error(request, self.message);
    }
}

/// An element of `concurrencies`.
#[derive(Debug, Deserialize)]
pub(super) struct Concurrency {
    time: Option<f64>,
}

impl Clocked for Concurrency {
    fn clock(&self) -> Option<f64> {
        self.time
    }
}
