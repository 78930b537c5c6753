//! The command as its users meet it: arguments in, documents, messages and exit codes out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{INDEXER, documents, errors, files, fixture, run, run_on};

/// A report's documents on standard output.
const NDJSON: [&str; 6] = ["index", "{}", "-o", "-", "--format", "ndjson"];

#[test]
fn the_default_target_is_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let report = fixture("reports/0.8.1/constant_mixed.json");
    let output = run(folder.path(), &["index", report.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(files(&folder.path().join("results")).len(), 2);
}

#[test]
fn indexing_twice_leaves_one_copy() {
    let folder = tempfile::tempdir().unwrap();
    let report = fixture("reports/0.8.1/constant_mixed.json");
    for _ in 0..2 {
        run(
            folder.path(),
            &["index", report.to_str().unwrap(), "--store", "s"],
        );
    }
    let yaml = fixture("reports/0.8.1/constant_mixed.yaml");
    run(
        folder.path(),
        &["index", yaml.to_str().unwrap(), "--store", "s"],
    );
    assert_eq!(files(&folder.path().join("s")).len(), 2);
}

#[test]
fn a_summary_comes_before_its_requests() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_on(
        folder.path(),
        "reports/0.8.1/constant_multirate.json",
        &NDJSON,
    );
    let kinds: Vec<(u64, String)> = documents(&output)
        .iter()
        .map(|document| {
            let index = document["benchmark_index"].as_u64().unwrap();
            (index, document["metricName"].as_str().unwrap().to_owned())
        })
        .collect();
    let first_of = |index: u64| kinds.iter().find(|(found, _)| *found == index).unwrap();
    for index in 0..3 {
        assert_eq!(first_of(index).1, "guidellmSummary");
    }
    assert!(kinds.is_sorted_by_key(|(index, _)| *index));
}

#[test]
fn every_invalid_report_is_one_clear_line_and_leaves_nothing() {
    for report in files(&fixture("invalid")) {
        let folder = tempfile::tempdir().unwrap();
        let output = run(
            folder.path(),
            &["index", report.to_str().unwrap(), "--store", "s", "-q"],
        );
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{}: {errors}",
            report.display()
        );
        assert_eq!(errors.lines().count(), 1, "{errors}");
        let name = report.file_name().unwrap().to_str().unwrap();
        assert!(
            errors.starts_with("error: ") && errors.contains(name),
            "{errors}"
        );
        assert_eq!(files(&folder.path().join("s")), Vec::<PathBuf>::new());
        assert_eq!(fs::read_dir(folder.path().join("s")).unwrap().count(), 0);
    }
}

#[test]
fn other_reports_go_on_after_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let broken = fixture("invalid/truncated_in_record.json");
    let whole = fixture("reports/0.1.0/constant_mixed.json");
    let arguments = [
        "index",
        broken.to_str().unwrap(),
        whole.to_str().unwrap(),
        "--store",
        "s",
        "--json",
    ];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["reports"], 1);
    assert_eq!(outcome["failed"].as_array().unwrap().len(), 1);
}

#[test]
fn a_truncated_reports_whole_records_can_be_salvaged() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fixture("reports/0.8.1/constant_mixed.json");
    let text = fs::read(&whole).unwrap();
    fs::write(folder.path().join("cut.json"), &text[..text.len() * 2 / 3]).unwrap();
    let ids = |path: &str, more: &[&str]| -> Vec<String> {
        let arguments = ["index", path, "-o", "-", "--format", "ndjson"];
        let output = run(folder.path(), &[&arguments[..], more].concat());
        let ids = documents(&output);
        ids.iter()
            .map(|document| document["document_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = ids(whole.to_str().unwrap(), &[]);
    assert!(ids("cut.json", &[]).is_empty());
    let salvaged = ids("cut.json", &["--salvage"]);
    assert!(salvaged.len() > 5 && salvaged.len() < all.len());
    assert!(salvaged.iter().all(|id| all.contains(id)));
}

#[test]
fn json_yaml_and_compressed_copies_are_the_same_documents() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| {
        let mut documents = documents(&run_on(folder.path(), name, &NDJSON));
        // YAML has its keys sorted, and so the lists of requests in another order.
        documents.sort_by_key(|document| document["document_id"].to_string());
        documents
    };
    for release in ["0.4.0", "0.7.3", "0.8.1"] {
        let json = of(&format!("reports/{release}/constant_mixed.json"));
        let yaml = of(&format!("reports/{release}/constant_mixed.yaml"));
        assert_eq!(json, yaml, "{release}");
    }
    let sorted = of("valid/sorted_keys.json");
    assert!(!sorted.is_empty());
}

#[test]
fn standard_input_is_read_like_a_file() {
    let report = fixture("reports/0.3.1/constant_mixed.json");
    let arguments = ["index", "-", "-o", "-", "--format", "ndjson"];
    let output = Command::new(INDEXER)
        .args(arguments)
        .stdin(fs::File::open(report).unwrap())
        .output()
        .unwrap();
    assert_eq!(documents(&output).len(), 36);
}

#[test]
fn without_a_readable_report_standard_output_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let broken = fixture("invalid/truncated_in_record.json");
    for format in ["json", "ndjson", "csv"] {
        let arguments = [
            "index",
            broken.to_str().unwrap(),
            "-o",
            "-",
            "--format",
            format,
        ];
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty(), "{format}");
    }
}

