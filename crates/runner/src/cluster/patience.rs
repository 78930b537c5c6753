//! Asking again what may succeed later, and who is told what it waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Cluster, ClusterError};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Who waits for a cluster, and how long.
#[derive(Clone)]
pub(crate) struct Patience(Arc<Inner>);

struct Inner {
    warn: Box<dyn Fn(&str) + Send + Sync>,
    is_over: Box<dyn Fn() -> bool + Send + Sync>,
    /// A credential that is refused is told of once, and not by each who asks.
    told: AtomicBool,
}

impl Default for Patience {
    fn default() -> Self {
        Self::new(crate::tell, || false)
    }
}

impl Patience {
    /// Of somebody who is told of what is wrong by `warn`, and who stops waiting for a credential once it
    /// `is_over`.
    pub(crate) fn new(
        warn: impl Fn(&str) + Send + Sync + 'static,
        is_over: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            warn: Box::new(warn),
            is_over: Box::new(is_over),
            told: AtomicBool::new(false),
        }))
    }

    /// Whether the same is to be asked again. A credential may be renewed by others, who have to know that
    /// it is time to.
    pub(crate) fn bears(&self, error: &ClusterError) -> bool {
        if !matches!(error, ClusterError::Unauthorized { .. }) {
            return error.is_retryable();
        }
        if !self.0.told.swap(true, Ordering::Relaxed) {
            (self.0.warn)(&format!(
                "warning: {error}. It is tried again: a token file or a login plugin is asked anew. A token \
                 that stands in the kubeconfig itself is not: end this by Ctrl-C, and go on with another one"
            ));
        }
        !(self.0.is_over)()
    }

    /// A credential that was refused is taken.
    pub(crate) fn is_answered(&self) {
        if self.0.told.swap(false, Ordering::Relaxed) {
            (self.0.warn)("the API server takes the credential again");
        }
    }
}

impl Cluster {
    /// The same, asked by somebody.
    #[must_use]
    pub(crate) fn waited_for(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Asks until there is an answer, a refusal, or no more time.
    ///
    /// # Errors
    ///
    /// The last one.
    pub(crate) async fn patiently<T>(
        &self,
        until: Instant,
        ask: impl AsyncFn() -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        let mut failed = false;
        loop {
            match ask().await {
                Err(error) if self.patience.bears(&error) && Instant::now() + PAUSE < until => {
                    failed |= matches!(error, ClusterError::Unauthorized { .. });
                    sleep(PAUSE).await;
                }
                answered => {
                    if failed && answered.is_ok() {
                        self.patience.is_answered();
                    }
                    return answered;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_refused_credential_is_told_of_once_and_waited_for_no_longer_than_somebody_wants() {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let patience = Patience::new(
            {
                let told = Arc::clone(&told);
                move |line| told.lock().unwrap().push(line.to_owned())
            },
            {
                let is_over = Arc::clone(&is_over);
                move || is_over.load(Ordering::Relaxed)
            },
        );
        let refused = ClusterError::Unauthorized {
            doing: "list pods".to_owned(),
            reason: "Unauthorized".to_owned(),
        };
        let away = ClusterError::Unavailable {
            doing: "list pods".to_owned(),
            reason: "connection refused".to_owned(),
        };
        assert!(patience.bears(&away) && told.lock().unwrap().is_empty());
        assert!(patience.bears(&refused) && patience.bears(&refused));
        let lines = std::mem::take(&mut *told.lock().unwrap());
        assert_eq!(lines.len(), 1);
        for part in ["cannot list pods", "HTTP 401", "token file", "Ctrl-C"] {
            assert!(lines[0].contains(part), "{part}: {lines:?}");
        }
        patience.is_answered();
        patience.is_answered();
        assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
        is_over.store(true, Ordering::Relaxed);
        assert!(!patience.bears(&refused), "SIGTERM");
        assert!(patience.bears(&away), "to clean up is to wait");
        assert_eq!(told.lock().unwrap().len(), 2, "a new time, told again");
    }
}
