//! GuideLLM 0.4, and 0.5 and 0.6, which only added the tag: `args` beside `benchmarks[]`, a
//! `config` in each. Its records and metrics are those of 0.7 and 0.8 too.

use serde::Deserialize;
use serde_json::Value;

use super::record::difference;
use super::shared::{ByStatus, ConfiguredTokens, Distribution, describe_data};
use super::{BenchmarkFacts, OriginFacts, StatusCounts};
use crate::documents::{
    SummaryMetrics, SummarySettings, SummaryValidity, SummaryWindow, Timestamp, TpotDefinition,
};
use crate::error::ReadError;
use crate::generation::Generation;
use crate::scan::Skeleton;

/// The report without its benchmarks.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Top {
    metadata: Option<Metadata>,
    #[serde(default)]
    args: Args,
}

/// `metadata`, from 0.5 on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    pub(super) guidellm_version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Args {
    target: Option<String>,
    #[serde(default)]
    data: Vec<Value>,
    backend: Option<Value>,
    backend_kwargs: Option<Value>,
    model: Option<String>,
    processor: Option<Value>,
    data_request_formatter: Option<Value>,
    max_seconds: Option<Value>,
    max_requests: Option<Value>,
}

impl Args {
    fn endpoint(&self) -> Option<String> {
        // 0.4 and 0.5, then 0.6, where null stands for the default.
        let formatter = self.data_request_formatter.as_ref().and_then(Value::as_str);
        let format = self
            .backend_kwargs
            .as_ref()
            .and_then(|kwargs| kwargs.get("request_format"));
        let default = format
            .filter(|format| format.is_null())
            .map(|_| "chat_completions");
        let format = format.and_then(Value::as_str).or(default);
        formatter.or(format).map(str::to_owned)
    }

    fn model(&self) -> Option<String> {
        let in_kwargs = self
            .backend_kwargs
            .as_ref()
            .and_then(|kwargs| kwargs.get("model"));
        self.model
            .clone()
            .or_else(|| in_kwargs?.as_str().map(str::to_owned))
    }
}

/// An element of `benchmarks`, without its requests.
#[derive(Debug)]
pub(crate) struct Benchmark {
    asked: Asked,
    measured: Measured,
}

/// What these releases alone say of it.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    config: Config,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    backend: Backend,
}

#[derive(Debug, Default, Deserialize)]
struct Profile {
    type_: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Backend {
    target: Option<String>,
    model: Option<String>,
}

/// What all releases to 0.8 say of it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Measured {
    #[serde(default)]
    config: Identity,
    #[serde(default)]
    scheduler_metrics: SchedulerMetrics,
    #[serde(default)]
    metrics: Metrics,
    start_time: Option<f64>,
    end_time: Option<f64>,
    duration: Option<f64>,
    warmup_duration: Option<f64>,
    cooldown_duration: Option<f64>,
}

/// What `config` says of the benchmark's identity.
#[derive(Debug, Default, Deserialize)]
struct Identity {
    id_: Option<String>,
    run_id: Option<String>,
    #[serde(default)]
    strategy: Strategy,
}

#[derive(Debug, Default, Deserialize)]
struct Strategy {
    type_: Option<String>,
    rate: Option<f64>,
    streams: Option<u32>,
    max_concurrency: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct SchedulerMetrics {
    measure_start_time: Option<f64>,
    measure_end_time: Option<f64>,
    #[serde(default)]
    requests_made: StatusCounts,
    request_targeted_start_delay_avg: Option<f64>,
    /// 0.8.
    generation_delay: Option<Distribution>,
}

#[derive(Debug, Default, Deserialize)]
struct Metrics {
    #[serde(default)]
    request_totals: StatusCounts,
    requests_per_second: Option<ByStatus>,
    request_concurrency: Option<ByStatus>,
    request_latency: Option<ByStatus>,
    prompt_token_count: Option<ByStatus>,
    output_token_count: Option<ByStatus>,
    time_to_first_token_ms: Option<ByStatus>,
    time_per_output_token_ms: Option<ByStatus>,
    inter_token_latency_ms: Option<ByStatus>,
    prompt_tokens_per_second: Option<ByStatus>,
    output_tokens_per_second: Option<ByStatus>,
    tokens_per_second: Option<ByStatus>,
    /// 0.8.
    root_dispatch_delay: Option<Distribution>,
    /// 0.8.
    slo_attainment: Option<f64>,
    /// 0.8.
    slo_determined_requests: Option<u64>,
    /// 0.8.
    request_goodput: Option<Goodput>,
}

/// 0.8's goodput, of which no genuine report with a value was at hand: one distribution, or one
/// for each status.
#[derive(Debug, Deserialize)]
struct Goodput {
    successful: Option<Distribution>,
    #[serde(flatten)]
    bare: Distribution,
}

impl Measured {
    pub(super) fn origin(&self) -> OriginFacts {
        let Identity {
            id_,
            run_id,
            strategy,
        } = &self.config;
        OriginFacts {
            run_id: run_id.clone(),
            benchmark_id: id_.clone(),
            strategy: strategy.type_.clone(),
            rate: strategy.rate,
            streams: strategy.streams,
            tpot_definition: TpotDefinition::IncludesTimeToFirstToken,
            measured_start: self.start(),
            measured_end: self.end(),
        }
    }

