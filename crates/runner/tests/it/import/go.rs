//! What Go's own text/template makes of a config, and whether a suite comes to the same.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use llm_d_scale::suite::{Given, Job, Suite};
use llm_d_scale::templates::Files;
use serde_json::{Map, Value, json};

use super::{UUID, file, imported, lost, root};

/// The program that fills templates in by Go's own text/template; nothing if there is no Go.
fn go() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = || {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gotemplate");
        let mut go = Command::new("go");
        go.args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(root().join("tests/runner/gotemplate"));
        match go.status() {
            Ok(status) => {
                assert!(
                    status.success(),
                    "the program in tests/runner/gotemplate cannot be built"
                );
                Some(program)
            }
            Err(error) => {
                let must = std::env::var("TESTS_MAY_SKIP").is_ok_and(|it| it == "no");
                assert!(!must, "Go is needed: {error}");
                None
            }
        }
    };
    PROGRAM.get_or_init(built).as_deref()
}

fn filled_by_go(program: &Path, requests: &Value) -> Vec<String> {
    let mut command = Command::new(program);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = requests.to_string();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "Go refuses a template");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// As kube-burner reads YAML: of keys that stand twice, the last counts.
pub(super) fn documents(text: &str) -> Vec<Value> {
    let options =
        serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    let read: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    read.into_iter().filter(|it| !it.is_null()).collect()
}

/// What differs by intention: the namespace, which is the job's, and how a Secret is written.
fn comparable(mut document: Value, namespace: &str) -> Value {
    if let Some(metadata) = document["metadata"].as_object_mut()
        && metadata.get("namespace").is_some_and(|it| it == namespace)
    {
        metadata.remove("namespace");
    }
    if document["kind"] == "Secret"
        && let Some(Value::Object(plain)) = document.as_object_mut().unwrap().remove("stringData")
    {
        use base64::Engine;
        let encode = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
        let data = plain
            .into_iter()
            .map(|(name, value)| (name, json!(encode(value.as_str().unwrap()))));
        document["data"] = Value::Object(data.collect());
    }
    document
}

/// One way to set a config's variables: in the config's text, and here by `--set`.
pub(super) struct Variation {
    pub(super) edits: Vec<(&'static str, &'static str)>,
    pub(super) set: Vec<(&'static str, &'static str)>,
    pub(super) env: Vec<(&'static str, &'static str)>,
}

pub(super) fn same_as_go(folder: &Path, keep_jobs: bool, variations: &[Variation]) {
    let Some(program) = go() else {
        return;
    };
    let imported = imported(folder, keep_jobs);
    assert_eq!(lost(&imported), Vec::<String>::new());
    let output = tempfile::tempdir().unwrap();
    for (name, text) in &imported.files {
        std::fs::write(output.path().join(name), text).unwrap();
    }
    let files = Files::new(vec![output.path().to_owned()]);
    for variation in variations {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(one, other)| ((*one).to_owned(), (*other).to_owned()))
                .collect()
        };
        let env: BTreeMap<String, String> = owned(&variation.env).into_iter().collect();
        let set = owned(&variation.set);
        let suite = Suite::read(
            file(&imported, "suite.yaml"),
            &Given {
                set,
                env: env.clone(),
                ..Given::default()
            },
        );
        let suite =
            suite.unwrap_or_else(|error| panic!("{error}\n{}", file(&imported, "suite.yaml")));
        let config = config_by_go(program, folder, variation, &env);
        let theirs = config["jobs"].as_array().unwrap();
        let own: Vec<&str> = suite.jobs.iter().map(|it| &*it.name).collect();
        assert_eq!(
            own,
            theirs
                .iter()
                .map(|it| it["name"].as_str().unwrap())
                .collect::<Vec<_>>()
        );
        assert_eq!(json!(suite.global.gc), config["global"]["gc"]);
        for (job, theirs) in suite.jobs.iter().zip(theirs) {
            same_job(program, folder, &files, (&suite, job), theirs, &env);
        }
    }
}

