//! Files of documents that did not arrive, taken away and read to send them again.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::undelivered::{BEGINNING, PAUSE, Undelivered, is_at, lock, mend, unlock};

/// A file of undelivered documents that was taken away to be sent; nobody else has it meanwhile.
#[derive(Debug)]
pub(crate) struct Taken {
    path: PathBuf,
    file: File,
    /// Bytes of a line that its writer did not end; they are gone.
    pub(crate) torn: u64,
}

impl Taken {
    /// Takes a file, together with what an earlier taker left of it.
    ///
    /// # Errors
    ///
    /// If there is none, or another process has it.
    pub(crate) fn take(file: &Path) -> io::Result<Self> {
        let path = name_of_taken(file);
        let mut torn = 0;
        let mut left = existing(&path)?;
        if let Some(earlier) = &left {
            if hold(earlier, &path)? {
                torn += mend(earlier)?;
            } else {
                left = None;
            }
        }
        let own = loop {
            let Some(own) = existing(file)? else {
                let file = left.ok_or_else(none)?;
                return Ok(Self { path, file, torn });
            };
            if lock(&own, file)? {
                break own;
            }
        };
        torn += mend(&own)?;
        if let Some(mut left) = left {
            // If this is cut short, what is there twice has the same ids.
            (&own).seek(SeekFrom::Start(0))?;
            io::copy(&mut &own, &mut left)?;
            left.sync_all()?;
            fs::remove_file(file)?;
            let file = left;
            return Ok(Self { path, file, torn });
        }
        fs::rename(file, &path)?;
        // Whoever waits for its lock finds that it lost its name, and makes a new one.
        unlock(&own);
        if !hold(&own, &path)? {
            return Err(none());
        }
        let file = own;
        Ok(Self { path, file, torn })
    }

    /// What there is to be taken, to look into it: the file, and what an earlier taker left of it.
    pub(crate) fn files(file: &Path) -> io::Result<Vec<File>> {
        let mut files = Vec::new();
        for path in [&name_of_taken(file), file] {
            match File::open(path) {
                Ok(file) => files.push(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// What is in it, from the start.
    pub(crate) fn text(&self) -> io::Result<&File> {
        (&self.file).seek(SeekFrom::Start(0))?;
        Ok(&self.file)
    }

    /// Removes it: everything in it is somewhere else.
    pub(crate) fn done(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }
}

fn name_of_taken(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".replaying");
    path.into()
}

fn none() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no such file")
}

/// A file to be taken, if there is one.
fn existing(path: &Path) -> io::Result<Option<File>> {
    match File::options().read(true).append(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks a file for as long as it is open; false if another process has sent it meanwhile. Those who
/// append have its lock for a moment.
fn hold(file: &File, path: &Path) -> io::Result<bool> {
    for _ in 0..100 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(_)) | Ok(()) => return is_at(file, path),
        }
    }
    let reason = format!("another process sends {} just now", path.display());
    Err(io::Error::new(io::ErrorKind::ResourceBusy, reason))
}

/// Calls `take` with each line of a file.
pub(crate) fn for_each(
    file: &File,
    mut take: impl FnMut(Undelivered<'_>) -> Result<()>,
) -> Result<()> {
    let mut lines = BufReader::new(file);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        match serde_json::from_str(&line) {
            Ok(undelivered) => take(undelivered)?,
            // Somebody writes it now, or was killed.
            Err(_) if !line.ends_with('\n') && line.starts_with(BEGINNING) => {}
            Err(_) if number == 1 => bail!("it is no file of undelivered documents"),
            Err(error) => {
                return Err(error).with_context(|| format!("line {number} is no document of ours"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::undelivered::UndeliveredFile;
    use crate::bulk::undelivered::tests::line;

    fn text(taken: &Taken) -> String {
        io::read_to_string(taken.text().unwrap()).unwrap()
    }

    #[test]
    fn what_an_earlier_one_left_is_sent_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsent");
        UndeliveredFile::new(&path)
            .append(line(1).as_bytes())
            .unwrap();
        drop(Taken::take(&path).unwrap());
        UndeliveredFile::new(&path)
            .append(line(2).as_bytes())
            .unwrap();
        let taken = Taken::take(&path).unwrap();
        assert_eq!(text(&taken), line(1) + &line(2));
        assert!(!path.exists());
        // Only one process sends it.
        let busy = Taken::take(&path).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
        taken.done().unwrap();
        assert!(Taken::files(&path).unwrap().is_empty());
        let none = Taken::take(&folder.path().join("other")).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }
}
