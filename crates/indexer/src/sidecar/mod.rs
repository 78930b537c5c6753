//! `guidellm-indexer sidecar`: waits for the benchmark in the same pod, and sends its report.

mod contract;
mod watch;

pub use contract::Contract;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use guidellm_results_model::documents::{FailedRun, Request, Summary, Timestamp};
use guidellm_results_model::{Consumer, Exit, ReadOptions, RunContext, Source};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::watch::{Ended, Next, Seen, Watch};
use crate::bulk::{BulkSink, Kind, Shipped};
use crate::cli::SidecarArguments;
use crate::server::tell_of;
use crate::sink::{index_report, read_into};
use crate::tell;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn run(arguments: &SidecarArguments) -> Result<Exit> {
    let contract = &arguments.contract;
    if arguments.sending.server.connection()?.is_none() {
        bail!("a sidecar needs --es-server URL (or ES_SERVER)");
    }
    let terminated = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&terminated))
            .context("cannot watch for signals")?;
    }
    let ended = wait(contract, &terminated)?;
    tell(&ended.told());
    let (exit, line) = send(arguments, ended)?;
    tell(&line);
    note(&contract.termination_log, &line);
    if contract.native {
        // Its exit code says nothing to anybody; started again, it would only send the same.
        while !terminated.load(Ordering::Relaxed) {
            sleep(PAUSE);
        }
    }
    Ok(exit)
}

/// Waits until the benchmark has ended.
fn wait(contract: &Contract, terminated: &AtomicBool) -> Result<Ended> {
    let (began, mut watch) = (Instant::now(), Watch::default());
    loop {
        // What is seen after the signal is what there is.
        let terminated = terminated.load(Ordering::Relaxed);
        let seen = Seen {
            terminated,
            marker: fs::read_to_string(contract.marker()).ok(),
            reports: state(&reports(contract)?),
        };
        match watch.next(seen, began.elapsed(), contract.quiet()) {
            Next::End(ended) => return Ok(ended),
            Next::EndIfWhole if reports(contract)?.iter().all(|path| is_whole(path)) => {
                return Ok(Ended::Quiet);
            }
            Next::EndIfWhole => watch.not_whole(),
            Next::Wait => {}
        }
        sleep(PAUSE);
    }
}

/// The reports that are there.
fn reports(contract: &Contract) -> Result<Vec<PathBuf>> {
    let folder = glob::Pattern::escape(&contract.results_dir.to_string_lossy());
    let pattern = format!("{folder}/{}", contract.results_file);
    let paths = glob::glob(&pattern).with_context(|| format!("{pattern}: not a glob"))?;
    Ok(paths
        .filter_map(Result::ok)
        .filter(|path| path.is_file())
        .collect())
}

fn state(reports: &[PathBuf]) -> Vec<(PathBuf, u64, Duration)> {
    let state = |path: &PathBuf| {
        let file = path.metadata().ok()?;
        let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((path.clone(), file.len(), changed))
    };
    reports.iter().filter_map(state).collect()
}

fn is_whole(report: &Path) -> bool {
    struct Nothing;
    impl Consumer for Nothing {
        type Error = anyhow::Error;
        fn requests(&mut self, _: Vec<Request>) -> Result<()> {
            Ok(())
        }
        fn summary(&mut self, _: Summary) -> Result<()> {
            Ok(())
        }
    }
    let (context, options) = (RunContext::default(), ReadOptions::default());
    read_into(Source::path(report), &context, &options, &mut Nothing).is_ok()
}

/// Sends what there is; the exit code, and a line that says what came of it.
fn send(arguments: &SidecarArguments, ended: Ended) -> Result<(Exit, String)> {
    let contract = &arguments.contract;
    let reports = reports(contract)?;
    // Of a quiet report it is known.
    let whole =
        ended == Ended::Quiet || (!reports.is_empty() && reports.iter().all(|path| is_whole(path)));
    let Some(sink) = arguments.sending.open(&[])? else {
        bail!("a sidecar needs --es-server URL (or ES_SERVER)");
    };
    let context = RunContext {
        uuid: contract.uuid.clone().filter(|uuid| !uuid.is_empty()),
        job_name: contract.job_name.clone(),
        sample: contract.sample,
        outcome: ended.outcome(whole),
    };
    let mut failures = index_all(&context, &reports, &sink);
    let none_is_indexed = failures.len() == reports.len();
    if reports.is_empty() {
        let pattern = contract.results_dir.join(&contract.results_file);
        failures.push(format!("there is no {}", pattern.display()));
    }
    if none_is_indexed {
        let failed = FailedRun::new(&context, &pod(), now()?);
        sink.add(Kind::Summary, failed.document_id, &failed)?;
    }
    let shipped = sink.finish();
    tell_of(&shipped, true);
    let exit = match shipped.exit() {
        Exit::Done if !failures.is_empty() || (ended == Ended::ExitCode(0) && !whole) => {
            Exit::SomeFailed
        }
        sent => sent,
    };
    Ok((exit, outcome(ended, &shipped, &failures)))
}

/// The pod's name, for a run that nobody named.
fn pod() -> String {
    let name = std::env::var("HOSTNAME").ok();
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unnamed".to_owned())
}

fn now() -> Result<Timestamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Timestamp::from_epoch_seconds(now.as_secs_f64()).context("the clock is wrong")
}

/// Indexes the reports, or what can be salvaged of them; says what failed.
fn index_all(context: &RunContext, reports: &[PathBuf], sink: &BulkSink) -> Vec<String> {
    let options = ReadOptions {
        salvage: true,
        ..ReadOptions::default()
    };
    let failure = |path: &PathBuf| {
        let indexed = index_report(Source::path(path), context, &options, sink);
        let failure = format!("{}: {}", path.display(), indexed.err()?);
        tell(&format!("error: {failure}"));
        Some(failure)
    };
    reports.iter().filter_map(failure).collect()
}

fn outcome(ended: Ended, shipped: &Shipped, failures: &[String]) -> String {
    let arrived = shipped.count(|it| it.created + it.updated + it.unchanged);
    let mut line = format!("{}; {arrived} documents indexed", ended.told());
    for (what, count) in [
        ("rejected", shipped.count(|it| it.rejected)),
        ("unsent", shipped.count(|it| it.unsent)),
        ("lost", shipped.count(|it| it.lost)),
    ] {
        if count > 0 {
            line = format!("{line}, {count} {what}");
        }
    }
    for file in [&shipped.rejected_file, &shipped.unsent_file]
        .into_iter()
        .flatten()
    {
        line = format!("{line}; `guidellm-indexer replay {}`", file.display());
    }
    failures
        .iter()
        .fold(line, |line, failure| format!("{line}; {failure}"))
}

/// Writes the line where Kubernetes shows it. Outside a pod there is no such file.
fn note(log: &Path, line: &str) {
    /// As much as Kubernetes keeps.
    const LONGEST: usize = 4096;
    let end = line.floor_char_boundary(LONGEST);
    if let Err(error) = fs::write(log, line.get(..end).unwrap_or_default()) {
        tell(&format!("warning: {}: {error}", log.display()));
    }
}