#[test]
fn without_reports_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["index"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("no report is named"));
}

#[test]
fn a_stores_summary_has_a_row_a_benchmark() {
    let folder = tempfile::tempdir().unwrap();
    let report = fixture("reports/0.8.1/constant_multirate.json");
    run(folder.path(), &["index", report.to_str().unwrap()]);
    let output = run(folder.path(), &["summary", "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), 3);
    assert!(
        rows.iter()
            .all(|row| row["ttft_p95_ms"].as_f64().unwrap() > 0.0)
    );
}

#[test]
fn a_table_shows_benchmarks_over_their_time_alike_from_reports_and_from_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let reports = [
        "0.1.0/constant_mixed",
        "0.7.3/nonstreaming",
        "0.8.1/all_errored",
        "0.8.1/constant_multirate",
    ];
    let reports = reports.map(|it| fixture(&format!("reports/{it}.json")));
    let reports = reports.each_ref().map(|path| path.to_str().unwrap());
    let named = [&reports[..], &["-j", "steady-chat-10"]].concat();
    run(folder.path(), &[&["index"], &named[..]].concat());
    let from_reports = run(folder.path(), &[&["summary"], &named[..]].concat());
    let from_store = run(folder.path(), &["summary"]);
    assert_eq!(from_store.stdout, from_reports.stdout);
    let table = String::from_utf8(from_store.stdout).unwrap();
    insta::assert_snapshot!("summary", table);
}

#[test]
fn files_are_for_whom_the_users_umask_says() {
    let folder = tempfile::tempdir().unwrap();
    let report = fixture("reports/0.8.1/constant_mixed.json");
    let told = |arguments: &str| {
        let script = format!("umask 027; exec \"$0\" {arguments}");
        let mut command = Command::new("sh");
        command.args(["-c", &script, INDEXER]).arg(&report);
        let output = command.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
    };
    for format in ["json", "ndjson", "bulk", "csv", "guidellm-csv"] {
        told(&format!("index \"$1\" --format {format} -o {format}"));
    }
    told("index \"$1\" --format benchmark-report -o reports");
    told("report \"$1\" -o page.html");
    let written = files(folder.path());
    assert_eq!(written.len(), 7, "{written:?}");
    for file in written {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "{}", file.display());
    }
}

