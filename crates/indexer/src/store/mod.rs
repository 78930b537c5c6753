//! The embedded store: a folder of Parquet files that DuckDB, pandas and polars read as it is.
//!
//! `summaries/run=<uuid>/job=<job>/<document_id>.parquet` and the same under `requests`, named by
//! the summary's `document_id`: one file of each for a benchmark, and `<document_id>-1.parquet` and
//! so on for the requests of a huge one. A report is written in a staging
//! folder of the store and then renamed into place file by file, requests before summaries: a
//! summary that is there has its requests. Since names follow from identity, indexing a report
//! again, twice at once, or after a kill leaves one copy.
//!
//! kube-burner's documents are beside them: `metrics/run=<uuid>/job=<job>/<id>.parquet`, a file for
//! each metric, `job_summaries` and `alerts`. A run that left no report has its line in
//! `failed_runs/run=<uuid>/job=<job>/<id>.parquet`.

mod failed;
mod parquet;
mod read;
mod staged;
mod staging;
mod tables;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use guidellm_results_model::documents::FailedRun;

use self::staged::Staged;
pub use self::tables::Tables;
use crate::sink::{Sink, StagedReport};
use crate::unfinished::Registry;

/// Folders of the two kinds of documents.
const REQUESTS: &str = "requests";
const SUMMARIES: &str = "summaries";

const STAGING_PREFIX: &str = ".staging-";
const LOCK_NAME: &str = "lock";

/// A staging folder without a lock is somebody's who is about to take it, unless it is as old.
const UNLOCKED_AGE: Duration = Duration::from_hours(1);

/// A store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    unfinished: Registry,
}

impl Store {
    /// Opens a store, making its folder if need be, and clears up after writers that were killed.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made or listed.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        Self::watched(root.into(), Registry::default())
    }

    /// The same; what it has not finished is in a registry.
    pub(crate) fn watched(root: PathBuf, unfinished: Registry) -> Result<Self> {
        let place = || format!("{}: cannot open the store", root.display());
        fs::create_dir_all(&root).with_context(place)?;
        for entry in fs::read_dir(&root).with_context(place)? {
            let path = entry.with_context(place)?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.starts_with(STAGING_PREFIX)) && is_abandoned(&path) {
                // Another process may be clearing it up as well.
                drop(fs::remove_dir_all(&path));
            }
        }
        Ok(Self { root, unfinished })
    }

    /// Starts to take kube-burner's documents.
    ///
    /// # Errors
    ///
    /// If there is no room for them.
    pub fn tables(&self) -> Result<Tables> {
        Tables::new(&self.root, &self.unfinished)
    }
}

impl Sink for Store {
    /// Nothing of it is seen before it is committed.
    fn stage(&self) -> Result<Box<dyn StagedReport + '_>> {
        Ok(Box::new(Staged::new(&self.root, &self.unfinished)?))
    }

    fn failed_run(&self, run: &FailedRun) -> Result<bool> {
        self.keep_failed_run(run)?;
        Ok(true)
    }
}

fn is_abandoned(staging: &Path) -> bool {
    match File::open(staging.join(LOCK_NAME)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => fs::metadata(staging)
            .and_then(|folder| folder.modified())
            .is_ok_and(|made| {
                SystemTime::now()
                    .duration_since(made)
                    .is_ok_and(|age| age > UNLOCKED_AGE)
            }),
    }
}

#[cfg(test)]
mod tests {
    use guidellm_results_model::documents::{Request, Summary};

    use super::parquet::FILE_ROWS;
    use super::*;

    /// A store for some requests, of which the n-th has n as its id.
    fn stored(root: &Path, requests: u64) {
        let (summary, request) = documents();
        let store = Store::open(root).unwrap();
        let mut staged = store.stage().unwrap();
        let all = (0..requests).map(|id| Request {
            request_id: id.to_string().into(),
            ..request.clone()
        });
        let all: Vec<Request> = all.collect();
        all.chunks(1000)
            .for_each(|some| staged.requests(some.to_vec()).unwrap());
        staged.summary(summary).unwrap();
        staged.prepare().unwrap();
        staged.commit().unwrap();
    }

    /// The first documents of a genuine report.
    fn documents() -> (Summary, Request) {
        #[derive(Default)]
        struct First(Vec<Summary>, Vec<Request>);
        impl guidellm_results_model::Consumer for First {
            type Error = std::convert::Infallible;
            fn requests(&mut self, requests: Vec<Request>) -> Result<(), Self::Error> {
                self.1.extend(requests);
                Ok(())
            }
            fn summary(&mut self, summary: Summary) -> Result<(), Self::Error> {
                self.0.push(summary);
                Ok(())
            }
        }
        let report = "../../fixtures/reports/0.8.1/constant_mixed.json";
        let report = Path::new(env!("CARGO_MANIFEST_DIR")).join(report);
        let source = guidellm_results_model::Source::path(report);
        let mut first = First::default();
        guidellm_results_model::read(
            source,
            &guidellm_results_model::RunContext::default(),
            &guidellm_results_model::ReadOptions::default(),
            &mut first,
        )
        .unwrap();
        (first.0.remove(0), first.1.remove(0))
    }

    fn rows(root: &Path) -> Vec<(String, usize)> {
        use polars_io::SerReader;
        let pattern = format!("{}/requests/run=*/job=*/*.parquet", root.display());
        let paths = glob::glob(&pattern).unwrap().map(Result::unwrap);
        paths
            .map(|path| {
                let file = File::open(&path).unwrap();
                let rows = polars_io::parquet::read::ParquetReader::new(file).finish();
                let name = path.file_name().unwrap().to_string_lossy();
                let ending = name.get(36..).unwrap().to_owned();
                (ending, rows.unwrap().height())
            })
            .collect()
    }

    #[test]
    fn a_huge_benchmark_is_in_several_files_and_a_smaller_copy_replaces_them() {
        let root = tempfile::tempdir().unwrap();
        let of = |ending: &str, rows: usize| (ending.to_owned(), rows);
        stored(root.path(), 1_500_000);
        let mut found = rows(root.path());
        found.sort();
        // Files end with the row group that fills them.
        let first = FILE_ROWS.next_multiple_of(17_000);
        assert_eq!(
            found,
            [of("-1.parquet", 1_500_000 - first), of(".parquet", first)]
        );
        stored(root.path(), 5);
        assert_eq!(rows(root.path()), [of(".parquet", 5)]);
    }

    #[test]
    fn nobody_takes_a_folder_for_abandoned_that_is_being_made() {
        let root = tempfile::tempdir().unwrap();
        let (summary, request) = documents();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let store = Store::open(root.path()).unwrap();
                        let mut staged = store.stage().unwrap();
                        staged.requests(vec![request.clone()]).unwrap();
                        staged.summary(summary.clone()).unwrap();
                        staged.prepare().unwrap();
                        staged.commit().unwrap();
                    }
                });
            }
        });
    }
}
