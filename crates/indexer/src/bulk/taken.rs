//! Files of documents that did not arrive, taken away and read to send them again.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::undelivered::{PAUSE, Undelivered, is_at, is_beginning, lock, mend};

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
        loop {
            if let Some(left) = existing(&path)? {
                if hold(&left, &path)? {
                    return Self::with_more(left, path, file);
                }
                continue;
            }
            let own = existing(file)?.ok_or_else(none)?;
            if !lock(&own, file)? {
                continue;
            }
            let torn = mend(&own)?;
            // Whoever waits for its lock finds that it lost its name, and makes a new one. If another
            // process took one meanwhile, both are looked at again.
            if is_renamed(file, &path)? {
                let file = own;
                return Ok(Self { path, file, torn });
            }
        }
    }

    /// What an earlier taker left, and what there is by now.
    fn with_more(mut left: File, path: PathBuf, file: &Path) -> io::Result<Self> {
        let mut torn = mend(&left)?;
        while let Some(own) = existing(file)? {
            // It was killed before the first of its two names was gone.
            if is_at(&left, file)? {
                fs::remove_file(file)?;
                break;
            }
            if lock(&own, file)? {
                torn += mend(&own)?;
                // If this is cut short, what is there twice has the same ids.
                (&own).seek(SeekFrom::Start(0))?;
                io::copy(&mut &own, &mut left)?;
                left.sync_all()?;
                fs::remove_file(file)?;
                break;
            }
        }
        let file = left;
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

    /// Where it is meanwhile.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it: everything in it is somewhere else.
    pub(crate) fn done(self) -> io::Result<()> {
        if is_at(&self.file, &self.path)? {
            fs::remove_file(self.path)?;
        }
        Ok(())
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

/// Gives a file another name; false if there is a file of that name, which a plain renaming would
/// replace.
fn is_renamed(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(_) if to.try_exists()? => Ok(false),
        // A file system without links.
        Err(_) => fs::rename(from, to).map(|()| true),
    }
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

/// Calls `take` with each document of a file; fails at what is none.
pub(crate) fn for_each(
    file: &File,
    mut take: impl FnMut(Undelivered<'_>) -> Result<()>,
) -> Result<()> {
    each_line(file, |number, line| match serde_json::from_slice(line) {
        Ok(undelivered) => take(undelivered),
        // Somebody writes it now, or was killed.
        Err(_) if !line.ends_with(b"\n") => Ok(()),
        Err(error) => Err(error).with_context(|| {
            format!("line {number} is no document of ours; take it out, and run it again")
        }),
    })
}

/// The indices that the documents of a file were to go to. Others may change its end meanwhile, so
/// that a line is not one for a moment.
pub(crate) fn indices(file: &File, indices: &mut Vec<Arc<str>>) -> Result<()> {
    each_line(file, |_, line| {
        if let Ok(undelivered) = serde_json::from_slice::<Undelivered<'_>>(line)
            && !indices.iter().any(|index| **index == *undelivered.index)
        {
            indices.push(Arc::from(&*undelivered.index));
        }
        Ok(())
    })
}

fn each_line(file: &File, mut take: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if number == 1 && !is_beginning(&line) {
            bail!("it is no file of undelivered documents");
        }
        take(number, &line)?;
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

    /// A file that was taken, with the first line, while its writer goes on with the second.
    fn taken_and_written(folder: &Path) -> (PathBuf, Taken) {
        let path = folder.join("unsent");
        let mut file = UndeliveredFile::new(&path);
        file.append(line(1).as_bytes()).unwrap();
        let taken = Taken::take(&path).unwrap();
        file.append(line(2).as_bytes()).unwrap();
        (path, taken)
    }

    #[test]
    fn what_is_appended_while_a_file_is_sent_is_in_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, taken) = taken_and_written(folder.path());
        assert_eq!(text(&taken), line(1));
        taken.done().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(2));
        assert_eq!(text(&Taken::take(&path).unwrap()), line(2));
    }

    #[test]
    fn what_another_one_takes_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, taken) = taken_and_written(folder.path());
        // As one does that looked for it before it was taken.
        assert!(!is_renamed(&path, taken.path()).unwrap());
        assert_eq!(text(&taken), line(1));
        // Somebody else's is left alone, whatever its name.
        fs::remove_file(taken.path()).unwrap();
        fs::write(taken.path(), line(3)).unwrap();
        let other = taken.path().to_owned();
        taken.done().unwrap();
        assert_eq!(fs::read_to_string(other).unwrap(), line(3));
    }

    #[test]
    fn a_taker_that_was_killed_between_two_names_leaves_one_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsent");
        fs::write(&path, line(1)).unwrap();
        fs::hard_link(&path, name_of_taken(&path)).unwrap();
        let taken = Taken::take(&path).unwrap();
        assert_eq!((text(&taken), path.exists()), (line(1), false));
    }

    #[test]
    fn many_takers_and_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsent");
        let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
        let written = std::sync::atomic::AtomicBool::new(false);
        let take = || {
            if let Ok(taken) = Taken::take(&path) {
                let mut lines = Vec::new();
                for_each(taken.text().unwrap(), |it| {
                    lines.push(it.id.as_u128());
                    Ok(())
                })
                .unwrap();
                seen.lock().unwrap().extend(lines);
                // One of three is killed before it is done.
                if !fastrand::u8(..).is_multiple_of(3) {
                    taken.done().unwrap();
                }
            }
        };
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..3)
                .map(|writer| {
                    let path = &path;
                    scope.spawn(move || {
                        for number in 0..400 {
                            let mut file = UndeliveredFile::new(path);
                            let id = writer * 1000 + number;
                            file.append(line(id).as_bytes()).unwrap();
                        }
                    })
                })
                .collect();
            for _ in 0..3 {
                scope.spawn(|| {
                    while !written.load(std::sync::atomic::Ordering::Relaxed) {
                        take();
                    }
                });
            }
            writers.into_iter().for_each(|it| it.join().unwrap());
            written.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        for _ in 0..100 {
            take();
        }
        assert_eq!(seen.lock().unwrap().len(), 1200);
    }

    #[test]
    fn a_torn_line_is_passed_over_wherever_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsent");
        let read = |text: &[u8]| {
            fs::write(&path, text).unwrap();
            let mut count = 0;
            for_each(&File::open(&path).unwrap(), |_| {
                count += 1;
                Ok(())
            })
            .map(|()| count)
        };
        let whole = line(1);
        for tail in [&b"{"[..], b"{\"ind", b"{\"index\":\"caf\xc3", b"\0\0\0"] {
            assert_eq!(read(&[whole.as_bytes(), tail].concat()).unwrap(), 1);
        }
        assert_eq!(read(b"{\"ind").unwrap(), 0);
        assert!(read(b"{\"benchmarks\"").is_err());
        let told = read(&[whole.as_bytes(), b"rubbish\n", whole.as_bytes()].concat());
        assert!(
            told.unwrap_err()
                .to_string()
                .contains("line 2 is no document")
        );
    }
}
