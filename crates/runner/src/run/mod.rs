//! `llm-d-scale run`: a suite, from nothing to documents, and back to nothing.

mod about;
mod apply;
mod arguments;
mod check;
mod clean_up;
mod engine;
mod evidence;
mod gc;
mod hand_over;
mod indexing;
mod narrator;
mod objectives;
mod outlook;
mod probe;
mod prometheus;
mod samples;
mod stage;
mod state;
mod status;
mod stop;
mod tenure;
mod wait;

pub use arguments::{CheckArguments, ClusterArguments, GcArguments, RunCommand, StatusArguments};
pub use check::Check;
pub use engine::OnFailure;
pub use gc::gc;
pub use outlook::Failure;
pub use state::{JobRecord, State};
pub use status::status;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::check::is_reached;
use self::clean_up::clean_up;
use self::engine::{Engine, Outcome, lock};
use self::hand_over::HandOver;
use self::indexing::{Indexing, Source};
use self::narrator::Narrator;
use self::probe::Target;
use self::state::Book;
use self::stop::Stop;
use self::tenure::Tenure;
use crate::cluster::{Cluster, Patience};
use crate::plan::{PlannedJob, Run, plan};
use crate::suite::Suite;

/// How long the target may take until it serves, once its objects are ready: the endpoint picker has to
/// find its pods.
const PROBE: Duration = Duration::from_mins(2);

/// Runs a suite.
///
/// # Errors
///
/// If it cannot start; what goes wrong later is told, and in the exit code.
pub async fn run(command: &RunCommand) -> Result<Exit> {
    command.objectives()?;
    let metadata = Arc::new(command.metadata()?);
    let suite = command.suite()?;
    let run = command.run(&suite)?;
    let jobs = plan(&suite, &command.suite.files(), &run)?;
    let folder = command.folder(&run.uuid);
    command.check_store()?;
    let cluster = command.cluster.connect().await?;
    let cluster = cluster.within(namespaces(&jobs, &run));
    let narrator = Narrator::new(command.quiet);
    let stop = Stop::on_signals({
        let narrator = narrator.clone();
        move |times| narrator.warn(told(times))
    })?;
    let cluster = cluster.waited_for(patience(&narrator, &stop));
    let (uuid, namespace, url) = (&run.uuid, &run.namespace, cluster.url());
    narrator.tell(&format!("run {uuid} in namespace {namespace} of {url}"));
    let sources = tokio::select! {
        () = stop.stopped() => bail!("the user stopped it, before anything was made"),
        sources = prepare(command, &suite, (&jobs, &run), &cluster, &narrator) => sources?,
    };
    let book = Book::open(
        &folder,
        &run.uuid,
        &run.namespace,
        &digest(&jobs),
        command.resume,
    )?;
    let tenure = Tenure::begin(&cluster, &run, &book, &narrator, &stop).await?;
    let book = Arc::new(Mutex::new(book));
    let (ended, taken) = mpsc::unbounded_channel();
    let indexing = Indexing {
        jobs: jobs.clone(),
        uuid: run.uuid.as_str().into(),
        namespace: run.namespace.clone(),
        vars: public(&suite),
        metadata,
        sources,
        targets: command.targets(),
        sending: command.sending(&folder),
        book: Arc::clone(&book),
        narrator: narrator.clone(),
    };
    let indexing = tokio::spawn(indexing.take(taken));
    let until = Instant::now() + command.timeout.map_or(suite.global.timeout.0, Into::into);
    let engine = Engine {
        cluster: &cluster,
        jobs: &jobs,
        run: &run,
        global: &suite.global,
        on_failure: command.on_failure,
        until,
        stop: &stop,
        narrator: &narrator,
        hand_over: run
            .fetches()
            .then(|| HandOver::new(command, &cluster, &narrator)),
        book: Arc::clone(&book),
    };
    let target = Target {
        cluster: &cluster,
        url: suite.vars.target(),
        model: suite.vars.model(),
        namespace: &run.namespace,
    };
    let look = async || {
        let facts = about::facts(&cluster, &jobs, &run.namespace).await;
        lock(&book).note_facts(facts)
    };
    let probe = async || {
        if command.skip_probe {
            return Ok(());
        }
        narrator.waits(&format!("asking {} for one token", target.url));
        let until = (Instant::now() + PROBE).min(until);
        target.probe(until, &stop).await
    };
    let tell = |record: &JobRecord| drop(ended.send(record.clone()));
    let ran = engine.run(look, probe, tell).await;
    drop(ended);
    narrator.job("metrics and documents", None);
    narrator.waits("");
    let indexed = tokio::select! {
        () = stop.hurried() => {
            narrator.warn("documents of jobs are not written; --resume writes them");
            Exit::SomeFailed
        }
        written = written(indexing, command, &run.uuid, &narrator) => written?,
    };
    let waiting = ran.as_ref().map_or(0, |outcome| outcome.waiting);
    let swept = clean_up(command, &engine, waiting).await;
    tenure.end().await;
    narrator.end();
    let outcome = ran?;
    let exit = exit(outcome, indexed, swept?);
    lock(&book).end(exit, outcome.skipped)?;
    command.tell(&lock(&book).state)?;
    Ok(exit)
}

