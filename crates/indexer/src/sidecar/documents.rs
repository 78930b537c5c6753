//! Documents that are handed over by a sidecar: a line of JSON for each, and a last line that says how
//! many they are, so that whoever receives them knows whether they are whole.

#[cfg(feature = "store")]
use std::borrow::Cow;
use std::io::BufRead;
#[cfg(feature = "sidecar")]
use std::io::Write;

#[cfg(feature = "store")]
use anyhow::Context;
use anyhow::Result;
#[cfg(feature = "store")]
use guidellm_results_model::Consumer;
#[cfg(feature = "store")]
use guidellm_results_model::documents::{FailedRun, REQUEST_METRIC_NAME, Request, Summary};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
use crate::sink::{Sink, StagedReport};
#[cfg(feature = "store")]
use crate::store::Store;

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    documents: u64,
}

/// Writes lines as they are, and the last one behind them; how many there were.
#[cfg(feature = "sidecar")]
pub(super) fn send(mut from: impl BufRead, mut to: impl Write) -> Result<u64> {
    let mut line = Vec::new();
    let mut documents = 0;
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        documents += 1;
        to.write_all(&line)?;
    }
    serde_json::to_writer(&mut to, &End { documents })?;
    to.write_all(b"\n")?;
    to.flush()?;
    Ok(documents)
}

/// What came of documents that were handed over.
#[cfg(feature = "store")]
#[derive(Debug, Default, PartialEq)]
pub struct Received {
    /// How many there were.
    pub documents: u64,
    /// Those of runs that left no report.
    pub failed: Vec<FailedRun>,
}

/// What tells of which kind a line is.
#[cfg(feature = "store")]
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "metricName", borrow, default)]
    metric_name: Option<Cow<'a, str>>,
    #[serde(default)]
    benchmark_id: Option<serde::de::IgnoredAny>,
}

/// Requests that are written at once.
#[cfg(feature = "store")]
const CHUNK: usize = 1000;

/// Puts documents that were handed over into a store. It has none of them before the last line says
/// that they are all there; received again, they take the place of their former selves.
///
/// # Errors
///
/// If they end before their last line, a line is no document of this release, or the store cannot be
/// written to.
#[cfg(feature = "store")]
pub fn receive(mut from: impl BufRead, store: &Store) -> Result<Received> {
    let mut staged = StagedBenchmarks::new(store);
    let mut received = Received::default();
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            anyhow::bail!(
                "they ended after {} documents, without a last line",
                received.documents
            );
        }
        let number = received.documents + 1;
        let place = || format!("line {number} is no document of this release");
        let kind: Kind = serde_json::from_str(&line).with_context(place)?;
        match (kind.metric_name.as_deref(), kind.benchmark_id) {
            (Some(REQUEST_METRIC_NAME), _) => {
                staged.request(serde_json::from_str(&line).with_context(place)?)?;
            }
            (Some(_), Some(_)) => {
                staged.summary(serde_json::from_str(&line).with_context(place)?)?;
            }
            (Some(_), None) => {
                let failed = serde_json::from_str(&line).with_context(place)?;
                received.failed.push(failed);
            }
            (None, _) => {
                let End { documents } = serde_json::from_str(&line).with_context(place)?;
                if documents != received.documents {
                    anyhow::bail!("of {documents} documents {} came", received.documents);
                }
                staged.commit()?;
                let mut failed = received.failed.iter();
                failed.try_for_each(|run| store.keep_failed_run(run))?;
                return Ok(received);
            }
        }
        received.documents = number;
    }
}

/// Benchmarks on their way, each in a staging folder of its own: several reports may have benchmarks
/// of the same number.
#[cfg(feature = "store")]
struct StagedBenchmarks<'a> {
    store: &'a Store,
    done: Vec<Box<dyn StagedReport + 'a>>,
    /// A summary comes before its requests.
    open: Option<Box<dyn StagedReport + 'a>>,
    waiting: Vec<Request>,
}

#[cfg(feature = "store")]
impl<'a> StagedBenchmarks<'a> {
    fn new(store: &'a Store) -> Self {
        Self {
            store,
            done: Vec::new(),
            open: None,
            waiting: Vec::new(),
        }
    }

