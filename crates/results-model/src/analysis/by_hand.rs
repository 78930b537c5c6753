//! Analyses that tests make by hand.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::model::{Analysis, Basis, PooledFigure, Run, Sample, Scenario};
use crate::documents::{Summary, Timestamp};
use crate::figures::Figure;
use crate::scenario::{Load, ScenarioKey};

/// A sample of a run by hand; `settings` are members of its summary.
pub(super) fn sample(
    run: &str,
    job: &str,
    minute: i64,
    figures: &[(&str, f64)],
    settings: &Value,
) -> Sample {
    let time = Timestamp::from_epoch_micros(1_750_000_000_000_000 + minute * 60_000_000).unwrap();
    let mut summary = json!({
        "metricName": "guidellmSummary",
        "document_id": "00000000-0000-0000-0000-000000000000",
        "timestamp": time,
        "timestamp_source": "measured_start",
        "schema_version": 1,
        "uuid": run,
        "job_name": job,
        "jobName": job,
        "sample": 0,
        "benchmark_id": "b",
        "benchmark_index": 0,
        "strategy": "constant",
        "rate": 10.0,
        "tpot_definition": "includes_time_to_first_token",
        "report_generation": "0.7-0.8",
        "successful_records": 100,
        "errored_records": 0,
        "incomplete_records": 0,
        "records_sampled": false,
    });
    let members = summary.as_object_mut().unwrap();
    members.extend(settings.as_object().unwrap().clone());
    let summary: Summary = serde_json::from_value(summary).unwrap();
    let figures: BTreeMap<Figure, f64> = figures
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), *value))
        .collect();
    let standard_errors = figures.keys().map(|figure| (*figure, 0.004)).collect();
    Sample {
        summary,
        figures,
        requests: 100,
        standard_errors,
    }
}

/// A scenario of samples, whose pooled figures are their means.
pub(super) fn scenario(job: &str, samples: Vec<Sample>) -> Scenario {
    let mut sums: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
    for (figure, value) in samples.iter().flat_map(|sample| &sample.figures) {
        sums.entry(*figure).or_default().push(*value);
    }
    let pooled = |values: &Vec<f64>| PooledFigure {
        value: crate::inference::mean(values).unwrap(),
        basis: Basis::MeanOfSamples,
        interval: None,
    };
    Scenario {
        key: ScenarioKey {
            job_name: job.into(),
            strategy: "constant".into(),
            load: Load::Rate(10.0),
        },
        figures: sums
            .iter()
            .map(|(key, values)| (*key, pooled(values)))
            .collect(),
        samples,
        curves: BTreeMap::new(),
        seconds: Vec::new(),
        errors: Vec::new(),
        goodput: None,
        resources: Vec::new(),
        doubts: Vec::new(),
    }
}

pub(super) fn analysis(run: &str, facts: &Value, scenarios: Vec<Scenario>) -> Analysis {
    let facts: Map<String, Value> = facts.as_object().unwrap().clone();
    Analysis {
        runs: vec![Run {
            uuid: run.into(),
            started: Timestamp::from_epoch_micros(1_750_000_000_000_000).unwrap(),
            facts,
        }],
        scenarios,
        failed_runs: Vec::new(),
    }
}
