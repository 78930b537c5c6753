//! Suites: what they say, what is refused and how, and the default one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

use std::path::{Path, PathBuf};

use llm_d_scale::plan::{PlannedJob, Run, plan};
use llm_d_scale::search::Search;
use llm_d_scale::suite::{Given, LLM_D_SCALE, Period, RateType, Suite};
use llm_d_scale::templates::Files;
use proptest::prelude::*;
use serde_json::{Value, json};

const TOKEN: &str = "hf_a-token-that-nobody-may-see";
const ONE: &str =
    "{name: a, rateType: constant, rate: 1, promptTokens: 1, outputTokens: 1, seconds: 1}";

fn given(set: &[(&str, &str)]) -> Given {
    Given {
        set: set
            .iter()
            .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
            .collect(),
        ..Given::default()
    }
}

pub(crate) fn read(text: &str, set: &[(&str, &str)]) -> Result<Suite, String> {
    Suite::read(text, &given(set)).map_err(|error| error.to_string())
}

/// A suite of one scenario with variables.
fn with_vars(vars: &str) -> Suite {
    read(&format!("vars: {vars}\nscenarios: [{ONE}]\n"), &[]).unwrap()
}

pub(crate) fn run(uuid: &str) -> Run {
    Run {
        uuid: uuid.to_owned(),
        namespace: "llm-d-scale".to_owned(),
        es_index: "guidellm".to_owned(),
        search: Search::default(),
        keep_reports: false,
    }
}

pub(crate) fn planned(suite: &Suite, uuid: &str) -> Vec<PlannedJob> {
    plan(suite, &Files::default(), &run(uuid)).unwrap()
}

/// The container of a scenario that runs GuideLLM.
pub(crate) fn benchmark(job: &PlannedJob) -> &Value {
    let manifest = &job.objects.last().unwrap().manifest;
    &manifest["spec"]["template"]["spec"]["containers"][0]
}

