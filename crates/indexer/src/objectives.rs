//! Objectives of a file, and what is told of those that are missed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::slo::{Slos, Verdict};

use crate::kube_burner::{Alert, AlertMetricName};

/// The objectives of a file.
///
/// # Errors
///
/// If it cannot be read, or is not of this form: with the line.
pub fn objectives(path: &Path) -> Result<Slos> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| name.clone())?;
    Ok(Slos::parse(&text, &name)?)
}

/// Where an objective was judged.
pub(crate) struct Place<'a> {
    pub(crate) uuid: Arc<str>,
    pub(crate) job_name: Arc<str>,
    /// The scenario, or a sample of it.
    pub(crate) name: &'a str,
    /// When it ended.
    pub(crate) ended: Timestamp,
}

/// What was missed, as kube-burner tells of an alert. Of the same place and objective it is the same
/// document.
pub(crate) fn alert(place: &Place<'_>, verdict: &Verdict) -> Alert {
    let name = place.name;
    Alert {
        timestamp: place.ended,
        uuid: place.uuid.clone(),
        severity: verdict.slo.severity,
        description: match &verdict.slo.description {
            Some(description) => format!("{name}: {verdict} ({description})"),
            None => format!("{name}: {verdict}"),
        },
        metric_name: AlertMetricName::Alert,
        churn_metric: false,
        metadata: Arc::default(),
        job_name: place.job_name.clone(),
        expr: format!("{name}: {}", verdict.slo.expr).into(),
    }
}
