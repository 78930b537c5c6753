//! GuideLLM 0.7 and 0.8: `config` beside `benchmarks[]`, tagged `metadata.version` 2. What is
//! measured is as in 0.4.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::shared::{ConfiguredTokens, describe_data, labels};
use super::v0_4::{Measured, Metadata};
use super::{BenchmarkFacts, OriginFacts};
use crate::documents::{ReportWarning, SummarySettings};
use crate::error::ReadError;
use crate::generation::Generation;
use crate::scan::Skeleton;

/// The report without its benchmarks.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Top {
    metadata: Option<Metadata>,
    #[serde(default)]
    config: Scenario,
    /// 0.8.
    conclusions: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Scenario {
    #[serde(default)]
    metadata: ScenarioMetadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
struct ScenarioMetadata {
    labels: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    backend: Backend,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    constraints: Vec<Constraint>,
    #[serde(default)]
    data: Vec<Value>,
    tokenizer: Option<Tokenizer>,
}

#[derive(Debug, Default, Deserialize)]
struct Backend {
    kind: Option<String>,
    target: Option<String>,
    model: Option<String>,
    request_format: Option<String>,
    stream: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
struct Profile {
    kind: Option<String>,
}

/// A limit of the run. One limit may be a list, an element for each benchmark.
#[derive(Debug, Deserialize)]
struct Constraint {
    kind: Option<String>,
    seconds: Option<Value>,
    count: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Tokenizer {
    model: Option<String>,
}

/// An element of `benchmarks`, without its requests.
#[derive(Debug)]
pub(crate) struct Benchmark {
    asked: Asked,
    measured: Measured,
}

/// What these releases alone say of it.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    config: Config,
    /// 0.8.
    #[serde(default)]
    warnings: Vec<ReportWarning>,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    backend: Backend,
    /// The limits as this benchmark had them.
    #[serde(default)]
    constraints: BTreeMap<String, Value>,
}

impl Config {
    /// One value, or a list with one for each benchmark of the run.
    fn limit(&self, constraint: &str, argument: &str) -> Option<&Value> {
        let constraint = self.constraints.get(constraint)?;
        let limit = constraint.get("args")?.get(argument)?;
        let current = constraint.get("current_index").and_then(Value::as_u64);
        match (
            limit.as_array(),
            current.and_then(|index| usize::try_from(index).ok()),
        ) {
            (Some(limits), Some(index)) => limits.get(index),
            _ => Some(limit),
        }
    }
}

impl Spec {
    fn limit(&self, kind: &str, value: fn(&Constraint) -> Option<&Value>) -> Option<&Value> {
        let constraint = self
            .constraints
            .iter()
            .find(|it| it.kind.as_deref() == Some(kind))?;
        value(constraint)
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

    pub(super) fn facts(&self, top: &Top) -> BenchmarkFacts {
        let mut facts = self.measured.facts(self.settings(top));
        let warnings = &self.asked.warnings;
        facts.validity.warning_codes = warnings.iter().map(|it| it.code.clone()).collect();
        facts.validity.warnings.clone_from(warnings);
        facts.validity.conclusions = match &top.conclusions {
            Some(Value::Array(conclusions)) => conclusions.clone(),
            Some(Value::Null) | None => Vec::new(),
            Some(conclusion) => vec![conclusion.clone()],
        };
        facts
    }

    fn settings(&self, top: &Top) -> SummarySettings {
        let spec = &top.config.spec;
        let config = &self.asked.config;
        let (own, asked) = (&config.backend, &spec.backend);
        let either =
            |own: &Option<String>, asked: &Option<String>| own.clone().or_else(|| asked.clone());
        let tokens = spec
            .data
            .iter()
            .map(ConfiguredTokens::from_value)
            .find(|tokens| *tokens != ConfiguredTokens::default())
            .unwrap_or_default();
        let seconds = config
            .limit("max_duration", "seconds")
            .or_else(|| spec.limit("max_duration", |constraint| constraint.seconds.as_ref()));
        let requests = config
            .limit("max_requests", "count")
            .or_else(|| spec.limit("max_requests", |constraint| constraint.count.as_ref()));
        SummarySettings {
            report_generation: Generation::Schema2,
            guidellm_version: top
                .metadata
                .as_ref()
                .and_then(|it| it.guidellm_version.clone()),
            profile: either(&config.profile.kind, &spec.profile.kind),
            backend_model: either(&own.model, &asked.model),
            backend_type: either(&own.kind, &asked.kind),
            target: either(&own.target, &asked.target),
            endpoint: either(&own.request_format, &asked.request_format),
            streaming: own.stream.or(asked.stream),
            data: describe_data(&spec.data),
            prompt_tokens: tokens.prompt,
            output_tokens: tokens.output,
            tokenizer: spec
                .tokenizer
                .as_ref()
                .and_then(|tokenizer| tokenizer.model.clone()),
            max_seconds: seconds.and_then(Value::as_f64),
            max_requests: requests.and_then(Value::as_u64),
            max_concurrency: self.measured.max_concurrency(),
            labels: labels(top.config.metadata.labels.as_ref()),
        }
    }
}
