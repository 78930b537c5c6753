//! Without a search server: fetches the documents that sidecars keep in their pods, into the store, and
//! tells them once they are safe.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::StreamExt;
use guidellm_indexer::{Backoff, Received, Store, receive};
use guidellm_results_model::Exit;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::ResourceExt;
use kube::api::{Api, AttachParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};

use super::arguments::RunCommand;
use super::narrator::Narrator;
use super::stage::Stage;
use crate::cluster::{Cluster, ClusterError};
use crate::objects::selector;
use crate::scenario::{HAND_OVER_SECONDS, SIDECAR};

/// The sidecar's program, in its image.
const PROGRAM: &str = "/usr/bin/guidellm-indexer";
/// Bytes that are read at once, and how many such pieces wait to be written.
const PIECE: usize = 64 << 10;
const PIECES: usize = 8;

/// All that fetching takes.
#[derive(Clone)]
pub(super) struct HandOver {
    cluster: Cluster,
    store: PathBuf,
    narrator: Narrator,
}

/// Documents are fetched as long as it is kept.
pub(super) struct Fetching {
    _tasks: JoinSet<()>,
    failing: Failing,
}

/// Pods whose documents could not be fetched up to now.
type Failing = Arc<Mutex<BTreeSet<String>>>;

fn lock(failing: &Failing) -> MutexGuard<'_, BTreeSet<String>> {
    failing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fetching {
    /// Pods whose documents wait, as they could not be fetched up to now.
    pub(super) fn failing(&self) -> Vec<String> {
        lock(&self.failing).iter().cloned().collect()
    }
}

/// How long documents wait, from the end of their benchmark on.
pub(super) fn patience() -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(HAND_OVER_SECONDS))
}

impl HandOver {
    /// From a cluster into the command's store.
    pub(super) fn new(command: &RunCommand, cluster: &Cluster, narrator: &Narrator) -> Self {
        Self {
            cluster: cluster.clone(),
            store: command.fetched_into(),
            narrator: narrator.clone(),
        }
    }

    /// Fetches the documents of a job's pods from now on, as their benchmarks end.
    pub(super) fn start(&self, namespace: &str, run: &str, job: &str) -> Fetching {
        let api = Api::namespaced(self.cluster.client().clone(), namespace);
        let config = watcher::Config::default().labels(&selector(run, Some(job)));
        let mut tasks = JoinSet::new();
        let failing = Failing::default();
        tasks.spawn(self.clone().watch(api, config, Arc::clone(&failing)));
        Fetching {
            _tasks: tasks,
            failing,
        }
    }

    async fn watch(self, api: Api<Pod>, config: watcher::Config, failing: Failing) {
        let mut events = watcher(api.clone(), config).default_backoff().boxed();
        let mut fetches = JoinSet::new();
        let mut known: BTreeMap<String, AbortHandle> = BTreeMap::new();
        while let Some(event) = events.next().await {
            let (pod, gone) = match event {
                Ok(Event::Apply(pod) | Event::InitApply(pod)) => (pod, false),
                Ok(Event::Delete(pod)) => (pod, true),
                Ok(Event::Init | Event::InitDone) | Err(_) => continue,
            };
            let (name, stage) = (pod.name_any(), Stage::of(&pod));
            if stage == Stage::Over || gone {
                if let Some(fetch) = known.remove(&name) {
                    fetch.abort();
                    lock(&failing).remove(&name);
                }
            } else if stage == Stage::Ended && !known.contains_key(&name) {
                let fetch = self
                    .clone()
                    .fetch(api.clone(), name.clone(), Arc::clone(&failing));
                known.insert(name, fetches.spawn(fetch));
            }
        }
    }

    /// Tries until it is done; who watches the pod ends it.
    async fn fetch(self, api: Api<Pod>, pod: String, failing: Failing) {
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            match self.try_to_fetch(&api, &pod).await {
                Ok(true) => {
                    lock(&failing).remove(&pod);
                    return;
                }
                // It has been waited for already.
                Ok(false) => {}
                Err(error) => {
                    lock(&failing).insert(pod.clone());
                    if !told {
                        self.narrator.warn(&format!(
                            "warning: documents of pod/{pod} are not fetched yet: {error:#}; trying \
                             again. Ctrl-C leaves them there, where --resume fetches them within {}",
                            patience()
                        ));
                    }
                    told = true;
                    tokio::time::sleep(backoff.next(None, fastrand::f64())).await;
                }
            }
        }
    }

    /// Fetches, if the documents are ready; whether they are safe, and the sidecar knows it.
    async fn try_to_fetch(&self, api: &Api<Pod>, pod: &str) -> Result<bool> {
        let (pieces, waiting) = mpsc::channel(PIECES);
        let store = self.store.clone();
        let receiving = spawn_blocking(move || {
            let pieces = Pieces {
                waiting,
                piece: io::Cursor::default(),
            };
            receive(BufReader::new(pieces), &Store::open(store)?)
        });
        let ended = call(api, pod, &[], Some(pieces)).await;
        let received = receiving.await.context("the thread that writes died")?;
        if ended
            .as_ref()
            .is_ok_and(|code| *code == i32::from(Exit::DeadlinePassed.code()))
        {
            return Ok(false);
        }
        // Whole is what the last line says; but how it ended tells more of what is not.
        let Received { documents, failed } = match (received, ended) {
            (Ok(received), _) => received,
            (Err(error), Ok(0)) => return Err(error),
            (Err(error), Ok(code)) => bail!("exit code {code}: {error:#}"),
            (Err(error), Err(ended)) => bail!("{ended:#}; {error:#}"),
        };
        let told = acknowledge(api, pod).await;
        told.context("they are in the store, but its sidecar does not know it")?;
        let store = self.store.display();
        self.narrator.tell(&format!(
            "  {documents} documents of pod/{pod} are in {store}"
        ));
        for run in &failed {
            self.narrator.warn(&format!("warning: {run}"));
        }
        Ok(true)
    }
}