#[test]
fn csv_has_one_header_and_a_row_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["index", "{}", "-o", "d.csv", "--format", "csv"];
    let output = run_on(
        folder.path(),
        "reports/0.8.1/constant_multirate.json",
        &arguments,
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json = documents(&run_on(
        folder.path(),
        "reports/0.8.1/constant_multirate.json",
        &NDJSON,
    ));
    let mut table = csv::Reader::from_path(folder.path().join("d.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), json.len());
    for (row, document) in rows.iter().zip(&json) {
        let members = document.as_object().unwrap();
        let filled = header.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        for (column, cell) in filled.clone() {
            let expected = match &members[column] {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cell, expected, "{column}");
        }
        // An empty text looks like nothing.
        let empty = members
            .values()
            .filter(|value| value.as_str() == Some(""))
            .count();
        assert_eq!(filled.count() + empty, members.len());
    }
}

#[test]
fn several_reports_are_summarised_in_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["0.1.0", "0.3.1", "0.8.1"]
        .map(|release| fixture(&format!("reports/{release}/constant_mixed.json")));
    let [one, two, three] = paths.each_ref().map(|path| path.to_str().unwrap());
    let output = run(folder.path(), &["summary", three, one, two, "-j", "chat"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert_eq!(&lines[0][..3], ["JOB", "SAMPLE", "GUIDELLM"]);
    let json = run(folder.path(), &["summary", three, one, two, "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    assert!(rows.is_sorted_by_key(|row| row["timestamp"].as_str().unwrap().to_owned()));
    for (line, row) in lines[2..].iter().zip(&rows) {
        assert_eq!(line[0], "chat");
        assert_eq!(line[2], row["report_generation"].as_str().unwrap());
    }
}

#[test]
fn requests_follow_their_own_summary_when_benchmarks_take_different_passes() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read(fixture("reports/0.8.1/constant_multirate.json")).unwrap();
    let mut report: serde_json::Value = serde_json::from_slice(&text).unwrap();
    // The first benchmark tells what its requests need only after them.
    let first = report["benchmarks"][0].as_object_mut().unwrap();
    let requests = first.remove("requests").unwrap();
    let late: Vec<String> = first
        .iter()
        .map(|(key, value)| format!("{key:?}: {value}"))
        .collect();
    let late = format!("{{\"requests\": {requests}, {}}}", late.join(", "));
    let others = &report["benchmarks"].as_array().unwrap()[1..];
    let others: Vec<String> = others.iter().map(ToString::to_string).collect();
    let text = format!(
        "{{\"metadata\": {}, \"config\": {}, \"benchmarks\": [{late}, {}]}}",
        report["metadata"],
        report["config"],
        others.join(", ")
    );
    fs::write(folder.path().join("late.json"), text).unwrap();
    let arguments = ["--uuid", "u", "-o", "-", "--format", "ndjson"];
    let late = run(
        folder.path(),
        &[&["index", "late.json"], &arguments[..]].concat(),
    );
    let whole = run_on(
        folder.path(),
        "reports/0.8.1/constant_multirate.json",
        &[&["index", "{}"], &arguments[..]].concat(),
    );
    assert_eq!(late.status.code(), Some(0), "{late:?}");
    let sorted = |output| {
        let mut documents = documents(output);
        documents.sort_by_key(|document| document["document_id"].to_string());
        documents
    };
    assert_eq!(sorted(&late), sorted(&whole));
    let indices: Vec<u64> = documents(&late)
        .iter()
        .map(|it| it["benchmark_index"].as_u64().unwrap())
        .collect();
    assert!(indices.is_sorted());
}

#[test]
#[cfg(target_os = "linux")]
fn a_machine_without_authorities_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(INDEXER);
    let report = fixture("reports/0.8.1/constant_mixed.json");
    let output = command
        .current_dir(&folder)
        .args(["index", report.to_str().unwrap(), "--es-index", "any"])
        .args(["--es-server", "https://127.0.0.1:1"])
        .env("SSL_CERT_FILE", "/nowhere")
        .env("SSL_CERT_DIR", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = errors(&output);
    assert!(told.contains("SSL_CERT_FILE names a file"), "{told}");
}

#[test]
fn what_is_for_a_server_is_wrong_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let report = fixture("reports/0.8.1/constant_mixed.json");
    let report = report.to_str().unwrap();
    fs::write(
        folder.path().join("slo.yaml"),
        "slos: [ttft_p95_ms <= 5000]",
    )
    .unwrap();
    let refused = |arguments: &[&str], server: Option<&str>, told: &str| {
        let mut command = Command::new(INDEXER);
        command.current_dir(folder.path()).args(arguments);
        command.env_remove("ES_SERVER");
        command.envs(server.map(|server| ("ES_SERVER", server)));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(errors(&output).contains(told), "{}", errors(&output));
    };
    let index = ["index", report, "--op", "create", "--rejected", "rr"];
    refused(&index, None, "--op is for a server, and none is named");
    assert!(!folder.path().join("results").exists());
    // As scripts say that there is none.
    for none in ["", "none"] {
        let passed_on = ["index", report, "--es-index", "i", "--es-server", none];
        let output = run(folder.path(), &passed_on);
        assert!(output.status.success(), "{output:?}");
        assert!(
            errors(&output).contains("in the store results"),
            "{output:?}"
        );
    }
    let check = ["check", "--es-index", "nosuch", "--slo", "slo.yaml"];
    for server in [None, Some("")] {
        refused(&check, server, "--es-index is for a server");
    }
    for flag in ["--es-server", "--es-index"] {
        let both = ["scenarios", "--store", "results", flag, "x"];
        refused(&both, Some("http://x"), &format!("--store and {flag} name"));
    }
    // The environment alone is no wish.
    let mut command = Command::new(INDEXER);
    command
        .args(["scenarios", "--store", "results"])
        .current_dir(folder.path());
    command
        .env("ES_SERVER", "http://127.0.0.1:1")
        .env("ES_INDEX", "i");
    assert!(command.output().unwrap().status.success());
}

#[test]
fn the_default_store_is_told_and_an_output_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let report = fixture("reports/0.8.1/constant_mixed.json");
    let report = report.to_str().unwrap();
    let told = errors(&run(folder.path(), &["index", report]));
    assert!(told.contains("33 requests, in the store results"), "{told}");
    let output = run(folder.path(), &["index", report, "-o", "d.json.gz"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("name it d.json,"), "{output:?}");
    assert!(!folder.path().join("d.json.gz").exists());
}

#[test]
fn requests_with_empty_ids_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read(fixture("reports/0.8.1/constant_mixed.json")).unwrap();
    let mut report: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for record in [0, 1] {
        let record = &mut report["benchmarks"][0]["requests"]["successful"][record];
        record["request_id"] = "".into();
    }
    let path = folder.path().join("r.json");
    fs::write(&path, report.to_string()).unwrap();
    let arguments = ["index", "r.json", "-o", "-", "--format", "ndjson"];
    let documents = documents(&run(folder.path(), &arguments));
    let ids = documents.iter().map(|it| it["document_id"].to_string());
    let distinct: std::collections::BTreeSet<String> = ids.collect();
    assert_eq!((documents.len(), distinct.len()), (34, 34));
}
