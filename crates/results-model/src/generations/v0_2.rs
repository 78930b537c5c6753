//! GuideLLM 0.2 and 0.3: a bare `benchmarks[]`, everything inside each.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::record::{Clocks, Wire, difference};
use super::shared::{ByStatus, ConfiguredTokens, fill_error, labels, measured};
use super::{BenchmarkFacts, OriginFacts, StatusCounts};
use crate::documents::{
    PromptTokensPerSecond, Request, RequestStatus, SummaryMetrics, SummarySettings,
    SummaryValidity, SummaryWindow, Timestamp, TpotDefinition,
};
use crate::generation::Generation;

/// An element of `benchmarks`, without its requests.
#[derive(Debug, Deserialize)]
pub(crate) struct Benchmark {
    id_: Option<String>,
    run_id: Option<String>,
    #[serde(default)]
    args: Args,
    #[serde(default)]
    run_stats: RunStats,
    #[serde(default)]
    worker: Worker,
    #[serde(default)]
    request_loader: RequestLoader,
    extras: Option<BTreeMap<String, Value>>,
    metrics: Option<Metrics>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    duration: Option<f64>,
    request_totals: Option<StatusCounts>,
}

#[derive(Debug, Default, Deserialize)]
struct Args {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    strategy: Strategy,
    max_number: Option<u64>,
    max_duration: Option<f64>,
    warmup_duration: Option<f64>,
    cooldown_duration: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct Profile {
    type_: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Strategy {
    type_: Option<String>,
    rate: Option<f64>,
    streams: Option<u32>,
    max_concurrency: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct RunStats {
    #[serde(default)]
    requests_made: StatusCounts,
    request_start_time_targeted_delay_avg: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct Worker {
    backend_type: Option<String>,
    backend_target: Option<String>,
    backend_model: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct RequestLoader {
    data: Option<Value>,
    processor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Metrics {
    requests_per_second: Option<ByStatus>,
    request_concurrency: Option<ByStatus>,
    request_latency: Option<ByStatus>,
    prompt_token_count: Option<ByStatus>,
    output_token_count: Option<ByStatus>,
    time_to_first_token_ms: Option<ByStatus>,
    time_per_output_token_ms: Option<ByStatus>,
    inter_token_latency_ms: Option<ByStatus>,
    output_tokens_per_second: Option<ByStatus>,
    tokens_per_second: Option<ByStatus>,
}

impl Benchmark {
    pub(super) fn origin(&self) -> OriginFacts {
        let strategy = &self.args.strategy;
        OriginFacts {
            run_id: self.run_id.clone(),
            benchmark_id: self.id_.clone(),
            strategy: strategy.type_.clone(),
            rate: strategy.rate,
            streams: strategy.streams,
            tpot_definition: TpotDefinition::ExcludesTimeToFirstToken,
            measured_start: self.start_time,
            measured_end: self.end_time,
        }
    }

    pub(super) fn facts(&self) -> BenchmarkFacts {
        let duration = self
            .duration
            .or_else(|| difference(self.end_time, self.start_time));
        BenchmarkFacts {
            origin: self.origin(),
            settings: self.settings(),
            window: SummaryWindow {
                start_timestamp: self.start_time.and_then(Timestamp::from_epoch_seconds),
                end_timestamp: self.end_time.and_then(Timestamp::from_epoch_seconds),
                duration_seconds: duration,
                warmup_seconds: self.args.warmup_duration,
                cooldown_seconds: self.args.cooldown_duration,
            },
            totals: self.request_totals.unwrap_or_default(),
            run: self.run_stats.requests_made,
            metrics: Some(
                self.metrics
                    .as_ref()
                    .unwrap_or(&Metrics::default())
                    .statistics(duration),
            ),
            validity: SummaryValidity {
                start_delay_mean_seconds: self.run_stats.request_start_time_targeted_delay_avg,
                ..SummaryValidity::default()
            },
        }
    }

    fn settings(&self) -> SummarySettings {
        let data = self.request_loader.data.as_ref();
        let tokens = data.map(ConfiguredTokens::from_value).unwrap_or_default();
        SummarySettings {
            report_generation: Generation::V0_2,
            guidellm_version: None,
            profile: self.args.profile.type_.clone(),
            backend_model: self.worker.backend_model.clone(),
            backend_type: self.worker.backend_type.clone(),
            target: self.worker.backend_target.clone(),
            // Each record says it.
            endpoint: None,
            streaming: None,
            data: data.and_then(|data| super::shared::describe_data(std::slice::from_ref(data))),
            prompt_tokens: tokens.prompt,
            output_tokens: tokens.output,
            tokenizer: self.request_loader.processor.clone(),
            max_seconds: self.args.max_duration,
            max_requests: self.args.max_number,
            max_concurrency: self.args.strategy.max_concurrency,
            labels: labels(self.extras.as_ref()),
        }
    }
}

impl Metrics {
    fn statistics(&self, duration: Option<f64>) -> SummaryMetrics {
        let prompt_tokens = ByStatus::total_sum(self.prompt_token_count.as_ref());
        let prompt_rate = prompt_tokens
            .zip(duration)
            .filter(|(_, duration)| *duration > 0.0)
            .map(|(tokens, duration)| tokens / duration);
        let value = |metric: &Option<ByStatus>| ByStatus::successful(metric.as_ref());
        let time = |metric: &Option<ByStatus>| ByStatus::successful_time(metric.as_ref());
        SummaryMetrics {
            tokens_per_second_counts_prompt_twice: ByStatus::lacks_p50(
                self.tokens_per_second.as_ref(),
            ),
            time_to_first_token: time(&self.time_to_first_token_ms).into(),
            inter_token_latency: time(&self.inter_token_latency_ms).into(),
            time_per_output_token: time(&self.time_per_output_token_ms).into(),
            request_latency: time(&self.request_latency).into(),
            throughput: value(&self.requests_per_second).into(),
            tokens_per_second: value(&self.tokens_per_second).into(),
            output_tokens_per_second: value(&self.output_tokens_per_second).into(),
            // These releases do not have it; its mean follows from what they have.
            prompt_tokens_per_second: PromptTokensPerSecond {
                prompt_tokens_per_second_mean: prompt_rate,
                ..PromptTokensPerSecond::default()
            },
            concurrency: value(&self.request_concurrency).into(),
            prompt_token_count_mean: value(&self.prompt_token_count).mean,
            output_token_count_mean: value(&self.output_token_count).mean,
            ..SummaryMetrics::default()
        }
    }
}

/// An element of `requests.*`.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    request_id: Option<Box<str>>,
    request_type: Option<Box<str>>,
    #[serde(default)]
    scheduler_info: SchedulerInfo,
    prompt_tokens: Option<u64>,
    output_tokens: Option<u64>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    first_token_time: Option<f64>,
    last_token_time: Option<f64>,
    error: Option<Box<str>>,
    request_latency: Option<f64>,
    time_to_first_token_ms: Option<f64>,
    time_per_output_token_ms: Option<f64>,
    inter_token_latency_ms: Option<f64>,
    tokens_per_second: Option<f64>,
    output_tokens_per_second: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct SchedulerInfo {
    targeted_start_time: Option<f64>,
    queued_time: Option<f64>,
    dequeued_time: Option<f64>,
    scheduled_time: Option<f64>,
}

impl Wire for Record {
    fn id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    fn clock(&self) -> Option<f64> {
        self.start_time
    }

    fn endpoint(&self) -> Option<&str> {
        self.request_type.as_deref()
    }

    fn clocks(&self) -> Clocks {
        Clocks {
            start: self.start_time,
            first_token: self.first_token_time,
            end: self.end_time,
            queued: self.scheduler_info.queued_time,
            targeted: self.scheduler_info.targeted_start_time,
        }
    }

    fn fill(self, request: &mut Request) {
        let successful = request.status == RequestStatus::Successful;
        let instant = |clock: Option<f64>| clock.and_then(Timestamp::from_epoch_seconds);
        let info = &self.scheduler_info;
        request.dequeued_timestamp = instant(info.dequeued_time);
        request.scheduled_timestamp = instant(info.scheduled_time);
        request.queue_seconds = difference(info.dequeued_time, info.queued_time);
        request.first_token_timestamp = instant(self.first_token_time);
        request.last_token_timestamp = instant(self.last_token_time);
        request.end_timestamp = instant(self.end_time);
        request.request_latency_seconds = measured(self.request_latency);
        request.ttft_ms = measured(self.time_to_first_token_ms);
        request.tpot_ms = self.time_per_output_token_ms;
        request.itl_ms = self.inter_token_latency_ms;
        request.prompt_token_count = self.prompt_tokens;
        // Without a first token it is the count that was asked for.
        let received = successful || self.first_token_time.is_some();
        request.output_token_count = self.output_tokens.filter(|_| received);
        request.tokens_per_second = self.tokens_per_second.filter(|_| successful);
        request.output_tokens_per_second = self.output_tokens_per_second.filter(|_| successful);
        fill_error(request, self.error);
    }
}
