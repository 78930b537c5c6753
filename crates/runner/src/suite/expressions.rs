//! Expressions in a suite: `{{ vars.model }}` and `when`.

use std::collections::BTreeSet;

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use serde_json::{Map, Value};

use super::tree::{Key, Node, Shape};
use super::{Given, SuiteError};

/// Whether an item of a list takes part.
const WHEN: &str = "when";
/// Members in which `when` is a name like any other: they belong to the templates.
const OPAQUE: [&str; 2] = ["inputVars", "vars"];

/// What expressions may name, and how they are evaluated.
pub(super) struct Scope<'a> {
    engine: Environment<'static>,
    given: &'a Given,
    vars: Map<String, Value>,
}

impl<'a> Scope<'a> {
    /// Evaluates the variables of a suite, of which each may name others, in any order.
    pub(super) fn of(
        declared: &[(Key, Node)],
        defaults: Map<String, Value>,
        given: &'a Given,
    ) -> Result<Self, SuiteError> {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut scope = Self {
            engine,
            given,
            vars: defaults,
        };
        let mut pending: Vec<&(Key, Node)> = declared.iter().collect();
        for (key, _) in declared {
            scope.vars.remove(&key.name);
        }
        while !pending.is_empty() {
            let waiting: BTreeSet<String> =
                pending.iter().map(|(key, _)| key.name.clone()).collect();
            let (ready, later): (Vec<&(Key, Node)>, Vec<_>) = pending
                .iter()
                .copied()
                .partition(|(_, node)| scope.names(node).is_disjoint(&waiting));
            if ready.is_empty() {
                return Err(circle(&pending));
            }
            for (key, node) in ready {
                let value = scope.resolved(node)?.value();
                scope.vars.insert(key.name.clone(), value);
            }
            pending = later;
        }
        Ok(scope)
    }

    /// The variables, evaluated.
    pub(super) fn vars(&self) -> &Map<String, Value> {
        &self.vars
    }

    /// A tree whose expressions are evaluated, without the items whose `when` is false.
    pub(super) fn resolved(&self, node: &Node) -> Result<Node, SuiteError> {
        self.resolve(node, true)
    }

    fn resolve(&self, node: &Node, whens: bool) -> Result<Node, SuiteError> {
        let line = node.line;
        let shape = match &node.shape {
            Shape::Scalar(Value::String(text)) if is_expression(text) => {
                let value = self.evaluate(text).map_err(|error| failed(line, &error))?;
                return Ok(Node {
                    line,
                    ..Node::placeless(value)
                });
            }
            Shape::Scalar(value) => Shape::Scalar(value.clone()),
            Shape::List(items) => {
                let mut kept = Vec::new();
                for item in items {
                    if !whens || self.takes_part(item)? {
                        kept.push(self.resolve(item, whens)?);
                    }
                }
                Shape::List(kept)
            }
            Shape::Map(members) => {
                let mut kept = Vec::new();
                for (key, member) in members {
                    if whens && key.name == WHEN {
                        continue;
                    }
                    let whens = whens && !OPAQUE.contains(&&*key.name);
                    kept.push((key.clone(), self.resolve(member, whens)?));
                }
                Shape::Map(kept)
            }
        };
        Ok(Node { line, shape })
    }

    fn takes_part(&self, item: &Node) -> Result<bool, SuiteError> {
        let Some(condition) = item.member(WHEN) else {
            return Ok(true);
        };
        match &condition.shape {
            Shape::Scalar(Value::Bool(value)) => Ok(*value),
            Shape::Scalar(Value::String(text)) => {
                let bare = text.trim();
                let bare = bare.strip_prefix("{{").unwrap_or(bare);
                let bare = bare.strip_suffix("}}").unwrap_or(bare);
                let value = self.expression(bare);
                let value = value.map_err(|error| failed(condition.line, &error))?;
                Ok(value.is_true())
            }
            _ => Err(SuiteError::Misfit {
                line: condition.line,
                reason: "`when` takes an expression, such as vars.gaie".to_owned(),
            }),
        }
    }

    /// A text that is one expression has its type; others are texts.
    fn evaluate(&self, text: &str) -> Result<Value, minijinja::Error> {
        let inner = text.trim().strip_prefix("{{");
        let inner = inner.and_then(|text| text.strip_suffix("}}"));
        if let Some(inner) = inner
            && self.engine.compile_expression(inner).is_ok()
        {
            let value = self.expression(inner)?;
            return serde_json::to_value(&value).map_err(|error| {
                minijinja::Error::new(ErrorKind::BadSerialization, error.to_string())
            });
        }
        let rendered = self.engine.render_str(text, self.context())?;
        Ok(Value::String(rendered))
    }

    fn expression(&self, text: &str) -> Result<minijinja::Value, minijinja::Error> {
        let value = self.engine.compile_expression(text)?.eval(self.context())?;
        if value.is_undefined() {
            let reason = format!("nothing is known of `{}`", text.trim());
            return Err(minijinja::Error::new(ErrorKind::UndefinedError, reason));
        }
        Ok(value)
    }

    fn context(&self) -> minijinja::Value {
        context! {
            vars => minijinja::Value::from(Serde(&self.vars)),
            env => minijinja::Value::from(Serde(&self.given.env)),
            searchSecret => self.given.has_search_server,
        }
    }

    /// The variables that are named somewhere in a tree.
    fn names(&self, node: &Node) -> BTreeSet<String> {
        match &node.shape {
            Shape::Scalar(Value::String(text)) if is_expression(text) => {
                let found = self.engine.template_from_str(text);
                let found = found.map(|template| template.undeclared_variables(true));
                let variable = |name: String| {
                    let name = name.strip_prefix("vars.")?;
                    Some(name.split('.').next().unwrap_or(name).to_owned())
                };
                found
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(variable)
                    .collect()
            }
            Shape::Scalar(_) => BTreeSet::new(),
            Shape::List(items) => items.iter().flat_map(|it| self.names(it)).collect(),
            Shape::Map(members) => members.iter().flat_map(|(_, it)| self.names(it)).collect(),
        }
    }
}

fn is_expression(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn failed(line: u64, error: &minijinja::Error) -> SuiteError {
    let reason = error.detail().unwrap_or_default();
    let reason = match reason {
        "" => error.kind().to_string(),
        detail => format!("{}: {detail}", error.kind()),
    };
    SuiteError::Misfit { line, reason }
}

fn circle(pending: &[&(Key, Node)]) -> SuiteError {
    let names: Vec<&str> = pending.iter().map(|(key, _)| &*key.name).collect();
    SuiteError::Misfit {
        line: pending.first().map_or(0, |(key, _)| key.line),
        reason: format!(
            "the variables {} are made from each other",
            names.join(", ")
        ),
    }
}
