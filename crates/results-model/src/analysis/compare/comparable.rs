//! What must not be compared, and what has to be known of what is.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::analysis::{Analysis, Sample, Scenario};
use crate::documents::Summary;
use crate::figures::{Figure, Metric};

/// Why figures of two sides are not the same thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// The metric concerned; absent if it is all figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// Why, in words.
    pub reason: String,
}

impl Refusal {
    /// Whether a figure is concerned.
    #[must_use]
    pub fn concerns(&self, figure: Figure) -> bool {
        match (self.metric, figure) {
            (None, _) => true,
            (Some(metric), Figure::Statistic(of, _)) => metric == of,
            (Some(_), _) => false,
        }
    }
}

/// Why figures of a scenario are not to be compared: what they measure is defined otherwise, or is of
/// another load.
///
/// | what differs | not compared |
/// |---|---|
/// | `tpot_definition` (to 0.3, from 0.4 on) | TPOT |
/// | prompts counted twice (0.2) | tokens per second |
/// | model, prompt and output tokens or data, endpoint, streaming | everything |
pub(super) fn refusals(base: &Scenario, candidate: &Scenario) -> Vec<Refusal> {
    let sides = || (base, candidate);
    let mut refusals = Vec::new();
    let mut refuse = |metric, what: &str, of: &dyn Fn(&Summary) -> Option<String>| {
        if let Some(difference) = difference(sides(), of) {
            let reason = format!("{what}: {difference}");
            refusals.push(Refusal { metric, reason });
        }
    };
    refuse(
        Some(Metric::TimePerOutputToken),
        "TPOT is defined otherwise",
        &|it| Some(it.origin.tpot_definition.as_str().to_owned()),
    );
    refuse(
        Some(Metric::TokensPerSecond),
        "0.2 counts each prompt twice",
        &|it| Some(it.metrics.tokens_per_second_counts_prompt_twice.to_string()),
    );
    refuse(None, "another model", &|it| {
        it.settings.backend_model.clone()
    });
    refuse(None, "another load", &|it| load(it));
    refuse(None, "another endpoint", &endpoint);
    refuse(None, "streaming differs", &|it| {
        it.settings.streaming.map(|streaming| streaming.to_string())
    });
    refusals
}

/// Tokens asked for, or else the data: its text of synthetic data has a seed in it, which differs from
/// sample to sample.
fn load(summary: &Summary) -> Option<String> {
    let settings = &summary.settings;
    match (&settings.prompt_tokens, &settings.output_tokens) {
        (Some(prompt), Some(output)) => Some(format!("{prompt}/{output} tokens")),
        _ => settings.data.clone(),
    }
}

/// The API, by one of the names that releases have for it.
fn endpoint(summary: &Summary) -> Option<String> {
    let endpoint = summary.settings.endpoint.as_deref()?;
    Some(match endpoint {
        "chat_completions" => "/v1/chat/completions".to_owned(),
        "text_completions" => "/v1/completions".to_owned(),
        other => other.to_owned(),
    })
}

/// What has to be known of a comparison, in words.
pub(super) fn notes(base: &Scenario, candidate: &Scenario) -> Vec<String> {
    let mut notes = Vec::new();
    let (of_base, of_candidate) = (base.samples.len(), candidate.samples.len());
    if of_base != of_candidate {
        notes.push(format!("{of_base} and {of_candidate} samples"));
    }
    for (side, scenario) in [("base", base), ("candidate", candidate)] {
        notes.extend(
            scenario
                .doubts
                .iter()
                .map(|doubt| format!("{side}: {doubt}")),
        );
        if scenario.samples.len() == 1 {
            notes.push(format!(
                "{side}: one sample: noise between runs is not known"
            ));
        }
    }
    let mut note = |what: &str, of: &dyn Fn(&Summary) -> Option<String>| {
        let difference = difference((base, candidate), of);
        notes.extend(difference.map(|difference| format!("{what}: {difference}")));
    };
    note("GuideLLM", &|it| {
        let settings = &it.settings;
        let generation = || settings.report_generation.to_string();
        Some(settings.guidellm_version.clone().unwrap_or_else(generation))
    });
    note("time limit in seconds", &|it| {
        it.settings.max_seconds.map(|seconds| seconds.to_string())
    });
    note("limit of requests", &|it| {
        it.settings
            .max_requests
            .map(|requests| requests.to_string())
    });
    note("tokenizer", &|it| it.settings.tokenizer.clone());
    notes
}

/// Both sides' values, if they are not the same and both known.
fn difference(
    (base, candidate): (&Scenario, &Scenario),
    of: &dyn Fn(&Summary) -> Option<String>,
) -> Option<String> {
    let values = |samples: &[Sample]| -> BTreeSet<String> {
        samples.iter().filter_map(|it| of(&it.summary)).collect()
    };
    let (base, candidate) = (values(&base.samples), values(&candidate.samples));
    if base == candidate || base.is_empty() || candidate.is_empty() {
        return None;
    }
    let text = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
    Some(format!("{} and {}", text(base), text(candidate)))
}

/// A fact of the systems under test that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FactDifference {
    /// Its name in kube-burner's `jobSummary`: `eppImage`.
    pub name: String,
    /// The base's values.
    pub base: Vec<Value>,
    /// The candidate's.
    pub candidate: Vec<Value>,
}

/// What differs between the systems under test.
pub(super) fn facts(base: &Analysis, candidate: &Analysis) -> Vec<FactDifference> {
    let runs = base.runs.iter().chain(&candidate.runs);
    let names: BTreeSet<&String> = runs.flat_map(|run| run.facts.keys()).collect();
    let values = |side: &Analysis, name: &str| -> Vec<Value> {
        let mut values: Vec<Value> = Vec::new();
        for value in side.runs.iter().filter_map(|run| run.facts.get(name)) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        values
    };
    let difference = |name: &String| {
        let (base, candidate) = (values(base, name), values(candidate, name));
        (base != candidate).then(|| FactDifference {
            name: name.clone(),
            base,
            candidate,
        })
    };
    names.into_iter().filter_map(difference).collect()
}
