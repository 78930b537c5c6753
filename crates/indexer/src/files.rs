//! From what the user names to the reports to read.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use guidellm_results_model::{RunContext, Source};

use crate::cli::ReportArguments;
use crate::tell;

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
        return Ok(());
    }
    match path.metadata() {
        Ok(kind) if kind.is_dir() => {
            let before = found.len() + failures.len();
            Walk::default().all(path, found, failures);
            if found.len() + failures.len() == before {
                bail!(
                    "{}: no report in it (.json, .yaml or .yml, also .gz and .zst)",
                    path.display()
                );
            }
        }
        Ok(_) => found.push(Named::File(path.to_path_buf())),
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            expand(path, found, failures)?;
        }
        Err(error) => return Err(unreadable(path, error)),
    }
    Ok(())
}

/// What is there, but cannot be looked at: a link to nothing, or behind a folder that may not be entered.
fn unreadable(path: &Path, error: std::io::Error) -> anyhow::Error {
    let place = path.display();
    match path.read_link() {
        Ok(target) if error.kind() == ErrorKind::NotFound => {
            let target = target.display();
            anyhow!("{place}: it is a link to {target}, which is not there; mend or remove it")
        }
        _ => anyhow::Error::new(error).context(format!("{place}: cannot look at it")),
    }
}

fn expand(path: &Path, found: &mut Vec<Named>, failures: &mut Vec<anyhow::Error>) -> Result<()> {
    let pattern = path.to_string_lossy();
    if !pattern.contains(['*', '?', '[']) {
        bail!("{pattern}: no such file or folder");
    }
    let before = found.len() + failures.len();
    for entry in glob::glob(&pattern).with_context(|| format!("{pattern}: not a glob"))? {
        let entry = entry.with_context(|| format!("{pattern}: cannot look through it"));
        let added = entry.and_then(|entry| match entry.metadata() {
            Ok(kind) if !kind.is_dir() && !kind.is_file() => Err(no_file(&entry)),
            _ => find(&entry, found, failures),
        });
        failures.extend(added.err());
    }
    if found.len() + failures.len() == before {
        bail!("{pattern}: matches no report");
    }
    Ok(())
}

/// A pipe or a device, from which nobody knows whether anything ever comes. One that is named itself is
/// read.
fn no_file(path: &Path) -> anyhow::Error {
    anyhow!(
        "{}: it is no file, but a pipe, a socket or a device; to read it, name it",
        path.display()
    )
}

/// Looks through a folder.
#[derive(Default)]
struct Walk {
    /// Folders that were looked through, by device and inode: a link may lead back to one of them.
    seen: HashSet<(u64, u64)>,
    /// Links to folders, which come last: what is here by itself is called by its own name.
    links: Vec<PathBuf>,
}

impl Walk {
    /// Adds a folder's reports, in order of their names, and those of folders that links lead to.
    fn all(mut self, folder: &Path, found: &mut Vec<Named>, failures: &mut Vec<anyhow::Error>) {
        self.folder(folder, found, failures);
        let mut followed = 0;
        while let Some(link) = self.links.get(followed).cloned() {
            followed += 1;
            let is_new = identity(&link).is_none_or(|folder| !self.seen.contains(&folder));
            if is_new {
                self.folder(&link, found, failures);
            }
        }
    }

    /// A folder that cannot be read is a failure; the others go on.
    fn folder(&mut self, folder: &Path, found: &mut Vec<Named>, failures: &mut Vec<anyhow::Error>) {
        self.seen.extend(identity(folder));
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
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match path.metadata() {
                Ok(kind) if kind.is_dir() && is_link => self.links.push(path),
                Ok(kind) if kind.is_dir() => self.folder(&path, found, failures),
                Ok(kind) if kind.is_file() && has_report_ending(&path) => {
                    found.push(Named::File(path));
                }
                Ok(_) if !has_report_ending(&path) => {}
                Ok(_) => failures.push(no_file(&path)),
                Err(error) if has_report_ending(&path) => failures.push(unreadable(&path, error)),
                // It may have been a folder of reports.
                Err(error) => tell(&format!("warning: {:#}", unreadable(&path, error))),
            }
        }
    }
}

/// What a folder is known by, whatever it is called.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    let folder = folder.metadata().ok()?;
    Some((folder.dev(), folder.ino()))
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

    #[test]
    fn a_folder_hides_nothing_that_is_called_like_a_report() {
        let folder = tempfile::tempdir().unwrap();
        let (runs, elsewhere) = (folder.path().join("runs"), folder.path().join("elsewhere"));
        fs::create_dir_all(runs.join("own")).unwrap();
        fs::create_dir_all(elsewhere.join("below")).unwrap();
        fs::write(runs.join("own/a.json"), "{}").unwrap();
        fs::write(elsewhere.join("below/b.json"), "{}").unwrap();
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, runs.join(name)).unwrap();
        };
        link(&elsewhere, "linked");
        link(&elsewhere, "linked-again");
        link(&runs, "back");
        link(&runs.join("own"), "again");
        link(Path::new("own/a.json"), "file.json");
        link(Path::new("nowhere"), "dangling.json");
        link(Path::new("nowhere"), "dangling");
        let mut pipe = std::process::Command::new("mkfifo");
        assert!(pipe.arg(runs.join("pipe.json")).status().unwrap().success());
        let names = |found: &[Named]| -> Vec<String> {
            let name = |it: &Named| it.name().replace(&format!("{}/", runs.display()), "");
            found.iter().map(name).collect()
        };
        let told = |failures: &[anyhow::Error]| -> String {
            let lines: Vec<String> = failures.iter().map(|it| format!("{it:#}")).collect();
            lines.join("\n")
        };
        let (found, failures) = find_all([&runs]);
        assert_eq!(
            names(&found),
            ["file.json", "own/a.json", "linked/below/b.json"]
        );
        let failures = told(&failures);
        assert_eq!(failures.lines().count(), 2, "{failures}");
        assert!(
            failures.contains("dangling.json: it is a link to nowhere, which"),
            "{failures}"
        );
        assert!(failures.contains("pipe.json: it is no file"), "{failures}");
        let (found, failures) = find_all([&runs.join("*.json")]);
        assert_eq!(names(&found), ["file.json"]);
        assert_eq!(told(&failures).lines().count(), 2);
    }
}
