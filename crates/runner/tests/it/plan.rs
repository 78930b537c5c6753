//! What a suite becomes: jobs, and the objects of each.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::collections::BTreeSet;

use guidellm_indexer::Contract;
use llm_d_scale::plan::plan;
use llm_d_scale::suite::LLM_D_SCALE;
use llm_d_scale::templates::Files;
use serde_json::{Value, json};

use crate::suite::{benchmark, planned, read, run};

/// The environment of a container, in its order.
fn environment(container: &Value) -> Vec<(&str, Option<&str>)> {
    let variables = container["env"].as_array().unwrap().iter();
    variables
        .map(|it| (it["name"].as_str().unwrap(), it["value"].as_str()))
        .collect()
}

#[test]
fn each_sample_is_asked_by_another_seed() {
    let suite = read(LLM_D_SCALE, &[]).unwrap();
    let seeds = |uuid: &str| {
        let jobs = planned(&suite, uuid);
        let scenarios: Vec<_> = jobs.iter().filter(|job| job.is_scenario).collect();
        assert_eq!(scenarios.len(), 9);
        let mut seeds = Vec::new();
        for job in scenarios {
            let environment = environment(benchmark(job));
            let place = |wanted: &str| environment.iter().position(|(name, _)| *name == wanted);
            let (index, seed) = (
                place("JOB_COMPLETION_INDEX"),
                place("GUIDELLM__SPEC__SEED__VALUE"),
            );
            // Kubernetes puts in only what stands before.
            assert!(index.unwrap() < seed.unwrap());
            let seed = environment[seed.unwrap()].1.unwrap();
            let samples = u64::from(job.samples);
            let spec = &job.objects.last().unwrap().manifest["spec"];
            assert_eq!(spec["completions"], json!(samples));
            assert_eq!(spec["completionMode"], "Indexed");
            for sample in 0..samples {
                let seed = seed.replace("$(JOB_COMPLETION_INDEX)", &sample.to_string());
                seeds.push(seed.parse::<u32>().unwrap());
            }
        }
        seeds
    };
    let one = seeds("0f4c2d1e-6a71-4cc5-9d4b-8f9a6e3b7c10");
    let other = seeds("a9d3f6b2-1f0e-4a57-b8c7-52e1d0c9b8a7");
    let all: BTreeSet<_> = one.iter().chain(&other).collect();
    assert_eq!(all.len(), 2 * 9 * 3, "{one:?} {other:?}");
    assert_eq!(one, seeds("0f4c2d1e-6a71-4cc5-9d4b-8f9a6e3b7c10"));
}

#[test]
fn a_seed_of_the_users_does_not_follow_from_the_run() {
    let suite = read(LLM_D_SCALE, &[("vars.seed", "41999")]).unwrap();
    let seeds = |uuid| -> Vec<String> {
        let jobs = planned(&suite, uuid);
        let scenarios = jobs.iter().filter(|job| job.is_scenario);
        let seed = |job| {
            let found = environment(benchmark(job))
                .into_iter()
                .find(|(name, _)| name.ends_with("SEED__VALUE"));
            found.unwrap().1.unwrap().to_owned()
        };
        scenarios.map(seed).collect()
    };
    assert_eq!(seeds("a"), seeds("b"));
    assert_eq!(seeds("a")[8], "4199908$(JOB_COMPLETION_INDEX)");
    // The largest that there can be is one of 32 bits still.
    assert!("4199999999".parse::<u32>().is_ok());
}

#[test]
fn the_sidecars_script_runs_the_benchmark() {
    let suite = read(LLM_D_SCALE, &[]).unwrap();
    for job in planned(&suite, "run").iter().filter(|job| job.is_scenario) {
        let container = benchmark(job);
        let command: Vec<&str> = container["command"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap())
            .collect();
        assert_eq!(command[..2], ["/bin/sh", "-c"]);
        assert_eq!(command[2].trim_end(), Contract::SCRIPT.trim_end());
        assert_eq!(
            container["args"],
            json!(["guidellm", "run", "--disable-console-interactive"])
        );
    }
}

