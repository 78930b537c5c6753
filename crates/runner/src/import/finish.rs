//! A template that was read, written as one of this project.

use std::collections::BTreeSet;
use std::ops::Range;

use super::edits::{Edit, applied};
use super::expression::{Expr, Kind, Quotes};
use super::manifest::{Draft, Statement};
use super::objects;
use super::skeleton::{Atom, Part};
use super::source::{Finding, Source};
use super::yaml::{self, Documents, Node, Scalar};

/// What is known of the objects that a template is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Setting {
    /// The namespace of their jobs: where the template names it, it follows the job.
    pub(super) namespace: Option<String>,
    /// Objects that name no namespace get that of their job.
    pub(super) adds_namespace: bool,
}

/// A template, written.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) findings: Vec<Finding>,
    /// Variables of the environment that it needs.
    pub(super) env: BTreeSet<String>,
    /// Fields that are all of a scalar without quotes: what they are is read from the value.
    pub(super) plain_fields: BTreeSet<String>,
    pub(super) runs_guidellm: bool,
    /// Namespaces that objects name, where they are fixed; nothing for those that name none.
    pub(super) namespaces: BTreeSet<Option<String>>,
}

/// Numbers, whatever they are given as.
const NUMBERS: [&str; 9] = [
    "replicas",
    "completions",
    "parallelism",
    "backoffLimit",
    "containerPort",
    "hostPort",
    "minReplicas",
    "maxReplicas",
    "terminationGracePeriodSeconds",
];

pub(super) fn write(source: &Source, draft: &Draft, setting: &Setting) -> Written {
    let Draft { findings, env, .. } = draft;
    let (findings, env) = (findings.clone(), env.clone());
    let mut written = Written {
        text: String::new(),
        findings,
        env,
        plain_fields: BTreeSet::new(),
        runs_guidellm: false,
        namespaces: BTreeSet::new(),
    };
    match yaml::read(&draft.skeleton.text) {
        Ok(documents) => {
            let finisher = Finisher {
                source,
                draft,
                documents: &documents,
            };
            finisher.write(setting, &mut written);
        }
        Err(trouble) => {
            let at = draft.skeleton.origin(trouble.span.start);
            let advice = format!(
                "around its constructs this is no YAML ({}); values are put in as text, as Go does it",
                trouble.advice
            );
            let rest = source.text.get(at..).unwrap_or_default();
            let end = at + rest.lines().next().unwrap_or_default().len();
            written.findings.push(source.note(&(at..end), &advice));
            for trouble in draft
                .skeleton
                .atoms
                .iter()
                .filter_map(|atom| atom.trouble.as_ref())
            {
                written.findings.push(source.lost(trouble));
            }
            let edits = draft
                .statements
                .iter()
                .map(|it| (it.at..it.at, it.exact()))
                .collect();
            written.text = applied(&draft.skeleton, edits);
        }
    }
    written
}

struct Finisher<'a> {
    source: &'a Source,
    draft: &'a Draft,
    documents: &'a Documents,
}

