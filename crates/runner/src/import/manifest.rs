//! A template of objects, read, and what names mean in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::expression::{Expr, Kind, is_name};
use super::skeleton::Skeleton;
use super::source::{Finding, Trouble};
use super::translate::Scope;

/// What the program gives to each template, under kube-burner's names.
const GIVEN: [(&str, &str, Kind); 5] = [
    ("UUID", "uuid", Kind::Text),
    ("RunID", "runId", Kind::Text),
    ("JobName", "jobName", Kind::Text),
    ("Iteration", "iteration", Kind::Integer),
    ("Replica", "replica", Kind::Integer),
];
/// A name that nothing has: a template in which something is missing fails when it is filled in.
const MISSING: &str = "import_could_not_turn";
/// What minijinja reads as something else, or a template sees anyway.
pub(super) const RESERVED: [&str; 20] = [
    "uuid",
    "runId",
    "jobName",
    "namespace",
    "iteration",
    "replica",
    "vars",
    "esIndex",
    "searchSecret",
    "searchFiles",
    "loop",
    "range",
    "dict",
    "true",
    "false",
    "none",
    "not",
    "in",
    "is",
    "if",
];

/// A statement, and where it stands in the skeleton.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) at: usize,
    pub(super) body: Option<String>,
    /// What stands there instead of a statement.
    pub(super) mark: String,
    pub(super) trims_left: bool,
    pub(super) trims_right: bool,
}

/// A template, read.
pub(super) struct Draft {
    pub(super) skeleton: Skeleton,
    pub(super) statements: Vec<Statement>,
    /// From where on which arms of which blocks are open: block and arm.
    pub(super) regions: Vec<(usize, Vec<(usize, usize)>)>,
    pub(super) findings: Vec<Finding>,
    /// Variables of the environment that it needs.
    pub(super) env: BTreeSet<String>,
}

impl Statement {
    /// With white space as Go leaves it.
    pub(super) fn exact(&self) -> String {
        let sign = |trims| if trims { '-' } else { '+' };
        match &self.body {
            Some(body) => format!(
                "{{%{} {body} {}%}}",
                sign(self.trims_left),
                sign(self.trims_right)
            ),
            None if self.trims_left || self.trims_right => {
                let sign = |trims| if trims { "-" } else { "" };
                let (left, right) = (sign(self.trims_left), sign(self.trims_right));
                format!("{}{{{{{left} \"\" | safe {right}}}}}", self.mark)
            }
            None => self.mark.clone(),
        }
    }
}

/// What stands in place of what is missing.
pub(super) fn mark(finding: &Finding) -> String {
    format!(
        "{{# {} #}}{{{{ {MISSING} }}}}",
        finding.mark().replace("#}", "# }")
    )
}

/// Name of the suite's variable with what a variable of the environment holds.
pub(super) fn env_variable(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty()).map(|word| {
        let lower = word.to_lowercase();
        let mut letters = lower.chars();
        let first: String = letters
            .next()
            .map(|it| it.to_uppercase().collect())
            .unwrap_or_default();
        first + letters.as_str()
    });
    format!("env{}", words.collect::<String>())
}

/// What a variable means, and in how many loops it was declared.
pub(super) type Variable = (Expr, usize);

pub(super) struct Names<'a> {
    pub(super) inputs: &'a BTreeMap<String, Expr>,
    pub(super) variables: Vec<BTreeMap<String, Variable>>,
    pub(super) dots: Vec<Expr>,
    pub(super) env: RefCell<BTreeSet<String>>,
}

impl Scope for Names<'_> {
    fn field(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble> {
        if let Some(input) = self.inputs.get(name) {
            return Ok(input.clone());
        }
        if let Some((_, own, kind)) = GIVEN.iter().find(|(given, ..)| *given == name) {
            return Ok(Expr::Name((*own).to_owned(), *kind));
        }
        if !is_name(name) || RESERVED.contains(&name) {
            return Err(Trouble::new(
                span,
                format!("`{name}` means something else here; rename it"),
            ));
        }
        Ok(Expr::Name(name.to_owned(), Kind::Unknown))
    }

    fn variable(&self, name: &str, span: &Range<usize>) -> Result<Expr, Trouble> {
        let found = self
            .variables
            .iter()
            .rev()
            .find_map(|scope| scope.get(name));
        let found = found.map(|(expression, _)| expression.clone());
        found.ok_or_else(|| Trouble::new(span, format!("there is no variable `${name}`")))
    }

    fn dot(&self) -> Option<Expr> {
        self.dots.last().cloned()
    }

    fn env(&self, name: &str) -> Expr {
        self.env.borrow_mut().insert(name.to_owned());
        Expr::Name(format!("vars.{}", env_variable(name)), Kind::Text)
    }
}
