//! `check` and `history` as commands, on genuine reports.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::path::Path;

use crate::common::{errors, fixture, run};
use guidellm_indexer::{Sink, Store};
use guidellm_results_model::RunContext;
use guidellm_results_model::documents::{FailedRun, RunOutcome, Timestamp};
use serde_json::{Map, Value};

/// A store of the runs `run-0`, `run-1` and so on, each of one report.
fn indexed(folder: &Path, reports: &[&str]) {
    for (number, report) in reports.iter().enumerate() {
        let report = fixture(&format!("reports/{report}"));
        let uuid = format!("run-{number}");
        let arguments = [
            "index",
            report.to_str().unwrap(),
            "--uuid",
            &uuid,
            "-j",
            "chat",
        ];
        let output = run(folder, &arguments);
        assert!(output.status.success(), "{}", errors(&output));
    }
}

fn check(folder: &Path, slos: &str, more: &[&str]) -> (Option<i32>, String) {
    fs::write(folder.join("slo.yaml"), slos).unwrap();
    let output = run(folder, &[&["check", "--slo", "slo.yaml"], more].concat());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code(), text + &errors(&output))
}

#[test]
fn objectives_are_judged_and_what_is_missed_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    indexed(folder.path(), &["0.8.1/constant_mixed.json"]);
    let kept = "slos: [ttft_p95_ms <= 500, {expr: request_success_rate >= 1, severity: warning}]";
    let (code, text) = check(folder.path(), kept, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("ok      chat constant 4/s: ttft_p95_ms <= 500: met, it is 61.2"));
    assert!(text.contains("warning chat constant 4/s: request_success_rate >= 1: missed"));
    let missed = "slos: [{expr: ttft_p95_ms < 50, scenarios: [ch*], description: chats feel slow}]";
    let (code, text) = check(folder.path(), missed, &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("FAILED  chat constant 4/s: ttft_p95_ms < 50: missed"),
        "{text}"
    );
    // Nobody knows whether this one is kept.
    assert_eq!(
        check(folder.path(), "slos: [goodput_mean_rps > 0]", &[]).0,
        Some(3)
    );
    let none = "slos: [{expr: ttft_p95_ms < 50, scenarios: [rag]}]";
    assert_eq!(check(folder.path(), none, &[]).0, Some(1));
    let (code, text) = check(folder.path(), "slos: [ttft_p96_ms < 50]", &[]);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("slo.yaml") && text.contains("`ttft_p90_ms`"),
        "{text}"
    );
}

#[test]
fn what_is_missed_is_recorded_as_an_alert_once() {
    let folder = tempfile::tempdir().unwrap();
    indexed(folder.path(), &["0.8.1/constant_mixed.json"]);
    let slos = "slos: [{expr: ttft_p95_ms < 50, severity: critical}, itl_mean_ms < 1]";
    for _ in 0..2 {
        assert_eq!(check(folder.path(), slos, &["--record"]).0, Some(3));
    }
    let alerts = folder.path().join("results/alerts");
    let files = crate::common::files(&alerts);
    assert_eq!(files.len(), 2, "{files:?}");
    let report = fixture("reports/0.8.1/constant_mixed.json");
    let (code, told) = check(folder.path(), slos, &[report.to_str().unwrap(), "--record"]);
    assert_eq!(code, Some(2), "{told}");
}

/// What stands for a sample that left no report.
fn failed(uuid: &str, job_name: &str, sample: u32) -> FailedRun {
    let context = RunContext {
        job_name: job_name.to_owned(),
        sample,
        outcome: RunOutcome {
            failure_reason: Some("OOMKilled".to_owned()),
            ..RunOutcome::default()
        },
        ..RunContext::default()
    };
    FailedRun::new(&context, uuid, Timestamp::from_epoch_micros(7).unwrap())
}

