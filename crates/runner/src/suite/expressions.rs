//! Expressions in a suite: `{{ vars.model }}` and `when`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, Serde, ValueKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use serde_json::{Map, Value};

use super::tree::{Key, Node, Place, Shape};
use super::{Given, SuiteError};

/// Whether an item of a list takes part.
const WHEN: &str = "when";
/// Members in which `when` is a name like any other: they belong to the templates.
const OPAQUE: [&str; 2] = ["inputVars", "vars"];

/// What expressions may name, and how they are evaluated.
pub(super) struct Scope {
    engine: Environment<'static>,
    env: minijinja::Value,
    has_search_server: bool,
    keeps_reports: bool,
    seen: Arc<Seen>,
    vars: Map<String, Value>,
}

/// The variables as expressions see them.
#[derive(Default)]
struct Seen(Mutex<Variables>);

#[derive(Default)]
struct Variables {
    known: BTreeMap<String, minijinja::Value>,
    /// Those that have no value yet.
    pending: BTreeSet<String>,
    /// Of these, those that were asked for.
    asked: BTreeSet<String>,
}

impl Scope {
    /// Evaluates the variables of a suite, of which each may name others, in any order.
    pub(super) fn of(
        declared: &[(Key, Node)],
        defaults: Map<String, Value>,
        given: &Given,
    ) -> Result<Self, SuiteError> {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut scope = Self {
            engine,
            env: minijinja::Value::from(Serde(&given.env)),
            has_search_server: given.has_search_server,
            keeps_reports: given.keeps_reports,
            seen: Arc::default(),
            vars: Map::new(),
        };
        for (name, value) in defaults {
            scope.know(&name, value);
        }
        for (key, _) in declared {
            scope.vars.remove(&key.name);
            scope.seen.variables().expect_later(&key.name);
        }
        let mut pending: Vec<&(Key, Node)> = declared.iter().collect();
        while !pending.is_empty() {
            let mut later = Vec::new();
            let mut wanted = BTreeMap::new();
            for pair in &pending {
                let (key, node) = *pair;
                let value = scope.resolved(node);
                let asked = std::mem::take(&mut scope.seen.variables().asked);
                match asked.into_iter().next() {
                    // What it gave, it gave without them.
                    Some(asked) => {
                        later.push(*pair);
                        wanted.insert(&*key.name, asked);
                    }
                    None => scope.know(&key.name, value?.value()),
                }
            }
            if later.len() == pending.len() {
                return Err(circle(&later, &wanted));
            }
            pending = later;
        }
        Ok(scope)
    }

    fn know(&mut self, name: &str, value: Value) {
        let seen = minijinja::Value::from(Serde(&value));
        self.seen.variables().know(name, seen);
        self.vars.insert(name.to_owned(), value);
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
        let place = node.place.clone();
        let shape = match &node.shape {
            Shape::Scalar(Value::String(text)) if is_expression(text) => {
                let value = self.evaluate(text);
                let value = value.map_err(|error| failed(&place, &error))?;
                return Ok(Node::at(&place, value));
            }
            Shape::Scalar(value) => Shape::Scalar(value.clone()),
            Shape::List(items) => {
                let mut kept = Vec::new();
                for item in items {
                    if !whens {
                        kept.push(self.resolve(item, whens)?);
                    } else if self.takes_part(item)? {
                        kept.push(self.resolve(&item.clone().without(WHEN), whens)?);
                    }
                }
                Shape::List(kept)
            }
            Shape::Map(members) => {
                let mut kept = Vec::new();
                for (key, member) in members {
                    let whens = whens && !OPAQUE.contains(&&*key.name);
                    kept.push((key.clone(), self.resolve(member, whens)?));
                }
                Shape::Map(kept)
            }
        };
        Ok(Node { place, shape })
    }

    fn takes_part(&self, item: &Node) -> Result<bool, SuiteError> {
        let Some(condition) = item.member(WHEN) else {
            return Ok(true);
        };
        match &condition.shape {
            Shape::Scalar(Value::Bool(value)) => Ok(*value),
            Shape::Scalar(Value::String(text)) => {
                let value = self.expression(sole(text).unwrap_or(text));
                let value = value.map_err(|error| failed(&condition.place, &error))?;
                Ok(value.is_true())
            }
            _ => Err(SuiteError::Misfit {
                place: condition.place.clone(),
                reason: "`when` takes an expression, such as vars.gaie".to_owned(),
            }),
        }
    }

