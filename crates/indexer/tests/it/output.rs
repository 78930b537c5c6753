//! Outputs that end too soon, and what is in them once.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::common::{INDEXER, documents, errors, fixture, run};

const REPORTS: &str = "reports/0.8.1";

#[test]
fn a_reader_who_has_seen_enough_ends_it() {
    let reports = fixture(REPORTS);
    let reports = reports.to_str().unwrap();
    let index = ["index", reports, "-o", "-", "--format", "ndjson"];
    for (arguments, code, most) in [
        (index.as_slice(), 2, 3),
        (&["summary", reports, "--json"], 1, 0),
    ] {
        let mut command = Command::new(INDEXER);
        let folder = tempfile::tempdir().unwrap();
        let command = command.current_dir(&folder).args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut told = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut told)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{told}");
        assert!(told.lines().count() <= most, "{told}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_cannot_be_written_to_its_end_does_not_appear() {
    let folder = tempfile::tempdir().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 100; exec \"$0\" index \"$1\" -o out --format ndjson";
    let mut command = Command::new("sh");
    let command = command.current_dir(&folder).args(["-c", limited, INDEXER]);
    let output = command.arg(fixture(REPORTS)).output().unwrap();
    let told = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("File too large"), "{told}");
    assert!(told.contains("out: not put in its place"), "{told}");
    assert!(told.contains("reports left out"), "{told}");
    assert!(told.lines().count() <= 4, "{told}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_run_that_was_saved_in_several_forms_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let [json, yaml] = ["json", "yaml"].map(|form| {
        let report = fixture(&format!("reports/0.8.1/constant_mixed.{form}"));
        report.to_str().unwrap().to_owned()
    });
    let output = run(
        folder.path(),
        &["index", &json, &yaml, "-o", "-", "--format", "ndjson"],
    );
    let documents = documents(&output);
    let ids: BTreeSet<&str> = documents
        .iter()
        .map(|it| it["document_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), documents.len());
    let told = errors(&output);
    let warning = format!("warning: {yaml}: has benchmarks of {json};");
    assert!(told.contains(&warning), "{told}");
}
