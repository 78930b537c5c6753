//! What was asked of the load generator.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::documents::{Summary, SummarySettings};
use crate::identity;

/// Version of the schema of a load, as llm-d-benchmark writes it.
const LOAD_SCHEMA_VERSION: &str = "0.0.1";

/// A load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// Which load it is.
    pub metadata: LoadMetadata,
    /// In the words that all load generators share.
    pub standardized: LoadStandardized,
    /// In GuideLLM's own words.
    pub native: LoadNative,
}

/// Which load it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadMetadata {
    /// Version of the schema of a load.
    pub schema_version: &'static str,
    /// The same wherever the same was asked of GuideLLM, whatever run and server it was.
    pub cfg_id: Uuid,
}

/// A load in the words that all load generators share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadStandardized {
    /// Always `guidellm`.
    pub tool: &'static str,
    /// GuideLLM's release; that of the report's layout where the report does not say: `0.2-0.3`.
    pub tool_version: String,
    /// Where prompts come from.
    pub source: LoadSource,
    /// Position of the benchmark in its report, from 0.
    pub stage: u32,
    /// Tokens of a prompt.
    pub input_seq_len: SequenceLength,
    /// Tokens of an output, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_seq_len: Option<SequenceLength>,
    /// Requests that follow from each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_turn: Option<MultiTurn>,
    /// Requests per second, of a strategy with a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_qps: Option<f64>,
    /// Requests in flight, of a strategy that fixes or bounds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
}

/// A load in GuideLLM's own words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadNative {
    /// The settings of our summary, under its names, and the strategy.
    pub config: Map<String, Value>,
}

/// Where prompts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadSource {
    /// GuideLLM makes them up.
    Random,
    /// A file or a data set.
    Sampled,
    /// The report does not say.
    Unknown,
}

/// How long a text is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SequenceLength {
    /// How lengths are distributed.
    pub distribution: Distribution,
    /// The length, or its mean, in tokens or turns.
    pub value: f64,
    /// Standard deviation that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_dev: Option<f64>,
    /// Smallest length that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// Largest length that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

/// How lengths are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// All the same.
    Fixed,
    /// Normal.
    Gaussian,
    /// Uniform between two lengths.
    Uniform,
    /// As the data have it; the value is the mean that was counted.
    Other,
}

/// Requests that follow from each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MultiTurn {
    /// Always true.
    pub enabled: bool,
    /// Requests of a conversation.
    pub max_turns: SequenceLength,
}

impl Load {
    /// None where nothing is known of the prompts' length, which the schema asks for.
    pub(super) fn of(summary: &Summary) -> Option<Self> {
        let config = config(summary);
        let settings = &summary.settings;
        let data = members(settings.data.as_deref().unwrap_or_default());
        let counted = summary.metrics.prompt_token_count_mean;
        let prompts = settings.prompt_tokens.as_deref();
        let input_seq_len = SequenceLength::asked(prompts, "prompt_tokens", &data)
            .or_else(|| counted.map(SequenceLength::counted))?;
        let outputs = settings.output_tokens.as_deref();
        let version = settings.guidellm_version.clone();
        let generation = settings.report_generation;
        Some(Self {
            metadata: LoadMetadata {
                schema_version: LOAD_SCHEMA_VERSION,
                cfg_id: identity::load_id(&Value::from(config.clone()).to_string()),
            },
            standardized: LoadStandardized {
                tool: "guidellm",
                tool_version: version.unwrap_or_else(|| generation.to_string()),
                source: source(settings),
                stage: summary.origin.benchmark_index,
                input_seq_len,
                output_seq_len: SequenceLength::asked(outputs, "output_tokens", &data),
                multi_turn: MultiTurn::of(&data),
                rate_qps: summary.origin.rate.filter(|rate| *rate > 0.0),
                concurrency: concurrency(summary),
            },
            native: LoadNative { config },
        })
    }
}

/// Members of a summary that are what was asked of GuideLLM, the server left out.
const CONFIG: &[&str] = &[
    "strategy",
    "rate",
    "streams",
    "profile",
    "backend_model",
    "backend_type",
    "endpoint",
    "streaming",
    "data",
    "prompt_tokens",
    "output_tokens",
    "tokenizer",
    "max_seconds",
    "max_requests",
    "max_concurrency",
];

