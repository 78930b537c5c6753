//! How and where a benchmark's process ended, for whoever watched it.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SCHEMA_VERSION, SummaryMetricName, Timestamp};
use crate::identity::{self, RunContext};

/// How and where a benchmark's process ended. No report says it: absent where nobody watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunOutcome {
    /// Whether it ended well, and left its report.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub passed: Option<bool>,
    /// Its exit code: above 128, 128 and the signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<u32>,
    /// Why it did not end well, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure_reason: Option<String>,
    /// The last lines of its log, if it did not end well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log_tail: Option<String>,
    /// Kubernetes namespace that it ran in, under kube-burner's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    /// Pod that it ran in, under kube-burner's name.
    #[serde(rename = "podName", skip_serializing_if = "Option::is_none", default)]
    pub pod_name: Option<String>,
    /// Node that the pod ran on, under kube-burner's name.
    #[serde(rename = "nodeName", skip_serializing_if = "Option::is_none", default)]
    pub node_name: Option<String>,
}

/// What stands for the summaries of a benchmark that left none: no report, or one of which
/// nothing can be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedRun {
    /// Always `guidellmSummary`, so that whoever counts runs counts this one.
    #[serde(rename = "metricName")]
    pub metric_name: SummaryMetricName,
    /// The document's `_id`: derived from uuid, job and sample.
    pub document_id: Uuid,
    /// When it was found to have failed.
    pub timestamp: Timestamp,
    /// Version of this schema.
    pub schema_version: u32,
    /// The run, as kube-burner's `uuid`.
    pub uuid: String,
    /// The scenario, as in the seed's documents.
    pub job_name: String,
    /// The same under kube-burner's name.
    #[serde(rename = "jobName")]
    pub kube_burner_job_name: String,
    /// Sample of the scenario, from 0.
    pub sample: u32,
    /// How it ended; `passed` is false.
    #[serde(flatten)]
    pub outcome: RunOutcome,
}

impl FailedRun {
    /// Of a run that somebody watched; `uuid` is for a context that has none.
    #[must_use]
    pub fn new(context: &RunContext, uuid: &str, timestamp: Timestamp) -> Self {
        let uuid = context.uuid.as_deref().unwrap_or(uuid).to_owned();
        Self {
            metric_name: SummaryMetricName,
            document_id: identity::failed_run_id(&uuid, &context.job_name, context.sample),
            timestamp,
            schema_version: SCHEMA_VERSION,
            uuid,
            job_name: context.job_name.clone(),
            kube_burner_job_name: context.job_name.clone(),
            sample: context.sample,
            outcome: RunOutcome {
                passed: Some(false),
                ..context.outcome.clone()
            },
        }
    }

    /// Why it left no report, in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        let reason = self.outcome.failure_reason.as_deref();
        reason.unwrap_or("nobody knows why")
    }
}

impl fmt::Display for FailedRun {
    /// `sample 2 of steady-chat-10 left no report: OOMKilled`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sample, job, reason) = (self.sample, &self.job_name, self.reason());
        write!(
            formatter,
            "sample {sample} of {job} left no report: {reason}"
        )
    }
}
