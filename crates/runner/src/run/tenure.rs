//! Who is at a run, as all who look at the cluster can see: of two processes, each would take the other's
//! objects for its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::narrator::Narrator;
use super::state::Book;
use super::stop::Stop;
use crate::cluster::lease::RENEWAL;
use crate::cluster::{Cluster, ClusterError, Lease};
use crate::plan::Run;

/// An API server that is away is waited for so long; then it is the run that waits for it, and tells.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long letting go may take.
const END: Duration = Duration::from_secs(5);

/// As long as it is kept, nobody else takes the run over.
pub(super) struct Tenure {
    lease: Lease,
    renewing: JoinHandle<()>,
}

impl Tenure {
    /// Takes a run, for who has its book.
    ///
    /// # Errors
    ///
    /// If another process is at the run.
    pub(super) async fn begin(
        cluster: &Cluster,
        run: &Run,
        book: &Book,
        narrator: &Narrator,
        stop: &Stop,
    ) -> Result<Self> {
        let holder = (place(book.folder()), book.state.holder.clone());
        let lease = Lease::new(cluster, &run.namespace, &run.uuid, holder);
        let until = Instant::now() + PATIENCE;
        let take = async || lease.take().await;
        let mut taken = tokio::select! {
            () = stop.stopped() => bail!("the user stopped it, before anything was made"),
            taken = cluster.patiently(until, take) => taken,
        };
        if matches!(taken, Err(ClusterError::Refused { .. })) {
            // Most likely there is no namespace yet, which the first job would make.
            if cluster.namespace(&run.namespace, &run.uuid).await.is_ok() {
                taken = cluster.patiently(until, take).await;
            } else {
                // It is told where the first job needs it.
                taken = Ok(());
            }
        }
        match taken {
            Err(error @ ClusterError::Live { .. }) => {
                book.forget();
                bail!(error)
            }
            Err(error) => narrator.warn(&format!(
                "warning: whether another llm-d-scale is at this run is not known: {error}"
            )),
            Ok(()) => {}
        }
        let renewing = renew(lease.clone(), cluster.clone(), narrator.clone());
        let renewing = tokio::spawn(renewing);
        Ok(Self { lease, renewing })
    }

    /// Lets it go.
    pub(super) async fn end(self) {
        self.renewing.abort();
        drop(timeout(END, self.lease.let_go()).await);
    }
}

async fn renew(lease: Lease, cluster: Cluster, narrator: Narrator) {
    loop {
        sleep(RENEWAL).await;
        match lease.take().await {
            Ok(()) => cluster.patience().is_answered(),
            Err(error @ ClusterError::Live { .. }) => {
                narrator.warn(&format!(
                    "error: {error}. It has taken this one over: end one of them, as each deletes what the \
                     other one makes"
                ));
                return;
            }
            // The first one to notice that a credential has expired. What else is wrong is told where it
            // matters.
            Err(error) => drop(cluster.patience().bears(&error)),
        }
    }
}

/// For whoever looks for the other process.
fn place(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    let host = match host.trim() {
        "" => String::new(),
        host => format!(" on {host}"),
    };
    format!("{}{host}", folder.display())
}
