//! Documents in one file.
//!
//! A summary comes before its requests, though it is known after them, and a report that turns
//! out to be broken leaves nothing: so each report's requests wait in a temporary file.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use guidellm_results_model::Consumer;
use guidellm_results_model::documents::{FailedRun, Request, Summary};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::{NamedTempFile, SpooledTempFile};
use uuid::Uuid;

use crate::bulk::Shipped;
use crate::sink::{SPILL_BYTES, SPILL_FAILURE, Sink, StagedReport};
use crate::unfinished::{Registry, Unfinished};

use super::whole::{folder_of, unnamed};
#[cfg(feature = "store")]
use super::{csv, guidellm_csv};

/// How documents are laid out in a file.
pub(super) enum Layout {
    Json,
    Ndjson,
    Bulk,
    #[cfg(feature = "store")]
    Csv(csv::Columns),
    #[cfg(feature = "store")]
    GuidellmCsv(guidellm_csv::Columns),
}

impl Layout {
    /// Whether there is a place for requests.
    fn has_requests(&self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Bulk => true,
            #[cfg(feature = "store")]
            Self::Csv(_) => true,
            #[cfg(feature = "store")]
            Self::GuidellmCsv(_) => false,
        }
    }
}

/// A file of documents that is being written. Without a single report there is none.
pub(super) struct Documents {
    writer: Mutex<Writer>,
    has_requests: bool,
}

struct Writer {
    to: To,
    layout: Layout,
    /// Documents.
    written: u64,
    /// The summaries that are there: a run may have been saved in several forms.
    summaries: HashSet<Uuid>,
    /// Whether anything is to be in it: else there is no file.
    begun: bool,
    /// Whether a document may be there in part: nothing can come after it.
    broken: bool,
}

enum To {
    Stdout(BufWriter<io::Stdout>),
    /// Written beside its place, and renamed.
    File(BufWriter<NamedTempFile>, PathBuf, Unfinished),
}

impl To {
    fn file((file, unfinished): (NamedTempFile, Unfinished), path: &Path) -> Self {
        Self::File(BufWriter::new(file), path.to_path_buf(), unfinished)
    }
}

impl Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file, ..) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file, ..) => file.flush(),
        }
    }
}

impl Documents {
    pub(super) fn create(path: &Path, layout: Layout, unfinished: &Registry) -> Result<Self> {
        let to = if path.as_os_str() == "-" {
            To::Stdout(BufWriter::new(io::stdout()))
        } else if path.exists() && !path.is_file() {
            // A device or a pipe: nothing to rename.
            let place = || format!("{}: cannot open it for writing", path.display());
            drop(File::options().write(true).open(path).with_context(place)?);
            To::file(
                unfinished.make(NamedTempFile::new).with_context(place)?,
                path,
            )
        } else {
            let made = unfinished.make(|| unnamed(folder_of(path)));
            let place = || format!("{}: cannot create it", path.display());
            To::file(made.with_context(place)?, path)
        };
        Ok(Self {
            has_requests: layout.has_requests(),
            writer: Mutex::new(Writer {
                to,
                layout,
                written: 0,
                summaries: HashSet::new(),
                begun: false,
                broken: false,
            }),
        })
    }