fn config_by_go(
    program: &Path,
    folder: &Path,
    variation: &Variation,
    env: &BTreeMap<String, String>,
) -> Value {
    let mut text = std::fs::read_to_string(folder.join("config.yml")).unwrap();
    for (before, after) in &variation.edits {
        assert!(text.contains(before), "{before}");
        text = text.replace(before, after);
    }
    let mut data = json!(env);
    for name in ["ES_SERVER", "ES_INDEX"] {
        data[name] = json!(env.get(name).cloned().unwrap_or_default());
    }
    data["UUID"] = json!(UUID);
    let filled = filled_by_go(
        program,
        &json!([{ "text": text, "data": data, "env": env }]),
    );
    documents(&filled[0]).remove(0)
}

fn same_job(
    program: &Path,
    folder: &Path,
    files: &Files,
    (suite, job): (&Suite, &Job),
    theirs: &Value,
    env: &BTreeMap<String, String>,
) {
    for (name, own) in [
        ("qps", json!(job.qps)),
        ("burst", json!(job.burst)),
        ("cleanup", json!(job.cleanup)),
        ("jobIterations", json!(job.job_iterations)),
    ] {
        if let Some(their) = theirs.get(name) {
            assert_eq!(own.as_f64(), their.as_f64(), "{name} of {}", job.name);
            assert_eq!(own.as_bool(), their.as_bool(), "{name} of {}", job.name);
        }
    }
    let objects = theirs["objects"].as_array().unwrap();
    assert_eq!(job.objects.len(), objects.len(), "{}", job.name);
    let base = if job.namespace.is_empty() {
        suite.vars.namespace()
    } else {
        &job.namespace
    };
    let namespace = if job.namespaced_iterations {
        format!("{base}-0")
    } else {
        base.to_owned()
    };
    let given = json!({
        "vars": suite.vars.all(), "uuid": UUID, "runId": UUID, "jobName": job.name, "namespace": namespace,
        "iteration": 0, "replica": 1,
    });
    let mut requests = Vec::new();
    let mut own = Vec::new();
    for (object, theirs) in job.objects.iter().zip(objects) {
        let replicas = theirs.get("replicas").and_then(Value::as_u64).unwrap_or(1);
        assert_eq!(u64::from(object.replicas), replicas);
        assert_eq!(
            object.wait,
            theirs.get("wait").and_then(Value::as_bool).unwrap_or(true)
        );
        let path = theirs["objectTemplate"].as_str().unwrap();
        let text = std::fs::read_to_string(folder.join(path)).unwrap();
        let mut data = json!({ "JobName": job.name, "UUID": UUID, "RunID": UUID, "Iteration": 0, "Replica": 1 });
        let inputs = theirs
            .get("inputVars")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        data.as_object_mut().unwrap().extend(inputs);
        requests.push(json!({ "text": text, "data": data, "env": env }));

        let mut context: Map<String, Value> = given.as_object().unwrap().clone();
        context.extend(object.input_vars.clone());
        let objects = files.objects(&object.object_template, &Value::Object(context));
        own.push(objects.unwrap_or_else(|error| panic!("{path}: {error}")));
    }
    for ((own, text), object) in own
        .into_iter()
        .zip(filled_by_go(program, &json!(requests)))
        .zip(&job.objects)
    {
        let theirs: Vec<Value> = documents(&text)
            .into_iter()
            .map(|it| comparable(it, &namespace))
            .collect();
        let own: Vec<Value> = own
            .into_iter()
            .map(|it| comparable(it, &namespace))
            .collect();
        let told = |documents: &[Value]| serde_json::to_string_pretty(documents).unwrap();
        assert_eq!(
            told(&own),
            told(&theirs),
            "{}",
            object.object_template.display()
        );
    }
}