    /// A text that is one expression has its type; others are texts.
    fn evaluate(&self, text: &str) -> Result<Value, minijinja::Error> {
        if let Some(inner) = sole(text)
            && self.engine.compile_expression(inner).is_ok()
        {
            let value = self.expression(inner)?;
            if let Some(kind) = hole(&value) {
                let reason = format!("a part of `{}` is {kind}", inner.trim());
                return Err(minijinja::Error::new(ErrorKind::UndefinedError, reason));
            }
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
            vars => minijinja::Value::from_dyn_object(Arc::clone(&self.seen)),
            env => self.env.clone(),
            searchSecret => self.has_search_server,
            keepReports => self.keeps_reports,
        }
    }
}

impl Seen {
    fn variables(&self) -> MutexGuard<'_, Variables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Variables {
    fn know(&mut self, name: &str, value: minijinja::Value) {
        self.pending.remove(name);
        self.known.insert(name.to_owned(), value);
    }

    fn expect_later(&mut self, name: &str) {
        self.known.remove(name);
        self.pending.insert(name.to_owned());
    }
}

impl Object for Seen {
    fn get_value(self: &Arc<Self>, name: &minijinja::Value) -> Option<minijinja::Value> {
        let name = name.as_str()?;
        let mut variables = self.variables();
        if variables.pending.contains(name) {
            variables.asked.insert(name.to_owned());
        }
        variables.known.get(name).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let mut variables = self.variables();
        let pending = variables.pending.clone();
        variables.asked.extend(pending);
        let names = variables.known.keys().map(minijinja::Value::from);
        Enumerator::Values(names.collect())
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A token is among them.
        let variables = self.variables();
        formatter
            .debug_tuple("Seen")
            .field(&variables.known.keys())
            .finish()
    }
}

fn is_expression(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// What is in the braces of a text that seems to be one expression; `{{-` and `{{+` are about the space
/// around them.
fn sole(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    Some(inner.strip_suffix(['-', '+']).unwrap_or(inner))
}

/// What JSON would say null to, though it is not.
fn hole(value: &minijinja::Value) -> Option<&'static str> {
    let parts = || value.try_iter().into_iter().flatten();
    match value.kind() {
        ValueKind::Undefined => Some("undefined"),
        ValueKind::Number => {
            let is_finite = f64::try_from(value.clone()).is_ok_and(f64::is_finite);
            (!is_finite).then_some("no finite number")
        }
        ValueKind::Seq | ValueKind::Iterable => parts().find_map(|it| hole(&it)),
        ValueKind::Map => parts().find_map(|name| hole(&value.get_item(&name).ok()?)),
        _ => None,
    }
}

fn failed(place: &Place, error: &minijinja::Error) -> SuiteError {
    let reason = error.detail().unwrap_or_default();
    let reason = match reason {
        "" => error.kind().to_string(),
        detail => format!("{}: {detail}", error.kind()),
    };
    let place = place.clone();
    SuiteError::Misfit { place, reason }
}

/// Of variables that all wait for others, some wait for themselves in the end.
fn circle(pending: &[&(Key, Node)], wanted: &BTreeMap<&str, String>) -> SuiteError {
    let first = pending.first().map_or("", |(key, _)| &*key.name);
    let mut way = vec![first];
    let start = loop {
        let last = way.last().and_then(|last| wanted.get(last));
        let Some(next) = last else { break 0 };
        if let Some(start) = way.iter().position(|name| *name == &**next) {
            break start;
        }
        way.push(next);
    };
    let members = way.split_off(start);
    let found = pending
        .iter()
        .find(|(key, _)| members.first() == Some(&&*key.name));
    let place = found.map_or(Place::Unknown, |(key, _)| key.place.clone());
    let reason = match &*members {
        [name] => format!("the variable {name} is made from itself"),
        names => format!(
            "the variables {} are made from each other",
            names.join(", ")
        ),
    };
    SuiteError::Misfit { place, reason }
}
