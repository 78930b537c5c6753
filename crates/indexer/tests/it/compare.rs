//! `compare` and `scenarios` as commands, on genuine reports.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::path::Path;

use crate::common::{errors, fixture, run};
use serde_json::Value;

const OLDER: &str = "reports/0.7.3/constant_mixed.json";
const NEWER: &str = "reports/0.8.1/constant_mixed.json";

/// Compares two fixtures; the exit code and standard output.
fn compare(base: &str, candidate: &str, more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let (base, candidate) = (fixture(base), fixture(candidate));
    let sides = [base.to_str().unwrap(), candidate.to_str().unwrap()];
    let output = run(folder.path(), &[&["compare"], &sides[..], more].concat());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(!text.is_empty(), "{}", errors(&output));
    (output.status.code(), text)
}

#[test]
fn a_comparison_is_written_for_people() {
    let (code, text) = compare(OLDER, NEWER, &["--fail-on", "ttft_p95_ms>+5%"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!("text", text);
    let more = ["--fail-on", "ttft_p95_ms<-5%", "--format", "markdown"];
    let (code, text) = compare(OLDER, NEWER, &more);
    assert_eq!(code, Some(3));
    insta::assert_snapshot!("markdown", text);
}

#[test]
fn the_point_estimate_is_judged_unless_significance_is_demanded() {
    // TTFT p95 fell by 5.4 %, TPOT p95 by 8.8 %, of which the first may be chance.
    let judged = |condition: &str, more: &[&str]| {
        compare(OLDER, NEWER, &[&["--fail-on", condition], more].concat()).0
    };
    assert_eq!(judged("ttft_p95_ms<-5%", &[]), Some(3));
    assert_eq!(judged("ttft_p95_ms<-5.5%", &[]), Some(0));
    assert_eq!(
        judged("ttft_p95_ms<-5%", &["--require-significant"]),
        Some(0)
    );
    assert_eq!(
        judged("tpot_p95_ms<-5%", &["--require-significant"]),
        Some(3)
    );
    // A rate of one sample has no test.
    let untested = ["--require-significant"];
    assert_eq!(
        judged("output_tokens_per_second_mean<-0.5%", &untested),
        Some(1)
    );
}

#[test]
fn what_measures_something_else_is_not_compared() {
    let more = ["--fail-on", "tpot_mean_ms>+5%", "--format", "json"];
    let (code, text) = compare("reports/0.3.1/constant_mixed.json", OLDER, &more);
    assert_eq!(code, Some(1));
    let comparison: Value = serde_json::from_str(&text).unwrap();
    let scenario = comparison.pointer("/scenarios/0").unwrap();
    assert_eq!(scenario["refusals"][0]["metric"], "TPOT");
    let endpoint = scenario["refusals"][1]["reason"].as_str().unwrap();
    assert!(endpoint.starts_with("another endpoint"), "{endpoint}");
    assert_eq!(
        comparison["verdicts"][0]["outcome"]["outcome"],
        "not_judged"
    );
    let (code, _) = compare(
        "reports/0.3.1/constant_mixed.json",
        OLDER,
        &[&more[..], &["--force"]].concat(),
    );
    assert_ne!(code, Some(1));
    // Other data: nothing is the same.
    let (code, text) = compare(
        OLDER,
        "reports/0.7.3/nonstreaming.json",
        &["--format", "json"],
    );
    assert_eq!(code, Some(0));
    let comparison: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        comparison["scenarios"][0]["figures"],
        Value::Array(Vec::new())
    );
}

#[test]
fn junit_is_well_formed_whatever_is_in_names() {
    let folder = tempfile::tempdir().unwrap();
    for (report, uuid) in [(OLDER, "base"), (NEWER, "candidate")] {
        let report = fixture(report);
        let job = "<steady> & \"chat\"";
        let arguments = ["index", report.to_str().unwrap(), "--uuid", uuid, "-j", job];
        assert!(run(folder.path(), &arguments).status.success());
    }
    let arguments = ["compare", "base", "candidate", "--format", "junit"];
    let threshold = ["--fail-on", "ttft_p95_ms<-5%"];
    let output = run(folder.path(), &[&arguments[..], &threshold].concat());
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    insta::assert_snapshot!("junit", String::from_utf8(output.stdout).unwrap());
}

/// A store with two runs of one scenario, of two samples each, which differ in a label.
fn indexed(folder: &Path) {
    let samples = [
        ("aaaa-1", 0, "0.5.4/constant_mixed.json"),
        ("aaaa-1", 1, "0.7.3/constant_mixed.json"),
        ("aaaa-2", 0, "0.8.1/constant_mixed.json"),
        ("aaaa-2", 1, "0.4.0/constant_mixed.json"),
    ];
    for (uuid, sample, report) in samples {
        let report = fixture(&format!("reports/{report}"));
        let sample = sample.to_string();
        let arguments = [
            "index",
            report.to_str().unwrap(),
            "--uuid",
            uuid,
            "-s",
            &sample,
        ];
        let output = run(folder, &[&arguments[..], &["-j", "chat"]].concat());
        assert!(output.status.success(), "{}", errors(&output));
    }
}

#[test]
fn sides_are_runs_or_their_beginnings_or_fields() {
    let folder = tempfile::tempdir().unwrap();
    indexed(folder.path());
    let sides = |base: &str, candidate: &str| {
        let output = run(
            folder.path(),
            &["compare", base, candidate, "--format", "json"],
        );
        let told = errors(&output);
        serde_json::from_slice::<Value>(&output.stdout).map_err(|_| told)
    };
    let found = sides("aaaa-1", "aaaa-2").unwrap();
    let scenario = &found["scenarios"][0];
    assert_eq!(scenario["base_samples"], 2);
    let method = scenario["figures"][0]["method"]["name"].as_str().unwrap();
    assert!(method.starts_with("welch"), "{method}");
    let found = sides("guidellm_version=0.7.3", "report_generation=0.4").unwrap();
    assert_eq!(found["scenarios"][0]["candidate_samples"], 1);
    let told = sides("aaaa", "aaaa-2").unwrap_err();
    assert!(
        told.contains("several runs begin so: aaaa-1, aaaa-2"),
        "{told}"
    );
    let told = sides("bbbb-9", "aaaa-2").unwrap_err();
    assert!(told.contains("there are runs aaaa-1, aaaa-2"), "{told}");
    let told = sides("gone.json", "aaaa-2").unwrap_err();
    assert!(told.contains("gone.json"), "{told}");
}

#[test]
fn scenarios_of_a_store_are_told_run_by_run_or_together() {
    let folder = tempfile::tempdir().unwrap();
    indexed(folder.path());
    let lines = |more: &[&str]| {
        let output = run(folder.path(), &[&["scenarios"], more].concat());
        assert!(output.status.success(), "{}", errors(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let by_run = lines(&[]);
    assert_eq!(by_run.len(), 3, "{by_run:?}");
    assert!(
        by_run.get(1).unwrap().contains("chat constant 4/s"),
        "{by_run:?}"
    );
    let together = lines(&["--pool-runs"]);
    assert!(together.get(1).unwrap().contains("2 runs"), "{together:?}");
    assert_eq!(lines(&["aaaa-2", "--limit", "ttft_ms=50"]).len(), 2);
    let broken = run(folder.path(), &["scenarios", "--limit", "ttft=50"]);
    assert_eq!(broken.status.code(), Some(2));
}

#[test]
fn a_broken_report_ends_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let broken = fixture("invalid/truncated_in_record.json");
    let whole = fixture(OLDER);
    let sides = [whole.to_str().unwrap(), broken.to_str().unwrap()];
    let output = run(folder.path(), &[&["compare"], &sides[..]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    assert!(errors(&output).contains("truncated_in_record.json"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_genuine_report_is_no_different_from_itself() {
    let folder = tempfile::tempdir().unwrap();
    let reports = crate::common::files(&fixture("reports"));
    assert!(reports.len() > 30);
    for report in reports {
        let name = report.to_str().unwrap();
        let output = run(folder.path(), &["compare", name, name, "--format", "json"]);
        assert!(output.status.success(), "{name}: {}", errors(&output));
        let comparison: Value = serde_json::from_slice(&output.stdout).unwrap();
        let scenarios = comparison["scenarios"].as_array().unwrap();
        assert!(!scenarios.is_empty(), "{name}");
        for figure in scenarios
            .iter()
            .flat_map(|it| it["figures"].as_array().unwrap())
        {
            let nothing = figure
                .get("change")
                .is_none_or(|it| it.as_f64() == Some(0.0));
            assert!(
                nothing && figure["significant"] == false,
                "{name}: {figure}"
            );
            assert_eq!(figure["direction"], "same", "{name}: {figure}");
        }
        let output = run(folder.path(), &["scenarios", name]);
        assert!(output.status.success(), "{name}: {}", errors(&output));
    }
}
