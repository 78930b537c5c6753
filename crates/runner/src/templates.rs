//! The templates of objects: those of `manifests/`, which are in the program, and the user's.

use std::collections::BTreeSet;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../manifests");
/// Where built-in files are looked for, besides their full path below `manifests/`.
const FOLDERS: [&str; 2] = ["workloads", "metrics"];

/// A file that cannot be had, or a template that gives no objects.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// There is no such file.
    #[error("{}: no such file; looked in {} and among the built-in ones", path.display(), folders.join(", "))]
    Missing {
        /// As it is named.
        path: PathBuf,
        /// Where it was looked for.
        folders: Vec<String>,
    },
    /// It is there, but cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be filled in.
    #[error("{}{}: {reason}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Template {
        /// The file.
        path: PathBuf,
        /// Where in it, from 1.
        line: Option<usize>,
        /// Why.
        reason: String,
    },
    /// Filled in, it is not YAML.
    #[error("{}, filled in, is not YAML: {reason}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: Box<serde_saphyr::Error>,
    },
}

/// Where templates and other files of a suite come from.
#[derive(Debug, Clone, Default)]
pub struct Files {
    folders: Vec<PathBuf>,
}

impl Files {
    /// Files of some folders; the first that has one wins, the built-in ones come last.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The text of a file.
    ///
    /// # Errors
    ///
    /// If it is nowhere, or cannot be read.
    pub fn read(&self, path: &Path) -> Result<String, TemplateError> {
        let name = path.strip_prefix("manifests").unwrap_or(path);
        let own = |place: PathBuf| BUILT_IN.get_file(&place).map(|_| place);
        let built_in = std::iter::once(name.to_owned())
            .chain(FOLDERS.map(|folder| Path::new(folder).join(name)))
            .find_map(own);
        for folder in &self.folders {
            // As it is named, or as the built-in one that it stands for.
            for place in [Some(path), built_in.as_deref()].into_iter().flatten() {
                match std::fs::read_to_string(folder.join(place)) {
                    Ok(text) => return Ok(text),
                    Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {}
                    Err(source) => {
                        let path = folder.join(place);
                        return Err(TemplateError::Unreadable { path, source });
                    }
                }
            }
        }
        let found = built_in.and_then(|place| BUILT_IN.get_file(place));
        let text = found.and_then(include_dir::File::contents_utf8);
        text.map(ToOwned::to_owned)
            .ok_or_else(|| TemplateError::Missing {
                path: path.to_owned(),
                folders: self
                    .folders
                    .iter()
                    .map(|it| it.display().to_string())
                    .collect(),
            })
    }

    /// Whether a file names something, or one that it includes. One that is not there names nothing.
    pub(crate) fn name(&self, path: &Path, name: &str) -> bool {
        let mut waiting = vec![path.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(path) = waiting.pop() {
            let Ok(text) = self.read(&path) else {
                continue;
            };
            if names(&text, name) {
                return true;
            }
            let more = included(&text).map(PathBuf::from);
            waiting.extend(more.filter(|it| seen.insert(it.clone())));
        }
        false
    }

    /// The objects that a template gives.
    ///
    /// # Errors
    ///
    /// If it cannot be had or filled in, or gives no YAML.
    pub fn objects(&self, path: &Path, context: &Value) -> Result<Vec<Value>, TemplateError> {
        let text = self.read(path)?;
        let filled = fill(self, &text, context).map_err(|error| TemplateError::Template {
            path: path.to_owned(),
            line: error.line(),
            reason: match error.detail() {
                Some(detail) => format!("{}: {detail}", error.kind()),
                None => error.kind().to_string(),
            },
        })?;
        let documents: Result<Vec<Value>, _> = serde_saphyr::from_multiple(&filled);
        let documents = documents.map_err(|reason| TemplateError::Yaml {
            path: path.to_owned(),
            reason: Box::new(reason),
        })?;
        Ok(documents.into_iter().filter(|it| !it.is_null()).collect())
    }
}

/// Whether a text names something, as a word of its own.
pub(crate) fn names(text: &str, name: &str) -> bool {
    let inner = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|it| it.chars().next());
        !before.is_some_and(inner) && !after.is_some_and(inner)
    })
}

/// Names of files that a template includes. What is put together from parts is not among them.
fn included(text: &str) -> impl Iterator<Item = &str> {
    let tags = text
        .split("{%")
        .skip(1)
        .filter_map(|it| it.split("%}").next());
    let words = ["include", "import", "from", "extends"];
    let tags = tags.filter(move |tag| words.iter().any(|word| names(tag, word)));
    tags.flat_map(|tag| tag.split(['"', '\'']).skip(1).step_by(2))
}

fn fill(files: &Files, text: &str, context: &Value) -> Result<String, minijinja::Error> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    engine.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).build()?);
    // Each value that is put in is a JSON one, which is YAML whatever is in it.
    engine.set_auto_escape_callback(|_| AutoEscape::Json);
    let files = files.clone();
    engine.set_loader(move |name| match files.read(Path::new(name)) {
        Ok(text) => Ok(Some(text)),
        Err(TemplateError::Missing { .. }) => Ok(None),
        Err(error) => Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            error.to_string(),
        )),
    });
    let context = minijinja::Value::from(Serde(context));
    engine.template_from_str(text)?.render(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_what_is_in_it_or_in_what_it_includes() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "outer.j2",
            "a: {{ vars.first }}\n{% include 'inner.j2' %}\n",
        );
        write(
            "inner.j2",
            "{%- from \"outer.j2\" import x -%}\nb: {{ vars.second_one }}\n",
        );
        let files = Files::new(vec![folder.path().to_owned()]);
        let named = |name| files.name(Path::new("outer.j2"), name);
        assert!(named("first") && named("second_one"));
        assert!(!named("second") && !named("irst") && !named("third"));
        assert!(!files.name(Path::new("missing.j2"), "first"));
        assert!(
            files.name(Path::new("epp-deployment.yaml.j2"), "eppArgs"),
            "a built-in one"
        );
    }
}
