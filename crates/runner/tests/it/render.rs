//! What the default suite comes to, over its options and the releases of GuideLLM. One snapshot shows
//! all of the default; the others show what differs from it.
//!
//! `INSTA_UPDATE=always` writes the snapshots again.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Map, Value};

const BINARY: &str = env!("CARGO_BIN_EXE_llm-d-scale");
const UUID: &str = "0f4c2d1e-6a71-4cc5-9d4b-8f9a6e3b7c10";
const RELEASES: [&str; 5] = ["0.3.1", "0.4.0", "0.6.1", "0.7.0", "0.8.1"];
const OPTIONS: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];
const TOKEN: &str = "hf_a-token-that-nobody-may-see";
const SERVER: &str = "https://somebody:some-password@search:9200";

/// Kind and name.
type Id = (String, String);
type Objects = Vec<(Id, Value)>;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().args(["render", "--uuid", UUID]);
    command.args(arguments);
    command
}

fn rendered(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// With a search server, as runs have one.
fn objects(set: &[String]) -> Objects {
    let mut command = command(&["--es-server", "http://search:9200"]);
    for assignment in set {
        command.args(["--set", assignment]);
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered(&mut command)).unwrap();
    documents.into_iter().map(named).collect()
}

fn named(manifest: Value) -> (Id, Value) {
    let text = |path: &str| manifest.pointer(path).unwrap().as_str().unwrap().to_owned();
    ((text("/kind"), text("/metadata/name")), manifest)
}

fn options(gaie: bool, simulator: bool) -> Vec<String> {
    vec![
        format!("vars.gaie={gaie}"),
        format!("vars.simulator={simulator}"),
    ]
}

fn release(version: &str) -> String {
    format!("vars.guidellmVersion={version}")
}

fn job<'a>(objects: &'a Objects, scenario: &str) -> &'a Value {
    let name = format!("{scenario}-{}", &UUID[..8]);
    let found = objects
        .iter()
        .find(|((kind, it), _)| kind == "Job" && *it == name);
    &found.unwrap().1
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap()
}

/// Every value by its path; items of lists that have names, by these.
fn flat(value: &Value, path: &str, values: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                flat(member, &format!("{path}/{name}"), values);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                let name = item["name"].as_str().map(ToOwned::to_owned);
                let name = name.unwrap_or_else(|| number.to_string());
                flat(item, &format!("{path}/{name}"), values);
            }
        }
        scalar => drop(values.insert(path.to_owned(), scalar.to_string())),
    }
}

/// The values that differ.
fn differences(old: &Value, new: &Value) -> String {
    let [mut before, mut after] = [BTreeMap::new(), BTreeMap::new()];
    flat(old, "", &mut before);
    flat(new, "", &mut after);
    let mut text = String::new();
    let paths: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let (old, new) = (before.get(path), after.get(path));
        if old != new {
            writeln!(text, "{path}").unwrap();
            for (sign, value) in [("-", old), ("+", new)] {
                if let Some(value) = value {
                    writeln!(text, "  {sign} {value}").unwrap();
                }
            }
        }
    }
    text
}

/// What other objects there are, and what differs in those that are in both.
fn compared(old: &Objects, new: &Objects) -> String {
    let find = |objects: &Objects, id: &Id| {
        let found = objects.iter().find(|(other, _)| other == id);
        found.map(|(_, manifest)| manifest.clone())
    };
    let mut text = String::new();
    for (id, _) in old.iter().filter(|(id, _)| find(new, id).is_none()) {
        writeln!(text, "without {} {}", id.0, id.1).unwrap();
    }
    for (id, manifest) in new {
        match find(old, id) {
            None => writeln!(text, "\n# more: {} {}\n{}", id.0, id.1, yaml(manifest)).unwrap(),
            Some(old) if old != *manifest => {
                let changed = differences(&old, manifest);
                writeln!(text, "\n# other: {} {}\n{changed}", id.0, id.1).unwrap();
            }
            Some(_) => {}
        }
    }
    text
}

