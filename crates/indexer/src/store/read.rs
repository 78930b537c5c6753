//! What a store holds, for whoever looks at it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use guidellm_results_model::analysis::{Documents, MetricSample};
use guidellm_results_model::documents::{Summary, Timestamp};
use guidellm_results_model::frames::{instants, objects, requests_frame, summaries_frame};
use polars::frame::DataFrame;
use polars::prelude::{Column, DataType, PlSmallStr, PolarsResult, Schema};
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;
use serde_json::{Map, Value};

use super::failed::FAILED_RUNS;
use super::staged::file_name;
use super::staging::partition;
use super::tables::table;
use super::{REQUESTS, SUMMARIES, Store};
use crate::bulk::Kind;
use crate::kube_burner::{Alert, frame};

/// Rows that are read at once.
const ROWS: usize = 128 << 10;

impl Store {
    /// Opens a store that is there.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be listed.
    pub fn existing(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            bail!(
                "{}: no such store; name reports, or --store DIR",
                root.display()
            );
        }
        Self::open(root)
    }

    /// Whether a folder is a store with documents of benchmarks.
    #[must_use]
    pub fn is_one(root: &Path) -> bool {
        let folders = [SUMMARIES, FAILED_RUNS];
        folders.iter().any(|it| root.join(it).is_dir())
    }

    /// All its summaries, as [`summaries_frame`] has them.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn summaries_frame(&self) -> Result<DataFrame> {
        let mut frame = summaries_frame(&[])?;
        let schema = frame.schema().clone();
        let folder = literal(&self.root.join(SUMMARIES));
        for path in files(&folder.join("run=*/job=*"))? {
            let stored = read(&path, &schema, None, None)?;
            frame.vstack_mut(&stored).with_context(|| place(&path))?;
        }
        Ok(frame)
    }

    /// Alerts that were recorded of a run, in any order.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn alerts(&self, uuid: &str) -> Result<Vec<Alert>> {
        let mut alerts = Vec::new();
        for frame in self.tables_of(Kind::Alert, uuid, None)? {
            for row in objects(&frame)? {
                alerts.push(alert(row).with_context(|| {
                    format!(
                        "{}: an alert of run {uuid} is no such document",
                        self.root.display()
                    )
                })?);
            }
        }
        Ok(alerts)
    }

    /// The documents of a kind of kube-burner's, of a run or of one of its jobs.
    fn tables_of(&self, kind: Kind, uuid: &str, job_name: Option<&str>) -> Result<Vec<DataFrame>> {
        let folder = self.root.join(table(kind));
        let folder = if let Some(job_name) = job_name {
            literal(&folder.join(partition(uuid, job_name)))
        } else {
            jobs_of(&folder, uuid)
        };
        let schema = frame(kind, &[])?.schema().clone();
        let files = files(&folder)?;
        let frames = files.iter().map(|path| read(path, &schema, None, None));
        frames.collect()
    }
}

impl Documents for Store {
    type Error = anyhow::Error;

    fn summaries(&self) -> Result<Vec<Summary>> {
        let rows = objects(&self.summaries_frame()?)?;
        let parsed = rows.into_iter().map(|row| {
            let id = row.get("document_id").cloned().unwrap_or_default();
            serde_json::from_value(Value::Object(row)).with_context(|| {
                format!(
                    "{}: summary {id} is of an older release; index its report again",
                    self.root.display()
                )
            })
        });
        parsed.collect()
    }

    fn requests(
        &self,
        benchmark: &Summary,
        columns: &[&str],
        each: &mut dyn FnMut(&DataFrame) -> Result<()>,
    ) -> Result<()> {
        let origin = &benchmark.origin;
        let folder = partition(&origin.uuid, &origin.job_name);
        let folder = self.root.join(REQUESTS).join(folder);
        let schema = requests_frame(&[])?.select(columns.iter().copied())?;
        let schema = schema.schema().clone();
        let parts = (0..).map(|part| folder.join(file_name(benchmark, part)));
        for (part, path) in parts.enumerate() {
            if part > 0 && !path.exists() {
                break;
            }
            let file = File::open(&path).with_context(|| place(&path))?;
            let rows = ParquetReader::new(file).num_rows();
            let rows = rows.with_context(|| place(&path))?;
            for start in (0..rows).step_by(ROWS) {
                let slice = Some((start, ROWS));
                let frame = read(&path, &schema, Some(columns), slice)?;
                each(&frame).with_context(|| place(&path))?;
            }
        }
        Ok(())
    }

    fn facts(&self, uuid: &str) -> Result<Vec<Map<String, Value>>> {
        let mut facts = Vec::new();
        for frame in self.tables_of(Kind::JobSummary, uuid, None)? {
            for metadata in frame.column("metadata")?.str()?.iter() {
                let metadata = metadata.map(serde_json::from_str).transpose()?;
                facts.push(metadata.unwrap_or_default());
            }
        }
        Ok(facts)
    }

