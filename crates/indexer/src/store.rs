//! The embedded store: a folder of Parquet files that DuckDB, pandas and polars read as it is.
//!
//! `summaries/run=<uuid>/job=<job>/<document_id>.parquet` and the same under `requests`, named by
//! the summary's `document_id`: one file of each for a benchmark, and `<document_id>-1.parquet` and
//! so on for the requests of a huge one. A report is written in a staging
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

/// Rows of a file; what a writer notes of its row groups until their file's end is bounded, too.
const FILE_ROWS: usize = 1 << 20;

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
        self.root.join(SUMMARIES)
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
    /// Benchmarks whose requests are written, and in how many files.
    finished: Vec<(u32, u32)>,
    summaries: Vec<Summary>,
}

/// The requests of the benchmark that is being written.
struct RequestsFile {
    benchmark: u32,
    part: u32,
    writer: BatchedWriter<File>,
    rows: Vec<Request>,
    text_bytes: usize,
    written: usize,
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
        let next_part = self.next_part(benchmark);
        if self.open.as_ref().map(|open| open.benchmark) != Some(benchmark) {
            self.finish_requests()?;
            self.open = Some(self.create_requests(benchmark, next_part)?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.add(requests);
        if open.is_full() {
            open.flush().with_context(|| failure(&self.root))?;
            if open.written >= FILE_ROWS {
                self.finish_requests()?;
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
            if self.next_part(benchmark) == 0 {
                self.open = Some(self.create_requests(benchmark, 0)?);
                self.finish_requests()?;
            }
            let mut frame = summaries_frame(std::slice::from_ref(summary))?;
            let staged = self.staged(SUMMARIES, benchmark, 0);
            write_frame(&staged, &mut frame).with_context(|| failure(&self.root))?;
        }
        for summary in &summaries {
            let parts = self.next_part(summary.origin.benchmark_index);
            for (kind, parts) in [(REQUESTS, parts), (SUMMARIES, 1)] {
                self.place(summary, kind, parts)
                    .with_context(|| failure(&self.root))?;
            }
        }
        Ok(())
    }

    fn place(&self, summary: &Summary, kind: &str, parts: u32) -> io::Result<()> {
        let folder = self.root.join(kind).join(partition(&summary.origin));
        fs::create_dir_all(&folder)?;
        let named = |part| folder.join(file_name(summary, part));
        for part in 0..parts {
            let staged = self.staged(kind, summary.origin.benchmark_index, part);
            fs::rename(staged, named(part))?;
        }
        // What is left of a copy that was in more parts.
        for stale in (parts..).map(named).take_while(|path| path.exists()) {
            fs::remove_file(stale)?;
        }
        File::open(&folder)?.sync_all()
    }

    /// How many files the requests of a benchmark are in so far.
    fn next_part(&self, benchmark: u32) -> u32 {
        let of = |(finished, parts): &(u32, u32)| (*finished == benchmark).then_some(*parts);
        self.finished.iter().rev().find_map(of).unwrap_or_default()
    }

    fn create_requests(&self, benchmark: u32, part: u32) -> Result<RequestsFile> {
        let place = || failure(&self.root);
        let schema = requests_frame(&[])?.schema().clone();
        let file = File::create(self.staged(REQUESTS, benchmark, part)).with_context(place)?;
        let writer = parquet(file).batched(&schema).with_context(place)?;
        Ok(RequestsFile {
            benchmark,
            part,
            writer,
            rows: Vec::new(),
            text_bytes: 0,
            written: 0,
        })
    }

    fn finish_requests(&mut self) -> Result<()> {
        if let Some(mut open) = self.open.take() {
            let place = || failure(&self.root);
            let (benchmark, part) = (open.benchmark, open.part);
            open.finish().with_context(place)?;
            sync(&self.staged(REQUESTS, benchmark, part)).with_context(place)?;
            self.finished.push((benchmark, part + 1));
        }
        Ok(())
    }

    fn staged(&self, kind: &str, benchmark: u32, part: u32) -> PathBuf {
        // Not named *.parquet, so that a reader's glob does not meet it.
        self.folder
            .path()
            .join(format!("{kind}-{benchmark}-{part}.partial"))
    }
}

fn file_name(summary: &Summary, part: u32) -> String {
    let id = summary.document_id;
    match part {
        0 => format!("{id}.parquet"),
        part => format!("{id}-{part}.parquet"),
    }
}

fn failure(root: &Path) -> String {
    let root = root.display();
    format!("{root}: cannot write to the store; is the disk full?")
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
        self.written += self.rows.len();
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

    /// A store for some requests, of which the n-th has n as its id.
    fn stored(root: &Path, requests: u64) {
        let (summary, request) = documents();
        let mut staged = Store::open(root).unwrap().stage().unwrap();
        let all = (0..requests).map(|id| Request {
            request_id: id.to_string().into(),
            ..request.clone()
        });
        let all: Vec<Request> = all.collect();
        all.chunks(1000)
            .for_each(|some| staged.requests(some.to_vec()).unwrap());
        staged.summary(summary);
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
    fn a_folders_name_cannot_leave_its_place() {
        assert_eq!(hive_value("a/../b c"), "a%2F..%2Fb%20c");
        assert_eq!(hive_value(""), "__HIVE_DEFAULT_PARTITION__");
    }
}
