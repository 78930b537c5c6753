//! Runs that left no report: `failed_runs/run=<uuid>/job=<job>/<document_id>.parquet`.

use std::path::Path;
use std::slice;

use anyhow::{Context, Result};
use guidellm_results_model::documents::FailedRun;
use guidellm_results_model::frames::{failed_runs_frame, objects};
use serde_json::Value;

use super::Store;
use super::parquet::write_frame;
use super::read::{files, literal, read};
use super::staging::{Staging, failure, partition, place, value_of};

/// Their folder.
pub(super) const FAILED_RUNS: &str = "failed_runs";

impl Store {
    /// All that it has of them. One that left a report when it was tried again may be among them.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn failed_runs(&self) -> Result<Vec<FailedRun>> {
        self.failed_runs_of(|_| true)
    }

    /// The same of the runs whose uuid is wanted; of others nothing is read.
    pub(crate) fn failed_runs_of(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<FailedRun>> {
        let folders = literal(&self.root.join(FAILED_RUNS)).join("run=*");
        let mut runs = Vec::new();
        for folder in glob::glob(&folders.to_string_lossy())? {
            let folder = folder?;
            if value_of("run", &folder).is_some_and(|uuid| wanted(&uuid)) {
                in_folders(&literal(&folder).join("job=*"), &mut runs)?;
            }
        }
        Ok(runs)
    }

    pub(crate) fn keep_failed_run(&self, run: &FailedRun) -> Result<()> {
        let staging = Staging::new(&self.root, &self.unfinished)?;
        let id = run.document_id.to_string();
        let staged = staging.file(&id);
        let folder = self.root.join(FAILED_RUNS);
        let folder = folder.join(partition(&run.uuid, &run.job_name));
        let mut frame = failed_runs_frame(slice::from_ref(run))?;
        let written = write_frame(&staged, &mut frame);
        let placed = written.and_then(|()| Ok(place(&staged, &folder, &id)?));
        placed.with_context(|| failure(&self.root))
    }
}

/// What is in the files of the folders that a pattern means.
fn in_folders(folders: &Path, runs: &mut Vec<FailedRun>) -> Result<()> {
    let schema = failed_runs_frame(&[])?.schema().clone();
    for path in files(folders)? {
        let wrong = || format!("{}: is of another release", path.display());
        for row in objects(&read(&path, &schema, None, None)?)? {
            runs.push(serde_json::from_value(Value::Object(row)).with_context(wrong)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use guidellm_results_model::RunContext;
    use guidellm_results_model::documents::{RunOutcome, Timestamp};

    use super::*;
    use crate::sink::Sink;

    fn failed(job_name: &str, outcome: RunOutcome) -> FailedRun {
        let context = RunContext {
            job_name: job_name.to_owned(),
            sample: 2,
            outcome,
            ..RunContext::default()
        };
        FailedRun::new(&context, "u", Timestamp::from_epoch_micros(7).unwrap())
    }

    #[test]
    fn a_failed_run_reads_back_as_it_was_and_is_there_once() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        assert_eq!(store.failed_runs().unwrap(), []);
        let killed = failed(
            "a/b",
            RunOutcome {
                exit_code: Some(137),
                failure_reason: Some("OOMKilled".to_owned()),
                log_tail: Some("{\"a\": 1}\nend".to_owned()),
                namespace: Some("n".to_owned()),
                pod_name: Some("p".to_owned()),
                node_name: Some("m".to_owned()),
                passed: None,
            },
        );
        let unknown = failed("", RunOutcome::default());
        for run in [&killed, &unknown, &killed] {
            store.failed_run(run).unwrap();
        }
        let mut read = store.failed_runs().unwrap();
        read.sort_by(|one, other| other.job_name.cmp(&one.job_name));
        assert_eq!(read.as_slice(), [killed, unknown]);
        let of_run = |uuid| store.failed_runs_of(|it| it == uuid).unwrap().len();
        assert_eq!((of_run("u"), of_run("v")), (2, 0));
        assert!(Store::is_one(root.path()));
    }
}