    fn metrics(&self, uuid: &str, job_name: &str) -> Result<Vec<MetricSample>> {
        let mut samples = Vec::new();
        for frame in self.tables_of(Kind::Metric, uuid, Some(job_name))? {
            let micros = frame.column("timestamp")?.datetime()?.physical();
            let names = frame.column("metricName")?.str()?;
            let labels = frame.column("labels")?.str()?;
            let values = frame.column("value")?.f64()?;
            let loads = frame.column("duringLoad")?.bool()?;
            let rows = micros.iter().zip(names.iter()).zip(labels.iter());
            let rows = rows.zip(values.iter()).zip(loads.iter());
            samples.extend(
                rows.filter_map(|((((micros, name), labels), value), load)| {
                    Some(MetricSample {
                        timestamp: Timestamp::from_epoch_micros(micros?)?,
                        metric_name: name?.into(),
                        labels: labels.unwrap_or("{}").into(),
                        value: value?,
                        during_load: load.unwrap_or_default(),
                    })
                }),
            );
        }
        Ok(samples)
    }
}

/// An alert out of its row, which has more than the document.
fn alert(mut row: Map<String, Value>) -> Result<Alert> {
    let text = |name| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let (job_name, expr) = (text("jobName").into(), text("expr").into());
    if let Some(metadata) = row.get("metadata").and_then(Value::as_str) {
        let metadata = serde_json::from_str(metadata)?;
        row.insert("metadata".to_owned(), metadata);
    }
    let alert = serde_json::from_value(Value::Object(row))?;
    Ok(Alert {
        job_name,
        expr,
        ..alert
    })
}

fn place(path: &Path) -> String {
    format!("{}: cannot read it", path.display())
}

/// A path as a pattern that means it alone.
pub(super) fn literal(path: &Path) -> PathBuf {
    glob::Pattern::escape(&path.to_string_lossy()).into()
}

/// The folders of a run's jobs in a table's folder, as a pattern.
pub(super) fn jobs_of(table: &Path, uuid: &str) -> PathBuf {
    let any = partition(uuid, "");
    literal(&table.join(any.parent().unwrap_or(&any))).join("job=*")
}

/// The Parquet files of the folders that a pattern means.
pub(super) fn files(folders: &Path) -> Result<Vec<PathBuf>> {
    let pattern = format!("{}/*.parquet", folders.display());
    Ok(glob::glob(&pattern)?.collect::<Result<_, _>>()?)
}

/// Rows of a file, in the types that they were written with.
pub(super) fn read(
    path: &Path,
    schema: &Schema,
    columns: Option<&[&str]>,
    slice: Option<(usize, usize)>,
) -> Result<DataFrame> {
    let file = File::open(path).with_context(|| place(path))?;
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let reader = ParquetReader::new(file)
        .with_columns(columns.map(names))
        .with_slice(slice);
    let mut stored = reader.finish().with_context(|| place(path))?;
    stored.rechunk_mut();
    let columns = schema.iter().map(|(name, kind)| typed(&stored, name, kind));
    let columns = columns.collect::<PolarsResult<Vec<_>>>();
    Ok(DataFrame::new(
        stored.height(),
        columns.with_context(|| place(path))?,
    )?)
}

/// A stored column in the type that it was written with. Instants come back without their zone;
/// a column that an older release did not have yet is empty.
fn typed(stored: &DataFrame, name: &PlSmallStr, kind: &DataType) -> PolarsResult<Column> {
    match (stored.column(name), kind) {
        (Err(_), _) => Ok(Column::full_null(name.clone(), stored.height(), kind)),
        (Ok(stored), DataType::Datetime(..)) => instants(stored),
        (Ok(stored), _) => stored.cast(kind),
    }
}

#[cfg(test)]
mod tests {
    use polars_io::parquet::write::ParquetWriter;

    use super::*;
    use crate::kube_burner::tests::alert;
    use crate::kube_burner::{Document, Metadata, Severity};

    #[test]
    fn a_store_of_an_older_release_is_read() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("summaries/run=u/job=j");
        std::fs::create_dir_all(&folder).unwrap();
        let frame = summaries_frame(&[]).unwrap();
        let names = ["uuid", "job_name", "timestamp"];
        let height = 2;
        let columns = names.map(|name| {
            let kind = frame.column(name).unwrap().dtype().clone();
            Column::full_null(name.into(), height, &kind)
        });
        let mut older = DataFrame::new(height, columns.to_vec()).unwrap();
        let file = File::create(folder.join("x.parquet")).unwrap();
        ParquetWriter::new(file).finish(&mut older).unwrap();
        let read = Store::existing(root.path())
            .unwrap()
            .summaries_frame()
            .unwrap();
        assert_eq!((read.height(), read.schema()), (height, frame.schema()));
    }

    #[test]
    fn alerts_read_back_as_they_were() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let known = Metadata::from_iter([("team".to_owned(), "serving".into())]);
        let mut alerts = vec![
            alert(),
            Alert {
                metadata: known.into(),
                churn_metric: true,
                ..alert()
            },
            Alert {
                // As a server has it, which knows no job.
                job_name: "".into(),
                expr: "".into(),
                severity: Severity::Warning,
                description: "epp-1 is slow".to_owned(),
                ..alert()
            },
        ];
        let tables = store.tables().unwrap();
        tables
            .add(alerts.iter().cloned().map(Document::Alert).collect())
            .unwrap();
        tables.commit().unwrap();
        let order = |it: &Alert| (it.description.clone(), it.churn_metric);
        let mut read = store.alerts("u").unwrap();
        read.sort_by_key(order);
        alerts.sort_by_key(order);
        assert_eq!(read, alerts);
        assert_eq!(store.alerts("v").unwrap(), []);
    }
}
