//! What a user names: reports, a store, a run, or labels. Pure but for asking whether a path is there.

use std::fmt;
use std::path::{Path, PathBuf};

use guidellm_results_model::documents::Summary;
use serde_json::{Map, Value};

use crate::store::Store;

/// Shortest beginning of a run's id that stands for it.
const PREFIX: usize = 4;

/// What documents are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// A report, a folder of reports, or a glob.
    Reports(PathBuf),
    /// All of a store.
    Store(PathBuf),
    /// A run, by its uuid or the beginning of it.
    Run(String),
    /// All runs' benchmarks that have these labels or fields.
    Labels(Vec<(String, String)>),
}

impl Selector {
    /// What is there is a path; what has a `=` is labels; the rest is a run.
    pub(crate) fn parse(text: &str) -> Self {
        let path = Path::new(text);
        let is_pattern = text.contains(['*', '?', '[']) || text == "-";
        if Store::is_one(path) {
            return Self::Store(path.to_path_buf());
        }
        if path.exists() || is_pattern || looks_like_a_report(path) {
            return Self::Reports(path.to_path_buf());
        }
        let pairs: Option<Vec<(String, String)>> = text
            .split(',')
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                Some((name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect();
        pairs.map_or_else(|| Self::Run(text.to_owned()), Self::Labels)
    }

    /// The beginning of the id of a run that is meant.
    pub(super) fn beginning(&self) -> Option<&str> {
        match self {
            Self::Run(beginning) => Some(beginning),
            Self::Reports(_) | Self::Store(_) | Self::Labels(_) => None,
        }
    }

    /// Whether all of a run is meant.
    pub(crate) fn matches_run(&self, uuid: &str) -> bool {
        match self {
            Self::Reports(_) | Self::Store(_) => true,
            Self::Run(wanted) => {
                uuid == wanted || wanted.len() >= PREFIX && uuid.starts_with(wanted.as_str())
            }
            Self::Labels(_) => false,
        }
    }

    /// Whether a benchmark is meant; `facts` is what is known of its run.
    pub(crate) fn matches(&self, summary: &Summary, facts: &Map<String, Value>) -> bool {
        match self {
            Self::Reports(_) | Self::Store(_) | Self::Run(_) => {
                self.matches_run(&summary.origin.uuid)
            }
            Self::Labels(wanted) => wanted.iter().all(|(name, value)| {
                let name = name.strip_prefix("labels.").unwrap_or(name);
                let label = summary.settings.labels.get(name).cloned();
                let found = label
                    .or_else(|| field(summary, name))
                    .or_else(|| facts.get(name).map(plain));
                found.as_ref() == Some(value)
            }),
        }
    }
}

/// A path that is not there is a mistake in it, and no run.
fn looks_like_a_report(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.contains('/')
        || [".json", ".yaml", ".yml", ".gz", ".zst"]
            .iter()
            .any(|ending| name.ends_with(ending))
}

fn field(summary: &Summary, name: &str) -> Option<String> {
    let document = serde_json::to_value(summary).ok()?;
    document.get(name).map(plain)
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reports(path) | Self::Store(path) => write!(formatter, "{}", path.display()),
            Self::Run(uuid) => formatter.write_str(uuid),
            Self::Labels(labels) => {
                let pairs: Vec<String> = labels
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                formatter.write_str(&pairs.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_a_run_and_labels_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display().to_string();
        assert_eq!(
            Selector::parse(&here),
            Selector::Reports(here.clone().into())
        );
        std::fs::create_dir(folder.path().join("summaries")).unwrap();
        assert_eq!(Selector::parse(&here), Selector::Store(here.into()));
        let absent = "runs/a=b.json";
        assert_eq!(Selector::parse(absent), Selector::Reports(absent.into()));
        let run = "0b54c0de-0000-4000-8000-000000000000";
        assert_eq!(Selector::parse(run), Selector::Run(run.to_owned()));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            Selector::parse("team=serving, eppImage=epp:1"),
            Selector::Labels(vec![pair("team", "serving"), pair("eppImage", "epp:1")])
        );
    }
}
