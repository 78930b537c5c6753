//! Why Prometheus gave no answer.

use super::client::MOST_BYTES;

/// Why there is no answer. Messages hold no secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PrometheusError {
    /// The description of the server makes no sense.
    #[error("{0}")]
    Configuration(String),
    /// It did not answer in time.
    #[error("{url}: no answer within {patience}: {reason}")]
    Away {
        /// The server.
        url: String,
        /// How long it was tried.
        patience: humantime::Duration,
        /// How the last try ended.
        reason: String,
    },
    /// Its certificate is of no authority that is trusted.
    #[error(
        "{url}: certificate not trusted: {reason}; name its authority by --prometheus-cacert PEM"
    )]
    Untrusted {
        /// The server.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its certificate is one that signs others, as `openssl req -x509` makes it.
    #[error(
        "{url}: certificate not trusted: the server shows an authority's certificate as its own; \
         give it one with basicConstraints CA:FALSE"
    )]
    OwnAuthority {
        /// The server.
        url: String,
    },
    /// It does not know who one is.
    #[error("{url}: credentials refused (HTTP 401); give another token, or user and password")]
    Unauthorized {
        /// The server.
        url: String,
    },
    /// There is no token to show.
    #[error("{url}: {reason}")]
    NoToken {
        /// The server.
        url: String,
        /// Why.
        reason: String,
    },
    /// It will not answer this query.
    #[error("{url}: HTTP {status}: {reason}")]
    Refused {
        /// The server.
        url: String,
        /// Its status.
        status: u16,
        /// Its reason.
        reason: String,
    },
    /// A query took it too long, each time.
    #[error("{url}: {reason}; ask for less at once: a longer step, or fewer series")]
    Slow {
        /// The server.
        url: String,
        /// Its reason.
        reason: String,
    },
    /// What it answers is not Prometheus' JSON.
    #[error("{url}: not an answer of Prometheus: {reason}")]
    WrongProduct {
        /// The server.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// One point of all series is more than can be held.
    #[error("the answer is larger than {} MiB even at one point; aggregate the query", MOST_BYTES >> 20)]
    TooLarge,
}

impl PrometheusError {
    /// Whether other queries would fare no better.
    #[must_use]
    pub fn is_general(&self) -> bool {
        match self {
            Self::Configuration(_)
            | Self::Away { .. }
            | Self::Untrusted { .. }
            | Self::OwnAuthority { .. }
            | Self::Unauthorized { .. }
            | Self::NoToken { .. } => true,
            Self::Refused { .. }
            | Self::Slow { .. }
            | Self::WrongProduct { .. }
            | Self::TooLarge => false,
        }
    }
}
