//! `--verify`, on genuine reports and on reports that were changed.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;

use crate::common::{errors, files, fixture, run, run_on};
use serde_json::Value;

fn verify(folder: &std::path::Path, report: &str) -> (Option<i32>, Value) {
    let output = run(
        folder,
        &["index", report, "--verify", "--store", "s", "--json"],
    );
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
    )
}

#[test]
fn genuine_reports_follow_from_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut verdicts = std::collections::BTreeMap::<String, u32>::new();
    for report in files(&fixture("reports")) {
        let (code, outcome) = verify(folder.path(), report.to_str().unwrap());
        assert_eq!(code, Some(0), "{}: {outcome}", report.display());
        for verification in outcome["verifications"].as_array().unwrap() {
            let verdict = verification["verdict"].as_str().unwrap().to_owned();
            *verdicts.entry(verdict).or_default() += 1;
        }
    }
    assert!(verdicts["agrees"] >= 35, "{verdicts:?}");
    assert_eq!(verdicts.len(), 2, "{verdicts:?}");
}

#[test]
fn one_changed_record_contradicts_the_figures() {
    for release in ["0.2.1", "0.3.1", "0.4.0", "0.5.4", "0.7.3", "0.8.1"] {
        let folder = tempfile::tempdir().unwrap();
        let text = fs::read(fixture(&format!("reports/{release}/constant_mixed.json"))).unwrap();
        let mut report: Value = serde_json::from_slice(&text).unwrap();
        let record = &mut report["benchmarks"][0]["requests"]["successful"][0];
        record["request_latency"] = 99.0.into();
        fs::write(folder.path().join("changed.json"), report.to_string()).unwrap();
        let (code, outcome) = verify(folder.path(), "changed.json");
        assert_eq!(code, Some(1), "{release}: {outcome}");
        let differences = outcome["verifications"][0]["differences"]
            .as_array()
            .unwrap();
        let largest = differences
            .iter()
            .find(|it| it["field"] == "request_latency_max_seconds")
            .unwrap();
        assert_eq!(largest["recomputed"], 99.0, "{release}");
        assert!(
            differences
                .iter()
                .all(|it| it["field"].as_str().unwrap().starts_with("request_latency"))
        );
        // Its documents are there all the same.
        assert_eq!(files(&folder.path().join("s")).len(), 2);
    }
}

#[test]
fn sampled_records_prove_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for release in ["0.2.1", "0.5.4", "0.8.1"] {
        let report = format!("reports/{release}/warmup_sampled.json");
        let output = run_on(folder.path(), &report, &["summary", "{}", "--verify"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            errors(&output).contains("not verifiable: it kept 5 of "),
            "{output:?}"
        );
    }
}
