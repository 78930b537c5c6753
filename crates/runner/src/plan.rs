//! What a suite comes to: jobs with their objects, in the order in which they are applied. Nothing
//! here talks to a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::objects::{Object, Owner};
use crate::scenario;
use crate::search::Search;
use crate::suite::{self, Job, Scenario, Suite};
use crate::templates::{Files, TemplateError};

/// The run that a plan is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name, and the `uuid` of all its documents: a valid value of a label.
    pub uuid: String,
    /// Namespace of what has none of its own.
    pub namespace: String,
    /// Index of the documents.
    pub es_index: String,
    /// How the sidecars reach the search server.
    pub search: Search,
    /// Reports stay in a volume, also where documents are fetched.
    pub keep_reports: bool,
}

impl Run {
    /// Without a search server, documents are fetched from the pods.
    #[must_use]
    pub fn fetches(&self) -> bool {
        self.search.environment.is_empty()
    }
}

/// A job and its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedJob {
    /// As the suite says; of a scenario, what it comes to.
    pub job: Job,
    /// It is a scenario: its window is one of load.
    pub is_scenario: bool,
    /// How often a scenario's load runs; 0 of what is none.
    pub samples: u32,
    /// How long its load lasts, if samples run one after the other.
    pub measured: Duration,
    /// In the order in which they are applied.
    pub objects: Vec<Object>,
}

impl PlannedJob {
    /// Where its objects and their pods are.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<&str> {
        self.objects.iter().map(Object::namespace).collect()
    }
}

/// Why a suite gives no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A template is wrong.
    #[error("job `{job}`: {reason}")]
    Template {
        /// Of the suite.
        job: String,
        /// What is wrong.
        reason: TemplateError,
    },
    /// What a template gives is no object.
    #[error("job `{job}`: {}: {reason}", template.display())]
    Object {
        /// Of the suite.
        job: String,
        /// Its file.
        template: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two objects would be one.
    #[error(
        "{object} is given twice: job `{}`, {}, and job `{}`, {}: the later one would take the other's \
         place; give them different names, by `iteration`, `replica` or `jobName`, for example",
        jobs[0], templates[0].display(), jobs[1], templates[1].display()
    )]
    Twice {
        /// Kind and name.
        object: String,
        /// Of the suite.
        jobs: [String; 2],
        /// Their files.
        templates: [PathBuf; 2],
    },
}

/// Plans a suite.
///
/// # Errors
///
/// If a template cannot be filled in, or gives no objects of Kubernetes.
pub fn plan(suite: &Suite, files: &Files, run: &Run) -> Result<Vec<PlannedJob>, PlanError> {
    let mut planner = Planner {
        suite,
        files,
        run,
        given: BTreeMap::new(),
        made: 0,
    };
    let mut planned = Vec::new();
    for job in &suite.jobs {
        planned.push(planner.job(job.clone(), None)?);
    }
    for (number, it) in suite.scenarios.iter().enumerate() {
        let job = scenario::job(it, number, suite, run);
        planned.push(planner.job(job, Some(it))?);
    }
    Ok(planned)
}

struct Planner<'a> {
    suite: &'a Suite,
    files: &'a Files,
    run: &'a Run,
    /// Where each object comes from, and what it is before it is marked.
    given: BTreeMap<Identity, Origin>,
    /// Tells objects whose names are generated from one another, also those of other jobs.
    made: usize,
}

/// What tells an object from others: group, kind, namespace and name.
type Identity = [String; 4];

struct Origin {
    job: String,
    template: PathBuf,
    manifest: Value,
}

/// Kinds without namespaces, as far as one can know without a cluster.
const CLUSTER_WIDE: [&str; 7] = [
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PriorityClass",
    "PersistentVolume",
    "StorageClass",
];

impl Planner<'_> {
    fn job(&mut self, job: Job, scenario: Option<&Scenario>) -> Result<PlannedJob, PlanError> {
        let mut objects = Vec::new();
        for iteration in 0..job.job_iterations {
            for template in &job.objects {
                for replica in 1..=template.replicas {
                    self.add(&mut objects, &job, template, (iteration, replica))?;
                }
            }
        }
        // Stable: among equals, the order of the suite.
        objects.sort_by_key(Object::rank);
        let samples = scenario.map_or(0, |it| it.samples.unwrap_or(self.suite.vars.samples()));
        let measured = scenario.map_or(Duration::ZERO, |it| {
            Duration::from_secs(it.seconds.into())
                * samples.div_ceil(self.suite.vars.parallelism().max(1))
        });
        Ok(PlannedJob {
            job,
            is_scenario: scenario.is_some(),
            samples,
            measured,
            objects,
        })
    }

    fn add(
        &mut self,
        objects: &mut Vec<Object>,
        job: &Job,
        template: &suite::Object,
        (iteration, replica): (u32, u32),
    ) -> Result<(), PlanError> {
        let namespace = self.namespace(job, iteration);
        let mut context = Map::new();
        context.insert("vars".into(), Value::Object(self.suite.vars.all().clone()));
        let own = json!({
            "uuid": self.run.uuid,
            "runId": self.run.uuid,
            "jobName": job.name,
            "namespace": namespace,
            "iteration": iteration,
            "replica": replica,
            "esIndex": self.run.es_index,
            "searchSecret": self.run.search.environment,
            "searchFiles": self.run.search.files,
            "sidecarArgs": self.run.search.arguments,
            "keepReports": self.run.keep_reports,
        });
        context.extend(own.as_object().cloned().unwrap_or_default());
        context.extend(template.input_vars.clone());
        let path = &template.object_template;
        let manifests = self.files.objects(path, &Value::Object(context));
        let manifests = manifests.map_err(|reason| PlanError::Template {
            job: job.name.clone(),
            reason,
        })?;
        for manifest in manifests {
            let owner = Owner {
                run: &self.run.uuid,
                job: &job.name,
                namespace: &namespace,
            };
            let made = Object::new(manifest.clone(), owner, self.made, template.wait);
            let object = made.map_err(|reason| PlanError::Object {
                job: job.name.clone(),
                template: path.clone(),
                reason: reason.to_string(),
            })?;
            self.made += 1;
            let origin = Origin {
                job: job.name.clone(),
                template: path.clone(),
                manifest,
            };
            if self.is_new(&object, origin)? {
                objects.push(object);
            }
        }
        Ok(())
    }

    /// Whether an object is not among those of its job yet. Two that are the same are one, as for what all
    /// iterations share; of two that differ, the later one would take the other's place.
    fn is_new(&mut self, object: &Object, origin: Origin) -> Result<bool, PlanError> {
        let (group, _) = object.api_version().split_once('/').unwrap_or_default();
        let is_cluster_wide = CLUSTER_WIDE.contains(&object.kind());
        let namespace = if is_cluster_wide {
            ""
        } else {
            object.namespace()
        };
        let identity = [group, object.kind(), namespace, object.name()].map(ToOwned::to_owned);
        match self.given.get(&identity) {
            Some(other) if other.manifest != origin.manifest => Err(PlanError::Twice {
                object: object.told(),
                jobs: [other.job.clone(), origin.job],
                templates: [other.template.clone(), origin.template],
            }),
            Some(other) => Ok(other.job != origin.job),
            None => {
                self.given.insert(identity, origin);
                Ok(true)
            }
        }
    }

    fn namespace(&self, job: &Job, iteration: u32) -> String {
        let base = match &*job.namespace {
            "" => &self.run.namespace,
            own => own,
        };
        if job.namespaced_iterations {
            format!("{base}-{iteration}")
        } else {
            base.to_owned()
        }
    }
}
