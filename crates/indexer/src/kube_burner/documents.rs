//! The documents, field for field as kube-burner writes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use guidellm_results_model::documents::Timestamp;
pub use guidellm_results_model::slo::Severity;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bulk::Kind;

/// What a user says of a run, and the cluster of itself.
pub type Metadata = Map<String, Value>;

/// Names and values of a series, without `__name__`.
pub type Labels = BTreeMap<String, String>;

/// One sample of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// When it was.
    pub timestamp: Timestamp,
    /// Which series it is of.
    #[serde(skip_serializing_if = "no_labels", default)]
    pub labels: Arc<Labels>,
    /// Its value; finite.
    pub value: f64,
    /// The run.
    pub uuid: Arc<str>,
    /// The query that gave it, as it was asked.
    pub query: Arc<str>,
    /// Whether it was taken while kube-burner churned objects.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub churn_metric: bool,
    /// Its name in the profile.
    pub metric_name: Arc<str>,
    /// The job in whose time it was.
    pub job_name: Arc<str>,
    /// What a user says of the run.
    #[serde(skip_serializing_if = "no_metadata", default)]
    pub metadata: Arc<Metadata>,
    /// Whether it lies in the time of the load itself, without its start and its end. No field of
    /// kube-burner.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub during_load: bool,
    /// What tells it from a sample that is otherwise the same: a second query under one name, a
    /// second server. Empty for the first; a part of the id alone.
    #[serde(skip)]
    pub origin: Arc<str>,
}

fn no_labels(labels: &Arc<Labels>) -> bool {
    labels.is_empty()
}

fn no_metadata(metadata: &Arc<Metadata>) -> bool {
    metadata.is_empty()
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// When it started.
    pub timestamp: Timestamp,
    /// When it ended.
    pub end_timestamp: Timestamp,
    /// When churning started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub churn_start_timestamp: Option<Timestamp>,
    /// When churning ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub churn_end_timestamp: Option<Timestamp>,
    /// How long it took, in whole seconds.
    pub elapsed_time: f64,
    /// Objects made in a second.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub achieved_qps: Option<f64>,
    /// The run.
    pub uuid: String,
    /// The run that a later one adds its load to.
    #[serde(
        rename = "incrementalLoadUUID",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub incremental_load_uuid: Option<String>,
    /// Always `jobSummary`.
    #[serde(default)]
    pub metric_name: JobSummaryMetricName,
    /// The job's settings; `name` is one of them.
    pub job_config: Map<String, Value>,
    /// Version of the program that ran it.
    pub version: String,
    /// Whether all went well.
    pub passed: bool,
    /// What did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub execution_errors: Option<String>,
    /// What a user says of the run, and the cluster of itself: members of the document.
    #[serde(flatten)]
    pub metadata: Metadata,
}

/// `metricName` of a [`JobSummary`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobSummaryMetricName {
    /// The only one.
    #[default]
    #[serde(rename = "jobSummary")]
    JobSummary,
}

/// An alert that fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// When it fired.
    pub timestamp: Timestamp,
    /// The run.
    pub uuid: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// What it says, with the series' labels and value in it.
    pub description: String,
    /// Always `alert`.
    #[serde(default)]
    pub metric_name: AlertMetricName,
    /// Whether it fired while kube-burner churned objects.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub churn_metric: bool,
    /// What a user says of the run.
    #[serde(skip_serializing_if = "no_metadata", default)]
    pub metadata: Arc<Metadata>,
    /// The job in whose time it fired. kube-burner's document has none; a store keeps it.
    #[serde(skip)]
    pub job_name: Arc<str>,
    /// The expression that it watches, as in the profile: alerts of one are written together.
    #[serde(skip)]
    pub expr: Arc<str>,
}

/// `metricName` of an [`Alert`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertMetricName {
    /// The only one.
    #[default]
    #[serde(rename = "alert")]
    Alert,
}

/// A document of any kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Document {
    /// A sample of a metric.
    Metric(Metric),
    /// What came of a job.
    JobSummary(Box<JobSummary>),
    /// An alert that fired.
    Alert(Alert),
}

impl JobSummary {
    /// Of a job that ran from one time to another; it passed until more is said.
    #[must_use]
    pub fn new(
        uuid: impl Into<String>,
        (timestamp, end_timestamp): (Timestamp, Timestamp),
        job_config: Map<String, Value>,
        version: impl Into<String>,
    ) -> Self {
        let micros = end_timestamp.epoch_micros() - timestamp.epoch_micros();
        #[expect(clippy::cast_precision_loss, reason = "seconds of a run are few")]
        let elapsed_time = (micros as f64 / 1e6).round();
        Self {
            timestamp,
            end_timestamp,
            churn_start_timestamp: None,
            churn_end_timestamp: None,
            elapsed_time,
            achieved_qps: None,
            uuid: uuid.into(),
            incremental_load_uuid: None,
            metric_name: JobSummaryMetricName::JobSummary,
            job_config,
            version: version.into(),
            passed: true,
            execution_errors: None,
            metadata: Metadata::new(),
        }
    }

