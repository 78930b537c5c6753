//! The templates that a config names: what is known of each, and how it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::expression::{Expr, Kind};
use super::finish::{self, Setting, Written};
use super::go::{self, Node};
use super::source::{Finding, Source, Trouble};
use super::{manifest, walk};

/// Templates by the names that configs give them.
pub(super) struct Templates {
    /// Where they are looked for, in this order.
    folders: Vec<PathBuf>,
    read: BTreeMap<String, Result<Template, String>>,
    /// Names that are given to written files.
    taken: BTreeSet<String>,
}

struct Template {
    source: Source,
    nodes: Result<Vec<Node>, Trouble>,
    written_name: Option<String>,
    /// As it is without knowledge of what it is given.
    first: Option<Written>,
    given: BTreeMap<String, Expr>,
    /// Namespaces of the jobs that use it, where they are known.
    namespaces: BTreeSet<Option<String>>,
}

/// A file to be written.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
}

/// What became of the templates that are used.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) files: Vec<File>,
    pub(super) findings: Vec<Finding>,
    /// Variables of the environment that they need.
    pub(super) env: BTreeSet<String>,
}

impl Templates {
    pub(super) fn new(folders: Vec<PathBuf>) -> Self {
        let (read, taken) = (BTreeMap::new(), BTreeSet::new());
        Self {
            folders,
            read,
            taken,
        }
    }

    /// The text of a file; what to do about it if there is none.
    pub(super) fn file(&self, name: &str) -> Result<String, String> {
        if name.starts_with("http://") || name.starts_with("https://") {
            return Err(
                "files are not fetched; save it beside the config, and name it there".to_owned(),
            );
        }
        for folder in &self.folders {
            match std::fs::read_to_string(folder.join(name)) {
                Ok(text) => return Ok(text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("it cannot be read: {error}")),
            }
        }
        let folders: Vec<String> = self
            .folders
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        Err(format!(
            "there is no such file in {}; give the folder by which it is named",
            folders.join(" or in ")
        ))
    }

    fn load(&mut self, name: &str) -> Result<&mut Template, String> {
        if !self.read.contains_key(name) {
            let template = self.file(name).map(|text| Template::new(name, text));
            self.read.insert(name.to_owned(), template);
        }
        match self.read.get_mut(name) {
            Some(Ok(template)) => Ok(template),
            Some(Err(advice)) => Err(advice.clone()),
            None => Err("it was not read".to_owned()),
        }
    }

    fn first(&mut self, name: &str) -> Option<&Written> {
        self.load(name).ok()?.first.as_ref()
    }

    pub(super) fn runs_guidellm(&mut self, name: &str) -> bool {
        self.first(name).is_some_and(|first| first.runs_guidellm)
    }

    /// Whether a field is all of a scalar without quotes somewhere.
    pub(super) fn is_plain(&mut self, name: &str, field: &str) -> bool {
        self.first(name)
            .is_some_and(|first| first.plain_fields.contains(field))
    }

    /// The namespace that objects of some templates name, if it is one.
    pub(super) fn namespace(&mut self, names: &[String]) -> Option<String> {
        let mut found = BTreeSet::new();
        for name in names {
            let named = self.first(name).map(|first| first.namespaces.clone());
            found.extend(named.unwrap_or_default().into_iter().flatten());
        }
        let only = found.pop_first()?;
        found.is_empty().then_some(only)
    }

    /// The name of the file that a template is written to.
    pub(super) fn written_name(&mut self, name: &str) -> Result<String, String> {
        if let Some(written) = &self.load(name)?.written_name {
            return Ok(written.clone());
        }
        let mut written = stem(Path::new(name));
        let mut parent = Path::new(name).parent();
        while !self.taken.insert(format!("{written}.yaml.j2")) {
            let above = parent.and_then(Path::file_name).map_or_else(
                || "other".to_owned(),
                |it| it.to_string_lossy().into_owned(),
            );
            written = format!("{above}-{written}");
            parent = parent.and_then(Path::parent);
        }
        let written = format!("{written}.yaml.j2");
        self.load(name)?.written_name = Some(written.clone());
        Ok(written)
    }

