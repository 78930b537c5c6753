//! A damaged report gives an error or a right answer, never a panic and never half an answer.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

use std::fmt::Write;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{
    Consumer, Interrupted, ReadError, ReadOptions, ReadOutcome, RunContext, Source, read,
};
use proptest::prelude::*;
use serde_json::Value;

#[derive(Debug, Default, PartialEq)]
struct Kept {
    requests: Vec<Request>,
    summaries: Vec<Summary>,
}

impl Consumer for Kept {
    type Error = std::convert::Infallible;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        self.requests.extend(requests);
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        self.summaries.push(summary);
        Ok(())
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/reports")
        .join(name)
}

fn read_text(text: &[u8], salvage: bool) -> (Result<ReadOutcome, ReadError>, Kept) {
    let mut kept = Kept::default();
    let options = ReadOptions {
        salvage,
        ..ReadOptions::default()
    };
    let source = Source::reader(Cursor::new(text.to_vec()));
    let outcome = read(source, &RunContext::default(), &options, &mut kept);
    let outcome = outcome.map_err(|error| match error {
        Interrupted::Read(error) => error,
        Interrupted::Consumer(never) => match never {},
    });
    (outcome, kept)
}

/// One small report of each generation.
fn reports() -> Vec<Vec<u8>> {
    [
        "0.1.0", "0.2.1", "0.3.1", "0.4.0", "0.5.4", "0.7.3", "0.8.1",
    ]
    .iter()
    .map(|release| std::fs::read(fixture(&format!("{release}/constant_mixed.json"))).unwrap())
    .collect()
}

fn report() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(reports())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_truncated_report_is_told_as_one(text in report(), at in 0.0..1.0f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a position in a small file")]
        let length = (text.len() as f64 * at) as usize;
        let (outcome, kept) = read_text(&text[..length], false);
        prop_assert!(outcome.is_err());
        prop_assert!(kept.summaries.is_empty());
    }

    #[test]
    fn what_is_salvaged_is_part_of_the_whole(text in report(), at in 0.0..1.0f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a position in a small file")]
        let length = (text.len() as f64 * at) as usize;
        let (_, whole) = read_text(&text, false);
        let (outcome, kept) = read_text(&text[..length], true);
        if outcome.is_ok() {
            for request in &kept.requests {
                prop_assert!(request.origin.salvaged);
                prop_assert!(whole.requests.iter().any(|it| it.document_id == request.document_id));
            }
        } else {
            prop_assert!(kept.summaries.is_empty());
        }
    }

    #[test]
    fn a_changed_byte_is_an_error_or_an_answer(
        text in report(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut text = text;
        let at = at.index(text.len());
        text[at] = byte;
        let (outcome, kept) = read_text(&text, false);
        match outcome {
            Ok(outcome) => prop_assert_eq!(outcome.benchmarks, kept.summaries.len()),
            Err(_) => prop_assert!(kept.summaries.is_empty()),
        }
    }
}

#[test]
fn two_million_levels_of_nesting_are_an_error() {
    let deep = "[".repeat(2_000_000);
    for text in [
        deep.clone(),
        format!("{{\"benchmarks\":{deep}"),
        format!("{{\"benchmarks\":[{{\"config\":{deep}"),
        format!("{{\"benchmarks\":[{{\"requests\":{{\"successful\":[{{\"a\":{deep}"),
        format!("a: {deep}"),
    ] {
        assert!(read_text(text.as_bytes(), false).0.is_err());
    }
}

#[test]
fn yaml_anchors_cannot_blow_up() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    assert!(matches!(
        read_text(text.as_bytes(), false).0,
        Err(ReadError::Yaml { .. })
    ));
}

#[test]
fn half_a_yaml_report_is_no_report() {
    for version in [
        "0.2.1/constant_mixed_yaml",
        "0.3.1/constant_mixed",
        "0.4.0/constant_mixed",
        "0.7.3/constant_mixed",
        "0.8.1/constant_mixed",
    ] {
        let text = std::fs::read_to_string(fixture(&format!("{version}.yaml"))).unwrap();
        assert!(read_text(text.as_bytes(), false).0.is_ok(), "{version}");
        // At line feeds, where what is before is YAML as well, and within lines.
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let typed = text.rfind("\n  type_: ").unwrap();
        for at in lines.iter().step_by(97).flat_map(|at| [*at, at + 7]) {
            if at < typed || !text[..at].ends_with('\n') {
                let (outcome, _) = read_text(text.get(..at).unwrap_or_default().as_bytes(), false);
                assert!(outcome.is_err(), "{version} cut at {at}: {outcome:?}");
            }
        }
    }
}

/// A tree as GuideLLM writes it: members sorted, each value on a line of its own.
fn yaml(tree: &Value, indent: usize, lines: &mut Vec<String>) {
    let pad = " ".repeat(indent);
    let mut put = |begin: &str, value: &Value, deeper: usize| match value {
        Value::Object(it) if !it.is_empty() => {
            lines.push(format!("{pad}{begin}"));
            yaml(value, deeper, lines);
        }
        Value::Array(it) if !it.is_empty() => {
            lines.push(format!("{pad}{begin}"));
            yaml(value, deeper, lines);
        }
        leaf => lines.push(format!("{pad}{begin} {leaf}")),
    };
    match tree {
        Value::Object(members) => {
            let members: std::collections::BTreeMap<_, _> = members.iter().collect();
            for (name, value) in members {
                let deeper = indent + usize::from(value.is_object()) * 2;
                put(&format!("{name}:"), value, deeper);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                put("-", element, indent + 2);
            }
        }
        _ => {}
    }
}