#[test]
fn of_what_left_no_report_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    indexed(folder, &["0.8.1/constant_mixed.json"]);
    let store = Store::open(folder.join("results")).unwrap();
    let slos = "slos: [ttft_p95_ms <= 500]";
    // This one left a report when it was tried again.
    store.failed_run(&failed("run-0", "chat", 0)).unwrap();
    let (code, text) = check(folder, slos, &[]);
    assert_eq!((code, text.contains("left no")), (Some(0), false), "{text}");
    store.failed_run(&failed("run-0", "chat", 1)).unwrap();
    let (code, text) = check(folder, slos, &[]);
    let doubt = "warning: chat constant 4/s: 1 of 2 samples left no report: OOMKilled";
    assert_eq!((code, text.contains(doubt)), (Some(0), true), "{text}");
    store.failed_run(&failed("run-0", "rag", 0)).unwrap();
    let summary = errors(&run(folder, &["summary"]));
    let failed_one = "warning: run run-0: sample 1 of chat left no report: OOMKilled";
    assert!(summary.contains(failed_one), "{summary}");
    assert_eq!(summary.matches("left no report").count(), 2, "{summary}");
    let (code, text) = check(folder, slos, &["--record"]);
    let lost = "rag: no sample of run run-0 left a report: OOMKilled";
    let told = text.contains("FAILED  rag: ttft_p95_ms <= 500: ") && text.contains(lost);
    assert_eq!((code, told), (Some(3), true), "{text}");
    assert_eq!(
        crate::common::files(&folder.join("results/alerts")).len(),
        1
    );
    assert_eq!(check(folder, slos, &["-j", "chat"]).0, Some(0));
    let page = run(folder, &["report", "-o", "-", "--slo", "slo.yaml"]);
    assert_eq!(page.status.code(), Some(3), "{}", errors(&page));
    assert!(String::from_utf8(page.stdout).unwrap().contains(lost));
    store.failed_run(&failed("run-1", "rag", 2)).unwrap();
    let (code, text) = check(folder, slos, &["run-1"]);
    let told = text.contains("run-1: sample 2 of rag left no report: OOMKilled");
    assert_eq!((code, told), (Some(2), true), "{text}");
}

#[test]
fn a_run_that_lost_all_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    indexed(folder, &["0.8.1/constant_mixed.json"]);
    let store = Store::open(folder.join("results")).unwrap();
    store.failed_run(&failed("run-1", "chat", 0)).unwrap();
    let lost = "chat: no sample of run run-1 left a report: OOMKilled";
    let slos = "slos: [ttft_p95_ms <= 500]";
    assert_eq!(check(folder, slos, &["run-0"]).0, Some(0));
    for named in [&[][..], &["run-0", "run-1"], &["results"]] {
        let (code, text) = check(folder, slos, named);
        let told = text.contains("ok      chat constant 4/s") && text.contains(lost);
        assert_eq!((code, told), (Some(3), true), "{named:?}: {text}");
    }
    let (code, text) = check(folder, slos, &["run-"]);
    let told = text.contains("run-: several runs begin so: run-0, run-1");
    assert_eq!((code, told), (Some(2), true), "{text}");
    for command in [&["history", "ttft_p95_ms"][..], &["scenarios"]] {
        let told = run(folder, command);
        assert!(errors(&told).contains(lost), "{command:?}");
    }
    // A job of a run that has others.
    store.failed_run(&failed("run-0", "rag", 0)).unwrap();
    let compared = |more: &[&str]| {
        let compared = run(folder, &[&["compare", "run-0", "run-0"], more].concat());
        assert!(compared.status.success(), "{}", errors(&compared));
        String::from_utf8(compared.stdout).unwrap()
    };
    let lost = "rag: no sample of run run-0 left a report: OOMKilled";
    for format in ["text", "markdown"] {
        let told = compared(&["--format", format]);
        for side in ["base", "candidate"] {
            let lost = format!("lost by the {side}: {lost}");
            assert!(told.contains(&lost), "{told}");
        }
    }
    let compared: Value = serde_json::from_str(&compared(&["--json"])).unwrap();
    for side in ["/lost_base/0", "/lost_candidate/0"] {
        assert_eq!(compared.pointer(side).unwrap()["job_name"], "rag");
    }
}

#[test]
fn a_figure_is_told_over_runs() {
    let folder = tempfile::tempdir().unwrap();
    let reports =
        ["0.4.0", "0.5.4", "0.7.3", "0.8.1"].map(|it| format!("{it}/constant_mixed.json"));
    indexed(folder.path(), &reports.each_ref().map(String::as_str));
    let output = run(folder.path(), &["history", "ttft_p95_ms", "--json"]);
    assert!(output.status.success(), "{}", errors(&output));
    let series: Vec<Map<String, Value>> = serde_json::from_slice(&output.stdout).unwrap();
    let points = series.first().unwrap()["points"].as_array().unwrap();
    let mut told = points
        .iter()
        .map(|it| it["run"].as_str().unwrap())
        .collect::<Vec<_>>();
    told.sort_unstable();
    assert_eq!(told, ["run-0", "run-1", "run-2", "run-3"]);
    for point in points {
        let uuid = point["run"].as_str().unwrap();
        let output = run(folder.path(), &["summary", "--json"]);
        let summaries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let own = summaries.iter().find(|it| it["uuid"] == uuid).unwrap();
        assert_eq!(point["value"], own["ttft_p95_ms"]);
    }
    let output = run(folder.path(), &["history", "goodput_mean_rps"]);
    assert_eq!(output.status.code(), Some(2));
}
