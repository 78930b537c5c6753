//! Files and folders that must not outlive the process, not even one that SIGINT or SIGTERM ends.
//!
//! SIGKILL leaves them; the next run that opens the store clears its folder up.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Another thread may be writing into a folder while it is being removed.
const TRIES: usize = 100;

/// Something unfinished, as long as this lives.
#[derive(Debug)]
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    pub(crate) fn new(path: &Path) -> Self {
        let path = path.to_path_buf();
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.push(path.clone());
        Self(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.retain(|path| *path != self.0);
    }
}

/// From now on, SIGINT and SIGTERM remove what is unfinished, and then do what they always do.
pub(crate) fn remove_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot watch for signals")?;
    thread::spawn(move || {
        for signal in signals.forever() {
            // Held to the end: nothing new is begun.
            let unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
            unfinished.iter().for_each(|path| remove(path));
            drop(low_level::emulate_default_handler(signal));
        }
    });
    Ok(())
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