/// A report of two benchmarks with few requests each.
fn of_two(name: &str) -> Value {
    let text = std::fs::read(fixture(name)).unwrap();
    let mut report: Value = serde_json::from_slice(&text).unwrap();
    let benchmarks = report["benchmarks"].as_array_mut().unwrap();
    if benchmarks.len() == 1 && benchmarks[0].get("benchmarks").is_none() {
        benchmarks.push(benchmarks[0].clone());
        let own = if benchmarks[1].get("run_id").is_some() {
            "id_"
        } else {
            "id"
        };
        benchmarks[1][own] = "another".into();
    }
    let all = benchmarks.len();
    for benchmark in benchmarks {
        for at in ["/config/profile", "/args/profile"] {
            let profile = benchmark.pointer_mut(at);
            match profile.and_then(|it| it.get_mut("completed_strategies")) {
                Some(Value::Array(done)) => done.resize(all, done[0].clone()),
                Some(done) => *done = all.into(),
                None => {}
            }
        }
        for status in ["successful", "errored", "incomplete"] {
            let records = benchmark.pointer_mut(&format!("/requests/{status}"));
            let records = records.and_then(Value::as_array_mut);
            records.into_iter().for_each(|records| records.truncate(2));
        }
    }
    report
}

#[test]
fn a_yaml_report_of_several_benchmarks_is_told_to_be_cut_at_every_line() {
    for name in [
        "0.1.0/constant_mixed",
        "0.2.1/concurrent_multi",
        "0.3.1/constant_mixed",
        "0.4.0/constant_mixed",
        "0.5.4/constant_mixed",
        "0.7.3/constant_mixed",
        "0.8.1/constant_multirate",
    ] {
        let mut lines = Vec::new();
        yaml(&of_two(&format!("{name}.json")), 0, &mut lines);
        let text = lines.join("\n") + "\n";
        let (whole, kept) = read_text(text.as_bytes(), false);
        assert!(whole.is_ok(), "{name}: {whole:?}");
        let expected = if name.starts_with("0.1") { 1 } else { 2 };
        assert!(kept.summaries.len() >= expected, "{name}");
        // All lines that begin something, all of the end, and some of the others.
        let last = lines.len() - 1;
        let mut at = 0;
        for (number, line) in lines.iter().enumerate().take(last) {
            at += line.len() + 1;
            let depth = line.len() - line.trim_start().len();
            if depth > 2 && number + 40 < last && number % 37 != 0 {
                continue;
            }
            let (outcome, _) = read_text(&text.as_bytes()[..at], false);
            assert!(outcome.is_err(), "{name} cut after {line}: {outcome:?}");
        }
        let (outcome, _) = read_text(text.trim_end().as_bytes(), false);
        assert!(outcome.is_err(), "{name} within its last line: {outcome:?}");
    }
}

#[test]
fn utf_16_is_called_so() {
    let text = "{\"benchmarks\": []}".encode_utf16();
    let little: Vec<u8> = std::iter::once(0xFEFF)
        .chain(text)
        .flat_map(u16::to_le_bytes)
        .collect();
    let error = read_text(&little, false).0.unwrap_err();
    assert!(error.to_string().contains("UTF-16"), "{error}");
}

#[test]
fn a_cut_compressed_report_is_no_empty_one() {
    let report = std::fs::read(fixture("0.8.1/constant_multirate.json")).unwrap();
    let zstd = zstd::encode_all(report.as_slice(), 3).unwrap();
    let mut gzip = flate2::read::GzEncoder::new(report.as_slice(), flate2::Compression::fast());
    let mut compressed = Vec::new();
    std::io::Read::read_to_end(&mut gzip, &mut compressed).unwrap();
    for compressed in [&zstd, &compressed] {
        for at in [4, 10, 1000, compressed.len() - 5] {
            let (outcome, _) = read_text(&compressed[..at], false);
            let error = outcome.unwrap_err();
            assert!(error.is_truncation(), "cut at {at}: {error}");
        }
    }
}

#[test]
fn what_is_whole_before_a_cut_is_salvaged_wherever_the_cut_is() {
    for name in [
        "0.1.0/sweep",
        "0.2.1/concurrent_multi",
        "0.8.1/constant_multirate",
    ] {
        let text = std::fs::read(fixture(&format!("{name}.json"))).unwrap();
        let (whole, kept) = read_text(&text, false);
        let benchmarks = whole.unwrap().benchmarks;
        let mut before = 0;
        for at in (0..64).map(|part| text.len() * part / 64) {
            let (outcome, salvaged) = read_text(&text[..at], true);
            let found = outcome.map_or(0, |outcome| outcome.benchmarks);
            assert!(
                found >= before && found <= benchmarks,
                "{name} at {at}: {found} after {before}"
            );
            assert_eq!(salvaged.summaries.len(), found);
            assert!(salvaged.requests.len() <= kept.requests.len());
            // The one that is cut may come and go, those before it may not.
            before = before.max(found.saturating_sub(1));
        }
        assert!(before + 1 >= benchmarks, "{name}: {before} of {benchmarks}");
    }
}

#[test]
fn json_is_never_tried_as_yaml() {
    let (outcome, _) = read_text(b"{benchmarks: [], a: 1}", false);
    assert!(
        matches!(outcome, Err(ReadError::Syntax { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_broken_report_is_broken_however_it_is_read() {
    // Found by fuzzing: with more than one pass, a contradictory tag went unnoticed.
    for entry in std::fs::read_dir(fixture("../invalid")).unwrap() {
        let path = entry.unwrap().path();
        let options = ReadOptions {
            verify: true,
            ..ReadOptions::default()
        };
        let read = read(
            Source::path(&path),
            &RunContext::default(),
            &options,
            &mut Kept::default(),
        );
        assert!(read.is_err(), "{}", path.display());
    }
}
