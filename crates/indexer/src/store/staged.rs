//! A report on its way into the store: written in a staging folder, then renamed into place.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use guidellm_results_model::Consumer;
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::frames::summaries_frame;

use super::parquet::{RequestsFile, sync, write_frame};
use super::staging::{Staging, failure, partition};
use super::{REQUESTS, SUMMARIES};
use crate::sink::StagedReport;
use crate::unfinished::Registry;

/// A report that is being written. Dropped without a commit, it leaves nothing.
pub(super) struct Staged {
    root: PathBuf,
    staging: Staging,
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
        Ok(Self {
            root: root.to_path_buf(),
            staging: Staging::new(root, unfinished)?,
            open: None,
            finished: Vec::new(),
            summaries: Vec::new(),
        })
    }

    fn failure(&self) -> String {
        failure(&self.root)
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
        let origin = &summary.origin;
        let partition = partition(&origin.uuid, &origin.job_name);
        let folder = self.root.join(kind).join(partition);
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
        self.staging.file(&format!("{kind}-{benchmark}-{part}"))
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

pub(super) fn file_name(summary: &Summary, part: u32) -> String {
    let id = summary.document_id;
    match part {
        0 => format!("{id}.parquet"),
        part => format!("{id}-{part}.parquet"),
    }
}
