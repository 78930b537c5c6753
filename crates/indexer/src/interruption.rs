//! The user's wish to stop, by SIGINT or SIGTERM.
//!
//! The first signal lets the report that is being read go, with all that was written of it; a
//! second one ends the process where it is. What that leaves behind, the next run clears up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Whether, and by which signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interruption {
    signal: Arc<AtomicUsize>,
}

impl Interruption {
    /// Watches from now on.
    pub(crate) fn watch() -> Result<Self> {
        let watched = Self::default();
        let again = Arc::new(AtomicBool::new(false));
        for (signal, number) in [(SIGINT, 2), (SIGTERM, 15)] {
            let failure = "cannot watch for signals";
            flag::register_conditional_default(signal, Arc::clone(&again)).context(failure)?;
            flag::register(signal, Arc::clone(&again)).context(failure)?;
            flag::register_usize(signal, Arc::clone(&watched.signal), number).context(failure)?;
        }
        Ok(watched)
    }

    pub(crate) fn requested(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }
}

impl Drop for Interruption {
    /// Ends as the signal would have ended it, now that all is cleared up, so that a shell's loop
    /// ends as well.
    fn drop(&mut self) {
        let signal = self.signal.load(Ordering::Relaxed);
        if let Ok(signal @ 1..) = i32::try_from(signal) {
            drop(low_level::emulate_default_handler(signal));
        }
    }
}
