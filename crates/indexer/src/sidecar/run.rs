//! From the first look at the pod to the last word about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use guidellm_results_model::documents::{Request, RunOutcome, Summary};
use guidellm_results_model::{Consumer, Exit, ReadOptions, RunContext, Source};
use tokio::runtime::{Builder, Runtime};

use super::contract::Contract;
use super::hand_over;
use super::health::{self, Progress};
use super::pod::OwnPod;
use super::shipment::{Sent, Shipment};
use super::signals::Signals;
use super::volume::goes_with_the_pod;
use super::watch::{Ended, Next, Patience, Seen, Watch};
use crate::bulk::Taken;
use crate::cli::{SendingArguments, ServerArguments, SidecarArguments};
use crate::cluster::Cluster;
use crate::objectives::objectives;
use crate::server::tell_of;
use crate::sink::read_into;
use crate::tell;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// Kubernetes knows how a container ended a moment after its process is gone.
const STATUS_DELAY: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &SidecarArguments) -> Result<Exit> {
    let contract = &arguments.contract;
    let sending = prepared(arguments)?;
    let slos = contract.slo.as_deref().map(objectives).transpose()?;
    let slos = slos.unwrap_or_default();
    let signals = Signals::watch(contract.grace())?;
    let background = background()?;
    let progress = Progress::new();
    if let Some(port) = contract.health_port {
        health::serve(&background, port, &progress)?;
    }
    background.spawn(warn_of_server(sending.server.clone()));
    let pod = OwnPod::watch(background.handle(), contract);
    let ended = refined(wait(contract, pod.as_ref(), &signals)?, pod.as_ref());
    tell(&ended.told());
    progress.ended();
    let reports = reports(contract)?;
    // Of a quiet report it is known.
    let whole =
        ended == Ended::Quiet || (!reports.is_empty() && reports.iter().all(|path| is_whole(path)));
    let outcome = outcome(contract, pod.as_ref(), &ended, whole);
    let shipment = Shipment {
        sending: &sending,
        context: RunContext {
            uuid: contract.uuid.clone().filter(|uuid| !uuid.is_empty()),
            job_name: contract.job_name.clone(),
            sample: contract.sample,
            outcome,
        },
        unnamed: &contract.pod().unwrap_or_else(|| "unnamed".to_owned()),
        reports: &reports,
        slos: &slos,
    };
    let mut sent = match contract.hand_over() {
        None => shipment.send(&signals, &progress)?,
        Some(patience) => handed_over(contract, patience, &shipment, &signals)?,
    };
    if reports.is_empty() {
        let pattern = contract.results_dir.join(&contract.results_file);
        let failure = format!("there is no {}", pattern.display());
        sent.failures.push(failure);
    }
    tell_of(&sent.shipped, true);
    let incomplete = !sent.failures.is_empty() || (ended.is_success() && !whole);
    let exit = match sent.shipped.exit() {
        _ if sent.fetched == Some(false) => Exit::DeadlinePassed,
        Exit::Done if incomplete => Exit::SomeFailed,
        Exit::Done if sent.fails => Exit::ThresholdCrossed,
        exit => exit,
    };
    sent.missed
        .iter()
        .for_each(|missed| tell(&format!("objective {missed}")));
    let line = last_words(&ended, &sent);
    tell(&line);
    note(&contract.termination_log, &line);
    if let (Some(pod), Some(reason)) = (&pod, event(exit)) {
        pod.warn(reason, &line);
    }
    // The exit code of a native one says nothing to anybody; started again, it would only send
    // the same.
    while contract.native && !signals.came() {
        sleep(PAUSE);
    }
    Ok(exit)
}

/// What goes on beside the waiting.
fn background() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all();
    builder.build().context("no threads")
}

/// How documents are sent from within a pod: whatever cannot be sent is kept in the spool.
fn prepared(arguments: &SidecarArguments) -> Result<SendingArguments> {
    let mut sending = arguments.sending.clone();
    let contract = &arguments.contract;
    match (sending.server.connection()?, contract.hand_over()) {
        (None, None) => bail!(
            "a sidecar needs --es-server URL (or ES_SERVER), or {} where llm-d-scale fetches \
             documents",
            Contract::HAND_OVER_SECONDS
        ),
        (Some(_), Some(_)) => bail!(
            "documents are sent to ES_SERVER or wait for llm-d-scale ({}), not both",
            Contract::HAND_OVER_SECONDS
        ),
        _ => {}
    }
    let spool = contract.spool();
    fs::create_dir_all(spool).with_context(|| spool.display().to_string())?;
    for file in [&mut sending.bulk.rejected, &mut sending.bulk.unsent] {
        *file = spool.join(&*file);
    }
    if contract.hand_over().is_none() {
        sending.check()?;
        let unsent = &sending.bulk.unsent;
        if Taken::files(unsent).is_ok_and(|files| !files.is_empty()) {
            let file = unsent.display();
            tell(&format!(
                "warning: {file} has documents that were not sent before this start: \
                 `guidellm-indexer replay {file}` sends them"
            ));
        }
    }
    // Its root file system may be read-only. A folder named by TMPDIR is kept to.
    if std::env::var_os("TMPDIR").is_none() {
        drop(tempfile::env::override_temp_dir(spool));
    }
    // Documents that are fetched may go with the pod.
    if contract.hand_over().is_none()
        && let Some(why) = goes_with_the_pod(spool)
    {
        tell(&format!(
            "warning: {} goes with the pod ({why}): if the server stays away, the report and its \
             documents are lost; mount a persistent volume there, or name one by SPOOL_DIR",
            spool.display()
        ));
    }
    Ok(sending)
}

