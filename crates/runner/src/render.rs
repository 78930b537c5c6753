//! What a run would apply.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::Args;
use guidellm_indexer::cli::ServerArguments;
use serde_json::{Value, json};

use crate::cli::{RunArguments, SuiteArguments};
use crate::objects::{MANAGED_BY, MANAGER, Object};
use crate::plan::{PlannedJob, Run, plan};
use crate::search::{self, PodsServer, Search};
use crate::suite::Given;

/// Arguments of `render` and `plan`.
#[derive(Debug, Args)]
pub(crate) struct RenderArguments {
    #[command(flatten)]
    suite: SuiteArguments,
    #[command(flatten)]
    run: RunArguments,
    /// Print what Secrets hold, too
    #[arg(long)]
    show_secrets: bool,
    /// With the volume of `run --keep`
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    pods: PodsServer,
    #[command(flatten)]
    server: ServerArguments,
}

impl RenderArguments {
    fn jobs(&self) -> Result<Vec<PlannedJob>> {
        let suite = self.suite.read(Given {
            has_search_server: search::server(&self.server).is_some(),
            keeps_reports: self.keep,
            ..Given::default()
        })?;
        let run = Run {
            uuid: self.run.uuid(),
            namespace: suite.vars.namespace().to_owned(),
            es_index: search::index(&self.server).to_owned(),
            search: Search::of(&self.server, &self.pods)?,
            keep_reports: self.keep,
        };
        Ok(plan(&suite, &self.suite.files(), &run)?)
    }

    /// The objects, as one stream of YAML.
    ///
    /// # Errors
    ///
    /// If the suite cannot be read or planned.
    pub(crate) fn render(&self) -> Result<String> {
        let jobs = self.jobs()?;
        let objects = || jobs.iter().flat_map(|job| &job.objects);
        let rendered = objects().filter(|it| it.kind() == "Namespace");
        let mut there: BTreeSet<&str> = rendered.map(Object::name).collect();
        let mut manifests = Vec::new();
        for job in &jobs {
            let made = job.namespaces().into_iter().filter(|it| there.insert(it));
            manifests.extend(made.map(namespace));
            manifests.extend(job.objects.iter().map(|object| {
                if self.show_secrets {
                    object.manifest.clone()
                } else {
                    object.redacted()
                }
            }));
        }
        Ok(serde_saphyr::to_string_multiple(&manifests)?)
    }

    /// The jobs, for people.
    ///
    /// # Errors
    ///
    /// If the suite cannot be read or planned.
    pub(crate) fn plan(&self) -> Result<String> {
        Ok(self.jobs()?.iter().map(told).collect())
    }
}

/// What a run makes if it is not there. Without the run's label: applied to one that was there, it would have
/// `gc` delete it with all that is in it.
fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": name, "labels": { MANAGED_BY: MANAGER } },
    })
}

fn told(job: &PlannedJob) -> String {
    let objects: Vec<String> = job.objects.iter().map(Object::told).collect();
    let load = if job.is_scenario {
        let measured = humantime::format_duration(job.measured);
        format!(
            "{} samples, {measured} of load; then {} pause",
            job.samples, job.job.job_pause
        )
    } else {
        format!("{} objects", objects.len())
    };
    format!("{:<24} {load}\n    {}\n", job.job.name, objects.join(" "))
}
