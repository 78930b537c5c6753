//! From what the user names to the reports to read.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use guidellm_results_model::{RunContext, Source};

use crate::cli::ReportArguments;

/// Endings that a folder's reports have. What is in a file is told from its content.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

/// A report to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// `-`
    StandardInput,
    /// A file.
    File(PathBuf),
}

impl Named {
    pub(crate) fn source(&self) -> Source {
        match self {
            Self::StandardInput => Source::reader(std::io::stdin()),
            Self::File(path) => Source::path(path),
        }
    }

    /// Bytes of it, as far as they are known before it is read.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File(path) => path.metadata().map_or(0, |file| file.len()),
            Self::StandardInput => 0,
        }
    }

    /// Whether it is the file of a canonical path.
    pub(crate) fn is(&self, canonical: &Path) -> bool {
        match self {
            Self::File(path) => path.canonicalize().is_ok_and(|path| path == canonical),
            Self::StandardInput => false,
        }
    }

    /// The name, for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

impl ReportArguments {
    /// What the user knows of the reports.
    pub(crate) fn context(&self) -> RunContext {
        RunContext {
            uuid: self.uuid.clone(),
            job_name: self.job_name.clone(),
            sample: self.sample,
            ..RunContext::default()
        }
    }

    /// Whether any report is named.
    pub(crate) fn names_reports(&self) -> bool {
        !self.paths.is_empty() || !self.results.is_empty()
    }

    /// The reports, and what was in the way of finding some.
    pub(crate) fn find(&self) -> (Vec<Named>, Vec<anyhow::Error>) {
        find_all(self.paths.iter().chain(&self.results))
    }
}

/// The reports that paths name, and what was in the way of finding some.
pub(crate) fn find_all<'a>(
    paths: impl IntoIterator<Item = &'a PathBuf>,
) -> (Vec<Named>, Vec<anyhow::Error>) {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for path in paths {
        if let Err(error) = find(path, &mut found, &mut failures) {
            failures.push(error);
        }
    }
    (found, failures)
}

fn find(path: &Path, found: &mut Vec<Named>, failures: &mut Vec<anyhow::Error>) -> Result<()> {
    if path.as_os_str() == "-" {
        found.push(Named::StandardInput);
    } else if path.is_dir() {
        let before = found.len() + failures.len();
        walk(path, found, failures);
        if found.len() + failures.len() == before {
            bail!(
                "{}: no report in it (.json, .yaml or .yml, also .gz and .zst)",
                path.display()
            );
        }
    } else if path.exists() {
        found.push(Named::File(path.to_path_buf()));
    } else {
        expand(path, found, failures)?;
    }
    Ok(())
}

fn expand(path: &Path, found: &mut Vec<Named>, failures: &mut Vec<anyhow::Error>) -> Result<()> {
    let pattern = path.to_string_lossy();
    if !pattern.contains(['*', '?', '[']) {
        bail!("{pattern}: no such file or folder");
    }
    let before = found.len();
    for entry in glob::glob(&pattern).with_context(|| format!("{pattern}: not a glob"))? {
        let entry = entry.with_context(|| format!("{pattern}: cannot look through it"))?;
        find(&entry, found, failures)?;
    }
    if found.len() == before {
        bail!("{pattern}: matches no report");
    }
    Ok(())
}

/// Adds a folder's reports, in order of their names. A folder that cannot be read is a failure;
/// the others go on.
fn walk(folder: &Path, found: &mut Vec<Named>, failures: &mut Vec<anyhow::Error>) {
    let listed = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = match listed {
        Ok(entries) => entries,
        Err(error) => {
            let place = format!("{}: cannot list it", folder.display());
            failures.push(anyhow::Error::new(error).context(place));
            return;
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder could lead back here.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            walk(&path, found, failures);
        } else if path.is_file() && has_report_ending(&path) {
            found.push(Named::File(path));
        }
    }
}

fn has_report_ending(path: &Path) -> bool {
    let ending = |path: &Path| {
        path.extension()
            .map(|ending| ending.to_string_lossy().to_ascii_lowercase())
    };
    let plain = match ending(path).as_deref() {
        Some("gz" | "zst") => path.with_extension(""),
        _ => path.to_path_buf(),
    };
    ending(&plain).is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_json_and_yaml_compressed_or_not() {
        for name in ["a.json", "a.yaml", "a.yml", "a.json.gz", "a.YAML.zst"] {
            assert!(has_report_ending(Path::new(name)), "{name}");
        }
        for name in ["a.csv", "a.html", "a.gz", "a", "json"] {
            assert!(!has_report_ending(Path::new(name)), "{name}");
        }
    }
}
