//! What Prometheus said of the time in which a scenario ran.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::documents::{Documents, MetricSample};
use super::model::{Resource, Sample};

/// The series of the jobs that the samples are of.
pub(super) fn of<D: Documents>(
    documents: &D,
    samples: &[Sample],
) -> Result<Vec<Resource>, D::Error> {
    let mut seen = BTreeSet::new();
    let mut resources = Vec::new();
    for sample in samples {
        let origin = &sample.summary.origin;
        if !seen.insert((origin.uuid.clone(), origin.job_name.clone())) {
            continue;
        }
        let start = sample.summary.window.start_timestamp;
        let start = start.unwrap_or(sample.summary.timestamp).epoch_micros();
        let taken = documents.metrics(&origin.uuid, &origin.job_name)?;
        resources.extend(series(&taken, &origin.uuid, start));
    }
    Ok(resources)
}

/// Samples as series, by metric and labels.
fn series(taken: &[MetricSample], uuid: &Arc<str>, start: i64) -> Vec<Resource> {
    let mut metrics: BTreeMap<&str, BTreeMap<&str, Vec<&MetricSample>>> = BTreeMap::new();
    for sample in taken {
        let metric = metrics.entry(&sample.metric_name).or_default();
        metric.entry(&sample.labels).or_default().push(sample);
    }
    let of_metric = |(name, siblings): (&str, BTreeMap<&str, Vec<&MetricSample>>)| {
        let labels = distinguishing(siblings.keys().copied());
        let siblings = siblings.into_values().zip(labels);
        siblings
            .map(|(samples, labels)| one(name, uuid, labels, samples, start))
            .collect::<Vec<_>>()
    };
    metrics.into_iter().flat_map(of_metric).collect()
}

fn one(
    name: &str,
    uuid: &Arc<str>,
    labels: String,
    mut samples: Vec<&MetricSample>,
    start: i64,
) -> Resource {
    samples.sort_by_key(|sample| sample.timestamp);
    let loaded: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.during_load)
        .map(|sample| sample.value)
        .collect();
    // Without a time of load, all of the job's is taken.
    let values = if loaded.is_empty() {
        samples.iter().map(|sample| sample.value).collect()
    } else {
        loaded
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "epoch microseconds are below 2^53"
    )]
    let seconds = |sample: &MetricSample| (sample.timestamp.epoch_micros() - start) as f64 / 1e6;
    #[expect(clippy::cast_precision_loss, reason = "samples are few")]
    let count = values.len() as f64;
    Resource {
        metric_name: name.to_owned(),
        uuid: uuid.clone(),
        labels,
        points: samples.iter().map(|it| (seconds(it), it.value)).collect(),
        mean: values.iter().sum::<f64>() / count,
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

/// For each of several series, the labels in which they differ.
fn distinguishing<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let labels: Vec<Map<String, Value>> = labels
        .map(|text| serde_json::from_str(text).unwrap_or_default())
        .collect();
    let names: BTreeSet<&String> = labels.iter().flat_map(Map::keys).collect();
    let differs = |name: &&&String| {
        let mut values = labels.iter().map(|it| it.get(name.as_str()));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    // Of a single series, all labels say what it is.
    let telling: Vec<&&String> = match labels.len() {
        1 => names.iter().collect(),
        _ => names.iter().filter(differs).collect(),
    };
    let text = |labels: &Map<String, Value>| {
        let pair = |name: &&&String| {
            let value = labels.get(name.as_str())?.as_str()?;
            Some(format!("{name}={value:?}"))
        };
        telling
            .iter()
            .filter_map(pair)
            .collect::<Vec<_>>()
            .join(" ")
    };
    labels.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Timestamp;

    fn sample(second: i64, labels: &str, value: f64, during_load: bool) -> MetricSample {
        MetricSample {
            timestamp: Timestamp::from_epoch_micros(second * 1_000_000).unwrap(),
            metric_name: "cpu-usage".into(),
            labels: labels.into(),
            value,
            during_load,
        }
    }

    #[test]
    fn series_are_told_apart_by_what_differs_and_summed_up_under_load() {
        let (one, other) = (
            r#"{"namespace":"llm-d","pod":"epp-0"}"#,
            r#"{"namespace":"llm-d","pod":"vllm-0"}"#,
        );
        let taken = [
            sample(115, one, 4.0, true),
            sample(100, one, 9.0, false),
            sample(130, one, 2.0, true),
            sample(100, other, 0.5, false),
        ];
        let found = series(&taken, &"u".into(), 100_000_000);
        let labels: Vec<&str> = found.iter().map(|it| &*it.labels).collect();
        assert_eq!(labels, [r#"pod="epp-0""#, r#"pod="vllm-0""#]);
        let first = found.first().unwrap();
        assert_eq!((first.mean, first.max), (3.0, 4.0));
        assert_eq!(first.points, [(0.0, 9.0), (15.0, 4.0), (30.0, 2.0)]);
        assert_eq!(found.get(1).map(|it| it.mean), Some(0.5));
    }
}
