//! Files and folders that must not outlive the process, not even one that SIGINT or SIGTERM ends.
//!
//! SIGKILL leaves them; the next run that opens the store clears its folder up.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// Another thread may be writing into a folder while it is being removed.
const TRIES: usize = 100;

/// All that is unfinished of one command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Vec<PathBuf>>>);

/// Something unfinished, as long as this lives.
#[derive(Debug)]
pub(crate) struct Unfinished {
    registry: Registry,
    path: PathBuf,
}

impl Registry {
    /// Makes something that is to be written; no signal comes between that and its being noted.
    pub(crate) fn make<T: AsRef<Path>>(
        &self,
        make: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<(T, Unfinished)> {
        let mut paths = self.paths();
        let made = make()?;
        let path = made.as_ref().to_path_buf();
        paths.push(path.clone());
        drop(paths);
        let registry = self.clone();
        Ok((made, Unfinished { registry, path }))
    }

    fn paths(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, SIGINT and SIGTERM remove what is in it, and then do what they always do.
    pub(crate) fn remove_on_signals(&self) -> Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot watch for signals")?;
        let registry = self.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                // Held to the end: nothing new is begun.
                let unfinished = registry.paths();
                unfinished.iter().for_each(|path| remove(path));
                drop(low_level::emulate_default_handler(signal));
            }
        });
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.registry.paths().retain(|path| *path != self.path);
    }
}

fn remove(path: &Path) {
    for _ in 0..TRIES {
        let removed = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        if removed.is_ok() || is_gone(&removed) {
            return;
        }
    }
}

fn is_gone(removed: &io::Result<()>) -> bool {
    matches!(removed, Err(error) if error.kind() == ErrorKind::NotFound)
}
