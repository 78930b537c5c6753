//! A config's tree, in which each part knows under which conditions it stands, and the trees without
//! conditions that come of it.

use super::config::{Branch, Config};
use super::expression::Expr;
use super::skeleton::Part;
use super::source::Trouble;
use super::yaml::{Comments, Meaning, Node, Scalar, meaning};

/// As many copies of an item may come of the conditions within it.
const MOST_COPIES: usize = 16;

#[derive(Debug, Clone)]
pub(super) enum Tree {
    Scalar(Scalar),
    /// What a scalar is under conditions.
    Chosen(Expr),
    List(Vec<TreeItem>, bool),
    Map(Vec<TreeEntry>),
}

#[derive(Debug, Clone)]
pub(super) struct TreeItem {
    pub(super) node: Tree,
    pub(super) comments: Comments,
    /// Beyond those of what it is in.
    pub(super) branches: Vec<Branch>,
    pub(super) at: usize,
}

#[derive(Debug, Clone)]
pub(super) struct TreeEntry {
    pub(super) key: Scalar,
    pub(super) node: Tree,
    pub(super) comments: Comments,
    pub(super) branches: Vec<Branch>,
}

impl Tree {
    pub(super) fn get(&self, name: &str) -> Option<&TreeEntry> {
        match self {
            Self::Map(entries) => entries.iter().find(|entry| entry.key.value == name),
            _ => None,
        }
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.get(name).map(|entry| &entry.node)
    }
}

/// Looks up the conditions of all parts.
pub(super) fn lifted(config: &Config, node: &Node, base: &[Branch]) -> Tree {
    let beyond = |at: usize| {
        let branches = config.branches(at);
        branches.get(base.len()..).unwrap_or_default().to_vec()
    };
    match node {
        Node::Scalar(scalar) => Tree::Scalar(scalar.clone()),
        Node::List(list) => {
            let items = list.items.iter().map(|item| {
                let at = item.node.span().start;
                TreeItem {
                    node: lifted(config, &item.node, config.branches(at)),
                    comments: item.comments.clone(),
                    branches: beyond(at),
                    at,
                }
            });
            Tree::List(items.collect(), list.flow)
        }
        Node::Map(map) => {
            let entries = map.entries.iter().map(|entry| {
                let at = entry.key.span.start;
                TreeEntry {
                    key: entry.key.clone(),
                    node: lifted(config, &entry.node, config.branches(at)),
                    comments: entry.comments.clone(),
                    branches: beyond(at),
                }
            });
            Tree::Map(entries.collect())
        }
    }
}

/// The items of a list that may stand in several places, each under conditions of its own.
pub(super) fn listed(entries: &[TreeEntry], name: &str) -> Vec<TreeItem> {
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.key.value == name) {
        if let Tree::List(items, _) = &entry.node {
            for item in items {
                let mut item = item.clone();
                item.branches.splice(0..0, entry.branches.iter().copied());
                found.push(item);
            }
        }
    }
    found
}

/// An item once for each way in which the conditions within it turn out, where they cannot be a part
/// of a value. `lists` names what has conditions of its own.
pub(super) fn copies(
    config: &Config,
    item: TreeItem,
    lists: &[&str],
) -> Result<Vec<TreeItem>, Trouble> {
    let mut pending = vec![item];
    let mut done = Vec::new();
    while let Some(item) = pending.pop() {
        let Some(number) = unmergeable(config, &item.node, lists) else {
            let node = merged(config, item.node, lists)?;
            done.push(TreeItem { node, ..item });
            continue;
        };
        let construct = config.constructs.get(number);
        let arms = construct.map_or(0, super::config::Construct::arms);
        if pending.len() + done.len() + arms > MOST_COPIES {
            let span = construct.map_or(0..0, |it| it.span.clone());
            return Err(Trouble::new(
                &span,
                "too many conditions stand within one item; write it out for each",
            ));
        }
        for arm in (0..arms).rev() {
            let mut copy = item.clone();
            copy.node = decided(copy.node, (number, arm));
            copy.branches.push((number, arm));
            pending.push(copy);
        }
    }
    Ok(done)
}

/// A condition that cannot be a part of a value.
pub(super) fn unmergeable(config: &Config, node: &Tree, lists: &[&str]) -> Option<usize> {
    match node {
        Tree::Scalar(_) | Tree::Chosen(_) => None,
        Tree::List(items, _) => items.iter().find_map(|item| {
            let own = item.branches.first().map(|branch| branch.0);
            own.or_else(|| unmergeable(config, &item.node, lists))
        }),
        Tree::Map(entries) => entries.iter().find_map(|entry| {
            if lists.contains(&&*entry.key.value) && matches!(entry.node, Tree::List(..)) {
                return None;
            }
            if exhausted(config, entries, &entry.key.value) {
                return None;
            }
            let own = entry.branches.first().map(|branch| branch.0);
            own.or_else(|| unmergeable(config, &entry.node, lists))
        }),
    }
}

