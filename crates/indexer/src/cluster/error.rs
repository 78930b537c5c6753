//! Why a cluster cannot be worked with.

/// Why a cluster cannot be worked with. Messages hold no credentials.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The connection's description makes no sense.
    #[error("{0}")]
    Configuration(String),
    /// No node gave an answer.
    #[error("{nodes}: no answer: {reason}")]
    Unreachable {
        /// The nodes that were tried.
        nodes: String,
        /// What the last one's connection ended with.
        reason: String,
    },
    /// The server's certificate is of no authority that is trusted.
    #[error("{nodes}: certificate not trusted: {reason}; name its authority with --cacert PEM")]
    Untrusted {
        /// The nodes that were tried.
        nodes: String,
        /// What is wrong with the last one's certificate.
        reason: String,
    },
    /// User, password, key or certificate are not accepted.
    #[error(
        "{nodes}: credentials refused (HTTP 401); set ES_USERNAME and ES_PASSWORD, or ES_API_KEY"
    )]
    Unauthorized {
        /// The nodes that were tried.
        nodes: String,
    },
    /// Something answers, but not OpenSearch or Elasticsearch.
    #[error("{nodes}: not an OpenSearch or Elasticsearch server: {reason}")]
    WrongProduct {
        /// The nodes that were tried.
        nodes: String,
        /// What it is instead.
        reason: String,
    },
    /// The server refuses a call that has to work.
    #[error("{what}: HTTP {status}: {reason}")]
    Refused {
        /// What was to be done.
        what: String,
        /// Its status.
        status: u16,
        /// The server's reason.
        reason: String,
    },
    /// It was told to stop before it was reached.
    #[error("stopped before the server was reached")]
    Stopped,
    /// A search gave less than it should have.
    #[error("the server did not give all documents: {reason}; run it again")]
    Incomplete {
        /// What is missing.
        reason: String,
    },
    /// The index is there, with a field that cannot hold ours.
    #[error(
        "index {index}: field `{field}` is mapped as `{found}`, which cannot hold `{wanted}`; \
         index into another one, or reindex it"
    )]
    Mapping {
        /// The index.
        index: String,
        /// The first field that does not fit.
        field: String,
        /// Its type.
        found: String,
        /// The type that it should have.
        wanted: String,
    },
}

impl ClusterError {
    /// Whether the same may work later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            // What should be an answer and is none comes from something before the server.
            Self::Refused { status, .. } => super::may_pass(*status) || (200..300).contains(status),
            Self::Configuration(_)
            | Self::Untrusted { .. }
            | Self::Unauthorized { .. }
            | Self::WrongProduct { .. }
            | Self::Stopped
            | Self::Incomplete { .. }
            | Self::Mapping { .. } => false,
        }
    }
}