#[test]
fn texts_stay_texts_up_to_the_manifest() {
    let image = "local: image # 1";
    for text in [
        image,
        "yes",
        "null",
        "1e3",
        "{a",
        "- x",
        "\"quoted\"",
        "two\nlines",
        "{# not Jinja #}",
    ] {
        let quoted = serde_json::to_string(text).unwrap();
        let suite = read(LLM_D_SCALE, &[("vars.guidellmImage", &quoted)]).unwrap();
        let jobs = planned(&suite, "run");
        assert_eq!(benchmark(&jobs[1])["image"], json!(text));
    }
    let refused = read(LLM_D_SCALE, &[("vars.guidellmImage", image)]).unwrap_err();
    assert_eq!(
        refused,
        "--set vars.guidellmImage: vars.guidellmImage: a map is where a text is needed"
    );
}

#[test]
fn two_objects_are_not_made_into_one_silently() {
    let folder = tempfile::tempdir().unwrap();
    let template = |name: &str, text: &str| {
        let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ";
        std::fs::write(folder.path().join(name), format!("{head}{text}}}\n")).unwrap();
    };
    template("same.j2", "c");
    template("other.j2", "c, labels: {a: b}");
    template("each.j2", "{{ 'c-' ~ iteration ~ '-' ~ replica }}");
    template("labelled.j2", "c, labels: {a: {{ 'x' ~ replica }}}");
    let generated = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: c-}\n";
    std::fs::write(folder.path().join("generated.j2"), generated).unwrap();
    let of = |jobs: &str| {
        let suite = read(&format!("jobs: [{jobs}]"), &[]).unwrap();
        let files = Files::new(vec![folder.path().to_owned()]);
        let jobs = plan(&suite, &files, &run("u")).map_err(|error| error.to_string())?;
        let names = jobs.iter().flat_map(|job| &job.objects);
        Ok::<Vec<String>, String>(names.map(|it| it.name().to_owned()).collect())
    };
    let job = |name: &str, objects: &str, more: &str| {
        format!("{{name: {name}, objects: [{objects}], {more}}}")
    };
    let object = |template: &str, more: &str| format!("{{objectTemplate: {template}, {more}}}");
    let refused = |jobs: &str, parts: &[&str]| {
        let error = of(jobs).unwrap_err();
        for part in [&["configmap/c is given twice"], parts].concat() {
            assert!(error.contains(part), "{part}: {error}");
        }
    };
    let (same, other) = (object("same.j2", ""), object("other.j2", ""));
    let both = format!("{same}, {other}");
    refused(
        &job("a", &both, ""),
        &["job `a`, same.j2, and job `a`, other.j2"],
    );
    let two = format!("{}, {}", job("a", &same, ""), job("b", &other, ""));
    refused(&two, &["job `a`, same.j2, and job `b`, other.j2"]);
    refused(
        &job("a", &object("labelled.j2", "replicas: 2"), ""),
        &["`replica`"],
    );
    // What all iterations share is one; and what differs in its name or its namespace is not.
    assert_eq!(of(&job("a", &same, "jobIterations: 3")).unwrap(), ["c"]);
    let apart = job("a", &same, "jobIterations: 2, namespacedIterations: true");
    assert_eq!(of(&apart).unwrap(), ["c", "c"]);
    let each = job("a", &object("each.j2", "replicas: 2"), "jobIterations: 2");
    assert_eq!(of(&each).unwrap(), ["c-0-1", "c-0-2", "c-1-1", "c-1-2"]);
    let elsewhere = format!(
        "{}, {}",
        job("a", &same, ""),
        job("b", &other, "namespace: other")
    );
    assert_eq!(of(&elsewhere).unwrap(), ["c", "c"]);
    let generated = object("generated.j2", "");
    let generated = format!("{}, {}", job("a", &generated, ""), job("b", &generated, ""));
    assert_eq!(of(&generated).unwrap(), ["c-u-0", "c-u-1"]);
}