#[test]
fn the_default() {
    let all = objects(&[]);
    let first = job(&all, "steady-chat-10");
    let shown: Vec<String> = all
        .iter()
        .filter(|(id, manifest)| id.0 != "Job" || manifest == first)
        .map(|(_, manifest)| yaml(manifest))
        .collect();
    insta::assert_snapshot!("default", shown.join("---\n"));
}

#[test]
fn the_other_scenarios() {
    let all = objects(&[]);
    let first = job(&all, "steady-chat-10");
    let mut text = String::new();
    for ((kind, name), manifest) in &all {
        if kind == "Job" && manifest != first {
            writeln!(text, "# {name}\n{}", differences(first, manifest)).unwrap();
        }
    }
    insta::assert_snapshot!("scenarios", text);
}

#[test]
fn options_of_what_is_under_test() {
    let default = objects(&options(true, true));
    for (gaie, simulator) in OPTIONS.into_iter().skip(1) {
        let mut other = objects(&options(gaie, simulator));
        // The others differ as the first one does.
        let first = job(&other, "steady-chat-10").clone();
        other.retain(|(id, manifest)| id.0 != "Job" || *manifest == first);
        let default: Objects = default
            .iter()
            .filter(|(id, _)| id.0 != "Job" || id.1.starts_with("steady-chat-10-"))
            .cloned()
            .collect();
        insta::assert_snapshot!(
            format!("gaie_{gaie}_simulator_{simulator}"),
            compared(&default, &other)
        );
    }
}

#[test]
fn releases_of_guidellm() {
    let mut text = String::new();
    for version in RELEASES {
        let all = objects(&[release(version)]);
        for scenario in ["steady-chat-10", "throughput-chat", "poisson-rag"] {
            let container = &job(&all, scenario)["spec"]["template"]["spec"]["containers"][0];
            let words: Vec<&str> = container["args"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it.as_str().unwrap())
                .collect();
            let image = container["image"].as_str().unwrap();
            writeln!(text, "# {image}, {scenario}\n{}", words.join(" ")).unwrap();
            for variable in container["env"].as_array().unwrap() {
                let name = variable["name"].as_str().unwrap();
                if name.starts_with("GUIDELLM") {
                    writeln!(text, "{name}={}", variable["value"].as_str().unwrap()).unwrap();
                }
            }
            text.push('\n');
        }
    }
    insta::assert_snapshot!("releases", text);
}

/// What a release changes, and what an option changes, do not depend on each other: the snapshots above
/// show all there is to see of the other combinations.
#[test]
fn the_rest_of_the_matrix() {
    let newest = RELEASES[4];
    let jobs = |objects: &Objects| -> Objects {
        let jobs = objects.iter().filter(|(id, _)| id.0 == "Job");
        jobs.cloned().collect()
    };
    let others = |objects: &Objects| -> Objects {
        let others = objects.iter().filter(|(id, _)| id.0 != "Job");
        others.cloned().collect()
    };
    for (gaie, simulator) in OPTIONS {
        let mut newest_set = options(gaie, simulator);
        newest_set.push(release(newest));
        let of_newest = objects(&newest_set);
        let target = |objects: &Objects| -> String {
            let environment =
                &job(objects, "steady-chat-10")["spec"]["template"]["spec"]["containers"][0]["env"];
            let found = environment.as_array().unwrap().iter().find(|it| {
                let name = it["name"].as_str().unwrap();
                name.ends_with("TARGET")
            });
            found.unwrap()["value"].as_str().unwrap().to_owned()
        };
        for version in RELEASES {
            let mut set = options(gaie, simulator);
            set.push(release(version));
            let all = objects(&set);
            assert_eq!(target(&all), target(&of_newest), "{set:?}");
            assert!(others(&all) == others(&of_newest), "{set:?}");
            let default = jobs(&objects(&[release(version)]));
            let text = serde_json::to_string(&default).unwrap();
            let moved = text.replace(&target(&default), &target(&all));
            assert_eq!(
                serde_json::to_string(&jobs(&all)).unwrap(),
                moved,
                "{set:?}"
            );
        }
    }
}

