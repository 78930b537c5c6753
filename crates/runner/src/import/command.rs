//! The command `import`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use guidellm_results_model::Exit;

use super::out::{Out, OutEntry};
use super::source::{Finding, Source, Trouble};
use super::suite::{Builder, Draft};
use super::templates::{File, Templates};
use super::vars::{self, Vars};
use super::{go, profile, reading, yaml};
use crate::suite::{Given, Suite};

/// Shown with the help.
pub const EXAMPLES: &str = "Examples:
  llm-d-scale import config.yml --output suite
  llm-d-scale import config.yml --output suite --keep-jobs --force && llm-d-scale render --config suite/suite.yaml";

/// What the user may say of an import.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// A config of kube-burner
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// Folder for suite.yaml, templates and profiles
    #[arg(long, short, value_name = "DIR", default_value = "suite")]
    pub output: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    pub force: bool,
    /// Keep jobs that run GuideLLM as jobs, with their own template, in place of scenarios
    #[arg(long)]
    pub keep_jobs: bool,
}

/// What a config came to.
#[derive(Debug, Default)]
pub struct Imported {
    /// Names and texts; the suite is the first.
    pub files: Vec<(String, String)>,
    /// What could not be turned, and what is worth knowing, by file and line.
    pub findings: Vec<Finding>,
}

/// Imports, and tells what came of it.
///
/// # Errors
///
/// If the config cannot be read, or files are in the way or cannot be written.
pub fn run(arguments: &Arguments) -> Result<Exit> {
    let text = std::fs::read_to_string(&arguments.config)
        .with_context(|| arguments.config.display().to_string())?;
    let beside = arguments
        .config
        .parent()
        .filter(|it| !it.as_os_str().is_empty());
    let folders = [Some(PathBuf::from(".")), beside.map(Path::to_path_buf)];
    let folders = folders.into_iter().flatten().collect();
    let name = arguments.config.display().to_string();
    let imported = import(&name, text, folders, arguments.keep_jobs)?;
    let paths: Vec<PathBuf> = imported
        .files
        .iter()
        .map(|(name, _)| arguments.output.join(name))
        .collect();
    if let Some(path) = paths.iter().find(|path| !arguments.force && path.exists()) {
        bail!(
            "{} is there already; --force writes over it",
            path.display()
        );
    }
    std::fs::create_dir_all(&arguments.output)
        .with_context(|| arguments.output.display().to_string())?;
    let mut told = String::new();
    for (path, (_, text)) in paths.iter().zip(&imported.files) {
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
        writeln!(told, "wrote {}", path.display())?;
    }
    for finding in &imported.findings {
        writeln!(told, "{finding}")?;
    }
    std::io::stdout().lock().write_all(told.as_bytes())?;
    let lost = imported.findings.iter().any(|finding| finding.lost);
    Ok(if lost { Exit::SomeFailed } else { Exit::Done })
}

/// Turns a config; templates and profiles are looked for in `folders`.
///
/// # Errors
///
/// If the config is no template of Go, or what it comes to is no YAML.
pub fn import(
    name: &str,
    text: String,
    folders: Vec<PathBuf>,
    keep_jobs: bool,
) -> Result<Imported> {
    let name = name.to_owned();
    let source = Source { name, text };
    let place = |trouble: &Trouble| {
        let (line, column) = source.place(trouble.span.start);
        format!("{}:{line}:{column}: {}", source.name, trouble.advice)
    };
    let nodes = go::parse(&source.text).map_err(|trouble| anyhow::anyhow!(place(&trouble)))?;
    let read =
        reading::read(&source, &nodes).map_err(|trouble| anyhow::anyhow!(place(&trouble)))?;
    let documents = yaml::read(&read.skeleton.text).map_err(|trouble| {
        let at = read.skeleton.origin(trouble.span.start);
        let trouble = Trouble::new(
            &(at..at),
            format!("around its constructs this is no YAML: {}", trouble.advice),
        );
        anyhow::anyhow!(place(&trouble))
    })?;
    let Some(root) = documents.roots.first() else {
        bail!("{}: there is nothing in it", source.name);
    };
    let mut templates = Templates::new(folders);
    let mut builder = Builder {
        source: &source,
        config: &read,
        templates: &mut templates,
        findings: read.findings.clone(),
        unused: Vec::new(),
        profiles: Vec::new(),
        keep_jobs,
    };
    let draft = builder.build(root, &documents.trailing);
    if let Some(namespace) = &draft.namespace {
        let named = hosts(&source, namespace);
        builder.findings.extend(named);
    }
    let profiles = profiles(&mut builder);
    let finished = {
        let empty = Templates::new(Vec::new());
        std::mem::replace(builder.templates, empty).finish()
    };
    let (vars, names) = vars::write(&mut builder, &draft, &finished.env);
    let suite = suite_text(draft, vars, &names);
    let mut findings = builder.findings;
    findings.extend(finished.findings);
    findings.extend(refused(&source, &suite));
    findings.sort_by(|one, other| {
        (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column))
    });
    let suite = File {
        name: "suite.yaml".to_owned(),
        text: suite,
    };
    let files = [suite].into_iter().chain(finished.files).chain(profiles);
    let files = files.map(|file| (file.name, file.text)).collect();
    Ok(Imported {
        files,
        findings: grouped(findings),
    })
}

