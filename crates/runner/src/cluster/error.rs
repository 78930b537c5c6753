//! What can go wrong with a cluster.

use guidellm_indexer::cluster::chain;
use kube::runtime::watcher;

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
    /// It does not take the credential, or not any more.
    #[error(
        "cannot {doing}: {reason} (HTTP 401): the credential has expired, or was never known; log in again"
    )]
    Unauthorized {
        /// What was asked.
        doing: String,
        /// What it says.
        reason: String,
    },
    /// Another process runs the same run.
    #[error(
        "run {run} is being run by another llm-d-scale: {holder}; wait until that has ended, or end it there \
         by Ctrl-C; a run beside it takes another --uuid. If that process was killed, the run is free {} \
         seconds after", super::lease::DURATION.as_secs()
    )]
    Live {
        /// Which run.
        run: String,
        /// Who runs it: a folder and a host.
        holder: String,
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
            kube::Error::Api(status) if status.code == 401 => Self::Unauthorized {
                doing,
                reason: status.message.clone(),
            },
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

    /// Of a watch that fails because the credential is not taken.
    pub(crate) fn unauthorized(error: &watcher::Error) -> Option<Self> {
        let (watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status)) = error
        else {
            return None;
        };
        (status.code == 401).then(|| Self::Unauthorized {
            doing: "watch objects".to_owned(),
            reason: status.message.clone(),
        })
    }

    /// Whether the same may succeed later: with a credential that was renewed, too.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Ending { .. } | Self::Unauthorized { .. }
        )
    }
}

fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}
