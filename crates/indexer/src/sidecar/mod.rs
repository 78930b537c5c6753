//! `guidellm-indexer sidecar`: waits for the benchmark in the same pod, and sends its report.

mod contract;
mod watch;

pub use contract::Contract;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use guidellm_results_model::documents::{Request, Summary};
use guidellm_results_model::{Consumer, Exit, ReadOptions, RunContext, Source};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::watch::{Ended, Next, Seen, Watch};
use crate::bulk::{BulkSink, Shipped};
use crate::cli::SidecarArguments;
use crate::server::tell_of;
use crate::sink::{IndexError, index_report, read_into};
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
    if reports.is_empty() {
        let pattern = contract.results_dir.join(&contract.results_file);
        let line = format!("{}, but there is no {}", ended.told(), pattern.display());
        return Ok((Exit::SomeFailed, line));
    }
    let Some(sink) = arguments.sending.open(&[])? else {
        bail!("a sidecar needs --es-server URL (or ES_SERVER)");
    };
    let failures = index_all(contract, ended, &reports, &sink);
    let shipped = sink.finish();
    tell_of(&shipped, true);
    let sent = shipped.exit();
    let exit = match (failures.is_empty(), sent) {
        (true, _) | (false, Exit::DeadlinePassed) => sent,
        (false, _) => Exit::SomeFailed,
    };
    Ok((exit, outcome(ended, &shipped, &failures)))
}

fn index_all(
    contract: &Contract,
    ended: Ended,
    reports: &[PathBuf],
    sink: &BulkSink,
) -> Vec<String> {
    let context = RunContext {
        uuid: contract.uuid.clone().filter(|uuid| !uuid.is_empty()),
        job_name: contract.job_name.clone(),
        sample: contract.sample,
    };
    let options = ReadOptions {
        salvage: !ended.is_success(),
        ..ReadOptions::default()
    };
    let index = |path: &PathBuf| -> Result<(), IndexError> {
        index_report(Source::path(path), &context, &options, sink).map(drop)
    };
    let failure = |path: &PathBuf| {
        let error = index(path).err()?;
        let failure = format!("{}: {error}", path.display());
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
