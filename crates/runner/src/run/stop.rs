//! The user's wish to end: the first one ends the wait, the second one the tidying up as well.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    times: watch::Receiver<u32>,
    _sender: Arc<watch::Sender<u32>>,
}

impl Stop {
    /// From now on, SIGINT and SIGTERM are wishes.
    pub(super) fn on_signals(mut told: impl FnMut(u32) + Send + 'static) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, times) = watch::channel(0);
        let sender = Arc::new(sender);
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        let sent = Arc::clone(&sender);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                sent.send_modify(|times| *times += 1);
                told(*sent.borrow());
            }
        });
        Ok(Self {
            times,
            _sender: sender,
        })
    }

    /// Returns once the user wants to stop.
    pub(super) async fn stopped(&self) {
        self.wished(1).await;
    }

    /// Returns once the user does not want to wait for the tidying up either.
    pub(super) async fn hurried(&self) {
        self.wished(2).await;
    }

    async fn wished(&self, times: u32) {
        let mut wishes = self.times.clone();
        // The sender lives as long as this does.
        drop(wishes.wait_for(|wished| *wished >= times).await);
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.times.borrow() > 0
    }
}
