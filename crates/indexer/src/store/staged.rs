//! A report on its way into the store: written in a staging folder, then renamed into place.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use guidellm_results_model::Consumer;
use guidellm_results_model::documents::{Origin, Request, Summary};
use guidellm_results_model::frames::summaries_frame;
use tempfile::TempDir;

use super::parquet::{RequestsFile, sync, write_frame};
use super::{LOCK_NAME, REQUESTS, STAGING_PREFIX, SUMMARIES};
use crate::sink::StagedReport;
use crate::unfinished::{Registry, Unfinished};

/// A report that is being written. Dropped without a commit, it leaves nothing.
pub(super) struct Staged {
    root: PathBuf,
    folder: TempDir,
    _unfinished: Unfinished,
    /// Held as long as the folder is in use.
    _lock: File,
    open: Option<Open>,
    /// Benchmarks whose requests are written, and in how many files.
    finished: Vec<(u32, u32)>,
    summaries: Vec<Summary>,
}

/// The requests of the benchmark that is being written.
struct Open {
    benchmark: u32,
    part: u32,
    file: RequestsFile,
}

impl Staged {
    pub(super) fn new(root: &Path, unfinished: &Registry) -> Result<Self> {
        let place = || format!("{}: cannot write to the store", root.display());
        let folder = tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(root)
            .with_context(place)?;
        // It is held before it has its name: whoever finds one that is free knows that its owner is
        // gone.
        let unheld = folder.path().join("lock.new");
        let lock = File::create(&unheld).with_context(place)?;
        lock.lock().with_context(place)?;
        fs::rename(unheld, folder.path().join(LOCK_NAME)).with_context(place)?;
        Ok(Self {
            root: root.to_path_buf(),
            _unfinished: unfinished.add(folder.path()),
            folder,
            _lock: lock,
            open: None,
            finished: Vec::new(),
            summaries: Vec::new(),
        })
    }

    fn failure(&self) -> String {
        let root = self.root.display();
        format!("{root}: cannot write to the store; is the disk full?")
    }

    /// How many files the requests of a benchmark are in so far.
    fn next_part(&self, benchmark: u32) -> u32 {
        let of = |(finished, parts): &(u32, u32)| (*finished == benchmark).then_some(*parts);
        self.finished.iter().rev().find_map(of).unwrap_or_default()
    }

    /// The file that a benchmark's next requests belong in.
    fn open(&mut self, benchmark: u32) -> Result<&mut Open> {
        if self.open.as_ref().map(|open| open.benchmark) != Some(benchmark) {
            self.finish_requests()?;
        }
        let open = if let Some(open) = self.open.take() {
            open
        } else {
            let part = self.next_part(benchmark);
            let file = RequestsFile::create(&self.staged(REQUESTS, benchmark, part));
            Open {
                benchmark,
                part,
                file: file.with_context(|| self.failure())?,
            }
        };
        Ok(self.open.insert(open))
    }

    fn finish_requests(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            let Open {
                benchmark,
                part,
                file,
            } = open;
            file.finish().with_context(|| self.failure())?;
            let staged = self.staged(REQUESTS, benchmark, part);
            sync(&staged).with_context(|| self.failure())?;
            self.finished.push((benchmark, part + 1));
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
            match fs::remove_file(stale) {
                // Another writer of the same benchmark was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        File::open(&folder)?.sync_all()
    }

    fn staged(&self, kind: &str, benchmark: u32, part: u32) -> PathBuf {
        // Not named *.parquet, so that a reader's glob does not meet it.
        self.folder
            .path()
            .join(format!("{kind}-{benchmark}-{part}.partial"))
    }
}

impl Consumer for Staged {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        let Some(benchmark) = requests.first().map(|it| it.origin.benchmark_index) else {
            return Ok(());
        };
        let added = self.open(benchmark)?.file.add(requests);
        if !added.with_context(|| self.failure())? {
            self.finish_requests()?;
        }
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        self.summaries.push(summary);
        Ok(())
    }
}

impl StagedReport for Staged {
    fn prepare(&mut self) -> Result<()> {
        self.finish_requests()?;
        for summary in std::mem::take(&mut self.summaries) {
            let benchmark = summary.origin.benchmark_index;
            if self.next_part(benchmark) == 0 {
                self.open(benchmark)?;
                self.finish_requests()?;
            }
            let mut frame = summaries_frame(std::slice::from_ref(&summary))?;
            let staged = self.staged(SUMMARIES, benchmark, 0);
            write_frame(&staged, &mut frame).with_context(|| self.failure())?;
            self.summaries.push(summary);
        }
        Ok(())
    }

    /// Benchmarks that are already in their place stay if another one fails.
    fn commit(self: Box<Self>) -> Result<()> {
        for summary in &self.summaries {
            let parts = self.next_part(summary.origin.benchmark_index);
            for (kind, parts) in [(REQUESTS, parts), (SUMMARIES, 1)] {
                self.place(summary, kind, parts)
                    .with_context(|| self.failure())?;
            }
        }
        Ok(())
    }
}

fn file_name(summary: &Summary, part: u32) -> String {
    let id = summary.document_id;
    match part {
        0 => format!("{id}.parquet"),
        part => format!("{id}-{part}.parquet"),
    }
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