    fn summary(&mut self, summary: Summary) -> Result<()> {
        self.close()?;
        self.open.insert(self.store.stage()?).summary(summary)
    }

    fn request(&mut self, request: Request) -> Result<()> {
        self.waiting.push(request);
        if self.waiting.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let open = self.open.as_mut();
        open.context("a request came before its summary")?
            .requests(waiting)
    }

    /// Ends the benchmark that is being written, which frees its memory.
    fn close(&mut self) -> Result<()> {
        self.flush()?;
        if let Some(mut open) = self.open.take() {
            open.prepare()?;
            self.done.push(open);
        }
        Ok(())
    }

    fn commit(mut self) -> Result<()> {
        self.close()?;
        self.done.into_iter().try_for_each(StagedReport::commit)
    }
}

#[cfg(test)]
#[cfg(all(feature = "store", feature = "sidecar"))]
mod tests {
    use std::path::{Path, PathBuf};

    use guidellm_results_model::documents::Timestamp;
    use guidellm_results_model::{ReadOptions, RunContext, Source};

    use super::*;
    use crate::output::{Format, Output};
    use crate::sink::index_report;

    const REPORTS: [&str; 2] = ["0.8.1/constant_mixed.json", "0.8.1/constant_multirate.json"];

    fn report(name: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reports");
        root.join(name)
    }

    fn context() -> RunContext {
        RunContext {
            uuid: Some("u".to_owned()),
            job_name: "j".to_owned(),
            ..RunContext::default()
        }
    }

    fn read(sink: &dyn Sink) {
        for name in REPORTS {
            let source = Source::path(report(name));
            index_report(source, &context(), &ReadOptions::default(), sink).unwrap();
        }
    }

    /// What a sidecar sends of reports, and of a run that left none.
    fn sent(folder: &Path) -> Vec<u8> {
        let file = folder.join("documents.ndjson");
        let output = Output::create(&file, Format::Ndjson).unwrap();
        read(&output);
        let failed = failed();
        output.failed_run(&failed).unwrap();
        Box::new(output).finish().unwrap();
        let lines = std::fs::read(&file).unwrap();
        let mut sent = Vec::new();
        let count = send(&*lines, &mut sent).unwrap();
        assert_eq!(count, memchr::memchr_iter(b'\n', &lines).count() as u64);
        sent
    }

    fn failed() -> FailedRun {
        FailedRun::new(&context(), "u", Timestamp::from_epoch_micros(0).unwrap())
    }

    /// Names and contents of a store's files.
    fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let pattern = format!("{}/*/run=*/job=*/*.parquet", root.display());
        let paths = glob::glob(&pattern).unwrap().map(Result::unwrap);
        let read = |path: PathBuf| {
            let name = path.strip_prefix(root).unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        };
        paths.map(read).collect()
    }

    #[test]
    fn a_store_that_receives_is_as_one_that_reads_the_reports() {
        let (folder, read_in, received_in) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        let store = Store::open(read_in.path()).unwrap();
        read(&store);
        store.failed_run(&failed()).unwrap();
        let sent = sent(folder.path());
        let store = Store::open(received_in.path()).unwrap();
        // Again after a kill between the commit and the acknowledgement.
        for _ in 0..2 {
            let received = receive(&*sent, &store).unwrap();
            assert_eq!(received.failed, [failed()]);
            assert!(received.documents > 20, "{received:?}");
            let (wanted, there) = (files(read_in.path()), files(received_in.path()));
            assert!(wanted.len() > 4);
            assert!(wanted == there, "{} files, {}", wanted.len(), there.len());
        }
    }

    #[test]
    fn of_what_is_not_whole_a_store_has_nothing() {
        let (folder, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sent = sent(folder.path());
        let lines: Vec<&[u8]> = sent.split_inclusive(|byte| *byte == b'\n').collect();
        let (end, documents) = lines.split_last().unwrap();
        let (last, others) = documents.split_last().unwrap();
        let store = Store::open(root.path()).unwrap();
        for (broken, told) in [
            (documents.concat(), "without a last line"),
            ([&others.concat(), *end].concat(), "documents"),
            ([last, *end].concat(), "of "),
            ([&b"{}\n"[..], *end].concat(), "line 1 "),
            (Vec::new(), "after 0 documents"),
        ] {
            let error = receive(&*broken, &store).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        }
    }
}
