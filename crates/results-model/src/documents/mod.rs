//! The normalised documents: what this project stores, indexes and compares.
//!
//! Only these types, and what [`benchmark_report`](crate::benchmark_report) makes of them, are
//! serialised outwards, and only they carry a [`SCHEMA_VERSION`]. They know
//! nothing of any GuideLLM release's own layout; this crate's readers map each onto them.
//!
//! What was not measured is absent, never 0.

mod compact;
mod metrics;
mod outcome;
mod request;
mod summary;
mod timestamp;

pub use compact::{Compactor, NotCompact, Origins};
pub use metrics::{
    Concurrency, DispatchDelay, GenerationDelay, Goodput, InterTokenLatency, OutputTokensPerSecond,
    PromptTokensPerSecond, RequestLatency, Statistics, Throughput, TimePerOutputToken,
    TimeToFirstToken, TokensPerSecond,
};
pub use outcome::{FailedRun, RunOutcome};
pub use request::{ErrorClass, Request, RequestTimestampSource};
pub use summary::{
    ReportWarning, RequestCounts, Summary, SummaryMetrics, SummarySettings, SummaryTimestampSource,
    SummaryValidity, SummaryWindow,
};
pub use timestamp::Timestamp;

use std::fmt;
use std::sync::Arc;

use bitcode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Version of the documents' schema. It grows when a field changes its meaning or goes away;
/// a new field alone does not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// `metricName` of a [`Summary`].
pub const SUMMARY_METRIC_NAME: &str = "guidellmSummary";

/// `metricName` of a [`Request`].
pub const REQUEST_METRIC_NAME: &str = "guidellmRequest";

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RequestStatus {
    /// The whole response arrived.
    Successful,
    /// The benchmark ended first, and GuideLLM cancelled the request.
    Incomplete,
    /// The server or the connection failed.
    Errored,
}

impl RequestStatus {
    /// All three, in the order in which documents are written.
    pub const ALL: [Self; 3] = [Self::Successful, Self::Incomplete, Self::Errored];

    /// The name in GuideLLM's reports and in the documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::Incomplete => "incomplete",
            Self::Errored => "errored",
        }
    }

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a report's time per output token covers. GuideLLM changed it at 0.4 under the same name;
/// two documents may be compared on TPOT only where this is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TpotDefinition {
    /// `(last token - first token) / output tokens`: 0.1 to 0.3.
    ExcludesTimeToFirstToken,
    /// `(last token - request start) / output tokens`: from 0.4 on.
    IncludesTimeToFirstToken,
}

impl TpotDefinition {
    /// The name in the documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExcludesTimeToFirstToken => "excludes_time_to_first_token",
            Self::IncludesTimeToFirstToken => "includes_time_to_first_token",
        }
    }
}

/// The identity that every document of one benchmark shares.
///
/// Requests hold it behind one [`Arc`], so that it costs nothing per request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    /// Version of this schema: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run, as kube-burner's `uuid`: given by the user, else derived from the report.
    pub uuid: Arc<str>,
    /// The scenario, as in the seed's documents.
    pub job_name: Arc<str>,
    /// The same under kube-burner's name, so that one filter also selects its documents.
    #[serde(rename = "jobName")]
    pub kube_burner_job_name: Arc<str>,
    /// Sample of the scenario, from 0.
    pub sample: u32,
    /// GuideLLM's id of the run (`run_id`, from 0.2 on).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<Arc<str>>,
    /// GuideLLM's id of the benchmark (`id_`, from 0.2 on); in 0.1, which has none, the UUID
    /// derived from its first record.
    pub benchmark_id: Arc<str>,
    /// Position of the benchmark in its report, from 0.
    pub benchmark_index: u32,
    /// How requests were scheduled: `constant`, `poisson`, `concurrent`, `synchronous`,
    /// `throughput`, or what a newer release names.
    pub strategy: Arc<str>,
    /// Requests per second asked for; only a strategy with a rate has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate: Option<f64>,
    /// Streams asked for; only the strategy `concurrent` has them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub streams: Option<u32>,
    /// What the report's time per output token covers.
    pub tpot_definition: TpotDefinition,
    /// True if the report was cut off and its whole records were salvaged; absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub salvaged: bool,
}

/// A normalised document of either kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Document {
    /// One benchmark's figures.
    Summary(Box<Summary>),
    /// One request.
    Request(Box<Request>),
}

impl Document {
    /// The document's `_id`.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::Summary(summary) => summary.document_id,
            Self::Request(request) => request.document_id,
        }
    }
}

/// A constant string field: written always, and checked when read back.
macro_rules! constant_field {
    ($name:ident, $value:expr, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name;

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($value)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let found = String::deserialize(deserializer)?;
                if found == $value {
                    Ok(Self)
                } else {
                    Err(serde::de::Error::custom(format!(
                        "metricName is `{found}`, expected `{}`",
                        $value
                    )))
                }
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "const": $value })
            }

            fn inline_schema() -> bool {
                true
            }
        }
    };
}

constant_field!(
    SummaryMetricName,
    SUMMARY_METRIC_NAME,
    "`metricName` of a summary."
);
constant_field!(
    RequestMetricName,
    REQUEST_METRIC_NAME,
    "`metricName` of a request."
);