    /// Notes what an object gives to its template.
    pub(super) fn given(&mut self, name: &str, given: BTreeMap<String, Expr>) {
        let Ok(template) = self.load(name) else {
            return;
        };
        for (field, value) in given {
            let merged = match template.given.get(&field) {
                Some(before) if *before == value => value,
                Some(before) => Expr::Name(field.clone(), before.kind().or(value.kind())),
                None => value,
            };
            template.given.insert(field, merged);
        }
    }

    /// Notes the namespace of a job that uses a template.
    pub(super) fn used_in(&mut self, name: &str, namespace: Option<&str>) {
        if let Ok(template) = self.load(name) {
            template.namespaces.insert(namespace.map(ToOwned::to_owned));
        }
    }

    /// A profile keeps its name.
    pub(super) fn profile_name(name: &str) -> String {
        let file = Path::new(name)
            .file_name()
            .map(|it| it.to_string_lossy().into_owned());
        file.unwrap_or_else(|| name.to_owned())
    }

    /// Writes the templates that are used.
    pub(super) fn finish(self) -> Finished {
        let mut finished = Finished::default();
        for template in self.read.into_values().flatten() {
            let Some(name) = template.written_name.clone() else {
                continue;
            };
            let written = match template.written() {
                Ok(written) => written,
                Err(trouble) => {
                    let finding = template.source.lost(&trouble);
                    let text = format!("{}\n", manifest::mark(&finding));
                    finished.findings.push(finding);
                    finished.files.push(File { name, text });
                    continue;
                }
            };
            finished.env.extend(written.env);
            finished.findings.extend(written.findings);
            let namespace = template.namespaces.first().cloned().flatten();
            if let Some(namespace) = namespace.filter(|_| template.namespaces.len() == 1) {
                finished
                    .findings
                    .extend(super::command::hosts(&template.source, &namespace));
            }
            finished.files.push(File {
                name,
                text: written.text,
            });
        }
        finished
    }
}

impl Template {
    fn new(name: &str, text: String) -> Self {
        let name = name.to_owned();
        let source = Source { name, text };
        let nodes = go::parse(&source.text);
        let mut template = Self {
            source,
            nodes,
            written_name: None,
            first: None,
            given: BTreeMap::new(),
            namespaces: BTreeSet::new(),
        };
        template.first = template.written().ok();
        template
    }

    fn written(&self) -> Result<Written, Trouble> {
        let nodes = self.nodes.as_ref().map_err(Clone::clone)?;
        let draft = walk::draft(&self.source, nodes, &self.given)?;
        let only = self
            .namespaces
            .first()
            .cloned()
            .flatten()
            .filter(|_| self.namespaces.len() == 1);
        let shadowed = self.given.contains_key("namespace");
        let setting = Setting {
            namespace: only.filter(|_| !shadowed),
            adds_namespace: !shadowed,
        };
        Ok(finish::write(&self.source, &draft, &setting))
    }
}

/// A file's name without its extensions, in letters that are good in any name.
fn stem(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|it| it.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut stem = &*name;
    for extension in [".j2", ".tpl", ".tmpl", ".yml", ".yaml", ".json"] {
        stem = stem.strip_suffix(extension).unwrap_or(stem);
    }
    let good = |character: char| {
        if character.is_ascii_alphanumeric() || "-_.".contains(character) {
            character
        } else {
            '-'
        }
    };
    stem.chars().map(good).collect()
}

/// A value that a template gets from the environment, as the suite's variable.
pub(super) fn env_value(name: &str) -> Expr {
    let value = Expr::Name(format!("env.{name}"), Kind::Text);
    value.filter("default", vec![Expr::text("")], Kind::Text)
}
