//! What is run: jobs and scenarios, and what all of them share. Reading one needs no cluster.

mod expressions;
mod jobs;
mod tree;
mod typed;
mod vars;

pub use jobs::{Global, Job, MetricsEndpoint, Object, Period, RateType, Scenario};
pub use vars::Vars;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use expressions::Scope;
use tree::{Node, Shape};
use typed::{Misfit, nearest, typed};

/// The suite of llm-d-scale: `manifests/suites/llm-d-scale.yaml`.
pub const LLM_D_SCALE: &str = include_str!("../../../../manifests/suites/llm-d-scale.yaml");

/// Kubernetes names end at 63 characters; a pod's adds the run, the sample and five of its own.
const LONGEST_NAME: usize = 40;
const VARS: &str = "vars";

/// Jobs and scenarios, which run one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// What all of them share.
    pub vars: Vars,
    /// What holds for all jobs.
    pub global: Global,
    /// Where metrics come from.
    pub metrics_endpoints: Vec<MetricsEndpoint>,
    /// What runs first, in order.
    pub jobs: Vec<Job>,
    /// What runs then, in order.
    pub scenarios: Vec<Scenario>,
}

/// All but the variables, as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    #[expect(dead_code, reason = "it is known, and read before")]
    #[serde(skip_serializing)]
    vars: serde::de::IgnoredAny,
    #[serde(default)]
    global: Global,
    #[serde(default)]
    metrics_endpoints: Vec<MetricsEndpoint>,
    #[serde(default)]
    jobs: Vec<Job>,
    #[serde(default)]
    scenarios: Vec<Scenario>,
}

/// What the reader of a suite is told beside its text.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Paths such as `vars.model` or `jobs.0.qps`, and their values in YAML.
    pub set: Vec<(String, String)>,
    /// What `env` means in expressions.
    pub env: BTreeMap<String, String>,
    /// Documents go to a search server: `searchSecret` in expressions.
    pub has_search_server: bool,
}

/// Why a suite cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It is not YAML.
    #[error("not a suite: {0}")]
    Yaml(Box<serde_saphyr::Error>),
    /// Something in it is not as it should be.
    #[error("line {line}: {reason}")]
    Misfit {
        /// Where, from 1.
        line: u64,
        /// What is wrong, and what is right.
        reason: String,
    },
    /// A job or a scenario makes no sense.
    #[error("line {line}: `{name}`: {reason}")]
    Job {
        /// Where, from 1.
        line: u64,
        /// Which one.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What was given on the command line does not fit.
    #[error("--set {path}: {reason}")]
    Set {
        /// The path.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl From<Misfit> for SuiteError {
    fn from(misfit: Misfit) -> Self {
        let Misfit { line, reason } = misfit;
        Self::Misfit { line, reason }
    }
}

impl Suite {
    /// Reads a suite.
    ///
    /// # Errors
    ///
    /// If it is malformed, an expression cannot be evaluated, or a job makes no sense.
    pub fn read(text: &str, given: &Given) -> Result<Self, SuiteError> {
        let mut tree = Node::from_yaml(text)?;
        for (path, value) in &given.set {
            set(&mut tree, path, value)?;
        }
        let declared = match tree.member(VARS).map(|node| &node.shape) {
            Some(Shape::Map(members)) => &**members,
            Some(Shape::Scalar(Value::Null)) | None => &[],
            Some(_) => {
                let line = tree.member(VARS).map_or(0, |node| node.line);
                let reason = "`vars` are names and values".to_owned();
                return Err(SuiteError::Misfit { line, reason });
            }
        };
        let scope = Scope::of(declared, Vars::default().all().clone(), given)?;
        let vars = Vars::read(declared, scope.vars().clone())?;
        let resolved = scope.resolved(&tree)?;
        let body: Body = typed(&resolved)?;
        let suite = Self {
            vars,
            global: body.global,
            metrics_endpoints: body.metrics_endpoints,
            jobs: body.jobs,
            scenarios: body.scenarios,
        };
        suite.check(&resolved)?;
        Ok(suite)
    }

    fn check(&self, tree: &Node) -> Result<(), SuiteError> {
        let jobs = self.jobs.iter().map(|it| (&it.name, None));
        let scenarios = self.scenarios.iter().map(|it| (&it.name, it.fault()));
        let mut names = BTreeSet::new();
        for ((name, fault), line) in jobs.chain(scenarios).zip(lines(tree)) {
            let again = !names.insert(name);
            let reason = name_fault(name)
                .or(fault)
                .or(again.then_some("its name is not the only one"));
            if let Some(reason) = reason {
                let name = name.clone();
                return Err(SuiteError::Job { line, name, reason });
            }
        }
        if names.is_empty() {
            let reason =
                "there is nothing to run: it has neither `jobs` nor `scenarios`".to_owned();
            return Err(SuiteError::Misfit { line: 1, reason });
        }
        Ok(())
    }
}

fn set(tree: &mut Node, path: &str, value: &str) -> Result<(), SuiteError> {
    let refused = |reason| SuiteError::Set {
        path: path.to_owned(),
        reason,
    };
    let value: Value = serde_saphyr::from_str(value).map_err(|error| refused(error.to_string()))?;
    tree.set(path, value).map_err(refused)
}

/// Where the jobs and scenarios stand.
fn lines(tree: &Node) -> impl Iterator<Item = u64> {
    let items = |name| match tree.member(name).map(|node| &node.shape) {
        Some(Shape::List(items)) => items.iter().map(|item| item.line).collect(),
        _ => Vec::new(),
    };
    items("jobs").into_iter().chain(items("scenarios"))
}

fn name_fault(name: &str) -> Option<&'static str> {
    let bytes = name.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edges = [bytes.first(), bytes.last()];
    match () {
        () if !bytes.iter().all(|byte| plain(byte) || *byte == b'-')
            || !edges.iter().all(|edge| edge.is_some_and(plain)) =>
        {
            Some("its name must be lower-case letters, digits and inner hyphens")
        }
        () if name.len() > LONGEST_NAME => Some("its name is longer than 40 characters"),
        () => None,
    }
}