    pub(super) fn add(&self, id: Uuid, document: &impl Serialize) -> Result<()> {
        let mut writer = self.writer();
        #[cfg(feature = "store")]
        if let Layout::Csv(_) | Layout::GuidellmCsv(_) = writer.layout {
            bail!("CSV has columns for GuideLLM's documents alone; write json, ndjson or bulk");
        }
        writer.begun = true;
        let json = serde_json::to_vec(document).context("cannot write a document as JSON")?;
        writer.all_or_broken(|writer| writer.document(Some(id), &json))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn all_or_broken(&mut self, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.broken {
            bail!("its output is broken: not all of an earlier document was written");
        }
        let written = write(self).context("cannot write the documents");
        self.broken = written.is_err();
        written
    }

    /// What comes before the first document; without one, nothing is written.
    fn open(&mut self) -> Result<()> {
        match &self.layout {
            Layout::Json => self.to.write_all(b"[")?,
            Layout::Ndjson | Layout::Bulk => {}
            #[cfg(feature = "store")]
            Layout::Csv(columns) => columns.write_header(&mut self.to)?,
            #[cfg(feature = "store")]
            Layout::GuidellmCsv(columns) => columns.write_header(&mut self.to)?,
        }
        Ok(())
    }

    /// Writes a report that was read to its end, but for benchmarks that are there.
    fn write(&mut self, mut report: Waiting) -> Result<()> {
        self.begun = true;
        for summary in &report.summaries {
            if !self.summaries.insert(summary.document_id) {
                continue;
            }
            self.document(None, serde_json::to_string(summary)?.as_bytes())?;
            let index = summary.origin.benchmark_index;
            for part in report.parts.iter().filter(|part| part.benchmark == index) {
                report.requests.seek(SeekFrom::Start(part.start))?;
                let mut requests = BufReader::new(&mut report.requests);
                let mut line = Vec::new();
                for _ in 0..part.count {
                    line.clear();
                    requests.read_until(b'\n', &mut line)?;
                    self.document(None, line.trim_ascii_end())?;
                }
            }
        }
        Ok(())
    }

    /// Writes a document; without an id, it has its own in it.
    fn document(&mut self, id: Option<Uuid>, json: &[u8]) -> Result<()> {
        let first = self.written == 0;
        if first {
            self.open()?;
        }
        self.written += 1;
        match &self.layout {
            Layout::Json => {
                self.to.write_all(if first { b"\n" } else { b",\n" })?;
                self.to.write_all(json)?;
            }
            Layout::Ndjson => {
                self.to.write_all(json)?;
                self.to.write_all(b"\n")?;
            }
            Layout::Bulk => {
                let id = match id {
                    Some(id) => id,
                    None => serde_json::from_slice::<Identified>(json)?.document_id,
                };
                let action = json!({ "index": { "_id": id } });
                writeln!(self.to, "{action}")?;
                self.to.write_all(json)?;
                self.to.write_all(b"\n")?;
            }
            #[cfg(feature = "store")]
            Layout::Csv(columns) => columns.write(json, &mut self.to)?,
            #[cfg(feature = "store")]
            Layout::GuidellmCsv(columns) => {
                columns.write(&serde_json::from_slice(json)?, &mut self.to)?;
            }
        }
        Ok(())
    }

    /// Puts the file in its place.
    fn finish(mut self) -> Result<()> {
        if !self.begun {
            return Ok(());
        }
        if self.broken {
            if let To::File(_, path, _) = &self.to {
                bail!(
                    "{}: not put in its place, for it is not whole",
                    path.display()
                );
            }
            return Ok(());
        }
        if let Layout::Json = self.layout {
            self.to.write_all(b"\n]\n")?;
        }
        self.to.flush()?;
        if let To::File(file, path, _unfinished) = self.to {
            let place = || format!("{}: cannot write it", path.display());
            let file = file.into_inner().map_err(io::IntoInnerError::into_error);
            let mut file = file.with_context(place)?;
            if path.exists() && !path.is_file() {
                file.rewind().with_context(place)?;
                let mut device = File::options()
                    .write(true)
                    .open(&path)
                    .with_context(place)?;
                io::copy(&mut file, &mut device).with_context(place)?;
            } else {
                file.as_file().sync_all().with_context(place)?;
                file.persist(&path)
                    .map_err(|error| error.error)
                    .with_context(place)?;
            }
        }
        Ok(())
    }
}

impl Sink for Documents {
    fn stage(&self) -> Result<Box<dyn StagedReport + '_>> {
        let documents = Waiting {
            requests: tempfile::spooled_tempfile(SPILL_BYTES),
            parts: Vec::new(),
            written: 0,
            summaries: Vec::new(),
        };
        Ok(Box::new(WaitingReport {
            output: self,
            documents,
        }))
    }

    fn failed_run(&self, run: &FailedRun) -> Result<bool> {
        let mut writer = self.writer();
        #[cfg(feature = "store")]
        if let Layout::GuidellmCsv(_) = writer.layout {
            // GuideLLM's has a row for each benchmark.
            return Ok(false);
        }
        writer.begun = true;
        let json = serde_json::to_vec(run)?;
        writer.all_or_broken(|writer| writer.document(None, &json))?;
        Ok(true)
    }

    fn is_broken(&self) -> bool {
        self.writer().broken
    }

    fn finish(self: Box<Self>) -> Result<Option<Shipped>> {
        let writer = self.writer.into_inner();
        let writer = writer.unwrap_or_else(PoisonError::into_inner);
        writer.finish().map(|()| None)
    }
}

/// A document's id.
#[derive(Deserialize)]
struct Identified {
    document_id: Uuid,
}

/// A report, until it is known to be whole.
struct WaitingReport<'a> {
    output: &'a Documents,
    documents: Waiting,
}

struct Waiting {
    requests: SpooledTempFile,
    /// Where each benchmark's requests are, in the order in which they came: that of the report,
    /// but for benchmarks that took a second pass.
    parts: Vec<Part>,
    written: u64,
    summaries: Vec<Summary>,
}

/// Requests of one benchmark in a waiting report.
struct Part {
    benchmark: u32,
    /// Byte that they start at.
    start: u64,
    count: u64,
}

impl Consumer for WaitingReport<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        if !self.output.has_requests {
            return Ok(());
        }
        self.documents.add(&requests)
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        self.documents.summaries.push(summary);
        Ok(())
    }
}

impl StagedReport for WaitingReport<'_> {
    fn commit(self: Box<Self>) -> Result<()> {
        let mut writer = self.output.writer();
        writer.all_or_broken(|writer| writer.write(self.documents))
    }
}

impl Waiting {
    fn add(&mut self, requests: &[Request]) -> Result<()> {
        let mut lines = Vec::with_capacity(requests.len() * 1024);
        for request in requests {
            serde_json::to_writer(&mut lines, request)?;
            lines.push(b'\n');
        }
        self.requests.write_all(&lines).context(SPILL_FAILURE)?;
        if let Some(first) = requests.first() {
            let (benchmark, count) = (first.origin.benchmark_index, requests.len() as u64);
            match self.parts.last_mut() {
                Some(last) if last.benchmark == benchmark => last.count += count,
                _ => self.parts.push(Part {
                    benchmark,
                    start: self.written,
                    count,
                }),
            }
        }
        self.written += lines.len() as u64;
        Ok(())
    }
}
