//! kube-burner's documents on their way into the store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use polars_io::parquet::write::BatchedWriter;
use uuid::Uuid;

use super::parquet::{ROW_GROUP_ROWS, ROW_GROUP_TEXT_BYTES, parquet, sync};
use super::staging::{Staging, failure, partition, place};
use crate::bulk::Kind;
use crate::kube_burner::{Document, frame};
use crate::unfinished::Registry;

/// Documents that are being written, a file for all that belong together: a metric of a job, a job,
/// an alert's expression in a job. A file takes the place of what the store has of the same.
/// Dropped without a commit, it leaves nothing.
pub struct Tables {
    root: PathBuf,
    staging: Staging,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    files: BTreeMap<Uuid, Rows>,
    /// Documents that wait for their row group, and bytes of their texts; of all files.
    waiting: usize,
    text_bytes: usize,
}

/// A file that is being written.
struct Rows {
    kind: Kind,
    staged: PathBuf,
    /// Where it goes.
    folder: PathBuf,
    waiting: Vec<Document>,
    writer: BatchedWriter<BufWriter<File>>,
}

impl Tables {
    pub(super) fn new(root: &Path, unfinished: &Registry) -> Result<Self> {
        Ok(Self {
            root: root.to_path_buf(),
            staging: Staging::new(root, unfinished)?,
            open: Mutex::default(),
        })
    }

    /// Adds documents of any kind.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn add(&self, documents: Vec<Document>) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let added = documents
            .into_iter()
            .try_for_each(|document| self.add_one(&mut open, document));
        added.with_context(|| failure(&self.root))
    }

    fn add_one(&self, open: &mut Open, document: Document) -> Result<()> {
        let id = document.table_id();
        open.waiting += 1;
        open.text_bytes += document.text_bytes();
        if let Some(rows) = open.files.get_mut(&id) {
            rows.waiting.push(document);
        } else {
            let rows = self.create(id, document)?;
            open.files.insert(id, rows);
        }
        if open.waiting >= ROW_GROUP_ROWS || open.text_bytes >= ROW_GROUP_TEXT_BYTES {
            open.flush()?;
        }
        Ok(())
    }

    fn create(&self, id: Uuid, first: Document) -> Result<Rows> {
        let kind = first.kind();
        let staged = self.staging.file(&id.to_string());
        let schema = frame(kind, &[])?.schema().clone();
        Ok(Rows {
            kind,
            writer: parquet(File::create(&staged)?).batched(&schema)?,
            staged,
            folder: self
                .root
                .join(table(kind))
                .join(partition(first.uuid(), first.job_name())),
            waiting: vec![first],
        })
    }

    /// Puts all files in their places.
    ///
    /// # Errors
    ///
    /// If one cannot be; others may be in theirs.
    pub fn commit(self) -> Result<()> {
        let mut open = self.open.into_inner();
        let open = open.as_mut().unwrap_or_else(PoisonError::get_mut);
        let wrong = || failure(&self.root);
        open.flush().with_context(wrong)?;
        for rows in open.files.values() {
            rows.writer.finish().with_context(wrong)?;
            sync(&rows.staged).with_context(wrong)?;
        }
        for (id, rows) in &open.files {
            place(&rows.staged, &rows.folder, &id.to_string()).with_context(wrong)?;
        }
        Ok(())
    }
}

impl Open {
    fn flush(&mut self) -> Result<()> {
        for rows in self.files.values_mut() {
            if !rows.waiting.is_empty() {
                let frame = frame(rows.kind, &rows.waiting)?;
                rows.writer.write_batch(&frame)?;
                rows.waiting.clear();
            }
        }
        (self.waiting, self.text_bytes) = (0, 0);
        Ok(())
    }
}

/// The folder of a kind.
pub(super) fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Metric => "metrics",
        Kind::JobSummary => "job_summaries",
        Kind::Alert => "alerts",
        Kind::Summary => super::SUMMARIES,
        Kind::Request => super::REQUESTS,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use polars_io::SerReader;
    use polars_io::parquet::read::ParquetReader;

    use super::super::Store;
    use super::*;
    use crate::kube_burner::{Labels, Metric, tests::metric};

    fn of(name: &str, pod: &str, value: f64) -> Document {
        let labels = Labels::from([("pod".to_owned(), pod.to_owned())]);
        Document::Metric(Metric {
            labels: labels.into(),
            metric_name: name.into(),
            value,
            ..metric()
        })
    }

    /// Values of all metrics of a store, and how many files they are in.
    fn stored(root: &Path) -> (Vec<f64>, usize) {
        let pattern = format!("{}/metrics/run=u/job=j/*.parquet", root.display());
        let paths: Vec<PathBuf> = glob::glob(&pattern).unwrap().map(Result::unwrap).collect();
        let mut values = Vec::new();
        for path in &paths {
            let frame = ParquetReader::new(File::open(path).unwrap())
                .finish()
                .unwrap();
            let column = frame.column("value").unwrap().f64().unwrap().clone();
            values.extend(column.into_no_null_iter());
        }
        values.sort_by(f64::total_cmp);
        (values, paths.len())
    }

    #[test]
    fn a_metric_written_again_takes_the_place_of_its_former_self() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        for value in [1.0, 2.0] {
            let tables = store.tables().unwrap();
            tables
                .add(vec![of("cpu", "a", value), of("memory", "a", 5.0)])
                .unwrap();
            tables.add(vec![of("cpu", "b", value)]).unwrap();
            tables.commit().unwrap();
        }
        assert_eq!(stored(root.path()), (vec![2.0, 2.0, 5.0], 2));
        // Another metric of the same job leaves them alone.
        let tables = store.tables().unwrap();
        tables.add(vec![of("disk", "a", 7.0)]).unwrap();
        tables.commit().unwrap();
        assert_eq!(stored(root.path()), (vec![2.0, 2.0, 5.0, 7.0], 3));
    }

    #[test]
    fn without_a_commit_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let tables = store.tables().unwrap();
        tables.add(vec![of("cpu", "a", 1.0)]).unwrap();
        drop(tables);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn many_metrics_at_once_are_each_whole() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let tables = store.tables().unwrap();
        for round in 0..1000 {
            let some = (0..40).map(|number| of(&format!("m{number}"), "a", f64::from(round)));
            tables.add(some.collect()).unwrap();
        }
        tables.commit().unwrap();
        let (values, files) = stored(root.path());
        assert_eq!((values.len(), files), (40_000, 40));
        assert!(values.iter().rev().take(40).all(|value| *value > 998.5));
    }
}
