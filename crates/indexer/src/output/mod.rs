//! Documents in files, in the form that other tools take.

mod benchmark_report;
#[cfg(feature = "store")]
mod csv;
mod file;
#[cfg(feature = "store")]
mod guidellm_csv;
#[cfg(feature = "store")]
mod text;
mod whole;

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use guidellm_results_model::documents::FailedRun;
use serde::Serialize;
use uuid::Uuid;

use self::benchmark_report::BenchmarkReports;
use self::file::{Documents, Layout};
#[cfg(feature = "store")]
pub(crate) use self::text::write_whole;
use crate::bulk::Shipped;
use crate::sink::{Sink, StagedReport};
use crate::unfinished::Registry;

/// Format of what `--output` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One array
    Json,
    /// One object a line
    Ndjson,
    /// An action and a document, a line each: what `POST /INDEX/_bulk` takes
    Bulk,
    /// One header for both kinds of documents; nested members as JSON text
    #[cfg(feature = "store")]
    Csv,
    /// Summaries in the columns of GuideLLM's own CSV, those that the documents can fill
    #[cfg(feature = "store")]
    GuidellmCsv,
    /// A folder with an llm-d benchmark report (0.2.1, YAML) for each benchmark
    BenchmarkReport,
}

/// A file or folder that is being written.
pub struct Output(Form);

enum Form {
    File(Documents),
    BenchmarkReports(BenchmarkReports),
}

impl Output {
    /// Creates it before any report is read, so that a wrong path fails at once.
    ///
    /// # Errors
    ///
    /// If the file or folder cannot be created.
    pub fn create(path: &Path, format: Format) -> Result<Self> {
        Self::watched(path, format, &Registry::default())
    }

    /// The same; while it is not finished, it is in a registry.
    pub(crate) fn watched(path: &Path, format: Format, unfinished: &Registry) -> Result<Self> {
        let layout = match format {
            Format::Json => Layout::Json,
            Format::Ndjson => Layout::Ndjson,
            Format::Bulk => Layout::Bulk,
            #[cfg(feature = "store")]
            Format::Csv => Layout::Csv(csv::Columns::new()?),
            #[cfg(feature = "store")]
            Format::GuidellmCsv => Layout::GuidellmCsv(guidellm_csv::Columns::new()),
            Format::BenchmarkReport => {
                let reports = BenchmarkReports::create(path, unfinished)?;
                return Ok(Self(Form::BenchmarkReports(reports)));
            }
        };
        let file = Documents::create(path, layout, unfinished)?;
        Ok(Self(Form::File(file)))
    }

    /// Adds a document that belongs to no report, under an id of its own.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or the format has no place for it.
    pub fn add(&self, id: Uuid, document: &impl Serialize) -> Result<()> {
        match &self.0 {
            Form::File(file) => file.add(id, document),
            Form::BenchmarkReports(reports) => reports.refuse(),
        }
    }
}

impl Sink for Output {
    fn stage(&self) -> Result<Box<dyn StagedReport + '_>> {
        match &self.0 {
            Form::File(file) => file.stage(),
            Form::BenchmarkReports(reports) => reports.stage(),
        }
    }

    fn failed_run(&self, run: &FailedRun) -> Result<bool> {
        match &self.0 {
            Form::File(file) => file.failed_run(run),
            Form::BenchmarkReports(reports) => reports.failed_run(run),
        }
    }

    fn is_broken(&self) -> bool {
        match &self.0 {
            Form::File(file) => file.is_broken(),
            Form::BenchmarkReports(_) => false,
        }
    }

    fn finish(self: Box<Self>) -> Result<Option<Shipped>> {
        match self.0 {
            Form::File(file) => Box::new(file).finish(),
            Form::BenchmarkReports(reports) => Box::new(reports).finish(),
        }
    }
}
