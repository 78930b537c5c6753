//! What changes in objects beside their constructs: namespaces, Secrets, and keys that stand twice.

use std::collections::BTreeSet;
use std::ops::Range;

use super::edits::Edit;
use super::expression::Quotes;
use super::finish::Setting;
use super::manifest::Draft;
use super::skeleton::Part;
use super::yaml::{Entry, Map, Node, Scalar};

/// Kinds without a namespace.
const CLUSTER_SCOPED: [&str; 22] = [
    "APIService",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "CSIDriver",
    "CSINode",
    "CustomResourceDefinition",
    "FlowSchema",
    "GatewayClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "Project",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];
const NAMESPACE: &str = "{{ namespace }}";

#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) edits: Vec<Edit>,
    /// Where, what, and whether something is lost by it.
    pub(super) told: Vec<(Range<usize>, String, bool)>,
    pub(super) namespaces: BTreeSet<Option<String>>,
    /// Constructs that need not encode any more, by where they begin in the source.
    pub(super) encoded: BTreeSet<usize>,
}

/// The object is a Job that runs GuideLLM.
pub(super) fn runs_guidellm(root: &Node) -> bool {
    let is_job = text(root.member("kind")) == Some("Job");
    is_job
        && commands(root)
            .iter()
            .any(|scalar| scalar.value.contains("guidellm"))
}

/// What containers run.
fn commands(node: &Node) -> Vec<&Scalar> {
    let mut found = Vec::new();
    match node {
        Node::Scalar(_) => {}
        Node::List(list) => list
            .items
            .iter()
            .for_each(|item| found.extend(commands(&item.node))),
        Node::Map(map) => {
            for entry in &map.entries {
                if matches!(&*entry.key.value, "command" | "args") {
                    entry.node.scalars(&mut found);
                } else {
                    found.extend(commands(&entry.node));
                }
            }
        }
    }
    found
}

fn text(node: Option<&Node>) -> Option<&str> {
    Some(&*node?.as_scalar()?.value)
}

/// Collects the changes of one object.
pub(super) fn change(root: &Node, draft: &Draft, setting: &Setting, changes: &mut Changes) {
    let Some(object) = root.as_map() else {
        return;
    };
    repeated(root, draft, changes);
    let kind = text(root.member("kind")).unwrap_or_default();
    if kind == "Secret"
        && let Some(data) = object.get("data")
    {
        decoded(data, draft, changes);
    }
    if let Some(Node::List(subjects)) = root.member("subjects") {
        for subject in &subjects.items {
            following(subject.node.member("namespace"), setting, changes);
        }
    }
    if CLUSTER_SCOPED.contains(&kind) {
        return;
    }
    let Some(metadata) = root.member("metadata").and_then(Node::as_map) else {
        return;
    };
    match metadata.get("namespace").map(|entry| &entry.node) {
        Some(Node::Scalar(namespace)) if !draft.skeleton.has_atoms(&namespace.value) => {
            changes.namespaces.insert(Some(namespace.value.clone()));
            following(
                metadata.get("namespace").map(|entry| &entry.node),
                setting,
                changes,
            );
        }
        Some(_) => {}
        None => {
            changes.namespaces.insert(None);
            if setting.adds_namespace {
                changes.edits.extend(added(metadata, &draft.skeleton.text));
            }
        }
    }
}

/// The namespace of the job, where it is named.
fn following(namespace: Option<&Node>, setting: &Setting, changes: &mut Changes) {
    if let (Some(Node::Scalar(scalar)), Some(own)) = (namespace, &setting.namespace)
        && scalar.value == *own
    {
        changes
            .edits
            .push((scalar.span.clone(), NAMESPACE.to_owned()));
    }
}

/// A namespace behind the name.
fn added(metadata: &Map, text: &str) -> Option<Edit> {
    let named = metadata
        .get("name")
        .or_else(|| metadata.get("generateName"));
    let name = named.or_else(|| metadata.entries.first())?;
    let start = name.key.span.start;
    if metadata.flow {
        return Some((start..start, format!("namespace: {NAMESPACE}, ")));
    }
    let line = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let indent = " ".repeat(text.get(line..start)?.chars().count());
    if !matches!(name.node, Node::Scalar(_)) {
        return Some((start..start, format!("namespace: {NAMESPACE}\n{indent}")));
    }
    let end = name.node.span().end;
    let end = text
        .get(end..)?
        .find('\n')
        .map_or(text.len(), |at| end + at);
    Some((end..end, format!("\n{indent}namespace: {NAMESPACE}")))
}

/// A Secret whose values are all encoded takes them as they are.
fn decoded(data: &Entry, draft: &Draft, changes: &mut Changes) {
    let Some(values) = data.node.as_map() else {
        return;
    };
    let mut edits = vec![(data.key.span.clone(), "stringData".to_owned())];
    let mut encoded = Vec::new();
    for entry in &values.entries {
        let Node::Scalar(scalar) = &entry.node else {
            return;
        };
        match &*draft.skeleton.parts(&scalar.value) {
            [Part::Atom(atom)] => match &atom.encoded {
                Some(value) => {
                    edits.push((
                        scalar.span.clone(),
                        format!("{{{{ {} }}}}", value.written(Quotes::Double)),
                    ));
                    encoded.push(atom.action.span.start);
                }
                None => return,
            },
            _ => return,
        }
    }
    if !encoded.is_empty() {
        changes.edits.append(&mut edits);
        changes.encoded.extend(encoded);
        let advice = "Kubernetes encodes what is in `stringData` itself";
        changes
            .told
            .push((data.key.span.clone(), advice.to_owned(), false));
    }
}

/// Of a key that stands twice, the last counts.
fn repeated(node: &Node, draft: &Draft, changes: &mut Changes) {
    match node {
        Node::Scalar(_) => {}
        Node::List(list) => list
            .items
            .iter()
            .for_each(|item| repeated(&item.node, draft, changes)),
        Node::Map(map) => {
            for (number, entry) in map.entries.iter().enumerate() {
                repeated(&entry.node, draft, changes);
                let rest = map.entries.get(number + 1..).unwrap_or_default();
                let same = rest.iter().find(|other| other.key.value == entry.key.value);
                if let (Some(later), Some(next)) = (same, rest.first()) {
                    superseded(entry, later, next, draft, changes);
                }
            }
        }
    }
}

fn superseded(entry: &Entry, later: &Entry, next: &Entry, draft: &Draft, changes: &mut Changes) {
    let (first, second) = (region(draft, entry), region(draft, later));
    let apart = first.iter().zip(second).find(|(one, other)| one != other);
    if apart.is_some_and(|(one, other)| one.0 == other.0) {
        // Only one of them is ever there.
        return;
    }
    let name = &entry.key.value;
    let removed = entry.key.span.start..next.key.span.start;
    let within = draft.statements.iter().any(|it| removed.contains(&it.at));
    if first == second && !within {
        let advice =
            format!("`{name}` stands here and again below: the last counts, this one is left out");
        changes.told.push((entry.key.span.clone(), advice, false));
        changes.edits.push((removed, String::new()));
    } else {
        let advice = format!(
            "`{name}` stands here and again below, under a condition; write the two into one value"
        );
        changes.told.push((entry.key.span.clone(), advice, true));
    }
}

fn region<'a>(draft: &'a Draft, entry: &Entry) -> &'a [(usize, usize)] {
    let at = entry.key.span.start;
    let next = draft.regions.partition_point(|(start, _)| *start <= at);
    let found = next
        .checked_sub(1)
        .and_then(|index| draft.regions.get(index));
    found.map_or(&[], |(_, open)| open)
}
