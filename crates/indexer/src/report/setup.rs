//! What was benchmarked, and with what.

use std::collections::BTreeSet;

use guidellm_results_model::analysis::{Analysis, Run};
use guidellm_results_model::documents::Summary;
use serde::Serialize;
use serde_json::Value;

use super::numbers;

/// A name and what is known under it: one value, or several that differ between runs or benchmarks.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    name: String,
    values: Vec<String>,
}

/// A run.
#[derive(Debug, Serialize)]
pub(super) struct RunRow {
    uuid: String,
    started: String,
    scenarios: usize,
}

fn summaries(analysis: &Analysis) -> impl Iterator<Item = &Summary> {
    let samples = analysis.scenarios.iter().flat_map(|it| &it.samples);
    samples.map(|it| &it.summary)
}

pub(super) fn runs(analysis: &Analysis) -> Vec<RunRow> {
    let scenarios = |run: &Run| {
        let of_run = |summary: &Summary| summary.origin.uuid == run.uuid;
        let scenarios = analysis.scenarios.iter();
        let has = scenarios.filter(|it| it.samples.iter().any(|it| of_run(&it.summary)));
        has.count()
    };
    let row = |run: &Run| RunRow {
        uuid: run.uuid.to_string(),
        started: numbers::instant(run.started),
        scenarios: scenarios(run),
    };
    analysis.runs.iter().map(row).collect()
}

/// What the reports say of what was asked.
pub(super) fn settings(analysis: &Analysis) -> Vec<Fact> {
    let text = |of: fn(&Summary) -> Option<String>| {
        let values: BTreeSet<String> = summaries(analysis).filter_map(of).collect();
        values.into_iter().collect::<Vec<String>>()
    };
    let facts = [
        ("Model", text(|it| it.settings.backend_model.clone())),
        ("Target", text(|it| it.settings.target.clone())),
        ("GuideLLM", text(|it| Some(release(it)))),
        ("Backend", text(|it| it.settings.backend_type.clone())),
        ("API", text(|it| it.settings.endpoint.clone())),
        (
            "Responses",
            text(|it| {
                let streamed = it.settings.streaming?;
                Some(if streamed { "streamed" } else { "not streamed" }.to_owned())
            }),
        ),
        ("Profile", text(|it| it.settings.profile.clone())),
        ("Data", text(|it| it.settings.data.clone())),
        (
            "Prompt tokens",
            text(|it| it.settings.prompt_tokens.clone()),
        ),
        (
            "Output tokens",
            text(|it| it.settings.output_tokens.clone()),
        ),
        ("Tokenizer", text(|it| it.settings.tokenizer.clone())),
        (
            "Measured for",
            text(|it| {
                let seconds = it.window.duration_seconds?;
                Some(format!("{} s", numbers::fixed(seconds, 0)))
            }),
        ),
        ("Labels", text(labels)),
    ];
    let facts = facts.into_iter().filter(|(_, values)| !values.is_empty());
    facts
        .map(|(name, values)| Fact {
            name: name.to_owned(),
            values,
        })
        .collect()
}

/// GuideLLM's release, as exactly as the report tells.
fn release(summary: &Summary) -> String {
    let settings = &summary.settings;
    match &settings.guidellm_version {
        Some(version) => version.clone(),
        None => format!("{} (by the report's layout)", settings.report_generation),
    }
}

fn labels(summary: &Summary) -> Option<String> {
    let labels = summary.settings.labels.iter();
    let labels: Vec<String> = labels.map(|(name, it)| format!("{name}={it}")).collect();
    (!labels.is_empty()).then(|| labels.join(", "))
}

/// What is known of the system under test. Where runs differ, each value names its run.
pub(super) fn system(runs: &[Run]) -> Vec<Fact> {
    let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.facts.keys()).collect();
    let fact = |name: &String| {
        let values = runs.iter().map(|run| (run, run.facts.get(name)));
        let values: Vec<(&Run, Option<&Value>)> = values.collect();
        let first = values.first().and_then(|it| it.1);
        let same = values.iter().all(|it| it.1 == first);
        let told = values.into_iter().filter_map(|(run, value)| {
            let value = text(value?);
            Some(if same {
                value
            } else {
                format!("{value} (run {})", run.uuid)
            })
        });
        Fact {
            name: name.clone(),
            values: if same {
                told.take(1).collect()
            } else {
                told.collect()
            },
        }
    };
    names.into_iter().map(fact).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use guidellm_results_model::documents::Timestamp;
    use serde_json::json;

    use super::*;

    fn run(uuid: &str, facts: &Value) -> Run {
        Run {
            uuid: uuid.into(),
            started: Timestamp::from_epoch_seconds(1e9).unwrap(),
            facts: facts.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn a_fact_that_differs_names_its_runs() {
        let runs = [
            run(
                "a",
                &json!({"eppImage": "epp:1", "gpuModel": "L4", "nodes": 2}),
            ),
            run("b", &json!({"eppImage": "epp:2", "gpuModel": "L4"})),
        ];
        let facts = system(&runs);
        let told: Vec<(&str, Vec<&str>)> = facts
            .iter()
            .map(|it| (&*it.name, it.values.iter().map(|it| &**it).collect()))
            .collect();
        assert_eq!(
            told,
            [
                ("eppImage", vec!["epp:1 (run a)", "epp:2 (run b)"]),
                ("gpuModel", vec!["L4"]),
                ("nodes", vec!["2 (run a)"]),
            ]
        );
    }
}