fn profiles(builder: &mut Builder<'_>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for (name, is_alerts, text) in std::mem::take(&mut builder.profiles) {
        let written = Templates::profile_name(&name);
        if files.iter().any(|file| file.name == written) {
            continue;
        }
        let (text, findings) = profile::turned(&Source { name, text }, is_alerts);
        builder.findings.extend(findings);
        files.push(File {
            name: written,
            text,
        });
    }
    files
}

fn suite_text(draft: Draft, vars: Vec<OutEntry>, names: &Vars<'_>) -> String {
    let resolve = |value: &super::expression::Expr| names.resolved(value);
    let mut text = String::new();
    let mut part = |entries: Vec<OutEntry>| {
        if !entries.is_empty() {
            text.push_str(&Out::written(&entries, &resolve));
            text.push('\n');
        }
    };
    if !vars.is_empty() {
        part(vec![OutEntry::new("vars", Out::Map(vars))]);
    }
    for entry in draft.head {
        part(vec![entry]);
    }
    if !draft.jobs.is_empty() {
        part(vec![OutEntry::new("jobs", Out::List(draft.jobs))]);
    }
    if !draft.scenarios.items.is_empty() {
        part(vec![OutEntry::new(
            "scenarios",
            Out::List(draft.scenarios.items),
        )]);
    }
    if !draft.trailing.is_empty() {
        part(vec![OutEntry::remark(draft.trailing)]);
    }
    text.trim_end().to_owned() + "\n"
}

/// What the reader of suites has against this one. The environment of a later run may have what this
/// one lacks.
fn refused(source: &Source, suite: &str) -> Option<Finding> {
    let named = suite.split("env.").skip(1).map(|rest| {
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        (name.to_owned(), "1".to_owned())
    });
    let env = named.collect();
    let given = Given {
        env,
        ..Given::default()
    };
    let error = Suite::read(suite, &given).err()?;
    let mut finding = source.lost(&Trouble::new(&(0..0), format!("suite.yaml, {error}")));
    "the suite as a whole".clone_into(&mut finding.construct);
    Some(finding)
}

/// Names of hosts in a namespace, which stay what they are in any other.
pub(super) fn hosts(source: &Source, namespace: &str) -> Vec<Finding> {
    let host = format!(".{namespace}.svc");
    let advice = "it names the namespace: with another one by --namespace, change it too";
    let found = source.text.match_indices(&host);
    found
        .map(|(at, _)| source.note(&(at + 1..at + host.len()), advice))
        .collect()
}

/// Those that say the same of the same construct are one.
fn grouped(findings: Vec<Finding>) -> Vec<Finding> {
    let mut groups: Vec<(Finding, Vec<usize>)> = Vec::new();
    for finding in findings {
        let same = groups.iter_mut().find(|(first, _)| {
            !first.lost
                && (&first.file, &first.construct, &first.advice, first.lost)
                    == (
                        &finding.file,
                        &finding.construct,
                        &finding.advice,
                        finding.lost,
                    )
        });
        match same {
            Some((_, lines)) => lines.push(finding.line),
            None => groups.push((finding, Vec::new())),
        }
    }
    let told = groups.into_iter().map(|(mut finding, lines)| {
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            finding.advice = format!("{} (so in lines {})", finding.advice, lines.join(", "));
        }
        finding
    });
    told.collect()
}