/// A key has a scalar in each arm of one block.
fn exhausted(config: &Config, entries: &[TreeEntry], key: &str) -> bool {
    let same: Vec<&TreeEntry> = entries
        .iter()
        .filter(|entry| entry.key.value == key)
        .collect();
    let Some([(number, _)]) = same.first().map(|entry| &*entry.branches) else {
        return false;
    };
    let Some(construct) = config.constructs.get(*number) else {
        return false;
    };
    let scalars = same
        .iter()
        .all(|entry| matches!(entry.node, Tree::Scalar(_)));
    let arms = (0..construct.arms())
        .all(|arm| same.iter().any(|entry| *entry.branches == [(*number, arm)]));
    construct.has_else && scalars && arms && same.len() == construct.arms()
}

fn decided(node: Tree, branch: Branch) -> Tree {
    let stays = |branches: &mut Vec<Branch>| {
        let other = branches
            .iter()
            .any(|it| it.0 == branch.0 && it.1 != branch.1);
        branches.retain(|it| *it != branch);
        !other
    };
    match node {
        Tree::List(items, flow) => {
            let items = items.into_iter().filter_map(|mut item| {
                stays(&mut item.branches).then(|| TreeItem {
                    node: decided(item.node, branch),
                    ..item
                })
            });
            Tree::List(items.collect(), flow)
        }
        Tree::Map(entries) => {
            let entries = entries.into_iter().filter_map(|mut entry| {
                stays(&mut entry.branches).then(|| TreeEntry {
                    node: decided(entry.node, branch),
                    ..entry
                })
            });
            Tree::Map(entries.collect())
        }
        scalar => scalar,
    }
}

/// Makes one value of those that a key has in the arms of a block.
pub(super) fn merged(config: &Config, node: Tree, lists: &[&str]) -> Result<Tree, Trouble> {
    let Tree::Map(entries) = node else {
        return match node {
            Tree::List(items, flow) => {
                let items = items.into_iter().map(|item| {
                    let node = merged(config, item.node, lists)?;
                    Ok(TreeItem { node, ..item })
                });
                Ok(Tree::List(items.collect::<Result<_, Trouble>>()?, flow))
            }
            scalar => Ok(scalar),
        };
    };
    let mut kept: Vec<TreeEntry> = Vec::new();
    for entry in &entries {
        let name = &*entry.key.value;
        if lists.contains(&name) {
            kept.push(entry.clone());
            continue;
        }
        if !exhausted(config, &entries, name) {
            let node = merged(config, entry.node.clone(), lists)?;
            kept.push(TreeEntry {
                node,
                ..entry.clone()
            });
            continue;
        }
        if kept.iter().any(|it| it.key.value == name) {
            continue;
        }
        let mut value = None;
        for entry in entries.iter().rev().filter(|it| it.key.value == name) {
            let Tree::Scalar(scalar) = &entry.node else {
                continue;
            };
            let own = scalar_value(config, scalar)?;
            let test = entry
                .branches
                .first()
                .and_then(|(number, arm)| Some(config.constructs.get(*number)?.test(*arm)));
            value = Some(match (value, test.flatten()) {
                (Some(otherwise), Some(test)) => Expr::choice(own, test, otherwise),
                _ => own,
            });
        }
        let node = Tree::Chosen(value.unwrap_or(Expr::Null));
        kept.push(TreeEntry {
            node,
            branches: Vec::new(),
            ..entry.clone()
        });
    }
    Ok(Tree::Map(kept))
}

/// What a scalar is, as an expression.
pub(super) fn scalar_value(config: &Config, scalar: &Scalar) -> Result<Expr, Trouble> {
    let parts = config.skeleton.parts(&scalar.value);
    match &*parts {
        [Part::Atom(atom)] if scalar.is_plain() => atom.plain.clone(),
        _ if scalar.is_plain() && !config.skeleton.has_atoms(&scalar.value) => {
            Ok(match meaning(&scalar.value) {
                Meaning::Null => Expr::Null,
                Meaning::Bool(value) => Expr::Bool(value),
                Meaning::Integer(value) => Expr::Integer(value),
                Meaning::Float(value) => Expr::Float(format!("{value:?}")),
                Meaning::Text => Expr::text(scalar.value.clone()),
            })
        }
        _ => {
            let values = parts.into_iter().map(|part| match part {
                Part::Text(text) => Ok(Expr::Text(text)),
                Part::Atom(atom) => atom.value.clone(),
            });
            Ok(Expr::concat(values.collect::<Result<_, _>>()?))
        }
    }
}
