//! A text that is written at once.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

use super::whole::{folder_of, unnamed};

/// Writes a text to a file, which is whole or not there; `-` is standard output.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    if path.as_os_str() == "-" {
        return Ok(io::stdout().lock().write_all(text.as_bytes())?);
    }
    let written = if path.exists() && !path.is_file() {
        // A device or a pipe: nothing to rename.
        fs::write(path, text)
    } else {
        renamed(path, text)
    };
    written.with_context(|| format!("{}: cannot write it; is the disk full?", path.display()))
}

fn renamed(path: &Path, text: &str) -> io::Result<()> {
    let mut file = unnamed(folder_of(path))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        write_whole(&path, "first").unwrap();
        write_whole(&path, "second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = write_whole(&folder.path().join("gone/page.html"), "x").unwrap_err();
        assert!(error.to_string().contains("gone/page.html"), "{error}");
        if Path::new("/dev/full").exists() {
            assert!(write_whole(Path::new("/dev/full"), "x").is_err());
        }
    }
}
