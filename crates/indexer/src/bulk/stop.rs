//! Making a sink stop from elsewhere.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch::Sender;

/// Stops a sink from another thread: what the server does not have by then goes to
/// [`BulkOptions::unsent`](super::BulkOptions::unsent) at once. A clone stops the same sinks.
#[derive(Debug, Clone)]
pub struct Stop(Arc<Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(Sender::new(false)))
    }
}

impl Stop {
    /// Stops it; for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// What comes of some work, or nothing if it is stopped first.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut told = self.0.subscribe();
        tokio::select! {
            biased;
            // The sender is ours: there is no error.
            _ = told.wait_for(|stopped| *stopped) => None,
            done = work => Some(done),
        }
    }
}
