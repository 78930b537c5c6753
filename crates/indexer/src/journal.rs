//! Which reports of an archive are done, for a run that is taken up again.
//!
//! A report is known by its path, length and time of change, and by where its documents went: one
//! that was written again is done again, and so is one for another server or run. Ids make that
//! harmless, as it is to lose the journal's last line.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use uuid::Uuid;

use crate::files::Named;

/// How long a report that is done may wait to be noted: each time, the server is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a journal begins with.
const HEADER: &str = "# reports that guidellm-indexer is done with";

/// Bytes that have to show whether a file is a journal.
const BEGINNING: u64 = 16 << 10;

/// What is done with reports, as far as their documents depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose(Uuid);

impl Purpose {
    pub(crate) fn new(parts: &[String]) -> Self {
        let parts = parts.join("\n");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, parts.as_bytes()))
    }
}

/// The reports that are done, and a file that says so.
pub(crate) struct Journal {
    done: HashSet<String>,
    purpose: Purpose,
    file: File,
    path: PathBuf,
    /// Lines of reports whose documents may still be on their way.
    waiting: String,
    noted: Instant,
    /// Documents that did not arrive, up to the last note.
    undelivered: u64,
}

impl Journal {
    pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Self> {
        let place = || format!("{}: cannot use it as a journal", path.display());
        let lines = lines(path)?;
        let first = lines.iter().find(|line| !line.is_empty());
        let file = File::options().create(true).append(true).open(path);
        let mut file = file.with_context(place)?;
        // Ends a line that a kill left half written.
        let begins = first.map_or(HEADER, |_| "");
        writeln!(file, "{begins}").with_context(place)?;
        Ok(Self {
            done: lines.into_iter().collect(),
            purpose,
            file,
            path: path.to_path_buf(),
            waiting: String::new(),
            noted: Instant::now(),
            undelivered: 0,
        })
    }

    pub(crate) fn has(&self, report: &Named) -> bool {
        entry(report, self.purpose).is_some_and(|entry| self.done.contains(&entry))
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
        let written = self.file.write_all(lines.as_bytes());
        written.with_context(|| {
            let path = self.path.display();
            format!("{path}: cannot write to the journal; is its disk full?")
        })
    }
}

/// The lines of a journal, none if it is not there. Of what is none, only the beginning is read.
fn lines(path: &Path) -> Result<Vec<String>> {
    let place = || format!("{}: cannot use it as a journal", path.display());
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(kind) if !kind.is_file() => bail!("{}: it is no file", place()),
        _ => {}
    }
    let mut file = File::open(path).with_context(place)?;
    let mut beginning = Vec::new();
    let read = (&file).take(BEGINNING).read_to_end(&mut beginning);
    read.with_context(place)?;
    let mut first = beginning.split(|byte| *byte == b'\n');
    let first = first.find(|line| !line.is_empty());
    if first.is_some_and(|line| !is_ours(&String::from_utf8_lossy(line))) {
        bail!(
            "{}: it is no journal, but a file of something else",
            path.display()
        );
    }
    file.rewind().with_context(place)?;
    let lines = BufReader::new(file).split(b'\n');
    // A torn line may end within a character.
    let lines = lines.map(|line| Ok(String::from_utf8_lossy(&line?).into_owned()));
    lines.collect::<std::io::Result<_>>().with_context(place)
}

/// A report's line; standard input has none.
pub(crate) fn entry(report: &Named, purpose: Purpose) -> Option<String> {
    let Named::File(path) = report else {
        return None;
    };
    let file = path.metadata().ok()?;
    let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    // Another folder may have one of the same name.
    let path = std::path::absolute(path).ok()?;
    let name = path.display().to_string().replace(['\n', '\t'], " ");
    let (length, changed, purpose) = (file.len(), changed.as_nanos(), purpose.0.simple());
    Some(format!("{name}\t{length}\t{changed}\t{purpose}"))
}

/// Whether a file that begins with this line is a journal; the line may be cut by a kill.
fn is_ours(first: &str) -> bool {
    let parts: Vec<&str> = first.split('\t').collect();
    let is_number = |part: &&str| part.parse::<u128>().is_ok();
    let is_entry = parts.len() > 2 && parts.get(1..3).is_some_and(|it| it.iter().all(is_number));
    HEADER.starts_with(first) || is_entry
}
