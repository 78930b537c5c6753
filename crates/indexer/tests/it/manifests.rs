//! The manifests say what the sidecar understands.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use guidellm_indexer::Contract;
use guidellm_indexer::cli::Cli;
use serde_json::Value;

const FORMS: [&str; 2] = ["second-container", "native-sidecar"];

/// A pod's specification, its benchmark and its sidecar.
fn manifest(form: &str) -> (Value, Value, Value) {
    let path = format!("../../manifests/sidecar/{form}.yaml");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let job: Value = serde_saphyr::from_str(&text).unwrap();
    let pod = job["spec"]["template"]["spec"].clone();
    let containers: Vec<&Value> = ["containers", "initContainers"]
        .iter()
        .filter_map(|list| pod[list].as_array())
        .flatten()
        .collect();
    let named = |name: &str| containers.iter().find(|it| it["name"] == name).copied();
    let (benchmark, sidecar) = (named("guidellm"), named("guidellm-indexer"));
    (
        pod.clone(),
        benchmark.unwrap().clone(),
        sidecar.unwrap().clone(),
    )
}

fn variables(container: &Value) -> BTreeMap<String, String> {
    let one = |it: &Value| {
        let value = it["value"].as_str().unwrap_or_default();
        (it["name"].as_str().unwrap().to_owned(), value.to_owned())
    };
    let env = container["env"].as_array();
    env.into_iter().flatten().map(one).collect()
}

/// All variables that the sidecar reads, with their defaults.
fn known() -> BTreeMap<String, String> {
    let command = Cli::command();
    let sidecar = command.find_subcommand("sidecar").unwrap();
    let one = |argument: &clap::Arg| {
        let name = argument.get_env()?.to_str()?.to_owned();
        let default = argument.get_default_values().first();
        let default = default.map(|it| it.to_string_lossy().into_owned());
        Some((name, default.unwrap_or_default()))
    };
    sidecar.get_arguments().filter_map(one).collect()
}

#[test]
fn the_benchmark_runs_in_the_script() {
    for form in FORMS {
        let (_, benchmark, sidecar) = manifest(form);
        assert_eq!(benchmark["command"][0], "/bin/sh", "{form}");
        assert_eq!(benchmark["command"][2], Contract::SCRIPT, "{form}");
        let marker = variables(&benchmark)[Contract::MARKER_FILE].clone();
        let folder = variables(&sidecar)[Contract::RESULTS_DIR].clone();
        assert_eq!(marker, format!("{folder}/exit-code"), "{form}");
        let report = &known()[Contract::RESULTS_FILE];
        let arguments = benchmark["args"].to_string();
        assert!(
            arguments.contains(&format!("path={folder}/{report}")),
            "{form}"
        );
    }
}

#[test]
fn the_sidecar_understands_all_that_it_is_told() {
    let known = known();
    for form in FORMS {
        let (pod, _, sidecar) = manifest(form);
        let told = variables(&sidecar);
        for name in told.keys() {
            assert!(known.contains_key(name), "{form}: {name}");
        }
        let native = sidecar["restartPolicy"] == "Always";
        assert_eq!(told.contains_key(Contract::NATIVE), native, "{form}");
        let port = sidecar["ports"][0]["containerPort"].to_string();
        assert_eq!(told[Contract::HEALTH_PORT], port, "{form}");
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert_eq!(told[Contract::GRACE_SECONDS], grace.to_string(), "{form}");
    }
}

#[test]
fn a_pod_that_ends_has_more_time_than_a_server_that_is_away() {
    let command = Cli::command();
    let sidecar = command.find_subcommand("sidecar").unwrap();
    let named = |it: &&clap::Arg| it.get_id() == "give_up_after";
    let patience = sidecar.get_arguments().find(named).unwrap();
    let patience = patience.get_default_values()[0].to_str().unwrap();
    let patience: humantime::Duration = patience.parse().unwrap();
    for form in FORMS {
        let (pod, ..) = manifest(form);
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        // Of which a fifth is kept for the disk.
        assert!(grace * 4 / 5 > patience.as_secs(), "{form}");
    }
}
