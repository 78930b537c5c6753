//! What is known of a run, written down after each step, so that a run that was killed goes on.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;
use guidellm_results_model::documents::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::outlook::Failure;

const FILE: &str = "run.json";
/// Held by who runs it: two would delete each other's objects.
const LOCK: &str = "lock";
/// Longer than looking whether it is held takes.
const LOOK: Duration = Duration::from_millis(100);
/// Of what is written; a later one may be read by nobody who knows only this. 2 added `facts`.
const VERSION: u32 = 2;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    version: u32,
    /// Its name.
    pub uuid: String,
    /// Where its objects are.
    pub namespace: String,
    /// Stands for its folder, where others see who runs it.
    #[serde(default)]
    pub holder: String,
    /// What it runs: a digest of all its objects.
    pub digest: String,
    /// What the cluster said of itself and of what was measured: members of each `jobSummary`.
    pub facts: Map<String, Value>,
    /// The exit code with which it ended; none as long as it runs, and of one that was killed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit: Option<u8>,
    /// Jobs that were not run.
    #[serde(default)]
    pub skipped: usize,
    /// In the order in which they ran.
    pub jobs: Vec<JobRecord>,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// Its name.
    pub name: String,
    /// When its first object was made.
    pub start: Timestamp,
    /// When it had ended, one way or the other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<Timestamp>,
    /// From the start of its first benchmark to the end of its last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub load: Option<(Timestamp, Timestamp)>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<Failure>,
    /// Documents of its benchmarks are in the volume alone.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unsent: bool,
    /// Its own documents are where they belong.
    #[serde(default)]
    pub indexed: bool,
}

impl JobRecord {
    /// Of a job that starts now.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            start: now(),
            end: None,
            load: None,
            failures: Vec::new(),
            unsent: false,
            indexed: false,
        }
    }

    /// Whether it ended well.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.end.is_some() && self.failures.is_empty()
    }
}

/// Where a run is written down.
#[derive(Debug)]
pub(super) struct Book {
    folder: PathBuf,
    pub(super) state: State,
    is_new: bool,
    _held: File,
}

impl Book {
    /// Begins a run, or goes on with one.
    pub(super) fn open(
        folder: &Path,
        uuid: &str,
        namespace: &str,
        digest: &str,
        resume: bool,
    ) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let held = hold(folder)?;
        let known = read(folder)?;
        let mut state = match (known, resume) {
            (None, true) => bail!(
                "{}: there is no run to go on with; leave --resume out, or name its --folder",
                folder.join(FILE).display()
            ),
            (Some(_), false) => bail!(
                "{}: there is a run already; go on with it by --resume, or use another --folder",
                folder.join(FILE).display()
            ),
            (Some(mut state), true) => {
                if state.uuid != uuid || state.namespace != namespace || state.digest != digest {
                    bail!(
                        "{}: that run was of another suite, namespace or uuid; give it the same as before",
                        folder.join(FILE).display()
                    );
                }
                (state.exit, state.skipped) = (None, 0);
                state
            }
            (None, false) => State {
                version: VERSION,
                uuid: uuid.to_owned(),
                namespace: namespace.to_owned(),
                holder: String::new(),
                digest: digest.to_owned(),
                facts: Map::new(),
                exit: None,
                skipped: 0,
                jobs: Vec::new(),
            },
        };
        if state.holder.is_empty() {
            state.holder = Uuid::new_v4().simple().to_string();
        }
        let book = Self {
            folder: folder.to_owned(),
            state,
            is_new: !resume,
            _held: held,
        };
        book.write()?;
        Ok(book)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn job(&self, name: &str) -> Option<&JobRecord> {
        self.state.jobs.iter().find(|it| it.name == name)
    }

    /// The jobs of which documents are in the volume alone.
    pub(super) fn unsent(&self) -> Vec<String> {
        let unsent = self.state.jobs.iter().filter(|it| it.unsent);
        unsent.map(|it| it.name.clone()).collect()
    }

    /// Writes down what is measured, and where: it may be gone when documents of it are made.
    pub(super) fn note_facts(&mut self, facts: Map<String, Value>) -> Result<()> {
        self.state.facts = facts;
        self.write()
    }

