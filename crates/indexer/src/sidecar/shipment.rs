//! Getting a benchmark's documents to the server; or onto a disk, if the server is away or the pod
//! has to go.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use guidellm_results_model::documents::{FailedRun, Timestamp};
use guidellm_results_model::slo::Slos;
use guidellm_results_model::{ReadOptions, RunContext, Source};

use super::health::Progress;
use super::judging::Judging;
use super::signals::Signals;
use crate::bulk::{BulkSink, Shipped, Stop};
use crate::cli::SendingArguments;
use crate::kube_burner::DocumentSink;
use crate::output::{Format, Output};
use crate::replay::{Destination, send_again};
use crate::sink::{Sink, index_report};
use crate::tell;

/// What there is to send.
pub(super) struct Shipment<'a> {
    /// Where to.
    pub(super) sending: &'a SendingArguments,
    /// Whose documents they are.
    pub(super) context: RunContext,
    /// The run, if neither anybody nor a report names it.
    pub(super) unnamed: &'a str,
    pub(super) reports: &'a [PathBuf],
    /// What its benchmarks have to keep.
    pub(super) slos: &'a Slos,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) shipped: Shipped,
    /// Reports that could not be read whole, each with its reason.
    pub(super) failures: Vec<String>,
    /// Whether the documents were fetched, if they were to be.
    pub(super) fetched: Option<bool>,
    /// Objectives that were missed.
    pub(super) missed: Vec<String>,
    /// Whether any of these is bad enough to fail.
    pub(super) fails: bool,
}

impl Shipment<'_> {
    /// Sends it. A signal makes it safe on a disk first; what is left of the time after the signal
    /// is for sending it from there.
    pub(super) fn send(&self, signals: &Signals, progress: &Progress) -> Result<Sent> {
        let mut sent = self.index(signals.stop(), progress)?;
        progress.sent(sent.shipped.clone());
        if signals.came() && sent.shipped.count(|it| it.unsent + it.lost) > 0 {
            tell(
                "the pod ends: what is not sent is kept first, then sent as long as there is time",
            );
            let stop = signals.stop_in_time();
            // What no disk took is still in the reports.
            if sent.shipped.count(|it| it.lost) > 0 {
                sent = self.index(&stop, progress)?;
            } else if let Some(file) = sent.shipped.unsent_file.clone() {
                sent.shipped = self.replay(&file, sent.shipped, &stop);
            }
            progress.sent(sent.shipped.clone());
        }
        Ok(sent)
    }

    /// Indexes the reports, or what can be salvaged of them.
    fn index(&self, stop: &Stop, progress: &Progress) -> Result<Sent> {
        let sink = self.open(stop)?;
        progress.sending(sink.watch());
        let judging = Judging::new(&sink, self.slos);
        let failures = self.read(&judging)?;
        let judged = judging.judged();
        DocumentSink::add(&sink, judged.alerts)?;
        Ok(Sent {
            shipped: sink.finish(),
            failures,
            fetched: None,
            missed: judged.missed,
            fails: judged.fails,
        })
    }

    /// Writes it into a file, which has its name once it is whole; reports that could not be read.
    pub(super) fn write(&self, path: &Path) -> Result<Vec<String>> {
        let output = Output::create(path, Format::Ndjson)?;
        let failures = self.read(&output)?;
        Sink::finish(Box::new(output))?;
        Ok(failures)
    }

    /// Reads the reports into a sink; without any, what stands for them.
    fn read(&self, sink: &dyn Sink) -> Result<Vec<String>> {
        let options = ReadOptions {
            salvage: true,
            ..ReadOptions::default()
        };
        let index = |path: &PathBuf| {
            let indexed = index_report(Source::path(path), &self.context, &options, sink);
            let failure = format!("{}: {}", path.display(), indexed.err()?);
            tell(&format!("error: {failure}"));
            Some(failure)
        };
        let failures: Vec<String> = self.reports.iter().filter_map(index).collect();
        if failures.len() == self.reports.len() {
            sink.failed_run(&FailedRun::new(&self.context, self.unnamed, now()?))?;
        }
        Ok(failures)
    }

    /// Whatever is wrong with the server, the documents are kept.
    fn open(&self, stop: &Stop) -> Result<BulkSink> {
        match self.sending.open(&[], stop) {
            Ok(Some(sink)) => Ok(sink),
            Ok(None) => bail!("a sidecar needs --es-server URL (or ES_SERVER)"),
            Err(error) => {
                tell(&format!("error: {error:#}"));
                self.sending.unreached()
            }
        }
    }

    fn replay(&self, file: &Path, before: Shipped, stop: &Stop) -> Shipped {
        match send_again(file, self.sending, Destination::Own, stop) {
            Ok(Some(again)) => before.then(again),
            Ok(None) => before,
            Err(error) => {
                tell(&format!("error: {error:#}"));
                before
            }
        }
    }
}

fn now() -> Result<Timestamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Timestamp::from_epoch_seconds(now.as_secs_f64()).context("the clock is wrong")
}