    /// The job's name: empty where its settings have none.
    #[must_use]
    pub fn job_name(&self) -> &str {
        let name = self.job_config.get("name");
        name.and_then(Value::as_str).unwrap_or_default()
    }
}

impl Document {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Metric(_) => Kind::Metric,
            Self::JobSummary(_) => Kind::JobSummary,
            Self::Alert(_) => Kind::Alert,
        }
    }

    /// When it was; of a job its start.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Metric(it) => it.timestamp,
            Self::JobSummary(it) => it.timestamp,
            Self::Alert(it) => it.timestamp,
        }
    }

    /// About how much memory its own texts take; what it shares with others does not count.
    #[cfg(feature = "store")]
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Metric(_) => 0,
            Self::JobSummary(it) => it.execution_errors.as_ref().map_or(0, String::len),
            Self::Alert(it) => it.description.len(),
        }
    }

    /// The run.
    #[must_use]
    pub fn uuid(&self) -> &str {
        match self {
            Self::Metric(it) => &it.uuid,
            Self::JobSummary(it) => &it.uuid,
            Self::Alert(it) => &it.uuid,
        }
    }

    /// The job.
    #[must_use]
    pub fn job_name(&self) -> &str {
        match self {
            Self::Metric(it) => &it.job_name,
            Self::JobSummary(it) => it.job_name(),
            Self::Alert(it) => &it.job_name,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn instant(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_micros(seconds * 1_000_000).unwrap()
    }

    pub(crate) fn metric() -> Metric {
        Metric {
            timestamp: instant(1_764_000_000),
            labels: Arc::new(Labels::from([("pod".to_owned(), "epp-0".to_owned())])),
            value: 0.5,
            uuid: "u".into(),
            query: "sum(x)".into(),
            churn_metric: false,
            metric_name: "cpu".into(),
            job_name: "j".into(),
            metadata: Arc::default(),
            during_load: false,
            origin: "".into(),
        }
    }

    pub(crate) fn alert() -> Alert {
        Alert {
            timestamp: instant(1_764_000_000),
            uuid: "u".into(),
            severity: Severity::Critical,
            description: "epp-0 is down".to_owned(),
            metric_name: AlertMetricName::Alert,
            churn_metric: false,
            metadata: Arc::default(),
            job_name: "j".into(),
            expr: "up == 0".into(),
        }
    }

    pub(crate) fn summary() -> JobSummary {
        let config = json!({ "name": "j", "jobIterations": 1 });
        let config = config.as_object().unwrap().clone();
        let times = (instant(1_764_000_000), instant(1_764_000_061));
        let mut summary = JobSummary::new("u", times, config, "0.1.0");
        summary.metadata.insert("k8sVersion".into(), "1.37".into());
        summary
    }

    #[test]
    fn documents_have_kube_burners_members_and_no_others() {
        assert_eq!(
            serde_json::to_value(metric()).unwrap(),
            json!({
                "timestamp": "2025-11-24T16:00:00.000000Z", "labels": { "pod": "epp-0" },
                "value": 0.5, "uuid": "u", "query": "sum(x)", "metricName": "cpu", "jobName": "j",
            })
        );
        assert_eq!(
            serde_json::to_value(alert()).unwrap(),
            json!({
                "timestamp": "2025-11-24T16:00:00.000000Z", "uuid": "u", "severity": "critical",
                "description": "epp-0 is down", "metricName": "alert",
            })
        );
        assert_eq!(
            serde_json::to_value(summary()).unwrap(),
            json!({
                "timestamp": "2025-11-24T16:00:00.000000Z",
                "endTimestamp": "2025-11-24T16:01:01.000000Z", "elapsedTime": 61.0, "uuid": "u",
                "metricName": "jobSummary", "jobConfig": { "name": "j", "jobIterations": 1 },
                "version": "0.1.0", "passed": true, "k8sVersion": "1.37",
            })
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = serde_json::to_string(&summary()).unwrap();
        assert_eq!(
            serde_json::from_str::<JobSummary>(&text).unwrap(),
            summary()
        );
        let during_load = Metric {
            during_load: true,
            ..metric()
        };
        let text = serde_json::to_string(&during_load).unwrap();
        assert!(text.contains(r#""duringLoad":true"#), "{text}");
        assert_eq!(serde_json::from_str::<Metric>(&text).unwrap(), during_load);
        let other = text.replace("metricName\":\"cpu", "metricName\":\"jobSummary");
        assert!(serde_json::from_str::<JobSummary>(&other).is_err());
    }
}
