//! A folder of the store in which files are written, before they are renamed into place.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use percent_encoding::percent_decode_str;
use tempfile::TempDir;

use super::{LOCK_NAME, STAGING_PREFIX};
use crate::unfinished::{Registry, Unfinished};

/// A staging folder. It goes away with this.
#[derive(Debug)]
pub(super) struct Staging {
    folder: TempDir,
    _unfinished: Unfinished,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Staging {
    pub(super) fn new(root: &Path, unfinished: &Registry) -> Result<Self> {
        let place = || format!("{}: cannot write to the store", root.display());
        let mut named = tempfile::Builder::new();
        let named = named.prefix(STAGING_PREFIX);
        let made = unfinished.make(|| named.tempdir_in(root));
        let (folder, unfinished) = made.with_context(place)?;
        // It is held before it has its name: whoever finds one that is free knows that its owner is
        // gone.
        let unheld = folder.path().join("lock.new");
        let lock = File::create(&unheld).with_context(place)?;
        lock.lock().with_context(place)?;
        fs::rename(unheld, folder.path().join(LOCK_NAME)).with_context(place)?;
        Ok(Self {
            _unfinished: unfinished,
            folder,
            _lock: lock,
        })
    }

    /// The path of a file in it. Not named *.parquet, so that a reader's glob does not meet it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.partial"))
    }
}

/// Puts a file into its folder, so that it survives a power cut.
pub(super) fn place(staged: &Path, folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::rename(staged, folder.join(format!("{name}.parquet")))?;
    File::open(folder)?.sync_all()
}

/// What is wrong when a file cannot be written.
pub(super) fn failure(root: &Path) -> String {
    let root = root.display();
    format!("{root}: cannot write to the store; is the disk full?")
}

/// The Hive folders of a job.
pub(super) fn partition(uuid: &str, job_name: &str) -> PathBuf {
    let folder = |key: &str, value: &str| format!("{key}={}", hive_value(value));
    Path::new(&folder("run", uuid)).join(folder("job", job_name))
}

/// What Hive calls an empty value.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// A value as Hive writes it into a folder's name: percent-encoded, and with a name of its own
/// where there is none.
#[expect(clippy::format_push_string, reason = "a few bytes of a folder's name")]
fn hive_value(value: &str) -> String {
    if value.is_empty() {
        return NO_VALUE.to_owned();
    }
    value.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

/// The value of which a folder's name was made; `None` if it is no folder of that key.
pub(super) fn value_of(key: &str, folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?;
    let value = name.strip_prefix(key)?.strip_prefix('=')?;
    match value {
        NO_VALUE => Some(String::new()),
        value => Some(percent_decode_str(value).decode_utf8().ok()?.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_cannot_leave_its_place() {
        assert_eq!(hive_value("a/../b c"), "a%2F..%2Fb%20c");
        assert_eq!(hive_value(""), "__HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn a_folders_name_tells_its_value() {
        for value in ["u-1", "a/../b c", "", "100%", "é"] {
            let folder = partition(value, "job");
            let run = folder.parent().unwrap();
            assert_eq!(value_of("run", run).as_deref(), Some(value));
            assert_eq!(value_of("job", run), None);
        }
    }
}
