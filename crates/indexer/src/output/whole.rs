//! Files that get their name once they are whole.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// What a file may be before the user's umask: what is written is for others as well, unlike what a
/// temporary file is by itself.
const MODE: u32 = 0o666;

/// A file without its name yet, in the folder that it stays in.
pub(super) fn unnamed(folder: &Path) -> io::Result<NamedTempFile> {
    let permissions = Permissions::from_mode(MODE);
    Builder::new().permissions(permissions).tempfile_in(folder)
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
