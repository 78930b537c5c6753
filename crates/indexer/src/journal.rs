//! Which reports of an archive are done, for a run that is taken up again.
//!
//! A report is known by its path, length and time of change: one that was written again is done
//! again. Ids make that harmless, as it is to lose the journal's last line.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::files::Named;

/// How long a report that is done may wait to be noted: each time, the server is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The reports that are done, and a file that says so.
pub(crate) struct Journal {
    done: HashSet<String>,
    file: File,
    /// Lines of reports whose documents may still be on their way.
    waiting: String,
    noted: Instant,
    /// Documents that did not arrive, up to the last note.
    undelivered: u64,
}

impl Journal {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let place = || format!("{}: cannot use it as a journal", path.display());
        let done = match File::open(path) {
            // A torn line may end within a character.
            Ok(file) => BufReader::new(file)
                .split(b'\n')
                .map(|line| Ok(String::from_utf8_lossy(&line?).into_owned()))
                .collect::<std::io::Result<_>>()
                .with_context(place)?,
            Err(error) if error.kind() == ErrorKind::NotFound => HashSet::new(),
            Err(error) => return Err(error).with_context(place),
        };
        let file = File::options().create(true).append(true).open(path);
        let mut file = file.with_context(place)?;
        // Ends a line that a kill left half written.
        writeln!(file).with_context(place)?;
        Ok(Self {
            done,
            file,
            waiting: String::new(),
            noted: Instant::now(),
            undelivered: 0,
        })
    }

    pub(crate) fn has(&self, report: &Named) -> bool {
        entry(report).is_some_and(|entry| self.done.contains(&entry))
    }

    /// Takes the line of a report that was committed. Now and then `settle` is called, which waits
    /// until all documents are somewhere and says how many did not arrive.
    pub(crate) fn done(
        &mut self,
        entry: Option<String>,
        settle: impl FnOnce() -> u64,
    ) -> Result<()> {
        if let Some(entry) = entry {
            self.waiting.push_str(&entry);
            self.waiting.push('\n');
        }
        if self.noted.elapsed() < PATIENCE {
            return Ok(());
        }
        self.settle(settle)
    }

    /// Notes the reports whose documents have all arrived.
    pub(crate) fn settle(&mut self, settle: impl FnOnce() -> u64) -> Result<()> {
        let undelivered = settle();
        let arrived = undelivered == std::mem::replace(&mut self.undelivered, undelivered);
        self.noted = Instant::now();
        let lines = std::mem::take(&mut self.waiting);
        if !arrived {
            return Ok(());
        }
        self.file
            .write_all(lines.as_bytes())
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
