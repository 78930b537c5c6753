//! Configs of kube-burner, turned: what they come to here is what Go makes of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

mod go;

use std::path::{Path, PathBuf};
use std::process::Command;

use go::{Variation, documents, same_as_go};
use llm_d_scale::import::{Imported, import};
use llm_d_scale::suite::{Given, RateType, Scenario, Suite};
use llm_d_scale::templates::Files;
use proptest::prelude::*;
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_llm-d-scale");
const UUID: &str = "0a1b2c3d-run";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture(name: &str) -> PathBuf {
    root().join("fixtures/kube-burner").join(name)
}

fn imported(folder: &Path, keep_jobs: bool) -> Imported {
    let text = std::fs::read_to_string(folder.join("config.yml")).unwrap();
    import("config.yml", text, vec![folder.to_owned()], keep_jobs).unwrap()
}

fn file<'a>(imported: &'a Imported, name: &str) -> &'a str {
    let found = imported.files.iter().find(|(file, _)| file == name);
    &found.unwrap_or_else(|| panic!("{name}")).1
}

fn lost(imported: &Imported) -> Vec<String> {
    imported
        .findings
        .iter()
        .filter(|it| it.lost)
        .map(ToString::to_string)
        .collect()
}

/// Both choices of two variables that are set at a config's head.
fn switched(
    names: [(&'static str, &'static str); 2],
    written: [[&'static str; 2]; 2],
    env: &[(&'static str, &'static str)],
) -> Vec<Variation> {
    let choices = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let variation = |(first, second): (usize, usize)| Variation {
        edits: vec![
            (names[0].1, written[0][first]),
            (names[1].1, written[1][second]),
        ],
        set: vec![
            (names[0].0, if first == 0 { "true" } else { "false" }),
            (names[1].0, if second == 0 { "true" } else { "false" }),
        ],
        env: env.to_vec(),
    };
    choices.into_iter().map(variation).collect()
}

const SEARCH: [(&str, &str); 3] = [
    ("HF_TOKEN", "hf_1/+é"),
    ("ES_SERVER", "http://search:9200"),
    ("ES_INDEX", "results"),
];

#[test]
fn the_objects_of_a_scheduler_are_those_of_go() {
    let names = [
        ("vars.picker", "$picker := true"),
        ("vars.gpu", "$gpu := false"),
    ];
    let written = [
        ["$picker := true", "$picker := false"],
        ["$gpu := true", "$gpu := false"],
    ];
    same_as_go(
        &fixture("scheduler"),
        true,
        &switched(names, written, &SEARCH),
    );
}

/// The workload that this project's own one comes from; its folder is given, for it is not ours.
#[test]
fn the_objects_of_the_origin_are_those_of_go() {
    let Some(folder) = std::env::var_os("KUBE_BURNER_WORKLOAD") else {
        return;
    };
    let names = [
        ("vars.gaie", "$gaie := true"),
        ("vars.simulator", "$simulator := true"),
    ];
    let written = [
        ["$gaie := true", "$gaie := false"],
        ["$simulator := true", "$simulator := false"],
    ];
    same_as_go(Path::new(&folder), true, &switched(names, written, &SEARCH));
}

#[test]
fn every_construct_comes_to_what_go_makes_of_it() {
    let plain = || Variation {
        edits: vec![],
        set: vec![],
        env: vec![],
    };
    let sized = |size: &'static str, written: &'static str| Variation {
        edits: vec![("$size := \"small\"", written)],
        set: vec![("vars.size", size)],
        ..plain()
    };
    let debug = Variation {
        edits: vec![("$debug := false", "$debug := true")],
        set: vec![("vars.debug", "true")],
        env: vec![("ZONE", "x")],
    };
    let variations = [
        plain(),
        debug,
        sized("large", "$size := \"large\""),
        Variation {
            env: vec![("ZONE", "z")],
            ..sized("huge", "$size := \"huge\"")
        },
    ];
    same_as_go(&fixture("constructs"), false, &variations);
}

#[test]
fn jobs_that_run_guidellm_are_scenarios() {
    let imported = imported(&fixture("scheduler"), false);
    assert_eq!(lost(&imported), Vec::<String>::new());
    let text = file(&imported, "suite.yaml");
    let suite =
        Suite::read(text, &Given::default()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let names: Vec<&str> = suite.jobs.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["scenarios-need", "stack"]);
    let told = |it: &Scenario| {
        let tokens = (it.prompt_tokens, it.output_tokens);
        (
            it.name.clone(),
            it.rate_type,
            it.rate.to_string(),
            tokens,
            it.seconds,
            it.samples,
        )
    };
    assert_eq!(
        suite.scenarios.iter().map(told).collect::<Vec<_>>(),
        [
            (
                "steady-5".to_owned(),
                RateType::Constant,
                "5".to_owned(),
                (128, 32),
                45,
                Some(2)
            ),
            (
                "flood".to_owned(),
                RateType::Throughput,
                "12".to_owned(),
                (1024, 64),
                15,
                Some(2)
            ),
        ]
    );
    assert_eq!(suite.scenarios[0].pause.to_string(), "20s");
    assert_eq!(suite.scenarios[1].env["HF_HUB_OFFLINE"], "1");
    assert_eq!(suite.vars.model(), "facebook/opt-125m");
    assert_eq!(
        suite.vars.target(),
        "http://front-istio.lab.svc.cluster.local"
    );
    assert_eq!(suite.vars.namespace(), "lab");
    // The config's image has a parser in it; scenarios run GuideLLM's own.
    assert!(!suite.vars.all().contains_key("loadImage"));
    assert!(
        !imported
            .files
            .iter()
            .any(|(name, _)| name.starts_with("load"))
    );
}

#[test]
fn the_command_writes_a_suite_that_can_be_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let config = fixture("scheduler/config.yml");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let output = run(&["import", config.to_str().unwrap(), "--output", "here"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("wrote here/suite.yaml\n"), "{told}");
    let again = run(&["import", config.to_str().unwrap(), "--output", "here"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8(again.stderr).unwrap().contains("--force"));
    let forced = run(&[
        "import",
        config.to_str().unwrap(),
        "--output",
        "here",
        "--force",
    ]);
    assert_eq!(forced.status.code(), Some(0));
    let rendered = run(&[
        "render",
        "--config",
        "here/suite.yaml",
        "--namespace",
        "other",
    ]);
    assert!(
        rendered.status.success(),
        "{}",
        String::from_utf8_lossy(&rendered.stderr)
    );
    let objects = documents(&String::from_utf8(rendered.stdout).unwrap());
    let of_kind = |kind: &str| objects.iter().filter(|it| it["kind"] == kind).count();
    assert_eq!((of_kind("PersistentVolumeClaim"), of_kind("Job")), (1, 2));
    let namespaces: Vec<&str> = objects
        .iter()
        .filter_map(|it| it["metadata"]["namespace"].as_str())
        .collect();
    assert!(
        namespaces.len() > 5 && namespaces.iter().all(|it| *it == "other"),
        "{namespaces:?}"
    );

    let limits = fixture("limits/config.yml");
    let output = run(&["import", limits.to_str().unwrap(), "--output", "limits"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(folder.path().join("limits/suite.yaml").exists());
}

#[test]
fn what_cannot_be_turned_is_told_where_it_is() {
    let imported = imported(&fixture("limits"), false);
    let told = lost(&imported);
    for expected in [
        "config.yml:2:15: could not turn `randAlphaNum 8`",
        "config.yml:4:15: could not turn `absent.yml`: there is no such file",
        "config.yml:5:5: could not turn `token`: left out",
        "config.yml:6:5: could not turn `indexer`: left out: say where",
        "config.yml:8:3: could not turn `measurements`: left out",
        "config.yml:12:5: could not turn `churn`: left out",
        "config.yml:13:5: could not turn `hooks`: left out",
        "config.yml:17:9: could not turn `waitOptions`: left out",
        "config.yml:21:23: could not turn `GetIPAddress \"10.0.0.0/8\" 1 1`",
        "config.yml:22:22: could not turn `$secret`",
        "config.yml:23:1: could not turn `{{ range $i := until 3 }}…`: a suite has no loops",
        "config.yml:28:9: could not turn `objectTemplate`: there is no such file",
        "config.yml:30:14: could not turn `delete`: left out, with its job",
        "objects/limits.yml:6:14: could not turn `Binomial 5 2`",
        "objects/limits.yml:7:14: could not turn `randAlphaNum 5`",
        "objects/limits.yml:8:31: could not turn `b64enc`",
        "objects/limits.yml:10:5: could not turn `{{ template \"part\" . }}`",
        "objects/limits.yml:11:5: could not turn `{{ range $x := .missing | sortBy }}",
    ] {
        assert!(
            told.iter().any(|it| it.starts_with(expected)),
            "{expected}\n{}",
            told.join("\n")
        );
    }
    assert_eq!(told.len(), 18, "{}", told.join("\n"));
    // Each of them has left its mark, and what is left is a suite.
    let marks = |text: &str| text.matches("import: could not turn").count();
    let suite = file(&imported, "suite.yaml");
    assert_eq!(marks(suite), 13, "{suite}");
    assert_eq!(marks(file(&imported, "limits.yaml.j2")), 5);
    let suite = Suite::read(suite, &Given::default()).unwrap();
    assert_eq!(suite.jobs[0].objects.len(), 1);
    // A template in which something is missing does not pass for a whole one.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("limits.yaml.j2"),
        file(&imported, "limits.yaml.j2"),
    )
    .unwrap();
    let files = Files::new(vec![folder.path().to_owned()]);
    let error = files
        .objects(
            Path::new("limits.yaml.j2"),
            &json!({ "a": 1, "namespace": "n" }),
        )
        .unwrap_err();
    assert!(error.to_string().contains("undefined"), "{error}");
}

#[test]
fn a_config_that_is_none_is_refused_with_its_place() {
    for (text, place) in [
        ("a: 1\nb: {{ .x\n", "c.yml:2:4: "),
        ("{{ if .x }}\n", "c.yml:1:1: "),
        ("a: [1\nb: 2\n", "c.yml:"),
        ("a: {{ .x }}{{ end }}", "c.yml:1:12: "),
    ] {
        let error = import("c.yml", text.to_owned(), Vec::new(), false)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(place), "{text}: {error}");
    }
}

#[test]
fn comments_stay_where_they_were() {
    let imported = imported(&fixture("scheduler"), false);
    let suite = file(&imported, "suite.yaml");
    for expected in [
        "  # Served by all of the stack.\n  model: facebook/opt-125m\n",
        "  repeats: 2 # of each scenario\n",
        "    step: 10s # as often as Prometheus reads\n",
        "      # Only models that are not public need it.\n      - objectTemplate: token.yaml.j2\n",
        "          longest: 4096 # tokens\n",
        "          # dtype: half\n",
    ] {
        assert!(suite.contains(expected), "{expected}\n{suite}");
    }
    let picker = file(&imported, "picker.yaml.j2");
    assert!(
        picker.contains("  namespace: {{ namespace }} # as the job\n"),
        "{picker}"
    );
}

/// Pieces of configs and templates, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "\n",
        "if",
        "else",
        "end",
        "range",
        "with",
        "$x",
        ":=",
        "=",
        ".a",
        ".",
        "|",
        "(",
        ")",
        "\"",
        "`",
        "'",
        "/*",
        "*/",
        "1",
        "-",
        "a: ",
        "- ",
        "b",
        "[",
        "]",
        "{",
        "}",
        "#",
        "{%",
        "jobs:",
        "\t",
        "é",
        "define",
        ",",
        "nil",
        "{{ .a }}",
        "{{ if .a }}",
        "{{ end }}",
        "{{ $x := 1 }}",
        "|\n  ",
        "\"\\",
        "&a ",
        "*a",
        "---\n",
        "objects:",
        "{{ else }}",
        "eq",
        "  ",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Whatever a config holds, it is turned, or refused with a place in it.
    #[test]
    fn no_config_makes_it_panic(text in pieces(), other in ".{0,60}") {
        for text in [text, other] {
            let lines = text.matches('\n').count() + 1;
            match import("c.yml", text, Vec::new(), false) {
                Ok(imported) => {
                    for finding in imported.findings {
                        prop_assert!(finding.line <= lines && finding.column >= 1, "{finding}");
                    }
                }
                Err(error) => prop_assert!(error.to_string().starts_with("c.yml:"), "{error}"),
            }
        }
    }

    /// The same for a template of objects.
    #[test]
    fn no_template_makes_it_panic(text in pieces()) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yml"), &text).unwrap();
        let config = "jobs: [{name: a, objects: [{objectTemplate: a.yml, inputVars: {a: 1}}]}]\n".to_owned();
        let imported = import("c.yml", config, vec![folder.path().to_owned()], false).unwrap();
        let lines = text.matches('\n').count() + 1;
        for finding in &imported.findings {
            prop_assert!(finding.file == "a.yml" && finding.line <= lines, "{finding}");
        }
    }
}