/// Waits until all documents are where they belong, and judges the run by them.
async fn written(
    indexing: JoinHandle<Exit>,
    command: &RunCommand,
    uuid: &str,
    narrator: &Narrator,
) -> Result<Exit> {
    let indexed = indexing.await;
    let indexed = indexed.context("the thread that makes documents died")?;
    Ok(indexed.max(self::objectives::judge(command, uuid, narrator).await?))
}

/// Makes sure that all is there that the run needs; where metrics come from.
async fn prepare(
    command: &RunCommand,
    suite: &Suite,
    (jobs, run): (&[PlannedJob], &Run),
    cluster: &Cluster,
    narrator: &Narrator,
) -> Result<Vec<Source>> {
    if !command.skip_check {
        narrator.waits("checking what the cluster has");
        let probed = command.probed(suite);
        let mut checks = self::check::cluster(cluster, jobs, run, probed).await;
        checks.extend(server(command).await?);
        fail_on(&checks, narrator)?;
    }
    prometheus::sources(command, suite, cluster, narrator).await
}

/// Whether the search server answers, if there is one.
async fn server(command: &RunCommand) -> Result<Option<Check>> {
    let command = command.clone();
    let asked = tokio::task::spawn_blocking(move || command.check_server()).await;
    asked.context("the thread that asks died")
}

/// Checks what a run needs.
///
/// # Errors
///
/// If the suite is wrong, or there is no cluster.
pub async fn check(arguments: &CheckArguments) -> Result<Exit> {
    let command = &arguments.run;
    let suite = command.suite()?;
    let run = command.run(&suite)?;
    let jobs = plan(&suite, &command.suite.files(), &run)?;
    command.check_store()?;
    let cluster = command.cluster.connect().await?;
    let probed = command.probed(&suite);
    let mut checks = self::check::cluster(&cluster, &jobs, &run, probed).await;
    if is_reached(&checks) {
        checks.extend(prometheus::check(command, &suite, &cluster).await);
        checks.extend(server(command).await?);
    }
    let exit = match () {
        () if !is_reached(&checks) => Exit::Unusable,
        () if checks.iter().all(|it| it.ok) => Exit::Done,
        () => Exit::SomeFailed,
    };
    if command.json {
        crate::print(&(serde_json::to_string(&checks)? + "\n"))?;
    } else {
        let lines: Vec<String> = checks.iter().map(|it| format!("{it}\n")).collect();
        crate::print(&lines.concat())?;
    }
    Ok(exit)
}

/// A credential that may be renewed is waited for until the user wants to stop.
fn patience(narrator: &Narrator, stop: &Stop) -> Patience {
    let (narrator, stop) = (narrator.clone(), stop.clone());
    Patience::new(move |line| narrator.warn(line), move || stop.is_stopped())
}

fn told(times: u32) -> &'static str {
    match times {
        1 => "stopping: what there is is indexed, then all is deleted; again to leave it as it is",
        _ => "leaving all as it is",
    }
}

fn fail_on(checks: &[Check], narrator: &Narrator) -> Result<()> {
    for it in checks.iter().filter(|it| !it.ok || it.warning) {
        narrator.warn(&it.to_string());
    }
    if checks.iter().all(|it| it.ok) {
        return Ok(());
    }
    bail!(
        "the cluster lacks what the run needs, and nothing was made (--skip-check tries all the same)"
    )
}

fn exit(outcome: Outcome, indexed: Exit, swept: bool) -> Exit {
    let ran = match outcome {
        Outcome {
            timed_out: true, ..
        } => Exit::DeadlinePassed,
        Outcome {
            failed: 0,
            skipped: 0,
            stopped: false,
            ..
        } => Exit::Done,
        _ => Exit::SomeFailed,
    };
    let swept = if swept { Exit::Done } else { Exit::SomeFailed };
    ran.max(indexed).max(swept)
}

/// Where the objects of a run are.
fn namespaces(jobs: &[PlannedJob], run: &Run) -> BTreeSet<String> {
    let objects = jobs.iter().flat_map(|job| &job.objects);
    let mut namespaces: BTreeSet<String> = objects.map(|it| it.namespace().to_owned()).collect();
    namespaces.insert(run.namespace.clone());
    namespaces
}

/// What a plan comes to: another one is another run.
fn digest(jobs: &[PlannedJob]) -> String {
    let objects = jobs.iter().flat_map(|job| &job.objects);
    about::digest(&objects.map(|it| it.manifest.clone()).collect::<Value>())
}

/// The variables, without what nobody should read.
fn public(suite: &Suite) -> serde_json::Map<String, Value> {
    let mut vars = suite.vars.all().clone();
    vars.remove("hfToken");
    vars
}
