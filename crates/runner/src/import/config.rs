//! The config's template, read: what its variables come to, and under which conditions its parts stand.

use std::ops::Range;

use super::expression::Expr;
use super::names::SEARCH;
use super::skeleton::Skeleton;
use super::source::{Finding, Trouble};
use super::translate::all;
use super::yaml::Comments;

/// The run's name, which templates see but suites do not.
pub(super) const RUN: &str = "uuid";
/// One arm of a block: which block, and which arm; the `else` is the one behind the last.
pub(super) type Branch = (usize, usize);

/// An `if`, and what its arms ask.
#[derive(Debug)]
pub(super) struct Construct {
    pub(super) tests: Vec<Expr>,
    pub(super) has_else: bool,
    pub(super) span: Range<usize>,
}

/// What a variable holds from some point on.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) value: Result<Expr, Trouble>,
    pub(super) comments: Comments,
    pub(super) span: Range<usize>,
}

/// A config, read.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) skeleton: Skeleton,
    pub(super) constructs: Vec<Construct>,
    pub(super) versions: Vec<Version>,
    /// What the variables of the whole config hold at its end.
    pub(super) finals: Vec<usize>,
    pub(super) findings: Vec<Finding>,
    /// From where on which arms are open.
    pub(super) regions: Vec<(usize, Vec<Branch>)>,
}

impl Construct {
    /// The condition of an arm.
    pub(super) fn condition(&self, arm: usize) -> Expr {
        let before = self
            .tests
            .iter()
            .take(arm)
            .map(|test| test.clone().negated());
        let own = self.tests.get(arm).cloned();
        all(before.chain(own).collect()).unwrap_or(Expr::Bool(true))
    }

    /// What an arm asks; the `else` asks nothing.
    pub(super) fn test(&self, arm: usize) -> Option<Expr> {
        self.tests.get(arm).cloned()
    }

    /// With the `else`, whether there is one or not.
    pub(super) fn arms(&self) -> usize {
        self.tests.len() + 1
    }
}

impl Config {
    /// The arms in which a place of the skeleton is.
    pub(super) fn branches(&self, at: usize) -> &[Branch] {
        let next = self.regions.partition_point(|(start, _)| *start <= at);
        let found = next
            .checked_sub(1)
            .and_then(|index| self.regions.get(index));
        found.map_or(&[], |(_, open)| open)
    }

    /// All conditions of some arms.
    pub(super) fn condition(&self, branches: &[Branch]) -> Option<Expr> {
        let conditions = branches.iter().filter_map(|(number, arm)| {
            let construct = self.constructs.get(*number)?;
            Some(construct.condition(*arm))
        });
        all(conditions.collect())
    }
}

/// Says whether a value is what `--es-server` or `--es-index` gives.
pub(super) fn is_search_flag(value: &Expr) -> bool {
    matches!(value, Expr::Filter(of, "default", ..) if
        matches!(&**of, Expr::Name(name, _) if SEARCH.iter().any(|flag| name.strip_prefix("env.") == Some(*flag))))
}