/// Tells a sidecar that nobody needs its documents any more, so that it ends.
pub(super) async fn acknowledge(api: &Api<Pod>, pod: &str) -> Result<()> {
    match call(api, pod, &["--taken"], None).await? {
        0 => Ok(()),
        code => bail!("exit code {code}"),
    }
}

/// Calls the sidecar's program in its container; its exit code. What it prints goes into `pieces`.
async fn call(
    api: &Api<Pod>,
    pod: &str,
    arguments: &[&str],
    pieces: Option<mpsc::Sender<Vec<u8>>>,
) -> Result<i32> {
    let parameters = AttachParams {
        container: Some(SIDECAR.to_owned()),
        max_stdout_buf_size: Some(PIECE),
        ..AttachParams::default()
    };
    let command = [PROGRAM, "hand-over"].iter().chain(arguments).copied();
    let process = api.exec(pod, command, &parameters).await;
    let mut process = process.map_err(unreached)?;
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let status = process.take_status();
    let (printed, told) = tokio::join!(passed_on(stdout, pieces), read(stderr));
    printed?;
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    let status = status.context("the connection to the pod broke")?;
    match exit_code(&status) {
        Some(code) if told.is_empty() => Ok(code),
        // What it says is why.
        Some(code) if code != 0 => bail!("exit code {code}: {}", told.trim()),
        Some(code) => Ok(code),
        None => bail!("{}", status.message.unwrap_or_default()),
    }
}

/// Why a container could not be reached, and what to do if that was refused.
fn unreached(error: kube::Error) -> anyhow::Error {
    match ClusterError::of(error, "reach its sidecar".to_owned()) {
        error @ ClusterError::Refused { status: 403, .. } => {
            anyhow!("{error}; ask for a role that may get and create pods/exec")
        }
        error => error.into(),
    }
}

async fn passed_on(
    from: Option<impl AsyncRead + Unpin>,
    to: Option<mpsc::Sender<Vec<u8>>>,
) -> Result<()> {
    let Some(mut from) = from else {
        return Ok(());
    };
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if from.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        // Whoever receives says itself why it does not take more.
        if let Some(to) = &to
            && to.send(piece).await.is_err()
        {
            return Ok(());
        }
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut text = Vec::new();
    if let Some(mut from) = from {
        // What came before an error is what there is.
        drop(from.read_to_end(&mut text).await);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Exit code of a process in a container, from the status that ends its streams.
fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let cause = causes
        .iter()
        .find(|it| it.reason.as_deref() == Some("ExitCode"))?;
    cause.message.as_ref()?.parse().ok()
}

/// Pieces that come, as one thing to read on a thread that may wait.
struct Pieces {
    waiting: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = Read::read(&mut self.piece, buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.waiting.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_exit_code_is_in_the_status_that_ends_the_streams() {
        let code = |status: Value| exit_code(&serde_json::from_value(status).unwrap());
        assert_eq!(code(json!({ "status": "Success" })), Some(0));
        let details = json!({ "causes": [{ "reason": "ExitCode", "message": "4" }] });
        let failed =
            json!({ "status": "Failure", "reason": "NonZeroExitCode", "details": details });
        assert_eq!(code(failed), Some(4));
        assert_eq!(
            code(json!({ "status": "Failure", "reason": "InternalError" })),
            None
        );
    }

    #[tokio::test]
    async fn pieces_are_read_as_one() {
        let (sender, waiting) = mpsc::channel(1);
        let piece = io::Cursor::default();
        let reading = spawn_blocking(move || {
            let mut text = String::new();
            Pieces { waiting, piece }.read_to_string(&mut text).unwrap();
            text
        });
        passed_on(Some(&b"two\nlines\n"[..]), Some(sender))
            .await
            .unwrap();
        assert_eq!(reading.await.unwrap(), "two\nlines\n");
    }
}
