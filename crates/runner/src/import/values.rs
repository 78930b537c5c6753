//! What values of a config come to in the suite.

use std::collections::BTreeMap;

use super::branches::{Tree, TreeEntry, scalar_value};
use super::config::{RUN, is_search_flag};
use super::expression::{Expr, Kind};
use super::out::{Out, OutEntry, lines, quoted};
use super::skeleton::Part;
use super::source::Trouble;
use super::suite::Builder;
use super::yaml::{Comments, Meaning, Scalar, meaning};

/// Fields that take numbers, whatever their values are made of.
const NUMBERS: [&str; 4] = ["qps", "burst", "replicas", "jobIterations"];

impl Builder<'_> {
    pub(super) fn entry(&mut self, entry: &TreeEntry) -> OutEntry {
        let name = &*entry.key.value;
        let comments = entry.comments.clone();
        match self.value(&entry.node, NUMBERS.contains(&name)) {
            Ok(value) => OutEntry {
                comments,
                ..OutEntry::new(name, value)
            },
            Err(trouble) => OutEntry::remark([comments.above, self.lose(&trouble)].concat()),
        }
    }

    /// What stands in the suite for a part of the config.
    pub(super) fn value(&self, node: &Tree, number: bool) -> Result<Out, Trouble> {
        let value = match node {
            Tree::Scalar(scalar) => self.scalar(scalar, number)?,
            Tree::Chosen(value) => Out::Value(value.clone()),
            Tree::List(items, flow) => {
                let values = items
                    .iter()
                    .map(|item| Ok((item.comments.clone(), self.value(&item.node, false)?)));
                let values = values.collect::<Result<Vec<_>, Trouble>>()?;
                let plain = values.iter().all(|(comments, it)| {
                    let short = !matches!(it, Out::List(_) | Out::Map(_) | Out::Block(_));
                    short && *comments == Comments::default()
                });
                if *flow && plain {
                    Out::Flow(values.into_iter().map(|(_, value)| value).collect())
                } else {
                    Out::List(values)
                }
            }
            Tree::Map(entries) => {
                let entries = entries.iter().map(|entry| {
                    if self.config.skeleton.has_atoms(&entry.key.value) {
                        let span = self.span(&entry.key.span);
                        return Err(Trouble::new(
                            &span,
                            "a key cannot be made of values; write it down",
                        ));
                    }
                    let (value, comments) =
                        (self.value(&entry.node, false)?, entry.comments.clone());
                    Ok(OutEntry {
                        comments,
                        ..OutEntry::new(&entry.key.value, value)
                    })
                });
                Out::Map(entries.collect::<Result<_, Trouble>>()?)
            }
        };
        let mut expressions = Vec::new();
        value.expressions(&mut expressions);
        let run = |value: &&&Expr| matches!(value, Expr::Name(name, _) if name == RUN);
        if expressions.iter().any(|it| run(&it)) {
            let at = match node {
                Tree::Scalar(scalar) => self.span(&scalar.span),
                _ => 0..0,
            };
            return Err(Trouble::new(
                &at,
                "templates see the run as `uuid`; a suite does not",
            ));
        }
        Ok(value)
    }

    pub(super) fn scalar(&self, scalar: &Scalar, number: bool) -> Result<Out, Trouble> {
        if !self.config.skeleton.has_atoms(&scalar.value) {
            let text = &scalar.value;
            return Ok(match scalar.is_plain() {
                // Go reads and prints it as the whole number that it is.
                true if matches!(meaning(text), Meaning::Float(value) if is_whole(value)) => {
                    Out::Ready(format!("{:.0}", text.parse::<f64>().unwrap_or_default()))
                }
                true => Out::Ready(text.clone()),
                false if scalar.is_block() => lines(text),
                false if text.contains("{%") || text.contains("{#") => {
                    Out::Value(Expr::text(text.clone()))
                }
                false => Out::Ready(quoted(text)),
            });
        }
        let parts = self.config.skeleton.parts(&scalar.value);
        match &*parts {
            [Part::Atom(atom)] if scalar.is_plain() => {
                let value = atom.plain.clone()?;
                Ok(Out::Value(if number {
                    value.into_integer()
                } else {
                    value
                }))
            }
            [Part::Atom(atom)] => Ok(Out::Value(atom.value.clone()?.into_text())),
            parts => {
                let parts = parts.iter().map(|part| match part {
                    Part::Text(text) => Ok(Expr::text(text.clone())),
                    Part::Atom(atom) => atom.value.clone(),
                });
                Ok(Out::Mixed(parts.collect::<Result<_, _>>()?))
            }
        }
    }

    pub(super) fn is_given(&self, scalar: &Scalar) -> bool {
        let value = scalar_value(self.config, scalar);
        value.is_ok_and(|value| is_search_flag(&self.inlined(&value)))
    }

    /// With what variables hold in place of the variables.
    pub(super) fn inlined(&self, value: &Expr) -> Expr {
        value.replaced(&mut |version, kind| match self
            .config
            .versions
            .get(version)
            .map(|it| &it.value)
        {
            Some(Ok(value)) => self.inlined(value),
            _ => Expr::Version(version, kind),
        })
    }

    pub(super) fn inputs(&mut self, template: &str, node: &Tree) -> Vec<OutEntry> {
        let Tree::Map(entries) = node else {
            return Vec::new();
        };
        let mut given = BTreeMap::new();
        let mut inputs = Vec::new();
        for entry in entries {
            let name = &*entry.key.value;
            if let Tree::Scalar(scalar) = &entry.node
                && let Ok(value) = scalar_value(self.config, scalar)
                && matches!(self.inlined(&value), Expr::Name(name, _) if name == RUN)
            {
                given.insert(name.to_owned(), Expr::Name(RUN.to_owned(), Kind::Text));
                self.note(&entry.key.span, "left out: templates see the run as `uuid`");
                continue;
            }
            let mut out = self.entry(entry);
            let mut kind = self.kind(&entry.node);
            if let Tree::Scalar(scalar) = &entry.node
                && !scalar.is_plain()
                && self.templates.is_plain(template, name)
                && let Some((bare, bare_kind)) = bare(&scalar.value)
            {
                // Without quotes in the template, it was the number that it looks like.
                out.value = Out::Ready(bare);
                kind = bare_kind;
            }
            given.insert(name.to_owned(), Expr::Name(name.to_owned(), kind));
            inputs.push(out);
        }
        self.templates.given(template, given);
        inputs
    }

    /// What is known of a value.
    pub(super) fn kind(&self, node: &Tree) -> Kind {
        match node {
            Tree::Scalar(scalar) => match scalar_value(self.config, scalar) {
                // Go prints these as they are written.
                Ok(Expr::Float(_)) => Kind::Plain,
                Ok(value) => value.kind(),
                Err(_) => Kind::Unknown,
            },
            Tree::Chosen(value) => value.kind(),
            Tree::List(items, _) if items.iter().all(|item| self.kind(&item.node).is_plain()) => {
                Kind::PlainList
            }
            Tree::List(..) => Kind::List,
            Tree::Map(entries)
                if entries
                    .iter()
                    .all(|entry| self.kind(&entry.node).is_plain()) =>
            {
                Kind::PlainMap
            }
            Tree::Map(_) => Kind::Map,
        }
    }
}

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() < 1e15
}

/// A number or boolean that is printed as it is written.
fn bare(text: &str) -> Option<(String, Kind)> {
    match meaning(text) {
        Meaning::Integer(value) if value.to_string() == text => {
            Some((text.to_owned(), Kind::Integer))
        }
        Meaning::Bool(value) if value.to_string() == text => Some((text.to_owned(), Kind::Bool)),
        _ => None,
    }
}
