//! The embedded store: a folder of Parquet files that DuckDB, pandas and polars read as it is.
//!
//! `summaries/run=<uuid>/job=<job>/<document_id>.parquet` and the same under `requests`, one file
//! of each for a benchmark, named by its summary's `document_id`. A report is written in a staging
//! folder of the store and then renamed into place file by file, requests before summaries: a
//! summary that is there has its requests. Since names follow from identity, indexing a report
//! again, twice at once, or after a kill leaves one copy.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use guidellm_results_model::documents::{Origin, Request, Summary};
use guidellm_results_model::frames::{requests_frame, summaries_frame};
use polars::frame::DataFrame;
use polars_io::parquet::write::{BatchedWriter, ParquetCompression, ParquetWriter};
use tempfile::TempDir;

use crate::unfinished::Unfinished;

/// Rows of a row group; bounds what a writer holds.
const ROW_GROUP_ROWS: usize = 16 << 10;

/// The same for the rows' error texts, which may be whole pages.
const ROW_GROUP_TEXT_BYTES: usize = 8 << 20;

const STAGING_PREFIX: &str = ".staging-";
const LOCK_NAME: &str = "lock";

/// A staging folder without a lock is somebody's who is about to take it, unless it is as old.
const UNLOCKED_AGE: Duration = Duration::from_hours(1);

/// A store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens a store, making its folder if need be, and clears up after writers that were killed.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made or listed.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
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
        Ok(Self { root })
    }

    /// The folder of its summaries.
    #[must_use]
    pub fn summaries(&self) -> PathBuf {
        self.root.join("summaries")
    }

    /// Starts to write a report. Nothing of it is seen before [`StagedReport::commit`].
    ///
    /// # Errors
    ///
    /// If the staging folder cannot be made.
    pub fn stage(&self) -> Result<StagedReport> {
        let place = || format!("{}: cannot write to the store", self.root.display());
        let folder = tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(&self.root)
            .with_context(place)?;
        let lock = File::create(folder.path().join(LOCK_NAME)).with_context(place)?;
        lock.lock().with_context(place)?;
        Ok(StagedReport {
            root: self.root.clone(),
            _unfinished: Unfinished::new(folder.path()),
            folder,
            _lock: lock,
            open: None,
            finished: Vec::new(),
            summaries: Vec::new(),
        })
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

/// A report that is being written. Dropped without a commit, it leaves nothing.
pub struct StagedReport {
    root: PathBuf,
    folder: TempDir,
    _unfinished: Unfinished,
    /// Held as long as the folder is in use.
    _lock: File,
    open: Option<RequestsFile>,
    /// Benchmarks whose requests are written.
    finished: Vec<u32>,
    summaries: Vec<Summary>,
}

/// The requests of the benchmark that is being written.
struct RequestsFile {
    benchmark: u32,
    writer: BatchedWriter<File>,
    rows: Vec<Request>,
    text_bytes: usize,
}

impl StagedReport {
    /// Adds requests of one benchmark. Those of a benchmark come together.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        let Some(benchmark) = requests.first().map(|it| it.origin.benchmark_index) else {
            return Ok(());
        };
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.benchmark != benchmark)
        {
            self.finish_requests()?;
            self.open = Some(self.create_requests(benchmark)?);
        }
        if let Some(open) = &mut self.open {
            open.add(requests);
            if open.is_full() {
                open.flush().with_context(|| self.failure())?;
            }
        }
        Ok(())
    }

    /// Adds a summary.
    pub fn summary(&mut self, summary: Summary) {
        self.summaries.push(summary);
    }

    /// Puts everything in its place.
    ///
    /// # Errors
    ///
    /// If something cannot be written or renamed; benchmarks that are already in their place stay.
    pub fn commit(mut self) -> Result<()> {
        self.finish_requests()?;
        let summaries = std::mem::take(&mut self.summaries);
        for summary in &summaries {
            let benchmark = summary.origin.benchmark_index;
            if !self.finished.contains(&benchmark) {
                self.open = Some(self.create_requests(benchmark)?);
                self.finish_requests()?;
            }
            let mut frame = summaries_frame(std::slice::from_ref(summary))?;
            let staged = self.staged("summary", benchmark);
            write_frame(&staged, &mut frame).with_context(|| self.failure())?;
        }
        for summary in &summaries {
            for (kind, folder) in [("requests", "requests"), ("summary", "summaries")] {
                self.place(summary, kind, folder)
                    .with_context(|| self.failure())?;
            }
        }
        Ok(())
    }

    fn place(&self, summary: &Summary, kind: &str, folder: &str) -> io::Result<()> {
        let folder = self.root.join(folder).join(partition(&summary.origin));
        fs::create_dir_all(&folder)?;
        let staged = self.staged(kind, summary.origin.benchmark_index);
        fs::rename(
            staged,
            folder.join(format!("{}.parquet", summary.document_id)),
        )?;
        File::open(&folder)?.sync_all()
    }

    fn create_requests(&self, benchmark: u32) -> Result<RequestsFile> {
        let schema = requests_frame(&[])?.schema().clone();
        let file =
            File::create(self.staged("requests", benchmark)).with_context(|| self.failure())?;
        let writer = parquet(file)
            .batched(&schema)
            .with_context(|| self.failure())?;
        Ok(RequestsFile {
            benchmark,
            writer,
            rows: Vec::new(),
            text_bytes: 0,
        })
    }

    fn finish_requests(&mut self) -> Result<()> {
        if let Some(mut open) = self.open.take() {
            let benchmark = open.benchmark;
            open.finish().with_context(|| self.failure())?;
            sync(&self.staged("requests", benchmark)).with_context(|| self.failure())?;
            self.finished.push(benchmark);
        }
        Ok(())
    }

    fn staged(&self, kind: &str, benchmark: u32) -> PathBuf {
        // Not named *.parquet, so that a reader's glob does not meet it.
        self.folder
            .path()
            .join(format!("{kind}-{benchmark}.partial"))
    }

    fn failure(&self) -> String {
        format!(
            "{}: cannot write to the store; is the disk full?",
            self.root.display()
        )
    }
}

