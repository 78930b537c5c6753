//! SIGTERM, and how long there is after it.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Incoming;

use crate::bulk::Stop;

/// Whether the pod is told to go.
pub(super) struct Signals {
    came: Arc<OnceLock<Instant>>,
    stop: Stop,
    grace: Duration,
}

impl Signals {
    /// Watches for signals from now on.
    pub(super) fn watch(grace: Duration) -> Result<Self> {
        let mut incoming = Incoming::new([SIGTERM, SIGINT]).context("cannot watch for signals")?;
        let signals = Self {
            came: Arc::default(),
            stop: Stop::default(),
            grace,
        };
        let (came, stop) = (Arc::clone(&signals.came), signals.stop.clone());
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for _ in incoming.forever() {
                    came.get_or_init(Instant::now);
                    stop.stop();
                }
            })?;
        Ok(signals)
    }

    pub(super) fn came(&self) -> bool {
        self.came.get().is_some()
    }

    /// What stops when a signal comes.
    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// How much there is of the time after the signal, if it came, but for what it takes to write.
    pub(super) fn left(&self) -> Option<Duration> {
        let until = *self.came.get()? + self.grace * 4 / 5;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// What stops before the time after the signal is over, so that there is some left to write.
    pub(super) fn stop_in_time(&self) -> Stop {
        let stop = Stop::default();
        let left = self.left().unwrap_or(self.grace * 4 / 5);
        let stopped = stop.clone();
        thread::spawn(move || {
            thread::sleep(left);
            stopped.stop();
        });
        stop
    }
}
