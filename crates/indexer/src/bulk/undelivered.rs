//! Documents that did not arrive, in files of lines that `replay` reads.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Kind;

/// A line of such a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Undelivered<'a> {
    /// What it was to go to.
    pub(crate) index: std::borrow::Cow<'a, str>,
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    /// The server's status; absent if it was not sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) status: Option<u16>,
    /// Why it did not arrive.
    pub(crate) reason: std::borrow::Cow<'a, str>,
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
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::options().create(true).append(true).open(&self.path)?),
        };
        let before = file.metadata()?.len();
        file.write_all(lines).inspect_err(|_| {
            // A full disk: half a line would make the next run's first one unreadable.
            drop(file.set_len(before));
        })
    }

    /// Makes what was written survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_all)
    }

    /// The file, if anything was written.
    pub(super) fn written(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}