impl RequestsFile {
    fn add(&mut self, requests: Vec<Request>) {
        let texts = requests.iter().filter_map(|it| it.error_message.as_ref());
        self.text_bytes += texts.map(|text| text.len()).sum::<usize>();
        self.rows.extend(requests);
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= ROW_GROUP_ROWS || self.text_bytes >= ROW_GROUP_TEXT_BYTES
    }

    fn flush(&mut self) -> Result<()> {
        let frame = requests_frame(&self.rows)?;
        self.rows.clear();
        self.text_bytes = 0;
        Ok(self.writer.write_batch(&frame)?)
    }

    fn finish(&mut self) -> Result<()> {
        if !self.rows.is_empty() {
            self.flush()?;
        }
        self.writer.finish()?;
        Ok(())
    }
}

fn parquet(file: File) -> ParquetWriter<File> {
    ParquetWriter::new(file)
        .with_compression(ParquetCompression::Snappy)
        .set_parallel(false)
}

fn write_frame(path: &Path, frame: &mut DataFrame) -> Result<()> {
    parquet(File::create(path)?).finish(frame)?;
    Ok(sync(path)?)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The Hive folders of a benchmark.
fn partition(origin: &Origin) -> PathBuf {
    let folder = |key: &str, value: &str| format!("{key}={}", hive_value(value));
    Path::new(&folder("run", &origin.uuid)).join(folder("job", &origin.job_name))
}

/// A value as Hive writes it into a folder's name: percent-encoded, and with a name of its own
/// where there is none.
#[expect(clippy::format_push_string, reason = "a few bytes of a folder's name")]
fn hive_value(value: &str) -> String {
    if value.is_empty() {
        return "__HIVE_DEFAULT_PARTITION__".to_owned();
    }
    value.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_cannot_leave_its_place() {
        assert_eq!(hive_value("a/../b c"), "a%2F..%2Fb%20c");
        assert_eq!(hive_value(""), "__HIVE_DEFAULT_PARTITION__");
    }
}
