//! Documents that did not arrive, written into files of lines.
//!
//! Several processes may append to a file while another one takes it away to send what is in it:
//! whoever changes it holds its lock, and looks first whether it is still the file of that name.

use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Kind, Operation};
use crate::tell;

/// A line of such a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Undelivered<'a> {
    /// What it was to go to.
    #[serde(borrow)]
    pub(crate) index: Cow<'a, str>,
    /// Whether it was to leave what is there.
    #[serde(skip_serializing_if = "Operation::is_index", default)]
    pub(crate) operation: Operation,
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    /// The server's status; absent if it was not sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) status: Option<u16>,
    /// Why it did not arrive.
    #[serde(borrow)]
    pub(crate) reason: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) document: &'a RawValue,
}

/// A file that is made when it is needed, and appended to: several runs may share it.
#[derive(Debug)]
pub(super) struct UndeliveredFile {
    path: PathBuf,
    file: Option<File>,
}

impl UndeliveredFile {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            file: None,
        }
    }

    /// Appends whole lines, all of them or, as far as the system allows, none.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let named = |error| named(&self.path, &error);
        let file = locked(&self.path, self.file.take()).map_err(named)?;
        let appended = append(&file, lines);
        unlock(&file);
        self.file = Some(file);
        tell_of_torn(&self.path, appended.map_err(named)?);
        Ok(())
    }

    /// Makes what was written survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_all);
        synced.map_err(|error| named(&self.path, &error))
    }

    /// The file, if anything was written.
    pub(super) fn written(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}

/// Fails if undelivered documents could not be kept in a file of this name.
///
/// # Errors
///
/// If it is there and is something else, or cannot be made.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let checked = || match File::options().read(true).append(true).open(path) {
        Ok(file) if file.metadata()?.is_file() => check_beginning(&file),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // It is made when it is needed; whether it can be is known now.
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
        }
        Err(error) => Err(error),
    };
    checked().map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Tells of a line whose writer did not end it, which is cut off.
pub(crate) fn tell_of_torn(path: &Path, bytes: u64) {
    if bytes > 0 {
        let path = path.display();
        tell(&format!(
            "warning: {path}: its last line, of {bytes} bytes, was not ended: a run was killed; \
             index its report again"
        ));
    }
}

/// The file of a name with its lock; `file` is what it was before.
fn locked(path: &Path, mut file: Option<File>) -> io::Result<File> {
    loop {
        let opened = match file.take() {
            Some(file) => file,
            None => File::options()
                .create(true)
                .read(true)
                .append(true)
                .open(path)?,
        };
        if lock(&opened, path)? {
            return Ok(opened);
        }
    }
}

/// Locks a file as long as it has its name; false once it was taken away to be sent, which may take
/// long.
pub(super) fn lock(file: &File, path: &Path) -> io::Result<bool> {
    while is_at(file, path)? {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            // A file system without locks is no reason to lose documents.
            Err(TryLockError::Error(_)) => return Ok(true),
            Ok(()) if is_at(file, path)? => return Ok(true),
            Ok(()) => unlock(file),
        }
    }
    Ok(false)
}

fn unlock(file: &File) {
    drop(file.unlock());
}

/// Whether an open file is the one that has this name now.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(other) => Ok((own.dev(), own.ino()) == (other.dev(), other.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns how many bytes of a torn line are cut off before.
fn append(mut file: &File, lines: &[u8]) -> io::Result<u64> {
    let mut torn = 0;
    let kind = file.metadata()?;
    // Nothing comes out of a device or a pipe again.
    if kind.is_file() {
        torn = mend(file)?;
    }
    let before = file.metadata()?.len();
    file.write_all(lines).inspect_err(|_| {
        // A full disk: half a line would make the next run's first one unreadable.
        drop(file.set_len(before));
    })?;
    Ok(torn)
}

/// Between two tries to lock a file.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// What a file begins with.
const BEGINNING: &str = r#"{"index":""#;

/// How much of a file's end is looked at in one step.
const STEP: u64 = 8 << 10;

/// Whether a file, or what there is of it, begins as one of undelivered documents does.
pub(super) fn is_beginning(text: &[u8]) -> bool {
    let length = text.len().min(BEGINNING.len());
    text.get(..length) == BEGINNING.as_bytes().get(..length)
}

/// Fails for a file of anything else.
fn check_beginning(mut file: &File) -> io::Result<()> {
    let mut beginning = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(BEGINNING.len() as u64)
        .read_to_end(&mut beginning)?;
    if !is_beginning(&beginning) {
        let reason = "it is no file of undelivered documents";
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(())
}

/// Makes the last line a whole one: a process that is killed may leave half of it. Returns how many
/// bytes are cut off; fails for a file of anything else.
pub(super) fn mend(mut file: &File) -> io::Result<u64> {
    check_beginning(file)?;
    let length = file.metadata()?.len();
    let (mut line, mut start, mut ended) = (Vec::new(), length, false);
    while start > 0 && !ended {
        let end = start;
        start = end.saturating_sub(STEP);
        let mut part = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut part)?;
        let feed = part.iter().rposition(|byte| *byte == b'\n');
        ended = feed.is_some();
        line.splice(..0, part.drain(feed.map_or(0, |feed| feed + 1)..));
    }
    if line.is_empty() {
        return Ok(0);
    }
    if serde_json::from_slice::<Undelivered<'_>>(&line).is_ok() {
        file.write_all(b"\n")?;
        return Ok(0);
    }
    let torn = line.len() as u64;
    file.set_len(length - torn)?;
    Ok(torn)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bulk::taken::Taken;

    /// A line of such a file.
    pub(in crate::bulk) fn line(id: u128) -> String {
        let line = Undelivered {
            index: "documents".into(),
            operation: Operation::Create,
            kind: Kind::Request,
            id: Uuid::from_u128(id),
            status: None,
            reason: "away".into(),
            document: serde_json::from_str("{}").unwrap(),
        };
        serde_json::to_string(&line).unwrap() + "\n"
    }

    fn text(taken: &Taken) -> String {
        io::read_to_string(taken.text().unwrap()).unwrap()
    }

    #[test]
    fn a_torn_line_is_cut_off_and_a_whole_one_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsent");
        // Longer than what is looked at in one step.
        let torn = format!("{}{{\"index\":\"{}", line(1), "x".repeat(50_000));
        fs::write(&path, &torn).unwrap();
        UndeliveredFile::new(&path)
            .append(line(2).as_bytes())
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(1) + &line(2));
        fs::write(&path, &torn).unwrap();
        let taken = Taken::take(&path).unwrap();
        assert_eq!(text(&taken), line(1));
        assert_eq!(taken.torn, (torn.len() - line(1).len()) as u64);
        taken.done().unwrap();
        fs::write(&path, line(3).trim_end()).unwrap();
        let taken = Taken::take(&path).unwrap();
        assert_eq!((text(&taken), taken.torn), (line(3), 0));
    }

    #[test]
    fn a_file_of_something_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        fs::write(&path, "{\"benchmarks\": []}").unwrap();
        assert!(
            UndeliveredFile::new(&path)
                .append(line(2).as_bytes())
                .is_err()
        );
        assert!(Taken::take(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"benchmarks\": []}");
    }
}
