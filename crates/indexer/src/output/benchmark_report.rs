//! A folder of llm-d benchmark reports, one for each benchmark.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use guidellm_results_model::Consumer;
use guidellm_results_model::benchmark_report::{BenchmarkReport, Requests};
use guidellm_results_model::documents::{FailedRun, Request, Summary};
use tempfile::NamedTempFile;

use super::whole::unnamed;
use crate::sink::{Sink, StagedReport};
use crate::unfinished::{Registry, Unfinished};

/// What llm-d-benchmark looks for: `benchmark_report_v0.2,_*.yaml`, of 0.2.1 too.
const PREFIX: &str = "benchmark_report_v0.2,";

pub(super) struct BenchmarkReports {
    folder: PathBuf,
    unfinished: Registry,
}

impl BenchmarkReports {
    pub(super) fn create(folder: &Path, unfinished: &Registry) -> Result<Self> {
        if folder.as_os_str() == "-" {
            bail!("benchmark reports are a file each; name a folder with --output");
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot create this folder", folder.display()))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            unfinished: unfinished.clone(),
        })
    }

    /// For documents that are of no benchmark.
    pub(super) fn refuse(&self) -> Result<()> {
        bail!(
            "{}: benchmark reports are of GuideLLM's benchmarks alone; write json, ndjson or bulk",
            self.folder.display()
        )
    }

    fn write(&self, summary: &Summary, requests: &Requests) -> Result<Written> {
        let path = self.folder.join(file_name(summary));
        let place = || format!("{}: cannot write it", path.display());
        let report = BenchmarkReport::new(summary, requests);
        let text = serde_saphyr::to_string(&report).with_context(place)?;
        let made = self.unfinished.make(|| unnamed(&self.folder));
        let (mut file, unfinished) = made.with_context(place)?;
        file.write_all(text.as_bytes()).with_context(place)?;
        file.as_file().sync_all().with_context(place)?;
        Ok(Written {
            file,
            path,
            _unfinished: unfinished,
        })
    }
}

/// Says which benchmark it is; the id keeps runs apart that share the rest.
fn file_name(summary: &Summary) -> String {
    let origin = &summary.origin;
    let (sample, stage, id) = (origin.sample, origin.benchmark_index, summary.document_id);
    let job = match &*origin.job_name {
        "" => String::new(),
        name => format!("_{}", name.replace(is_unsafe, "-")),
    };
    format!("{PREFIX}{job}_{sample}_{stage}_{id}.yaml")
}

/// Whether a character may trouble a file system or a shell.
fn is_unsafe(character: char) -> bool {
    !(character.is_alphanumeric() || "._-".contains(character))
}

impl Sink for BenchmarkReports {
    fn stage(&self) -> Result<Box<dyn StagedReport + '_>> {
        Ok(Box::new(Staged {
            reports: self,
            requests: BTreeMap::new(),
            written: Vec::new(),
        }))
    }

    /// A benchmark report is of what was measured.
    fn failed_run(&self, _: &FailedRun) -> Result<bool> {
        Ok(false)
    }
}

/// A report's benchmarks, until it is known to be whole.
struct Staged<'a> {
    reports: &'a BenchmarkReports,
    /// By the benchmark's position in its report.
    requests: BTreeMap<u32, Requests>,
    written: Vec<Written>,
}

/// A file under a temporary name, and the name that it gets.
struct Written {
    file: NamedTempFile,
    path: PathBuf,
    _unfinished: Unfinished,
}

impl Consumer for Staged<'_> {
    type Error = anyhow::Error;

    fn requests(&mut self, requests: Vec<Request>) -> Result<()> {
        if let Some(first) = requests.first() {
            let seconds = self.requests.entry(first.origin.benchmark_index);
            let seconds = seconds.or_default();
            requests.iter().for_each(|request| seconds.push(request));
        }
        Ok(())
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        let requests = self.requests.remove(&summary.origin.benchmark_index);
        let written = self.reports.write(&summary, &requests.unwrap_or_default());
        self.written.push(written?);
        Ok(())
    }
}

impl StagedReport for Staged<'_> {
    fn commit(self: Box<Self>) -> Result<()> {
        for Written { file, path, .. } in self.written {
            let persisted = file.persist(&path).map_err(|error| error.error);
            persisted.with_context(|| format!("{}: cannot write it", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use guidellm_results_model::{ReadOptions, RunContext, Source};
    use tempfile::TempDir;

    use super::*;
    use crate::sink::index_report;

    const REPORT: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/reports/0.8.1/constant_multirate.json"
    );

    /// The folder's files, after a report was indexed into it.
    fn index(report: &Path, job_name: &str, folder: &TempDir) -> BTreeSet<String> {
        let reports = BenchmarkReports::create(folder.path(), &Registry::default()).unwrap();
        let context = RunContext {
            job_name: job_name.to_owned(),
            ..RunContext::default()
        };
        let source = Source::path(report);
        let indexed = index_report(source, &context, &ReadOptions::default(), &reports);
        let files = fs::read_dir(folder.path()).unwrap();
        let files = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
        let files: BTreeSet<String> = files.collect();
        assert_eq!(indexed.is_err(), files.is_empty(), "{indexed:?}");
        files
    }

    #[test]
    fn each_benchmark_has_a_file_whatever_its_job_is_called() {
        let folder = TempDir::new().unwrap();
        let report = Path::new(REPORT);
        let files = index(report, "../steady chat/10", &folder);
        assert_eq!(files.len(), 3);
        for (stage, file) in files.iter().enumerate() {
            let expected = format!("benchmark_report_v0.2,_..-steady-chat-10_0_{stage}_");
            assert!(file.starts_with(&expected), "{file}");
        }
        assert_eq!(index(report, "../steady chat/10", &folder), files);
        assert_eq!(index(report, "other", &folder).len(), 6);
    }

    #[test]
    fn a_report_that_is_cut_off_leaves_nothing() {
        let whole = fs::read(REPORT).unwrap();
        let cut = NamedTempFile::new().unwrap();
        fs::write(cut.path(), whole.get(..whole.len() - 100).unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        assert_eq!(index(cut.path(), "job", &folder), BTreeSet::new());
    }

    #[test]
    fn one_stream_does_not_take_many_reports() {
        let refused = BenchmarkReports::create(Path::new("-"), &Registry::default());
        assert!(refused.is_err());
    }
}