fn fixtures(kind: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/suites")
        .join(kind);
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn the_default_suite_has_the_nine_scenarios() {
    let suite = read(LLM_D_SCALE, &[]).unwrap();
    let told: Vec<_> = suite
        .scenarios
        .iter()
        .map(|it| {
            let tokens = (it.prompt_tokens, it.output_tokens);
            let samples = it.samples.unwrap_or(suite.vars.samples());
            (
                &*it.name,
                it.rate_type,
                it.rate,
                tokens,
                it.seconds,
                samples,
                it.pause,
            )
        })
        .collect();
    let (constant, poisson) = (RateType::Constant, RateType::Poisson);
    let (chat, rag) = ((256, 256), (8192, 512));
    let (long, short) = (Period::seconds(30), Period::seconds(5));
    assert_eq!(
        told,
        [
            ("steady-chat-10", constant, 10.0, chat, 60, 3, long),
            ("steady-chat-20", constant, 20.0, chat, 60, 3, long),
            ("steady-chat-40", constant, 40.0, chat, 60, 3, long),
            ("steady-rag-10", constant, 10.0, rag, 60, 3, short),
            ("steady-rag-20", constant, 20.0, rag, 60, 3, short),
            ("steady-rag-40", constant, 40.0, rag, 60, 3, short),
            (
                "throughput-chat",
                RateType::Throughput,
                20.0,
                chat,
                30,
                3,
                short
            ),
            ("poisson-chat", poisson, 100.0, chat, 60, 3, short),
            ("poisson-rag", poisson, 100.0, rag, 60, 3, short),
        ]
    );
    assert_eq!(suite.vars.model(), "Qwen/Qwen3-0.6B");
    assert_eq!(suite.jobs.len(), 1);
    let infra = &suite.jobs[0];
    assert_eq!((infra.qps, infra.burst, infra.cleanup), (5.0, 5, false));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (path, text) in fixtures("wrong") {
        let name = path.display();
        let told = text.lines().next().unwrap().strip_prefix("# told: ");
        let told = told.unwrap_or_else(|| panic!("{name} does not say what is told"));
        let refused = read(&text, &[]).map(drop).unwrap_err();
        assert!(refused.starts_with(told), "{name}: {refused}");
    }
}

#[test]
fn what_is_right_is_read_and_planned() {
    for (path, text) in fixtures("valid") {
        let suite = read(&text, &[]).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if path.ends_with("short.yaml") {
            assert!(!planned(&suite, "run").is_empty());
        }
    }
}

#[test]
fn expressions_keep_their_types() {
    let (_, text) = fixtures("valid").remove(0);
    let suite = read(&text, &[]).unwrap();
    let vars = suite.vars.all();
    assert_eq!(vars["last"], json!(41));
    assert_eq!(vars["size"], json!(8));
    assert!(!suite.global.gc);
    assert_eq!(suite.global.timeout, Period::seconds(41 * 60));
    assert_eq!(suite.metrics_endpoints.len(), 1);
    let job = &suite.jobs[0];
    assert_eq!(
        (&*job.name, job.qps, job.job_iterations),
        ("chat-prepare", 20.5, 2)
    );
    assert!(job.namespaced_iterations);
    let [object] = &*job.objects else {
        panic!("{job:?}");
    };
    assert_eq!(
        Value::from(object.input_vars.clone()),
        json!({"when": "a name like any other: small", "list": ["chat", "rag"], "none": null})
    );
    let scenario = &suite.scenarios[0];
    assert_eq!(
        (&*scenario.name, scenario.rate_type),
        ("rag", RateType::Poisson)
    );
    assert_eq!((scenario.rate, scenario.seconds), (0.5, 41));
    assert_eq!(scenario.samples, None);
    assert_eq!(scenario.env.get("when").map(String::as_str), Some("small"));
    assert_eq!(suite.vars.guidellm_image(), "local: image # 1");
}

#[test]
fn a_text_with_more_than_an_expression_is_a_text() {
    let suite = with_vars(
        "{a: '{{ 4 }}', b: '{{ 4 }}{{ 2 }}', c: 'x{{ 4 }}', d: \"{{ {'e': [1, none]} }}\", \
         f: '{{- -4 -}}', g: '{{ vars.missing | default(7) }}', h: '{# no expression #}', \
         i: \"{{ '{{' }}{{ '}}' }}\", j: '{% if vars.gaie %}y{% endif %}'}",
    );
    let all = suite.vars.all();
    for (name, value) in [
        ("a", json!(4)),
        ("b", json!("42")),
        ("c", json!("x4")),
        ("d", json!({"e": [1, null]})),
        ("f", json!(-4)),
        ("g", json!(7)),
        ("h", json!("{# no expression #}")),
        ("i", json!("{{}}")),
        ("j", json!("y")),
    ] {
        assert_eq!(all[name], value, "{name}");
    }
}

#[test]
fn a_value_of_the_environment_is_no_expression() {
    let mut given = Given::default();
    given
        .env
        .insert("X".to_owned(), "{{ vars.model }}".to_owned());
    let text =
        format!("vars: {{a: '{{{{ env.X }}}}', b: '{{{{ vars.a }}}}'}}\nscenarios: [{ONE}]\n");
    let suite = Suite::read(&text, &given).unwrap();
    assert_eq!(suite.vars.all()["b"], json!("{{ vars.model }}"));
}

#[test]
fn variables_may_name_each_other_in_any_order() {
    // Only what is really asked for counts; a branch that is not taken makes no circle.
    let suite = with_vars(
        "{a: '{{ vars.b if vars.gaie else vars.c }}', b: \"{{ vars[vars.which] }}\", \
         c: '{{ vars.a }}', which: d, d: {e: 5}, all: \"{{ 'zz' in vars }}\", zz: 1}",
    );
    let all = suite.vars.all();
    assert_eq!(all["a"], json!({"e": 5}));
    assert_eq!(all["c"], json!({"e": 5}));
    assert_eq!(all["all"], json!(true));
}

#[test]
fn values_can_be_set() {
    let set = |path: &str, value: &str| read(LLM_D_SCALE, &[(path, value)]);
    let done = |path: &str, value: &str| set(path, value).unwrap();
    assert_eq!(done("vars.samples", "7").vars.samples(), 7);
    let faster = done("jobs.0.qps", "20");
    assert_eq!(format!("{:.1}", faster.jobs[0].qps), "20.0");
    assert_eq!(
        done("scenarios.8.pause", "1s").scenarios[8].pause,
        Period::seconds(1)
    );
    assert_eq!(done("scenarios", &format!("[{ONE}]")).scenarios.len(), 1);
    assert_eq!(done("jobs", "[]").jobs.len(), 0);
    assert_eq!(
        done("jobs.0.objects.0.when", "false").jobs[0].objects.len() + 1,
        read(LLM_D_SCALE, &[]).unwrap().jobs[0].objects.len()
    );
    let own = done("vars.mine.deep", "[1, x]");
    assert_eq!(own.vars.all()["mine"], json!({"deep": [1, "x"]}));
    let selected = done(r"vars.gpuNodeSelector.node-role\.kubernetes\.io/gpu", "''");
    assert_eq!(
        selected.vars.all()["gpuNodeSelector"],
        json!({"node-role.kubernetes.io/gpu": ""})
    );
    // An expression, of the whole that it becomes a part of.
    let renamed = done("vars.namespace", "other");
    let target = "http://llm-d-scale-istio.other.svc.cluster.local";
    assert_eq!(renamed.vars.target(), target);
    assert_eq!(done("vars.hfToken", "").vars.all()["hfToken"], Value::Null);
    let text = done("vars.model", "{{ vars.namespace }}");
    assert_eq!(text.vars.model(), "llm-d-scale");
    // The last one counts.
    let twice = read(LLM_D_SCALE, &[("vars.samples", "1"), ("vars.samples", "2")]);
    assert_eq!(twice.unwrap().vars.samples(), 2);
}

#[test]
fn what_cannot_be_set_is_refused_with_its_path() {
    for (path, value, told) in [
        (
            "vars.samples",
            "few",
            "--set vars.samples: vars.samples: the text `few` is where a whole number from 0 to 4294967295 is needed",
        ),
        (
            "vars.samples",
            "0",
            "--set vars.samples: vars.samples: it is 0",
        ),
        (
            "vars.sampels",
            "1",
            "--set vars.sampels: the variable `sampels` is too much like `samples`",
        ),
        (
            "vars.eppImge",
            "x",
            "--set vars.eppImge: the suite has no variable `eppImge`; did you mean `eppImage`?",
        ),
        (
            "vars.model",
            "{{ vars.nope }}",
            "--set vars.model: undefined value: nothing is known of `vars.nope`",
        ),
        ("vars.model", "[", "--set vars.model: "),
        (
            "scenarios.9.rate",
            "1",
            "--set scenarios.9.rate: `9` is none of the 9 items, which are numbered from 0",
        ),
        (
            "scenarios.0.rat",
            "1",
            "--set scenarios.0.rat: scenarios.0: unknown field `rat`; did you mean `rate`?",
        ),
        ("scenarios.0.rate", "0", "line "),
        (
            "scenarios.0",
            "{name: x}",
            "--set scenarios.0: scenarios.0: `rateType` is missing",
        ),
        (
            "global.gc.x",
            "1",
            "--set global.gc.x: `x` is asked of a value that has no members",
        ),
        (
            "vars.eppArgs",
            "--v=3",
            "--set vars.eppArgs: `--v=3` is where a list is needed: --set 'vars.eppArgs=[--v=3]'",
        ),
        (
            "vars.vllmArgs",
            "7",
            "--set vars.vllmArgs: `7` is where a list is needed",
        ),
        ("vars..x", "1", "--set vars..x: a name in it is empty"),
        ("", "1", "--set : a name in it is empty"),
    ] {
        let refused = read(LLM_D_SCALE, &[(path, value)]).map(drop).unwrap_err();
        assert!(refused.starts_with(told), "{path}={value}: {refused}");
    }
}

#[test]
fn a_list_may_be_set_to_a_list_or_what_an_expression_gives() {
    for (value, list) in [
        ("[--v=3]", json!(["--v=3"])),
        ("[]", json!([])),
        ("{{ [vars.model] }}", json!(["m"])),
    ] {
        let set = [("vars.eppArgs", value), ("vars.model", "m")];
        let suite = read(LLM_D_SCALE, &set).unwrap();
        assert_eq!(suite.vars.all()["eppArgs"], list, "{value}");
    }
}

#[test]
fn what_is_not_yaml_is_refused() {
    for text in [
        "a: [",
        "a: 1\na: 2\n",
        "--- 1\n--- 2\n",
        "\t",
        "a: !!binary x",
        "&a [*a]",
        "{? [x] : y}",
        ".nan",
        "a: 1e999",
    ] {
        assert!(read(text, &[]).is_err(), "{text}");
    }
}

#[test]
fn tokens_are_in_no_debug_output() {
    let mut given = Given::default();
    given.env.insert("HF_TOKEN".to_owned(), TOKEN.to_owned());
    given
        .set
        .push(("vars.own".to_owned(), format!("'{TOKEN}'")));
    let own = ONE.replace('}', &format!(", env: {{T: '{TOKEN}'}}}}"));
    let text = format!("{LLM_D_SCALE}  - {own}\n");
    let mut suite = Suite::read(&text, &given).unwrap();
    let handed_on = json!({ "token": TOKEN });
    suite.jobs[0].objects[0].input_vars = handed_on.as_object().unwrap().clone();
    assert_eq!(suite.vars.all()["hfToken"], json!(TOKEN));
    for shown in [
        format!("{suite:#?}"),
        format!("{:?}", suite.vars),
        format!("{given:?}"),
    ] {
        assert!(!shown.contains(TOKEN), "{shown}");
    }
    let shown = format!("{suite:?}");
    assert!(
        shown.contains("hfToken") && shown.contains("steady-chat-10"),
        "{shown}"
    );
}

/// Text that has the shapes of suites, and others.
fn texts() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-zA-Z0-9 .|'\"_\\[\\](){}%#*&!?:,<>~+/-]{0,12}",
        prop::sample::select(vec![
            "vars",
            "jobs",
            "scenarios",
            "global",
            "name",
            "when",
            "rate",
            "rateType",
            "constant",
            "{{ vars.a }}",
            "{{ vars['b'] }}",
            "{{ env.X }}",
            "{% for a in vars %}{{ a }}{% endfor %}",
            "{{ range(3) }}",
            "{{- 1 -}}",
            "{{",
            "}}",
            "null",
            "1e9",
            "-1",
            "18446744073709551615",
            "[[]]",
            "{a: {b: c}}",
            "&x",
            "*x",
            "<<",
            "|",
            ">",
            "- ",
            "? ",
            "\u{feff}",
            "\u{0}",
            "é\u{1F600}",
        ])
        .prop_map(ToOwned::to_owned),
    ];
    let line = (0usize..8, word.clone(), word)
        .prop_map(|(indent, key, value)| format!("{}{key}: {value}\n", " ".repeat(indent)));
    prop_oneof![
        any::<String>(),
        prop::collection::vec(line, 0..20).prop_map(|lines| lines.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_the_reader_panic(text in texts()) {
        drop(read(&text, &[]));
    }

    #[test]
    fn deep_text_is_refused_or_read(depth in 1usize..3000) {
        let [open, close] = ["[", "]"].map(|it| it.repeat(depth));
        drop(read(&open, &[]));
        drop(read(&format!("vars: {}{}", "{a: ".repeat(depth), "}".repeat(depth)), &[]));
        drop(read(&format!("vars: {{a: '{{{{ {open}1{close} }}}}'}}"), &[]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_to_the_default_suite_makes_the_reader_panic(
        at in 0..LLM_D_SCALE.len(), cut in 0usize..40, put in texts(),
    ) {
        let start = LLM_D_SCALE.floor_char_boundary(at);
        let end = LLM_D_SCALE.floor_char_boundary((at + cut).min(LLM_D_SCALE.len())).max(start);
        let text = [&LLM_D_SCALE[..start], &put, &LLM_D_SCALE[end..]].concat();
        drop(read(&text, &[]));
    }

    #[test]
    fn nothing_that_is_set_makes_the_reader_panic(path in "[a-z0-9.\\\\]{0,20}", value in texts()) {
        for path in [path.clone(), format!("vars.{path}"), format!("scenarios.{path}")] {
            drop(read(LLM_D_SCALE, &[(&path, &value)]));
        }
    }

    #[test]
    fn any_text_of_a_variable_reaches_the_manifest_as_it_is(text in any::<String>()) {
        prop_assume!(!text.contains("{{") && !text.contains("{%"));
        let quoted = serde_json::to_string(&text).unwrap();
        let set = [("vars.guidellmImage", &*quoted), ("jobs", "[]"), ("scenarios", &format!("[{ONE}]"))];
        // What is no YAML, as a NUL, is refused and not changed.
        if let Ok(suite) = read(LLM_D_SCALE, &set) {
            let jobs = plan(&suite, &Files::default(), &run("run")).unwrap();
            prop_assert_eq!(&benchmark(&jobs[0])["image"], &json!(text));
        }
    }
}
