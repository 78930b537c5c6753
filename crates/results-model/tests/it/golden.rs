//! The documents of the genuine reports, as snapshots to be read in review.
//!
//! Numbers are checked against independent code elsewhere (`tests/independent`); these show every
//! field of every kind of report, and which of them a change touches.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, ReadOptions, RunContext, Source, read};
use serde_json::{Value, json};

/// Each summary, and of each benchmark and status the first request.
#[derive(Default)]
struct Golden {
    seen: BTreeSet<(u32, &'static str)>,
    requests: Vec<Request>,
    summaries: Vec<Summary>,
}

impl Consumer for Golden {
    type Error = std::convert::Infallible;

    fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
        for request in requests {
            let kind = (request.origin.benchmark_index, request.status.as_str());
            if self.seen.insert(kind) {
                self.requests.push(request);
            }
        }
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
        self.summaries.push(summary);
        Ok(())
    }
}

fn golden(report: &Path) -> Value {
    let context = RunContext {
        uuid: None,
        job_name: "steady-chat-10".to_owned(),
        sample: 1,
        ..RunContext::default()
    };
    let mut golden = Golden::default();
    let source = Source::path(report);
    let outcome = read(source, &context, &ReadOptions::default(), &mut golden).unwrap();
    json!({
        "requests_read": outcome.requests,
        "summaries": golden.summaries,
        "first_requests": golden.requests,
    })
}

/// Every report of a folder that is plain JSON, and the releases' folders below it.
pub(crate) fn reports(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(reports(&path));
        } else if path.extension().is_some_and(|ending| ending == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn documents_are_as_they_were() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let found = reports(&fixtures.join("reports"));
    assert!(found.len() >= 20, "{found:?}");
    for report in found {
        let release = report
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy();
        let name = report.file_stem().unwrap().to_string_lossy();
        settings.bind(|| {
            insta::assert_json_snapshot!(format!("{release}-{name}"), golden(&report));
        });
    }
}