/// Makes the documents, and waits until they were fetched.
fn handed_over(
    contract: &Contract,
    patience: Duration,
    shipment: &Shipment,
    signals: &Signals,
) -> Result<Sent> {
    let mut sent = Sent::default();
    if !hand_over::is_taken(contract) {
        sent.failures = shipment.write(&contract.documents())?;
        tell("its documents wait to be fetched");
    }
    let fetched = hand_over::wait(contract, patience, signals);
    if !fetched {
        sent.failures
            .push(hand_over::not_fetched(contract, patience));
    }
    sent.fetched = Some(fetched);
    Ok(sent)
}

/// Whoever starts a benchmark of an hour wants to know before it whether the password is wrong.
async fn warn_of_server(server: ServerArguments) {
    let Ok(Some(connection)) = server.connection() else {
        return;
    };
    if let Err(error) = Cluster::connect(&connection).await {
        tell(&format!(
            "warning: {error}; it is tried again when the benchmark has ended"
        ));
    }
}

/// Waits until the benchmark has ended.
fn wait(contract: &Contract, pod: Option<&OwnPod>, signals: &Signals) -> Result<Ended> {
    let began = Instant::now();
    let mut watch = Watch::new(Patience {
        quiet: contract.quiet(),
        last_words: contract.grace() / 5,
    });
    loop {
        // What is seen after the signal is what there is.
        let terminated = signals.came();
        let container = pod.and_then(|pod| pod.view().ended);
        let seen = Seen {
            terminated,
            container,
            marker: fs::read_to_string(contract.marker()).ok(),
            reports: state(&reports(contract)?),
        };
        match watch.next(seen, began.elapsed()) {
            Next::End(ended) => return Ok(ended),
            Next::EndIfWhole(ended) if reports(contract)?.iter().all(|path| is_whole(path)) => {
                return Ok(ended);
            }
            Next::EndIfWhole(_) => watch.not_whole(),
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

/// Kubernetes knows what a shell does not: that a benchmark was ended for want of memory.
fn refined(ended: Ended, pod: Option<&OwnPod>) -> Ended {
    let known = match ended {
        Ended::ExitCode(code) if code != 0 => pod.and_then(|pod| pod.container_end(STATUS_DELAY)),
        _ => None,
    };
    known.map_or(ended, Ended::Container)
}

/// How and where the benchmark ended, by all who know.
fn outcome(contract: &Contract, pod: Option<&OwnPod>, ended: &Ended, whole: bool) -> RunOutcome {
    let mut outcome = ended.outcome(whole);
    let view = pod.map(OwnPod::view).unwrap_or_default();
    if let Some(reason) = &mut outcome.failure_reason
        && let Some(disruption) = pod.and_then(OwnPod::disruption)
    {
        *reason = format!("{disruption}: {reason}");
    }
    if outcome.passed == Some(false) {
        outcome.log_tail = pod.and_then(OwnPod::log_tail);
    }
    RunOutcome {
        namespace: pod.map_or_else(|| contract.pod_namespace.clone(), OwnPod::namespace),
        pod_name: pod.map_or_else(
            || contract.pod_name.clone(),
            |pod| Some(pod.name().to_owned()),
        ),
        node_name: contract.node_name.clone().or(view.node),
        ..outcome
    }
}

/// The one line that says what came of it.
fn last_words(ended: &Ended, sent: &Sent) -> String {
    let shipped = &sent.shipped;
    let arrived = shipped.count(|it| it.created + it.updated + it.unchanged);
    let mut line = match sent.fetched {
        None => format!("{}; {arrived} documents indexed", ended.told()),
        Some(true) => format!("{}; its documents were fetched", ended.told()),
        Some(false) => ended.told(),
    };
    for count in shipped.in_words(&["rejected", "unsent", "lost"]) {
        line = format!("{line}, {count}");
    }
    for file in [&shipped.rejected_file, &shipped.unsent_file]
        .into_iter()
        .flatten()
    {
        line = format!("{line}; `guidellm-indexer replay {}`", file.display());
        if let Some(why) = goes_with_the_pod(file) {
            line = format!("{line} before the pod goes, and this file with it ({why})");
        }
    }
    for failure in &sent.failures {
        line = format!("{line}; {failure}");
    }
    for missed in &sent.missed {
        line = format!("{line}; {missed}");
    }
    line.replace('\n', " ")
}

/// Reason of an Event, if there is anything to warn about.
fn event(exit: Exit) -> Option<&'static str> {
    match exit {
        Exit::Done => None,
        Exit::DeadlinePassed => Some("ResultsNotSent"),
        Exit::ThresholdCrossed => Some("ObjectivesMissed"),
        _ => Some("ResultsIncomplete"),
    }
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
