//! What the page shows besides an analysis.

use std::sync::Arc;

use guidellm_results_model::analysis::ScenarioKey;
use guidellm_results_model::documents::Timestamp;
use guidellm_results_model::figures::Figure;
use guidellm_results_model::inference::Interval;
use guidellm_results_model::slo::Severity;
use serde::Serialize;

/// About the page itself.
#[derive(Debug, Clone, Serialize)]
pub struct Meta {
    /// Its title.
    pub title: String,
    /// When it was made.
    pub generated: Timestamp,
    /// Where the documents are from: a store, reports, an index.
    pub sources: Vec<String>,
    /// Level of the analysis' confidence intervals, 0 to 1.
    pub level: f64,
}

/// What was judged, and how it came out: an objective or an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerdictRow {
    /// What was asked: `ttft_p95_ms <= 500`, or an alert's expression.
    pub expression: String,
    /// Of which scenario or job; empty for all of it.
    pub scenario: String,
    /// The figure it is about, if it is about one; its unit is written with the value.
    pub figure: Option<Figure>,
    /// What was measured, in the figure's own unit.
    pub value: Option<f64>,
    /// How it came out.
    pub outcome: Outcome,
    /// How bad it is if missed: `error` for example.
    pub severity: String,
    /// What it is for, in words.
    pub description: Option<String>,
}

/// An alert that was recorded beside the documents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertRow {
    /// When it fired; of an objective, when its scenario ended.
    pub timestamp: Timestamp,
    /// The run.
    pub uuid: Arc<str>,
    /// The job; empty where nobody noted it.
    pub job_name: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// What it says.
    pub description: String,
    /// What is watched: a query, or a scenario's objective; empty where nobody noted it.
    pub expression: Arc<str>,
}

/// How a judgement came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The objective is met; the alert did not fire.
    Met,
    /// The objective is missed; the alert fired.
    Missed,
    /// What it is about was not measured: counts as missed.
    NotMeasured,
}

/// What the runs are compared with.
#[derive(Debug, Clone, Serialize)]
pub struct Baseline {
    /// Its name.
    pub name: String,
    /// Level of the intervals, 0 to 1.
    pub level: f64,
    /// Scenarios that both have.
    pub scenarios: Vec<BaselineScenario>,
    /// What a reader has to know, in words: what differs, what is on one side only.
    pub notes: Vec<String>,
}

/// A scenario that both have.
#[derive(Debug, Clone, Serialize)]
pub struct BaselineScenario {
    /// Which it is.
    pub key: ScenarioKey,
    /// Its figures, in the order in which they are shown.
    pub rows: Vec<BaselineRow>,
}

/// A figure of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineRow {
    /// Which.
    pub figure: Figure,
    /// The baseline's, in the figure's unit.
    pub base: Option<f64>,
    /// That of the runs on this page.
    pub candidate: Option<f64>,
    /// Relative change (0.05 for 5 % more); of a share, the difference.
    pub change: Option<f64>,
    /// Where the change lies, at the baseline's level.
    pub interval: Option<Interval>,
    /// Whether it is more than chance.
    pub significant: bool,
    /// Why there is no change, or what makes it doubtful.
    pub note: Option<String>,
}