fn config(summary: &Summary) -> Map<String, Value> {
    let (settings, origin) = (
        serde_json::to_value(&summary.settings).unwrap_or_default(),
        serde_json::to_value(&*summary.origin).unwrap_or_default(),
    );
    let member = |name: &&str| {
        let value = settings.get(name).or_else(|| origin.get(name))?;
        Some(((*name).to_owned(), value.clone()))
    };
    CONFIG.iter().filter_map(member).collect()
}

/// The members of a data description: an object as JSON, or `name=value` pairs.
fn members(data: &str) -> BTreeMap<String, String> {
    if let Ok(Value::Object(object)) = serde_json::from_str(data) {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        return object
            .into_iter()
            .map(|(n, value)| (n, text(value)))
            .collect();
    }
    let pairs = data.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn source(settings: &SummarySettings) -> LoadSource {
    match (&settings.prompt_tokens, &settings.data) {
        (Some(_), _) => LoadSource::Random,
        (None, Some(_)) => LoadSource::Sampled,
        (None, None) => LoadSource::Unknown,
    }
}

/// As llm-d-benchmark takes it: one at a time is a concurrency of 1, and a rate bounds nothing.
fn concurrency(summary: &Summary) -> Option<u64> {
    let origin = &summary.origin;
    match &*origin.strategy {
        "synchronous" => Some(1),
        "throughput" => summary.settings.max_concurrency,
        _ => origin.streams.map(u64::from),
    }
    .filter(|streams| *streams > 0)
}

impl SequenceLength {
    fn asked(value: Option<&str>, name: &str, data: &BTreeMap<String, String>) -> Option<Self> {
        let member = |suffix: &str| data.get(&format!("{name}_{suffix}"));
        let value = value?.parse::<f64>().ok().filter(|value| *value >= 0.0)?;
        let std_dev = member("stdev").and_then(|text| text.parse().ok());
        let (min, max) = (
            member("min").and_then(|text| text.parse().ok()),
            member("max").and_then(|text| text.parse().ok()),
        );
        let spread = std_dev.filter(|deviation: &f64| *deviation > 0.0);
        let distribution = match (spread, min, max) {
            (Some(_), ..) => Distribution::Gaussian,
            (None, None, None) => Distribution::Fixed,
            (None, ..) => Distribution::Uniform,
        };
        Some(Self {
            distribution,
            value,
            std_dev: spread,
            min,
            max,
        })
    }

    fn counted(mean: f64) -> Self {
        Self {
            distribution: Distribution::Other,
            value: mean,
            std_dev: None,
            min: None,
            max: None,
        }
    }
}

impl MultiTurn {
    fn of(data: &BTreeMap<String, String>) -> Option<Self> {
        let turns = data.get("turns")?.parse::<u32>().ok()?;
        (turns > 1).then(|| Self {
            enabled: true,
            max_turns: SequenceLength {
                distribution: Distribution::Fixed,
                ..SequenceLength::counted(f64::from(turns))
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_makes_a_length_gaussian_and_bounds_alone_uniform() {
        let length = |data: &str| {
            SequenceLength::asked(Some("32"), "prompt_tokens", &members(data)).unwrap()
        };
        let gaussian = length("prompt_tokens=32,prompt_tokens_stdev=4,prompt_tokens_min=1");
        assert_eq!(gaussian.distribution, Distribution::Gaussian);
        assert_eq!(gaussian.std_dev, Some(4.0));
        let uniform = length(r#"{"prompt_tokens": 32, "prompt_tokens_max": 64}"#);
        assert_eq!(uniform.distribution, Distribution::Uniform);
        assert_eq!((uniform.min, uniform.max), (None, Some(64)));
        assert_eq!(
            length("output_tokens_min=1").distribution,
            Distribution::Fixed
        );
    }

    #[test]
    fn one_turn_is_no_conversation() {
        assert_eq!(MultiTurn::of(&members("turns=1")), None);
        let turns = MultiTurn::of(&members(r#"{"turns": 3}"#))
            .unwrap()
            .max_turns;
        assert_eq!(turns.value.to_bits(), 3.0_f64.to_bits());
    }
}
