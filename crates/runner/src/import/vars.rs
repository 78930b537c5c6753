//! The variables of the suite: those of the config, and those that the program needs by its own names.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{Config, is_search_flag};
use super::expression::{Expr, is_name};
use super::manifest::env_variable;
use super::out::{Out, OutEntry};
use super::scenario::NEEDED_VARS;
use super::suite::{Builder, Draft};
use super::templates::env_value;
use crate::suite::{Given, LLM_D_SCALE, Suite};

/// Numbers, by the program's names.
const NUMBERS: [&str; 3] = ["samples", "parallelism", "seed"];

/// The names of versions of variables.
pub(super) struct Vars<'a> {
    config: &'a Config,
    names: BTreeMap<usize, String>,
}

impl Vars<'_> {
    /// An expression in the suite's names.
    pub(super) fn resolved(&self, value: &Expr) -> Expr {
        value.replaced(&mut |version, kind| match self.names.get(&version) {
            Some(name) => Expr::Name(format!("vars.{name}"), kind),
            None => match self.config.versions.get(version).map(|it| &it.value) {
                Some(Ok(value)) => self.resolved(value),
                _ => Expr::Null,
            },
        })
    }
}

/// Versions that are named in expressions.
fn versions(values: &[&Expr]) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for value in values {
        value.replaced(&mut |version, kind| {
            found.insert(version);
            Expr::Version(version, kind)
        });
    }
    found
}

/// Whether the program takes a name for a variable: it refuses those that look like its own.
fn is_free(name: &str) -> bool {
    let text = format!(
        "vars: {{{name}: null}}\nscenarios: [{{name: a, rateType: constant, rate: 1, promptTokens: 1, outputTokens: 1, seconds: 1}}]\n"
    );
    is_own(name) || Suite::read(&text, &Given::default()).is_ok()
}

/// Whether a name is one of the program's own.
fn is_own(name: &str) -> bool {
    let suite = Suite::read(
        "scenarios: [{name: a, rateType: constant, rate: 1, promptTokens: 1, outputTokens: 1, seconds: 1}]\n",
        &Given::default(),
    );
    suite.is_ok_and(|suite| suite.vars.all().contains_key(name))
}

/// Names the variables, and writes them.
pub(super) fn write<'a>(
    builder: &mut Builder<'a>,
    draft: &Draft,
    env: &BTreeSet<String>,
) -> (Vec<OutEntry>, Vars<'a>) {
    let config = builder.config;
    let mut values = Vec::new();
    draft
        .head
        .iter()
        .for_each(|entry| entry.value.expressions(&mut values));
    draft
        .jobs
        .iter()
        .chain(&draft.scenarios.items)
        .for_each(|(_, item)| item.expressions(&mut values));
    values.extend(
        draft
            .scenarios
            .target
            .iter()
            .chain(&draft.scenarios.parallelism),
    );
    let mut kept = versions(&values);
    let unused = versions(&builder.unused.iter().collect::<Vec<_>>());
    for version in &config.finals {
        let Some(Ok(value)) = config.versions.get(*version).map(|it| &it.value) else {
            continue;
        };
        let flag = is_search_flag(&builder.inlined(value));
        if !kept.contains(version) && !flag && unused.contains(version) {
            left_out(builder, *version);
        } else if !flag {
            kept.insert(*version);
        }
    }
    let mut vars = Vars {
        config,
        names: BTreeMap::new(),
    };
    name(&kept, draft, &mut vars, builder);
    let mut entries: Vec<OutEntry> = Vec::new();
    for version in &kept {
        if let (Some(found), Some(name)) = (config.versions.get(*version), vars.names.get(version))
            && let Ok(value) = &found.value
        {
            let value = if NUMBERS.contains(&&**name) {
                value.clone().into_integer()
            } else {
                value.clone()
            };
            let comments = found.comments.clone();
            entries.push(OutEntry {
                comments,
                ..OutEntry::new(name, Out::Value(value))
            });
        }
    }
    let broken = config
        .finals
        .iter()
        .filter_map(|version| config.versions.get(*version));
    for version in broken.filter(|it| it.value.is_err()) {
        if let Err(trouble) = &version.value {
            let mark = builder.source.lost(trouble).mark();
            entries.push(OutEntry::remark(vec![format!(" {mark}")]));
        }
    }
    own(draft, env, &mut entries, &vars);
    (entries, vars)
}

fn left_out(builder: &mut Builder<'_>, version: usize) {
    if let Some(version) = builder.config.versions.get(version) {
        let span = version.span.clone();
        let advice = "left out: only parts that were left out name it";
        builder.findings.push(builder.source.note(&span, advice));
    }
}

fn name<'a>(kept: &BTreeSet<usize>, draft: &Draft, vars: &mut Vars<'a>, builder: &mut Builder<'a>) {
    let mut taken = BTreeSet::new();
    // The last version of a variable has its name, whichever came before.
    for version in kept.iter().rev() {
        let Some(found) = vars.config.versions.get(*version) else {
            continue;
        };
        let plain = if is_name(&found.name) {
            found.name.clone()
        } else {
            "value".to_owned()
        };
        // With scenarios, this name is GuideLLM's image; the config's has the parser in it.
        let misleading = plain == "guidellmImage" && !draft.scenarios.items.is_empty();
        let mut unique = plain.clone();
        let mut number = 2;
        while (misleading && unique == plain) || taken.contains(&unique) || !is_free(&unique) {
            unique = match number {
                2 if !taken.contains(&plain) => format!("{plain}Value"),
                _ => format!("{plain}Value{number}"),
            };
            number += 1;
        }
        if unique != plain {
            let advice = format!("it is `vars.{unique}` in the suite");
            builder
                .findings
                .push(builder.source.note(&found.span, &advice));
        }
        taken.insert(unique.clone());
        vars.names.insert(*version, unique);
    }
}

/// What the program needs under its own names.
fn own(draft: &Draft, env: &BTreeSet<String>, entries: &mut Vec<OutEntry>, vars: &Vars<'_>) {
    let needed = [
        ("target", &draft.scenarios.target),
        ("parallelism", &draft.scenarios.parallelism),
    ];
    for (name, value) in needed {
        if let Some(value) = value
            && vars.resolved(value) != Expr::Name(format!("vars.{name}"), value.kind())
            && !entries.iter().any(|entry| entry.key == name)
        {
            entries.push(OutEntry::new(name, Out::Value(value.clone())));
        }
    }
    if let Some(namespace) = &draft.namespace
        && !entries.iter().any(|entry| entry.key == "namespace")
    {
        entries.push(OutEntry::new("namespace", Out::text(namespace)));
    }
    if !draft.scenarios.items.is_empty() {
        let suite = Suite::read(LLM_D_SCALE, &Given::default());
        let known = suite
            .map(|suite| suite.vars.all().clone())
            .unwrap_or_default();
        for name in NEEDED_VARS {
            if let Some(value) = known
                .get(name)
                .filter(|_| !entries.iter().any(|entry| entry.key == name))
            {
                // JSON is YAML.
                let value = value
                    .as_str()
                    .map_or_else(|| Out::Ready(value.to_string()), Out::text);
                entries.push(OutEntry::new(name, value));
            }
        }
    }
    for variable in env {
        entries.push(OutEntry::new(
            &env_variable(variable),
            Out::Value(env_value(variable)),
        ));
    }
}
