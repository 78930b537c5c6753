//! What names mean in a config.

use std::collections::BTreeMap;
use std::ops::Range;

use super::config::RUN;
use super::expression::{Expr, Kind, Operator, is_name};
use super::source::Trouble;
use super::translate::Scope;

/// What kube-burner takes as flags and gives to configs, with the flags' defaults.
const FLAGS: [(&str, &str); 8] = [
    ("QPS", "20"),
    ("BURST", "20"),
    ("JOB_ITERATIONS", "0"),
    ("ITERATIONS_PER_NAMESPACE", "1"),
    ("GC", "true"),
    ("GC_METRICS", "false"),
    ("LOCAL_INDEXING", "false"),
    ("NAMESPACED_ITERATIONS", "true"),
];
/// Where results go, which is given by flags here too.
pub(super) const SEARCH: [&str; 2] = ["ES_SERVER", "ES_INDEX"];

/// A variable of the config, and the version that it is at.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) current: usize,
    pub(super) kind: Kind,
    pub(super) broken: bool,
    /// Declared within a block.
    pub(super) local: bool,
}

#[derive(Default)]
pub(super) struct Names {
    pub(super) variables: Vec<Variable>,
    pub(super) scopes: Vec<BTreeMap<String, usize>>,
    pub(super) dots: Vec<Expr>,
}

impl Names {
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.scopes
            .iter()
            .rev()
            .find_map(|scope| scope.get(name))
            .copied()
    }
}

impl Scope for Names {
    fn field(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble> {
        if matches!(name, "UUID" | "RUNID") {
            return Ok(Expr::Name(RUN.to_owned(), Kind::Text));
        }
        if SEARCH.contains(&name) {
            return Ok(self.env(name));
        }
        if !is_name(name) {
            return Err(Trouble::new(
                span,
                "such a name cannot be given here; give the value by `vars`",
            ));
        }
        let value = Expr::Name(format!("env.{name}"), Kind::Text);
        let Some((_, default)) = FLAGS.iter().find(|(flag, _)| *flag == name) else {
            return Ok(value);
        };
        let value = value.filter("default", vec![Expr::text(*default)], Kind::Text);
        Ok(match default.parse::<bool>() {
            Ok(_) => value.binary(Operator::Equal, Expr::text("true")),
            Err(_) => value.into_integer(),
        })
    }

    fn variable(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble> {
        let found = self
            .find(name)
            .and_then(|number| self.variables.get(number));
        match found {
            Some(variable) if variable.broken => Err(Trouble::new(
                span,
                format!("what `${name}` holds could not be turned; give it by `vars`"),
            )),
            Some(variable) => Ok(Expr::Version(variable.current, variable.kind)),
            None => Err(Trouble::new(
                span,
                format!("there is no variable `${name}`"),
            )),
        }
    }

    fn dot(&self) -> Option<Expr> {
        self.dots.last().cloned()
    }

    fn env(&self, name: &str) -> Expr {
        let value = if is_name(name) {
            Expr::Name(format!("env.{name}"), Kind::Text)
        } else {
            Expr::Attribute(
                Box::new(Expr::Name("env".to_owned(), Kind::PlainMap)),
                name.to_owned(),
            )
        };
        value.filter("default", vec![Expr::text("")], Kind::Text)
    }
}
