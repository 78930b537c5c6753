//! What can go wrong with a cluster.

use std::time::Duration;

use guidellm_indexer::cluster::chain;
use tokio::time::{Instant, sleep};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Why something could not be asked of a cluster, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// There is no way to any cluster.
    #[error("no cluster: {0}; give --kubeconfig FILE, or set KUBECONFIG")]
    Configuration(String),
    /// It does not know a kind.
    #[error("the cluster does not know {kind} of {api_version}; its CRD is not installed")]
    UnknownKind {
        /// Group and version.
        api_version: String,
        /// Kind.
        kind: String,
    },
    /// It did not answer, or could not now.
    #[error("cannot {doing}: {reason}")]
    Unavailable {
        /// What was asked.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// It refuses.
    #[error("cannot {doing}: {reason} (HTTP {status})")]
    Refused {
        /// What was asked.
        doing: String,
        /// What it says.
        reason: String,
        /// Its status.
        status: u16,
    },
    /// An object is there, and not of this run.
    #[error("{object} is there already, {owner}")]
    Foreign {
        /// Kind and name.
        object: String,
        /// Whose it is, and what to do.
        owner: String,
    },
    /// An object is still being deleted.
    #[error("{object} is still being deleted: {reason}")]
    Ending {
        /// Kind and name.
        object: String,
        /// What that waits for.
        reason: String,
    },
}

impl ClusterError {
    /// Of what a client says.
    pub(crate) fn of(error: kube::Error, doing: String) -> Self {
        match error {
            kube::Error::Api(status) if is_passing(status.code) => Self::Unavailable {
                doing,
                reason: format!("{} (HTTP {})", status.message, status.code),
            },
            kube::Error::Api(status) => Self::Refused {
                doing,
                reason: status.message.clone(),
                status: status.code,
            },
            error => Self::Unavailable {
                doing,
                reason: chain(&error),
            },
        }
    }

    /// Whether the same may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Ending { .. })
    }
}

/// Asks until there is an answer, a refusal, or no more time.
///
/// # Errors
///
/// The last one.
pub(crate) async fn patiently<T>(
    until: Instant,
    ask: impl AsyncFn() -> Result<T, ClusterError>,
) -> Result<T, ClusterError> {
    loop {
        match ask().await {
            Err(error) if error.is_retryable() && Instant::now() + PAUSE < until => {
                sleep(PAUSE).await;
            }
            answered => return answered,
        }
    }
}

/// 401 too: a token that has expired is read again.
fn is_passing(status: u16) -> bool {
    matches!(status, 401 | 429 | 500 | 502 | 503 | 504)
}
