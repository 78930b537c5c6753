//! The parts of a suite, in kube-burner's words.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A length of time, such as `30s` or `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(pub Duration);

impl Period {
    /// Of some seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = humantime::parse_duration(&text);
        parsed
            .map(Self)
            .map_err(|error| format!("`{text}` is no time such as 30s or 4h: {error}"))
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", humantime::format_duration(self.0))
    }
}

/// What holds for all jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Global {
    /// Delete at the end what was made.
    pub gc: bool,
    /// How long all of it may take.
    pub timeout: Period,
    /// How long the deletion may take.
    pub gc_timeout: Period,
    /// How long a pod may find no node, or end again and again, before its job is given up.
    pub trouble_timeout: Period,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            gc: true,
            timeout: Period::seconds(4 * 3600),
            gc_timeout: Period::seconds(600),
            trouble_timeout: Period::seconds(30),
        }
    }
}

/// Objects that are applied together, and waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// Its name, and the `jobName` of its documents.
    pub name: String,
    /// Namespace of the objects, made if need be; by default that of the run.
    #[serde(default)]
    pub namespace: String,
    /// Each iteration has a namespace of its own, numbered.
    #[serde(default)]
    pub namespaced_iterations: bool,
    /// How often the objects are made.
    #[serde(default = "one")]
    pub job_iterations: u32,
    /// Requests to the API server per second.
    #[serde(default = "five")]
    pub qps: f64,
    /// Requests at once.
    #[serde(default = "ten")]
    pub burst: u32,
    /// As kube-burner has it. Nothing is deleted by it here: what another run left is refused, and named.
    #[serde(default = "yes")]
    pub cleanup: bool,
    /// Wait until the objects are ready.
    #[serde(default = "yes")]
    pub wait_when_finished: bool,
    /// How long to wait for them; by default, as long as the whole run may take.
    #[serde(default)]
    pub max_wait_timeout: Option<Period>,
    /// Pause after it, outside its window.
    #[serde(default)]
    pub job_pause: Period,
    /// What is made.
    #[serde(default)]
    pub objects: Vec<Object>,
}

/// Objects of one template.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    /// Its file.
    pub object_template: PathBuf,
    /// How many are made of it in each iteration.
    #[serde(default = "one")]
    pub replicas: u32,
    /// What the template may name.
    #[serde(default)]
    pub input_vars: Map<String, Value>,
    /// Wait until they are ready.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// Where metrics come from, and which.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MetricsEndpoint {
    /// URL of Prometheus; by default, it is found in the cluster.
    pub endpoint: Option<String>,
    /// Files of queries.
    pub metrics: Vec<PathBuf>,
    /// Files of alerts.
    pub alerts: Vec<PathBuf>,
    /// Between two values of a series.
    pub step: Option<Period>,
    /// File of a bearer token, read at each request.
    pub token_file: Option<PathBuf>,
    /// Accept any certificate.
    #[serde(rename = "skipTLSVerify")]
    pub skip_tls_verify: bool,
}

/// How a scenario's requests are scheduled: GuideLLM's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RateType {
    /// At a constant rate.
    Constant,
    /// At random, with a mean rate.
    Poisson,
    /// As many as the server takes, up to a number in flight.
    Throughput,
}

impl fmt::Display for RateType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Throughput => "throughput",
        })
    }
}

/// One load scenario: a job that runs GuideLLM.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its name, and the `job_name` of its documents.
    pub name: String,
    /// How requests are scheduled.
    pub rate_type: RateType,
    /// Requests per second; of `throughput`, the most requests in flight.
    pub rate: f64,
    /// Tokens of each synthetic prompt.
    pub prompt_tokens: u32,
    /// Tokens of each output.
    pub output_tokens: u32,
    /// Length of a sample, in seconds.
    pub seconds: u32,
    /// How often it runs; by default as the suite's variable says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// Pause after it.
    #[serde(default)]
    pub pause: Period,
    /// More variables of GuideLLM's environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

impl Job {
    /// Why it makes no sense, if it does not.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match () {
            () if !(self.qps.is_finite() && self.qps > 0.0) => Some("its qps is not positive"),
            () if self.burst == 0 => Some("its burst is 0, so that nothing could be asked"),
            () if self.job_iterations == 0 => Some("it has no iteration"),
            () => None,
        }
    }
}

impl Scenario {
    /// Why it makes no sense, if it does not.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let in_flight = self.rate_type == RateType::Throughput;
        match () {
            () if !(self.rate.is_finite() && self.rate > 0.0) => Some("its rate is not positive"),
            () if in_flight && self.rate.fract() != 0.0 => {
                Some("its rate, the most requests in flight, is not whole")
            }
            () if self.seconds == 0 => Some("it lasts no time"),
            () if self.samples == Some(0) => Some("it has no sample"),
            () if self.prompt_tokens == 0 || self.output_tokens == 0 => Some("it has no tokens"),
            () => None,
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever a suite hands on may be a token.
        formatter
            .debug_struct("Object")
            .field("object_template", &self.object_template)
            .field("replicas", &self.replicas)
            .field("input_vars", &self.input_vars.keys())
            .field("wait", &self.wait)
            .finish()
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever is in the environment may be a token.
        formatter
            .debug_struct("Scenario")
            .field("name", &self.name)
            .field("rate_type", &self.rate_type)
            .field("rate", &self.rate)
            .field("prompt_tokens", &self.prompt_tokens)
            .field("output_tokens", &self.output_tokens)
            .field("seconds", &self.seconds)
            .field("samples", &self.samples)
            .field("pause", &self.pause)
            .field("env", &self.env.keys())
            .finish()
    }
}

const fn one() -> u32 {
    1
}

const fn five() -> f64 {
    5.0
}

const fn ten() -> u32 {
    10
}

const fn yes() -> bool {
    true
}
