//! Whole archives of reports: taken up where they were left, in shares, and on trial.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{errors, files, fixture, run};
use serde_json::Value;

/// Three reports in a folder of their own.
fn archive(folder: &Path) {
    fs::create_dir(folder.join("archive")).unwrap();
    for release in ["0.1.0", "0.3.1", "0.8.1"] {
        let report = fixture(&format!("reports/{release}/constant_mixed.json"));
        fs::copy(report, folder.join(format!("archive/{release}.json"))).unwrap();
    }
}

fn index(folder: &Path, more: &[&str]) -> Value {
    let arguments = ["index", "archive", "--store", "s", "--json"];
    let output = run(folder, &[&arguments[..], more].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_journal_passes_over_what_is_done_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path());
    let journal = ["--journal", "done"];
    assert_eq!(index(folder.path(), &journal)["reports"], 3);
    let again = index(folder.path(), &journal);
    assert_eq!(
        (&again["reports"], &again["passed_over"]),
        (&0.into(), &3.into())
    );
    let changed = folder.path().join("archive/0.3.1.json");
    let text = fs::read(&changed).unwrap();
    fs::write(&changed, [&text[..], b"\n"].concat()).unwrap();
    let broken = folder.path().join("archive/broken.json");
    fs::write(&broken, "{").unwrap();
    let arguments = [
        "index",
        "archive",
        "--store",
        "s",
        "--json",
        "--journal",
        "done",
    ];
    for _ in 0..2 {
        // A broken report is never done.
        let output = run(folder.path(), &arguments);
        assert!(errors(&output).contains("broken.json"), "{output:?}");
    }
    // The last line was cut by a kill.
    let text = fs::read(folder.path().join("done")).unwrap();
    fs::write(folder.path().join("done"), &text[..text.len() - 9]).unwrap();
    fs::remove_file(broken).unwrap();
    assert_eq!(index(folder.path(), &journal)["reports"], 1);
    assert_eq!(index(folder.path(), &journal)["reports"], 0);
}

#[test]
fn a_journal_is_of_one_purpose_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path());
    let journal = ["--journal", "done"];
    assert_eq!(index(folder.path(), &journal)["reports"], 3);
    // For another run, none is done.
    let of_run = ["--journal", "done", "--uuid", "other"];
    assert_eq!(index(folder.path(), &of_run)["reports"], 3);
    assert_eq!(index(folder.path(), &of_run)["passed_over"], 3);
    // A kill may cut the last line within a character.
    let text = fs::read(folder.path().join("done")).unwrap();
    fs::write(
        folder.path().join("done"),
        [&text[..], b"archive/\xC3"].concat(),
    )
    .unwrap();
    assert_eq!(index(folder.path(), &journal)["passed_over"], 3);
    let report = folder.path().join("archive/0.3.1.json");
    let text = fs::read(&report).unwrap();
    for flag in ["--journal", "--output"] {
        let output = run(
            folder.path(),
            &["index", "archive", flag, "archive/0.3.1.json"],
        );
        assert_eq!(output.status.code(), Some(2), "{flag}: {output:?}");
        assert!(fs::read(&report).unwrap() == text, "{flag}");
    }
}

#[test]
fn a_folder_without_reports_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("archive")).unwrap();
    fs::write(folder.path().join("archive/a.csv"), "a,b").unwrap();
    for command in ["index", "summary"] {
        let output = run(folder.path(), &[command, "archive"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(errors(&output).contains("no report in it"), "{output:?}");
    }
}

#[test]
fn shares_make_up_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path());
    let shares = ["0/4", "1/4", "2/4", "3/4"];
    let reports = shares.map(|shard| index(folder.path(), &["--shard", shard])["reports"].as_u64());
    assert_eq!(reports.iter().map(|it| it.unwrap()).sum::<u64>(), 3);
    assert_eq!(files(&folder.path().join("s")).len(), 6);
}

#[test]
fn a_dry_run_reads_all_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path());
    let outcome = index(folder.path(), &["--dry-run", "--journal", "done"]);
    assert_eq!(outcome["reports"], 3);
    assert!(!folder.path().join("s").exists());
    assert!(!folder.path().join("done").exists());
}

#[test]
fn a_bulk_file_has_an_action_before_each_document() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path());
    let output = run(
        folder.path(),
        &["index", "archive", "-o", "-", "--format", "bulk", "-q"],
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert!(lines.len() > 100 && lines.len().is_multiple_of(2));
    for pair in lines.chunks(2) {
        assert_eq!(pair[0]["index"]["_id"], pair[1]["document_id"]);
    }
}

#[test]
fn several_reports_at_once_come_out_as_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let reports = fixture("reports");
    let reports = reports.to_str().unwrap();
    let written = |parallel: &str| {
        let more = ["-o", "-", "--format", "ndjson", "--parallel", parallel];
        let output = run(folder.path(), &[&["index", reports][..], &more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output.stdout
    };
    let one = written("1");
    assert!(one.len() > 1_000_000);
    for _ in 0..3 {
        assert!(written("4") == one);
    }
    let stored = |parallel: &str| {
        let more = ["--store", parallel, "--parallel", parallel];
        let output = run(folder.path(), &[&["index", reports][..], &more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let root = folder.path().join(parallel);
        let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_path_buf();
        files(&root).iter().map(relative).collect::<Vec<_>>()
    };
    assert!(stored("1") == stored("4"));
}

#[test]
fn a_journal_notes_what_was_verified_and_knows_reports_by_their_place() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path());
    let journal = ["--journal", "../done"];
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    archive(&inside);
    assert_eq!(index(&inside, &journal)["reports"], 3);
    // Nothing was verified of these.
    let verified = index(&inside, &["--journal", "../done", "--verify"]);
    assert_eq!(verified["reports"], 3);
    // The same names, of another folder.
    let another = folder.path().join("another");
    fs::rename(&inside, &another).unwrap();
    assert_eq!(index(&another, &journal)["reports"], 3);
    assert_eq!(index(&another, &journal)["passed_over"], 3);
    let text = fs::read(fixture("reports/0.8.1/constant_mixed.json")).unwrap();
    let mut report: Value = serde_json::from_slice(&text).unwrap();
    let record = report.pointer_mut("/benchmarks/0/requests/successful/0/request_latency");
    *record.unwrap() = 99.0.into();
    fs::write(another.join("changed.json"), report.to_string()).unwrap();
    let arguments = ["index", "changed.json", "--verify", "--journal", "done"];
    for _ in 0..2 {
        let output = run(&another, &arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(errors(&output).contains("contradict"), "{output:?}");
    }
    let device = run(&another, &["index", "archive", "--journal", "/dev/zero"]);
    assert_eq!(device.status.code(), Some(2));
    assert!(
        errors(&device).contains("/dev/zero: cannot use it"),
        "{device:?}"
    );
}
