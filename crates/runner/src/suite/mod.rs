//! What is run: jobs and scenarios, and what all of them share. Reading one needs no cluster.

mod expressions;
mod jobs;
#[cfg(test)]
mod schema;
mod tree;
mod typed;
mod vars;

pub use jobs::{Global, Job, MetricsEndpoint, Object, Period, RateType, Scenario};
pub use tree::Place;
pub use vars::Vars;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use expressions::Scope;
use tree::{Node, Shape};
use typed::{Misfit, typed};

use crate::templates::{Files, names};

/// The suite of llm-d-scale: `manifests/suites/llm-d-scale.yaml`.
pub const LLM_D_SCALE: &str = include_str!("../../../../manifests/suites/llm-d-scale.yaml");

/// Kubernetes names end at 63 characters; a pod's adds the run, the sample and five of its own.
const LONGEST_NAME: usize = 40;
const VARS: &str = "vars";
/// The seed of a sample has two digits for its scenario and three for its number: beyond these, two
/// samples would be asked the same.
const MOST_SCENARIOS: usize = 100;
const MOST_SAMPLES: u32 = 1000;

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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    /// Names and values, which expressions and templates may name as `vars.NAME`.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schemars(with = "vars::Known"))]
    #[expect(dead_code, reason = "it is known, and read before")]
    vars: serde::de::IgnoredAny,
    /// What holds for all jobs.
    #[serde(default)]
    global: Global,
    /// Where metrics come from.
    #[serde(default)]
    metrics_endpoints: Vec<MetricsEndpoint>,
    /// What runs first, in order.
    #[serde(default)]
    jobs: Vec<Job>,
    /// What runs then, in order.
    #[serde(default)]
    scenarios: Vec<Scenario>,
}

/// What the reader of a suite is told beside its text.
#[derive(Clone, Default)]
pub struct Given {
    /// Paths such as `vars.model` or `jobs.0.qps`, and their values in YAML.
    pub set: Vec<(String, String)>,
    /// What `env` means in expressions.
    pub env: BTreeMap<String, String>,
    /// Documents go to a search server: `searchSecret` in expressions.
    pub has_search_server: bool,
    /// Reports are kept in a volume also without one: `keepReports` in expressions.
    pub keeps_reports: bool,
}