#[test]
fn secrets_are_printed_only_if_asked_for() {
    let secrets = |more: &[&str]| {
        let mut command = command(&["--es-server", SERVER]);
        rendered(command.args(more).env("HF_TOKEN", TOKEN))
    };
    let hidden = secrets(&[]);
    assert!(!hidden.contains(TOKEN) && !hidden.contains("some-password"));
    let shown = secrets(&["--show-secrets"]);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&shown).unwrap();
    let secrets: Map<String, Value> = documents
        .iter()
        .filter(|it| it["kind"] == "Secret")
        .map(|it| {
            let name = it["metadata"]["name"].as_str().unwrap();
            (name.to_owned(), it["stringData"].clone())
        })
        .collect();
    assert_eq!(
        Value::from(secrets),
        serde_json::json!({
            "guidellm-search": { "ES_SERVER": SERVER },
            "llm-d-hf-token": { "HF_TOKEN": TOKEN },
        })
    );
    // They are nowhere else.
    assert_eq!(shown.matches(TOKEN).count(), 1);
    assert_eq!(shown.matches("some-password").count(), 1);
    let same_names: Vec<Value> = serde_saphyr::from_multiple(&hidden).unwrap();
    assert_eq!(same_names.len(), documents.len());
}

#[test]
fn sidecars_reach_the_server_as_the_runner_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (authority, key) = (file("ca.pem", "the authority"), file("both.pem", "the key"));
    let told = [
        "--es-server=https://search:9200",
        "--es-requests-index=requests",
        "--pods-es-server=https://inside:9200",
        "--show-secrets",
        "--cacert",
        &authority,
        "--cert",
        &key,
    ];
    let text = rendered(&mut command(&told));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let objects: Objects = documents.into_iter().map(named).collect();
    let secret = |name: &str| {
        let secret = objects.iter().find(|((_, own), _)| own == name);
        secret.unwrap().1["stringData"].clone()
    };
    assert_eq!(
        secret("guidellm-search"),
        serde_json::json!({ "ES_SERVER": "https://inside:9200" })
    );
    assert_eq!(
        secret("guidellm-search-files"),
        serde_json::json!({ "ca.crt": "the authority", "client.pem": "the key" })
    );
    // Once each: in no job, and in no label.
    assert_eq!(text.matches("the key").count(), 1);
    let pod = &job(&objects, "steady-chat-10")["spec"]["template"]["spec"];
    insta::assert_snapshot!(
        "files_of_the_sidecars",
        yaml(&serde_json::json!({
            "args": pod["initContainers"][0]["args"],
            "env": pod["initContainers"][0]["env"],
            "volumeMounts": pod["initContainers"][0]["volumeMounts"],
            "volumes": pod["volumes"],
            "ofGuideLLM": pod["containers"][0]["volumeMounts"],
        }))
    );
    let mut none = command(&[
        "--es-server=https://search:9200",
        "--cacert",
        "/none/ca.pem",
    ]);
    let done = none.output().unwrap();
    assert!(!done.status.success());
    assert!(String::from_utf8_lossy(&done.stderr).contains("/none/ca.pem"));
}

/// A suite of two jobs, of which the first one has a namespace for each of two iterations.
fn of_iterations(folder: &std::path::Path) -> String {
    let template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: {{ namespace }}}\n";
    std::fs::write(folder.join("c.yaml.j2"), template).unwrap();
    let suite = "
vars: {own: 1}
jobs:
  - {name: a, jobIterations: 2, namespacedIterations: true, objects: [{objectTemplate: c.yaml.j2}]}
  - {name: b, objects: [{objectTemplate: c.yaml.j2}]}