    /// Writes down what is known of a job.
    pub(super) fn note(&mut self, record: &JobRecord) -> Result<()> {
        match self.state.jobs.iter_mut().find(|it| it.name == record.name) {
            Some(known) => known.clone_from(record),
            None => self.state.jobs.push(record.clone()),
        }
        self.write()
    }

    /// Leaves no run behind that was refused before it had begun anything.
    pub(super) fn forget(&self) {
        if self.is_new {
            drop(fs::remove_file(self.folder.join(FILE)));
        }
    }

    /// Writes down that all is over: who looks later cannot tell it from a run that was killed.
    pub(super) fn end(&mut self, exit: Exit, skipped: usize) -> Result<()> {
        self.state.exit = Some(exit.code());
        self.state.skipped = skipped;
        self.write()
    }

    /// Whole or not at all.
    fn write(&self) -> Result<()> {
        let path = self.folder.join(FILE);
        let new = self.folder.join("run.json.new");
        let written = File::create(&new).and_then(|mut file| {
            serde_json::to_writer_pretty(&mut file, &self.state)?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        let written = written.and_then(|()| fs::rename(&new, &path));
        written.with_context(|| format!("{}: cannot write down how far the run is", path.display()))
    }
}

/// Fails if another process has the run of a folder.
fn hold(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let told = || path.display().to_string();
    let held = File::create(&path).with_context(told)?;
    let mut tried = held.try_lock();
    if let Err(TryLockError::WouldBlock) = tried {
        // `is_running` takes it for a moment.
        std::thread::sleep(LOOK);
        tried = held.try_lock();
    }
    match tried {
        Ok(()) => Ok(held),
        Err(TryLockError::WouldBlock) => bail!(
            "{}: another llm-d-scale is at this run; wait until it has ended, or end it by Ctrl-C",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(told),
    }
}

/// Whether a process has the run of a folder. The lock ends with it, however it ends.
///
/// # Errors
///
/// If that cannot be known.
pub(super) fn is_running(folder: &Path) -> Result<bool> {
    let path = folder.join(LOCK);
    let looked = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        opened => opened.and_then(|file| match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }),
    };
    looked.with_context(|| format!("{}: cannot tell whether the run goes on", path.display()))
}

/// The run of a folder, if there is one.
///
/// # Errors
///
/// If it cannot be read.
pub(super) fn read(folder: &Path) -> Result<Option<State>> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| path.display().to_string())?,
    };
    parse(&text)
        .map(Some)
        .with_context(|| path.display().to_string())
}

fn parse(text: &str) -> Result<State> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    // Before the rest, which need not be in another version's.
    let Versioned { version } = serde_json::from_str(text)?;
    if version != VERSION {
        bail!(
            "it is of another release of llm-d-scale (version {version} of the file, {VERSION} is \
             known here); go on with it by that one"
        );
    }
    Ok(serde_json::from_str(text)?)
}

/// Now.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let micros = since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    });
    Timestamp::from_epoch_micros(micros).expect("a clock after 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_release_wrote_is_told_to_be_that() {
        let before = r#"{"version":1,"uuid":"u","namespace":"n","digest":"d","jobs":[]}"#;
        let told = parse(before).unwrap_err().to_string();
        assert!(told.contains("another release"), "{told}");
        let lacking = before.replacen('1', &VERSION.to_string(), 1);
        let told = parse(&lacking).unwrap_err().to_string();
        assert!(told.contains("missing field `facts`"), "{told}");
    }

    #[test]
    fn a_run_goes_on_where_it_was_and_is_never_mistaken_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let open = |uuid, digest, resume| Book::open(folder.path(), uuid, "ns", digest, resume);
        assert!(open("u", "d", true).is_err());
        let mut book = open("u", "d", false).unwrap();
        let record = JobRecord {
            end: Some(now()),
            ..JobRecord::new("steady-chat-10")
        };
        book.note(&JobRecord::new("steady-chat-10")).unwrap();
        book.note(&record).unwrap();
        let two = open("u", "d", true).unwrap_err().to_string();
        assert!(two.contains("another llm-d-scale"), "{two}");
        drop(book);
        assert!(open("u", "d", false).is_err(), "it would be overwritten");
        assert!(open("u", "other", true).is_err());
        assert!(open("other", "d", true).is_err());
        let again = open("u", "d", true).unwrap();
        assert_eq!(again.state.jobs, [record]);
    }
}
