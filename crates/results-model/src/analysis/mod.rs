//! From documents to answers: samples pooled into scenarios, and what came of them over time.
//!
//! [`Documents`] is where documents come from; this module reads them through it, in frames of
//! bounded height, and knows no files. What it makes ([`Analysis`]) is what is compared, judged and
//! shown.

#[cfg(test)]
mod by_hand;
pub mod compare;
mod direction;
mod documents;
mod doubts;
mod failed;
mod glance;
pub mod history;
mod model;
mod pool;
mod resources;
mod scenario;
mod series;
mod sparkline;
mod spread;

pub use direction::Direction;
pub use documents::{Documents, MetricSample};
pub use failed::still_failed;
pub use glance::{Glance, Span};
pub use model::{
    Analysis, Basis, Curve, ErrorCount, Goodput, Limits, Options, PooledFigure, Resource, Run,
    Sample, Scenario, Second,
};
pub use sparkline::sparkline;

pub use crate::scenario::{Load, ScenarioKey};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::documents::{Summary, Timestamp};

/// Pools benchmarks into scenarios, with what their requests and Prometheus say. Benchmarks of
/// several runs are samples of the same scenario.
///
/// Percentiles are GuideLLM's: the smallest value whose cumulative weight reaches the rank. A
/// request counts in the windows that its release of GuideLLM counts it in, and with the weight that
/// it has there. Memory does not depend on how many requests there are.
///
/// # Errors
///
/// If documents cannot be read, or a temporary file not be written.
pub fn analyse<D: Documents>(
    documents: &D,
    mut summaries: Vec<Summary>,
    options: &Options,
) -> Result<Analysis, D::Error> {
    summaries.sort_by_key(|summary| summary.timestamp);
    let runs = runs(documents, &summaries)?;
    let mut order: Vec<ScenarioKey> = Vec::new();
    let mut groups: BTreeMap<ScenarioKey, Vec<Summary>> = BTreeMap::new();
    for summary in summaries {
        let key = ScenarioKey::of(&summary);
        let group = groups.entry(key.clone()).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(summary);
    }
    let mut scenarios = Vec::with_capacity(order.len());
    for key in order {
        let mut samples = groups.remove(&key).unwrap_or_default();
        samples.sort_by_key(|it| (started(&runs, &it.origin.uuid), it.origin.sample));
        scenarios.push(scenario::scenario(documents, key, samples, options)?);
    }
    Ok(Analysis {
        runs,
        scenarios,
        failed_runs: Vec::new(),
    })
}

fn started(runs: &[Run], uuid: &str) -> Option<Timestamp> {
    let run = runs.iter().find(|run| &*run.uuid == uuid);
    run.map(|run| run.started)
}

/// The runs of summaries that are in the order of time.
fn runs<D: Documents>(documents: &D, summaries: &[Summary]) -> Result<Vec<Run>, D::Error> {
    let mut runs: Vec<Run> = Vec::new();
    for summary in summaries {
        let uuid: &Arc<str> = &summary.origin.uuid;
        if !runs.iter().any(|run| run.uuid == *uuid) {
            runs.push(Run {
                uuid: uuid.clone(),
                started: summary.timestamp,
                facts: common(documents.facts(uuid)?),
            });
        }
    }
    Ok(runs)
}

/// The members that are the same in all.
fn common(facts: Vec<Map<String, Value>>) -> Map<String, Value> {
    let mut facts = facts.into_iter();
    let mut common = facts.next().unwrap_or_default();
    for other in facts {
        // A job that was summed up before a fact was known says nothing against it.
        common.retain(|name, value| other.get(name).is_none_or(|it| it == value));
    }
    common
}