";
    let path = folder.join("suite.yaml");
    std::fs::write(&path, suite).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn namespaces_are_before_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let suite = of_iterations(folder.path());
    let text = rendered(&mut command(&["-c", &suite, "-n", "n"]));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let told: Vec<String> = documents
        .iter()
        .map(|it| {
            let place = it["metadata"]["namespace"].as_str().unwrap_or_default();
            let name = it["metadata"]["name"].as_str().unwrap();
            format!("{} {place}/{name}", it["kind"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "Namespace /n-0",
            "Namespace /n-1",
            "ConfigMap n-0/c",
            "ConfigMap n-1/c",
            "Namespace /n",
            "ConfigMap n/c",
        ]
    );
    // `gc` would delete one that was there, with all that is in it.
    assert!(documents[0]["metadata"]["labels"]["llm-d-scale/run"].is_null());
}

#[test]
fn what_is_set_and_named_nowhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let suite = of_iterations(folder.path());
    let told = |arguments: &[&str]| {
        let done = command(arguments).output().unwrap();
        let told = String::from_utf8(done.stderr).unwrap();
        (done.status.code(), told)
    };
    let (code, words) = told(&["--set", "vars.promptLength=7"]);
    assert_eq!(code, Some(2));
    let wanted = "--set vars.promptLength: nothing uses it";
    assert!(words.contains(wanted) && words.contains("vars"), "{words}");
    for set in ["vars.own=2", "vars.seed=3", "vars.model=x"] {
        assert_eq!(told(&["-c", &suite, "--set", set]).0, Some(0), "{set}");
    }
    let by_another = [
        "--set",
        "vars.promptLength=7",
        "--set",
        "vars.seed={{ vars.promptLength }}",
    ];
    assert_eq!(told(&by_another).0, Some(0));
    let mine = ["-c", &suite, "--set", "vars.mine.deep=2"];
    assert_eq!(told(&mine).0, Some(2));
    // A template of the user's own names it, and does without.
    let template = folder.path().join("c.yaml.j2");
    let text = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, format!("{{# vars.mine #}}{text}")).unwrap();
    assert_eq!(told(&mine).0, Some(0));
}

#[test]
fn none_is_no_server() {
    let of = |more: &[&str]| rendered(command(more).env("UUID", "one"));
    assert_eq!(of(&["--es-server", "none"]), of(&[]));
}

#[test]
fn without_a_server_documents_wait_to_be_fetched() {
    let text = rendered(&mut command(&["--es-index", "guidellm"]));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let alone: Objects = documents.into_iter().map(named).collect();
    let first = |objects: &Objects| -> Objects {
        let is_kept = |(kind, name): &Id| kind != "Job" || name.starts_with("steady-chat-10");
        let own = objects.iter().filter(|(id, _)| is_kept(id));
        own.cloned().collect()
    };
    insta::assert_snapshot!(
        "without_a_server",
        compared(&first(&objects(&[])), &first(&alone))
    );
}

#[test]
fn without_a_token_or_a_server_there_is_no_secret() {
    let text = rendered(&mut command(&[]));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    assert!(documents.len() > 9);
    assert!(documents.iter().all(|it| it["kind"] != "Secret"));
    let jobs = documents.iter().filter(|it| it["kind"] == "Job");
    for job in jobs {
        let sidecar = &job["spec"]["template"]["spec"]["initContainers"][0];
        assert_eq!(sidecar["envFrom"], Value::Null);
    }
}

#[test]
fn a_template_of_ones_own_is_taken_by_either_name() {
    let folder = tempfile::tempdir().unwrap();
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: my-own}\n";
    let from = |folder: &std::path::Path| {
        rendered(&mut command(&["--manifests", folder.to_str().unwrap()]))
    };
    for name in ["guidellm-job.yaml.j2", "workloads/guidellm-job.yaml.j2"] {
        let own = folder.path().join(name.replace('/', "-"));
        let file = own.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, template).unwrap();
        assert!(from(&own).contains("my-own"), "{name}");
    }
    let done = command(&["--manifests", "/nonexistent"]).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("no such folder"));
}