impl Finisher<'_> {
    fn write(&self, setting: &Setting, written: &mut Written) {
        let mut edits: Vec<Edit> = Vec::new();
        let mut scalars = Vec::new();
        for root in &self.documents.roots {
            collect(root, None, &mut scalars);
        }
        let mut changes = objects::Changes::default();
        for root in &self.documents.roots {
            objects::change(root, self.draft, setting, &mut changes);
            written.runs_guidellm |= objects::runs_guidellm(root);
        }
        written.namespaces = changes.namespaces;
        for (span, advice, lost) in changes.told {
            let span = self.draft.skeleton.origin(span.start)..self.draft.skeleton.origin(span.end);
            let mut finding = self.source.note(&span, &advice);
            finding.lost = lost;
            written.findings.push(finding);
        }
        edits.append(&mut changes.edits);
        for (key, scalar) in &scalars {
            let done = edits.iter().any(|(span, _)| overlap(span, &scalar.span));
            if !done && let Some(value) = self.value(*key, scalar, written) {
                edits.push((scalar.span.clone(), value));
            }
        }
        let encoded = |atom: &&Atom| !changes.encoded.contains(&atom.action.span.start);
        for trouble in self
            .draft
            .skeleton
            .atoms
            .iter()
            .filter(encoded)
            .filter_map(|it| it.trouble.as_ref())
        {
            written.findings.push(self.source.lost(trouble));
        }
        for statement in &self.draft.statements {
            let text = self.statement(statement, &scalars);
            edits.push((statement.at..statement.at, text));
        }
        // The last line feed of a template is taken away, which a block scalar would miss.
        let last = scalars
            .iter()
            .map(|(_, scalar)| scalar)
            .max_by_key(|scalar| scalar.span.end);
        let text = &self.draft.skeleton.text;
        if text.ends_with('\n')
            && last.is_some_and(|it| it.is_block() && it.span.end + 1 >= text.len())
        {
            edits.push((text.len()..text.len(), "\n".to_owned()));
        }
        written.text = applied(&self.draft.skeleton, edits);
    }

    fn statement(&self, statement: &Statement, scalars: &[(Option<&Scalar>, &Scalar)]) -> String {
        let within = |(_, scalar): &(_, &Scalar)| {
            scalar.span.start <= statement.at && statement.at <= scalar.span.end
        };
        let text = &self.draft.skeleton.text;
        let before = text
            .get(..statement.at)
            .unwrap_or_default()
            .lines()
            .next_back()
            .unwrap_or_default();
        let starts = text
            .get(..statement.at)
            .is_none_or(|it| it.is_empty() || it.ends_with('\n'));
        let before = if starts { "" } else { before };
        let after = text
            .get(statement.at..)
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default();
        let alone = before.trim().is_empty() && after.trim().is_empty();
        let in_block = scalars
            .iter()
            .any(|it| within(it) && (it.1.is_block() || !it.1.span.is_empty() && !alone));
        match &statement.body {
            // Its line vanishes when the template is filled in.
            Some(body) if alone && !in_block => format!("{{% {body} %}}"),
            None if alone && !in_block => statement.mark.clone(),
            None if statement.mark.ends_with("#}") => Statement {
                mark: String::new(),
                ..statement.clone()
            }
            .exact(),
            _ => statement.exact(),
        }
    }

    /// A scalar as an expression, if it has constructs and can be one.
    fn value(
        &self,
        key: Option<&Scalar>,
        scalar: &Scalar,
        written: &mut Written,
    ) -> Option<String> {
        if scalar.is_block() || !self.draft.skeleton.has_atoms(&scalar.value) {
            return None;
        }
        let inside = |statement: &Statement| {
            scalar.span.start < statement.at && statement.at < scalar.span.end
        };
        if self.draft.statements.iter().any(inside) {
            return None;
        }
        let parts = self.draft.skeleton.parts(&scalar.value);
        let expression = match &*parts {
            [Part::Atom(atom)] if scalar.is_plain() => {
                let value = atom.plain.clone().ok()?;
                if let Expr::Name(name, _) = &value {
                    written.plain_fields.insert(name.clone());
                }
                let number = key.is_some_and(|key| NUMBERS.contains(&&*key.value));
                if number && value.kind() != Kind::Integer {
                    value.into_integer()
                } else {
                    value
                }
            }
            _ => self.joined(scalar, &parts, written)?,
        };
        Some(format!("{{{{ {} }}}}", expression.written(Quotes::Double)))
    }

    fn joined(&self, scalar: &Scalar, parts: &[Part<'_>], written: &mut Written) -> Option<Expr> {
        let mut values = Vec::new();
        for part in parts {
            values.push(match part {
                Part::Text(text) => Expr::text(text.clone()),
                Part::Atom(atom) => atom.value.clone().ok()?,
            });
        }
        let digits = |text: &str| {
            text.bytes()
                .all(|it| it.is_ascii_digit() || b"+-.eE".contains(&it))
        };
        let numeric = parts.iter().all(|part| match part {
            Part::Text(text) => digits(text),
            Part::Atom(_) => true,
        });
        if scalar.is_plain() && numeric {
            let at = self.draft.skeleton.origin(scalar.span.start);
            let end = self.draft.skeleton.origin(scalar.span.end);
            let advice = "this is a text now, even if it looks like a number; add `| int` if it has to be one";
            written.findings.push(self.source.note(&(at..end), advice));
        }
        Some(Expr::concat(values))
    }
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// All scalars, each with the key that it is the value of.
fn collect<'a>(
    node: &'a Node,
    key: Option<&'a Scalar>,
    found: &mut Vec<(Option<&'a Scalar>, &'a Scalar)>,
) {
    match node {
        Node::Scalar(scalar) => found.push((key, scalar)),
        Node::List(list) => list
            .items
            .iter()
            .for_each(|item| collect(&item.node, None, found)),
        Node::Map(map) => {
            for entry in &map.entries {
                found.push((None, &entry.key));
                collect(&entry.node, Some(&entry.key), found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::import::{go, walk};

    /// A template as it is written, and what is told of it.
    fn written(text: &str) -> (String, Vec<String>) {
        let (name, text) = ("t.yml".to_owned(), text.to_owned());
        let source = Source { name, text };
        let nodes = go::parse(&source.text).unwrap();
        let draft = walk::draft(&source, &nodes, &BTreeMap::new()).unwrap();
        let setting = Setting {
            namespace: Some("lab".to_owned()),
            adds_namespace: true,
        };
        let written = write(&source, &draft, &setting);
        let told = written.findings.iter().map(ToString::to_string);
        (written.text, told.collect())
    }

    #[test]
    fn namespaces_follow_the_job() {
        for (text, expected) in [
            (
                "kind: A\nmetadata: {name: a}\n",
                "kind: A\nmetadata: {namespace: {{ namespace }}, name: a}\n",
            ),
            (
                "metadata:\n  name: a # b\nkind: A",
                "metadata:\n  name: a # b\n  namespace: {{ namespace }}\nkind: A",
            ),
            (
                "kind: A\nmetadata:\n  namespace: lab\n",
                "kind: A\nmetadata:\n  namespace: {{ namespace }}\n",
            ),
            (
                "kind: A\nmetadata:\n  namespace: other\n",
                "kind: A\nmetadata:\n  namespace: other\n",
            ),
            (
                "kind: ClusterRole\nmetadata:\n  name: a\n",
                "kind: ClusterRole\nmetadata:\n  name: a\n",
            ),
        ] {
            assert_eq!(written(text), (expected.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn of_keys_that_stand_twice_the_last_counts() {
        let (text, told) = written("a:\n- b: 1\n  c: 2\n  b: 3\n");
        assert_eq!(text, "a:\n- c: 2\n  b: 3\n");
        assert!(told[0].starts_with("t.yml:2:3: note: `b`"), "{told:?}");
        // Only one of them is ever there.
        let text = "{{ if .x }}\na: 1\n{{ else }}\na: 2\n{{ end }}\n";
        assert_eq!(written(text).1, Vec::<String>::new());
        let (_, told) = written("a: 1\n{{ if .x }}\na: 2\n{{ end }}\n");
        assert!(
            told[0].starts_with("t.yml:1:1: could not turn `a`"),
            "{told:?}"
        );
    }

    #[test]
    fn only_whole_secrets_are_written_plainly() {
        let secret = |value: &str| {
            format!(
                "kind: Secret\nmetadata: {{namespace: a}}\ndata:\n  a: {{{{ .a | b64enc }}}}\n  b: {value}\n"
            )
        };
        let (text, _) = written(&secret("{{ b64enc .b }}"));
        assert!(
            text.contains("stringData:\n") && !text.contains("b64"),
            "{text}"
        );
        let (text, told) = written(&secret("YQ=="));
        assert!(text.contains("\ndata:\n"), "{text}");
        assert!(
            told[0].starts_with("t.yml:4:14: could not turn `b64enc`"),
            "{told:?}"
        );
    }

    #[test]
    fn text_that_looks_like_a_statement_stays_text() {
        let (text, _) = written("kind: ClusterRole\na: |\n  {% x {# {{ .a }}\n");
        let engine = minijinja::Environment::new();
        let filled = engine
            .render_str(&text, minijinja::context! { a => "1" })
            .unwrap();
        assert_eq!(filled, "kind: ClusterRole\na: |\n  {% x {# 1\n");
    }
}
