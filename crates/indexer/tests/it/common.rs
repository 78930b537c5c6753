//! What the tests of the command have in common.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The command.
pub(crate) const INDEXER: &str = env!("CARGO_BIN_EXE_guidellm-indexer");

/// A file or folder of the fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name)
}

/// Runs the command in a folder.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(INDEXER)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

/// The same on a fixture, whose name stands for `{}`.
pub(crate) fn run_on(folder: &Path, report: &str, arguments: &[&str]) -> Output {
    let report = fixture(report);
    let place = |argument: &&str| match *argument {
        "{}" => report.to_str().unwrap().to_owned(),
        other => other.to_owned(),
    };
    let arguments: Vec<String> = arguments.iter().map(place).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(folder, &arguments)
}

/// Standard error as text.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// NDJSON from standard output.
pub(crate) fn documents(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A report of 0.8 with three benchmarks, each of whose successful records is there `times` times
/// under ids of its own.
pub(crate) fn grown(folder: &Path, times: usize) -> PathBuf {
    let text = fs::read(fixture("reports/0.8.1/constant_multirate.json")).unwrap();
    let mut report: Value = serde_json::from_slice(&text).unwrap();
    for benchmark in report["benchmarks"].as_array_mut().unwrap() {
        let records = benchmark["requests"]["successful"].as_array_mut().unwrap();
        let copies: Vec<Value> = (0..times)
            .flat_map(|copy| {
                records.iter().map(move |record| {
                    let mut record = record.clone();
                    let id = format!("{}-{copy}", record["request_id"]);
                    record["request_id"] = id.into();
                    record
                })
            })
            .collect();
        *records = copies;
    }
    let path = folder.join("grown.json");
    fs::write(&path, serde_json::to_vec(&report).unwrap()).unwrap();
    path
}