/// Why a suite cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It is not YAML.
    #[error("not a suite: {0}")]
    Yaml(Box<serde_saphyr::Error>),
    /// Something in it is not as it should be.
    #[error("{place}: {reason}")]
    Misfit {
        /// Where.
        place: Place,
        /// What is wrong, and what is right.
        reason: String,
    },
    /// A job or a scenario makes no sense.
    #[error("{place}: `{name}`: {reason}")]
    Job {
        /// Where.
        place: Place,
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
        let place = misfit.place.clone();
        let reason = misfit.to_string();
        Self::Misfit { place, reason }
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
                let place = tree.member(VARS).map(|node| node.place.clone());
                return Err(SuiteError::Misfit {
                    place: place.unwrap_or_default(),
                    reason: "`vars` are names and values".to_owned(),
                });
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

    /// Refuses a variable that was set and that nothing names: neither the suite's text nor a template or
    /// profile of it.
    ///
    /// # Errors
    ///
    /// The first one.
    pub(crate) fn check_set(
        &self,
        text: &str,
        given: &Given,
        files: &Files,
    ) -> Result<(), SuiteError> {
        for (path, _) in &given.set {
            let Some(name) = path.strip_prefix("vars.") else {
                continue;
            };
            let name = name.split('.').next().unwrap_or_default();
            let is_known = Vars::default().all().contains_key(name) || names(text, name);
            // A value that is set may name another one.
            let is_named = given.set.iter().any(|(_, value)| names(value, name));
            if is_known || is_named || self.files().any(|file| files.name(&file, name)) {
                continue;
            }
            let others = self.vars.all().keys().map(|it| &**it);
            let near = typed::nearest(name, others.filter(|it| *it != name));
            let advice = match near {
                Some(near) => format!("did you mean `vars.{near}`?"),
                None => "its variables stand under `vars` in the suite".to_owned(),
            };
            return Err(SuiteError::Set {
                path: path.clone(),
                reason: format!(
                    "nothing uses it: neither the suite nor a template or profile of it names \
                     `vars.{name}`; {advice}"
                ),
            });
        }
        Ok(())
    }

    /// Files of templates and profiles.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let objects = self.jobs.iter().flat_map(|job| &job.objects);
        let templates = objects.map(|it| it.object_template.clone());
        let load = (!self.scenarios.is_empty()).then(|| PathBuf::from(crate::scenario::TEMPLATE));
        let endpoints = self.metrics_endpoints.iter();
        let profiles = endpoints.flat_map(|it| it.metrics.iter().chain(&it.alerts).cloned());
        templates.chain(load).chain(profiles)
    }

    fn check(&self, tree: &Node) -> Result<(), SuiteError> {
        let jobs = self.jobs.iter().map(|it| (&it.name, it.fault()));
        let scenarios = self.scenarios.iter().enumerate().map(|(number, it)| {
            let samples = it.samples.unwrap_or(self.vars.samples());
            let too_many = match () {
                () if number >= MOST_SCENARIOS => Some("it is beyond the 100 of a suite"),
                () if samples > MOST_SAMPLES => Some("it has more than 1000 samples"),
                () => None,
            };
            (&it.name, it.fault().or(too_many))
        });
        let mut names = BTreeSet::new();
        for ((name, fault), place) in jobs.chain(scenarios).zip(places(tree)) {
            let again = !names.insert(name);
            let reason = name_fault(name)
                .or(fault)
                .or(again.then_some("its name is not the only one"));
            if let Some(reason) = reason {
                let name = name.clone();
                return Err(SuiteError::Job {
                    place,
                    name,
                    reason,
                });
            }
        }
        if names.is_empty() {
            return Err(SuiteError::Misfit {
                place: Place::Line(1),
                reason: "there is nothing to run: it has neither `jobs` nor `scenarios`".to_owned(),
            });
        }
        Ok(())
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens are in both.
        let set: Vec<&String> = self.set.iter().map(|(path, _)| path).collect();
        formatter
            .debug_struct("Given")
            .field("set", &set)
            .field("env", &self.env.keys())
            .field("has_search_server", &self.has_search_server)
            .field("keeps_reports", &self.keeps_reports)
            .finish()
    }
}

fn set(tree: &mut Node, path: &str, value: &str) -> Result<(), SuiteError> {
    let refused = |reason| SuiteError::Set {
        path: path.to_owned(),
        reason,
    };
    // To YAML it is a map in a map, which nobody means.
    let is_expression = value.trim_start().starts_with("{{");
    let value: Value = if is_expression {
        value.into()
    } else {
        serde_saphyr::from_str(value).map_err(|error| refused(error.to_string()))?
    };
    let was_list = tree
        .find(path)
        .is_some_and(|it| matches!(it.shape, Shape::List(_)));
    if was_list && !is_expression && !value.is_array() && path.starts_with("vars.") {
        // A template would go through the letters of a text.
        let told = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        return Err(refused(format!(
            "`{told}` is where a list is needed: --set '{path}=[{told}]'"
        )));
    }
    tree.set(path, value).map_err(refused)
}

/// Where the jobs and scenarios stand.
fn places(tree: &Node) -> impl Iterator<Item = Place> {
    let items = |name| match tree.member(name).map(|node| &node.shape) {
        Some(Shape::List(items)) => items.iter().map(|item| item.place.clone()).collect(),
        _ => Vec::new(),
    };
    items("jobs").into_iter().chain(items("scenarios"))
}

fn name_fault(name: &str) -> Option<&'static str> {
    let too_long = name.len() > LONGEST_NAME;
    label_fault(name).or(too_long.then_some("its name is longer than 40 characters"))
}

/// Why a name is none that Kubernetes takes, but for its length.
fn label_fault(name: &str) -> Option<&'static str> {
    let bytes = name.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edges = [bytes.first(), bytes.last()];
    let is_label = bytes.iter().all(|byte| plain(byte) || *byte == b'-')
        && edges.iter().all(|edge| edge.is_some_and(plain));
    (!is_label).then_some("its name must be lower-case letters, digits and inner hyphens")
}
