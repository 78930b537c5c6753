//! Which reports of an archive are done, for a run that is taken up again.
//!
//! A report is known by its path, length and time of change: one that was written again is done
//! again. Ids make that harmless, as it is to lose the journal's last line.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

use crate::files::Named;

/// The reports that are done, and a file that says so.
pub(crate) struct Journal {
    done: HashSet<String>,
    file: File,
}

impl Journal {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let place = || format!("{}: cannot use it as a journal", path.display());
        let done = match File::open(path) {
            Ok(file) => BufReader::new(file)
                .lines()
                .collect::<std::io::Result<_>>()
                .with_context(place)?,
            Err(error) if error.kind() == ErrorKind::NotFound => HashSet::new(),
            Err(error) => return Err(error).with_context(place),
        };
        let file = File::options().create(true).append(true).open(path);
        let mut file = file.with_context(place)?;
        // Ends a line that a kill left half written.
        writeln!(file).with_context(place)?;
        Ok(Self { done, file })
    }

    pub(crate) fn has(&self, report: &Named) -> bool {
        entry(report).is_some_and(|entry| self.done.contains(&entry))
    }

    /// Notes that nothing of a report is left to do. `entry` is of before it was read.
    pub(crate) fn note(&mut self, entry: &str) -> Result<()> {
        self.file
            .write_all(format!("{entry}\n").as_bytes())
            .context("cannot write the journal; is its disk full?")
    }
}

/// A report's line; standard input has none.
pub(crate) fn entry(report: &Named) -> Option<String> {
    let Named::File(path) = report else {
        return None;
    };
    let file = path.metadata().ok()?;
    let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let name = path.display().to_string().replace(['\n', '\t'], " ");
    Some(format!("{name}\t{}\t{}", file.len(), changed.as_nanos()))
}