    pub(super) fn max_concurrency(&self) -> Option<u64> {
        self.config.strategy.max_concurrency
    }

    fn start(&self) -> Option<f64> {
        self.start_time
            .or(self.scheduler_metrics.measure_start_time)
    }

    /// The window's own members come after the requests; a salvaged part has only these.
    fn end(&self) -> Option<f64> {
        self.end_time.or(self.scheduler_metrics.measure_end_time)
    }

    /// The facts of a benchmark, apart from what was asked and of whom.
    pub(super) fn facts(&self, settings: SummarySettings) -> BenchmarkFacts {
        let end = self.end();
        let metrics = &self.metrics;
        BenchmarkFacts {
            origin: self.origin(),
            settings,
            window: SummaryWindow {
                start_timestamp: self.start().and_then(Timestamp::from_epoch_seconds),
                end_timestamp: end.and_then(Timestamp::from_epoch_seconds),
                duration_seconds: self.duration.or_else(|| difference(end, self.start())),
                warmup_seconds: self.warmup_duration,
                cooldown_seconds: self.cooldown_duration,
            },
            totals: metrics.request_totals,
            run: self.scheduler_metrics.requests_made,
            metrics: Some(self.statistics()),
            validity: SummaryValidity {
                start_delay_mean_seconds: self.scheduler_metrics.request_targeted_start_delay_avg,
                slo_attainment: metrics.slo_attainment,
                slo_determined_requests: metrics
                    .slo_determined_requests
                    .filter(|_| metrics.slo_attainment.is_some()),
                ..SummaryValidity::default()
            },
        }
    }

    fn statistics(&self) -> SummaryMetrics {
        let metrics = &self.metrics;
        let value = |metric: &Option<ByStatus>| ByStatus::successful(metric.as_ref());
        let time = |metric: &Option<ByStatus>| ByStatus::successful_time(metric.as_ref());
        let bare = |metric: Option<&Distribution>| {
            metric.map(Distribution::statistics).unwrap_or_default()
        };
        let goodput = metrics.request_goodput.as_ref();
        let goodput = goodput.map(|goodput| goodput.successful.as_ref().unwrap_or(&goodput.bare));
        SummaryMetrics {
            tokens_per_second_counts_prompt_twice: false,
            time_to_first_token: time(&metrics.time_to_first_token_ms).into(),
            inter_token_latency: time(&metrics.inter_token_latency_ms).into(),
            time_per_output_token: time(&metrics.time_per_output_token_ms).into(),
            request_latency: time(&metrics.request_latency).into(),
            throughput: value(&metrics.requests_per_second).into(),
            tokens_per_second: value(&metrics.tokens_per_second).into(),
            output_tokens_per_second: value(&metrics.output_tokens_per_second).into(),
            prompt_tokens_per_second: value(&metrics.prompt_tokens_per_second).into(),
            concurrency: value(&metrics.request_concurrency).into(),
            dispatch_delay: bare(metrics.root_dispatch_delay.as_ref()).into(),
            generation_delay: bare(self.scheduler_metrics.generation_delay.as_ref()).into(),
            goodput: bare(goodput).into(),
            prompt_token_count_mean: value(&metrics.prompt_token_count).mean,
            output_token_count_mean: value(&metrics.output_token_count).mean,
        }
    }
}

impl Benchmark {
    pub(super) fn parse(skeleton: &Skeleton, path: &str) -> Result<Self, ReadError> {
        Ok(Self {
            asked: skeleton.parse(path)?,
            measured: skeleton.parse(path)?,
        })
    }

    pub(super) fn origin(&self) -> OriginFacts {
        self.measured.origin()
    }

    pub(super) fn facts(&self, generation: Generation, top: &Top) -> BenchmarkFacts {
        let args = &top.args;
        let Config { profile, backend } = &self.asked.config;
        let tokens = args
            .data
            .iter()
            .map(ConfiguredTokens::from_value)
            .find(|tokens| *tokens != ConfiguredTokens::default())
            .unwrap_or_default();
        let settings = SummarySettings {
            report_generation: generation,
            guidellm_version: top
                .metadata
                .as_ref()
                .and_then(|it| it.guidellm_version.clone()),
            profile: profile.type_.clone(),
            backend_model: backend.model.clone().or_else(|| args.model()),
            backend_type: args
                .backend
                .as_ref()
                .and_then(Value::as_str)
                .map(str::to_owned),
            target: backend.target.clone().or_else(|| args.target.clone()),
            endpoint: args.endpoint(),
            streaming: None,
            data: describe_data(&args.data),
            prompt_tokens: tokens.prompt,
            output_tokens: tokens.output,
            tokenizer: args
                .processor
                .as_ref()
                .and_then(Value::as_str)
                .map(str::to_owned),
            max_seconds: args.max_seconds.as_ref().and_then(Value::as_f64),
            max_requests: args.max_requests.as_ref().and_then(Value::as_u64),
            max_concurrency: self.measured.max_concurrency(),
            labels: std::collections::BTreeMap::new(),
        };
        self.measured.facts(settings)
    }
}
