//! Jobs that run GuideLLM and a parser of its report: scenarios, here.

use std::collections::BTreeMap;

use super::branches::{Tree, TreeItem, scalar_value};
use super::expression::Expr;
use super::fields::Part;
use super::load::{number, tokens};
use super::out::{Out, OutEntry, as_text};
use super::source::Trouble;
use super::suite::Builder;
use super::yaml::Comments;

const RATE_TYPES: [&str; 3] = ["constant", "poisson", "throughput"];
/// Variables of GuideLLM's environment that become fields.
const FIELDS: [&str; 6] = [
    "GUIDELLM_RATE_TYPE",
    "GUIDELLM_RATE",
    "GUIDELLM_MAX_SECONDS",
    "GUIDELLM_DATA",
    "GUIDELLM_TARGET",
    CONCURRENCY,
];
const CONCURRENCY: &str = "GUIDELLM__MAX_CONCURRENCY";

/// What only jobs say.
const OF_JOBS: [&str; 4] = ["cleanup", "waitWhenFinished", "maxWaitTimeout", "wait"];

/// A scenario, and what it says of all of them.
pub(super) struct Scenario {
    entries: Vec<OutEntry>,
    comments: Comments,
    target: Option<(Expr, Trouble)>,
    parallelism: Option<(Expr, Trouble)>,
}

/// All of them, and what they share.
#[derive(Default)]
pub(super) struct Scenarios {
    pub(super) items: Vec<(Comments, Out)>,
    pub(super) target: Option<Expr>,
    pub(super) parallelism: Option<Expr>,
}

impl Scenarios {
    pub(super) fn add(&mut self, builder: &mut Builder<'_>, scenario: Scenario) {
        let shared = [
            (&mut self.target, scenario.target),
            (&mut self.parallelism, scenario.parallelism),
        ];
        for (known, own) in shared {
            match (&known, own) {
                (None, Some((value, _))) => *known = Some(value),
                (Some(before), Some((value, mut trouble))) if *before != value => {
                    let advice =
                        "all scenarios of a suite share it; make a suite of those that differ";
                    advice.clone_into(&mut trouble.advice);
                    builder.lose(&trouble);
                }
                _ => {}
            }
        }
        self.items
            .push((scenario.comments, Out::Map(scenario.entries)));
    }
}

/// Built-in templates that scenarios need, and the variables of the default suite that these need.
const NEEDED: [(&str, Option<(&str, &str)>); 3] = [
    ("indexer-rbac.yaml.j2", None),
    ("search-secret.yaml.j2", Some(("when", "searchSecret"))),
    ("results-volume.yaml.j2", Some(("wait", "false"))),
];
pub(super) const NEEDED_VARS: [&str; 3] =
    ["resultsSize", "resultsAccessMode", "resultsStorageClass"];

/// A job that makes what the pods of scenarios need.
pub(super) fn needs() -> (Comments, Out) {
    let ready = |text: &str| Out::Ready(text.to_owned());
    let objects = NEEDED.map(|(template, more)| {
        let more = more.map(|(name, value)| OutEntry::new(name, ready(value)));
        let named = OutEntry::new("objectTemplate", ready(template));
        (
            Comments::default(),
            Out::Map([named].into_iter().chain(more).collect()),
        )
    });
    let members = vec![
        OutEntry::new("name", ready("scenarios-need")),
        OutEntry::new("cleanup", ready("false")),
        OutEntry::new("objects", Out::List(objects.to_vec())),
    ];
    let above =
        vec![" What the sidecars of the scenarios need; these templates are built in.".to_owned()];
    (
        Comments {
            above,
            ..Comments::default()
        },
        Out::Map(members),
    )
}

/// The scenario that a job is, if it is one.
pub(super) fn read(
    builder: &mut Builder<'_>,
    job: &TreeItem,
    objects: &[Result<TreeItem, Vec<String>>],
) -> Option<Scenario> {
    let [Ok(object)] = objects else {
        return None;
    };
    let template = builder.template_name(object)?;
    if !builder.templates.runs_guidellm(&template) {
        return None;
    }
    let inputs = object.node.member("inputVars")?;
    let env = inputs.member("env")?;
    let Tree::Map(variables) = env else {
        return None;
    };
    if !variables
        .iter()
        .any(|entry| entry.key.value.starts_with("GUIDELLM_"))
    {
        return None;
    }
    let mut reader = Reader {
        builder,
        values: BTreeMap::new(),
    };
    for entry in variables {
        let value = reader.expression(&entry.node)?;
        reader.values.insert(entry.key.value.clone(), value);
    }
    match reader.scenario(job, object, inputs, env) {
        Ok(scenario) => {
            let at = object
                .node
                .get("objectTemplate")
                .map_or(job.at..job.at, |entry| entry.key.span.clone());
            let advice =
                "a scenario now: GuideLLM's own image, and the sidecar in place of the parser";
            builder.note(&at, advice);
            Some(scenario)
        }
        Err(mut trouble) => {
            trouble.advice = format!(
                "{}; the job stays one, with its own template",
                trouble.advice
            );
            builder.lose(&trouble);
            None
        }
    }
}

struct Reader<'a, 'b> {
    builder: &'a mut Builder<'b>,
    /// Of GuideLLM's environment.
    values: BTreeMap<String, Expr>,
}

impl Reader<'_, '_> {
    fn expression(&self, node: &Tree) -> Option<Expr> {
        match node {
            Tree::Scalar(scalar) => scalar_value(self.builder.config, scalar).ok(),
            Tree::Chosen(value) => Some(value.clone()),
            Tree::List(..) | Tree::Map(_) => None,
        }
    }

    fn trouble(&self, node: &Tree, name: &str, advice: &str) -> Trouble {
        let span = node.get(name).map_or(0..0, |entry| entry.key.span.clone());
        Trouble::new(&self.builder.span(&span), advice)
    }

    fn scenario(
        &mut self,
        job: &TreeItem,
        object: &TreeItem,
        inputs: &Tree,
        env: &Tree,
    ) -> Result<Scenario, Trouble> {
        let mut entries = Vec::new();
        let name = job
            .node
            .member("name")
            .and_then(|node| self.expression(node));
        let missing = |advice: &str| self.trouble(&job.node, "name", advice);
        entries.push(OutEntry::new(
            "name",
            as_text(name.ok_or_else(|| missing("it has no name"))?),
        ));
        if job
            .node
            .get("jobIterations")
            .is_some_and(|it| !matches!(&it.node, Tree::Scalar(one) if one.value == "1"))
        {
            return Err(self.trouble(
                &job.node,
                "jobIterations",
                "a scenario runs its samples one after the other, once",
            ));
        }
        self.load(env, &mut entries)?;
        let take = |name: &str| inputs.member(name).and_then(|node| self.expression(node));
        if let Some(samples) = take("completions") {
            entries.push(OutEntry::new("samples", Out::Value(samples.into_integer())));
        }
        let pause = take("pause").or_else(|| {
            job.node
                .member("jobPause")
                .and_then(|node| self.expression(node))
        });
        if let Some(pause) = pause {
            entries.push(OutEntry::new("pause", as_text(pause)));
        }
        let parallelism = take("parallelism")
            .map(|it| (it.into_integer(), self.trouble(inputs, "parallelism", "")));
        let target = self.values.get("GUIDELLM_TARGET").cloned();
        let target = target.map(|it| (it, self.trouble(env, "GUIDELLM_TARGET", "")));
        self.environment(env, &mut entries);
        self.forgotten(inputs);
        entries.extend(self.left_out(job, object));
        let branches = [&*job.branches, &*object.branches].concat();
        entries.extend(self.builder.when(&branches));
        Ok(Scenario {
            entries,
            comments: job.comments.clone(),
            target,
            parallelism,
        })
    }

    /// What is asked of the server.
    fn load(&self, env: &Tree, entries: &mut Vec<OutEntry>) -> Result<(), Trouble> {
        let value = |name: &str| self.values.get(name).cloned();
        let missing = |name: &str| {
            let at = env.get(name).or_else(|| match env {
                Tree::Map(entries) => entries.first(),
                _ => None,
            });
            let span = at.map_or(0..0, |entry| self.builder.span(&entry.key.span));
            move |advice: String| Trouble::new(&span, advice)
        };
        let kind = value("GUIDELLM_RATE_TYPE").unwrap_or_else(|| Expr::text(""));
        let fixed = match &kind {
            Expr::Text(text) if RATE_TYPES.contains(&&**text) => Some(text.clone()),
            Expr::Text(text) => {
                let known = RATE_TYPES.join(", ");
                return Err(missing("GUIDELLM_RATE_TYPE")(format!(
                    "a scenario's rate type is one of {known}, not `{text}`"
                )));
            }
            _ => None,
        };
        entries.push(OutEntry::new("rateType", as_text(kind)));
        let concurrency = value(CONCURRENCY);
        let rate = match fixed.as_deref() {
            Some("throughput") => concurrency.or_else(|| value("GUIDELLM_RATE")),
            _ => value("GUIDELLM_RATE"),
        };
        let rate = rate.ok_or_else(|| {
            missing("GUIDELLM_RATE")(
                "a scenario has a rate; of throughput, the most requests in flight".to_owned(),
            )
        })?;
        let rate = number(rate).ok_or_else(|| {
            let advice = "a scenario has one rate; write one for each";
            missing("GUIDELLM_RATE")(advice.to_owned())
        })?;
        entries.push(OutEntry::new("rate", Out::Value(rate)));
        let data = value("GUIDELLM_DATA").unwrap_or_else(|| Expr::text(""));
        let [prompt, output] = tokens(&data).ok_or_else(|| {
            let advice = "only `prompt_tokens=N,output_tokens=N` can be turned; a scenario's prompts are synthetic";
            missing("GUIDELLM_DATA")(advice.to_owned())
        })?;
        entries.push(OutEntry::new("promptTokens", Out::Value(prompt)));
        entries.push(OutEntry::new("outputTokens", Out::Value(output)));
        let seconds = value("GUIDELLM_MAX_SECONDS").ok_or_else(|| {
            missing("GUIDELLM_MAX_SECONDS")("a scenario's length is given in seconds".to_owned())
        })?;
        entries.push(OutEntry::new("seconds", Out::Value(seconds.into_integer())));
        Ok(())
    }

    fn is_throughput(&self) -> bool {
        let kind = self.values.get("GUIDELLM_RATE_TYPE");
        matches!(kind, Some(Expr::Text(kind)) if kind == "throughput")
    }

    /// Other variables of the environment stay what they are, if they are not GuideLLM's settings.
    fn environment(&mut self, env: &Tree, entries: &mut Vec<OutEntry>) {
        let mut others = Vec::new();
        for (name, value) in self.values.clone() {
            let unused = name == CONCURRENCY && !self.is_throughput();
            if FIELDS.contains(&&*name) && !unused {
                continue;
            }
            if !name.starts_with("GUIDELLM") {
                others.push(OutEntry::new(&name, as_text(value)));
                continue;
            }
            let advice = match &*name {
                "GUIDELLM_MODEL" | "GUIDELLM_PROCESSOR" => {
                    "left out: the model of all scenarios is `vars.model`"
                }
                CONCURRENCY => "left out: only throughput is limited by requests in flight",
                "GUIDELLM_RANDOM_SEED" => {
                    "left out: the seed of all scenarios is made from `vars.seed`"
                }
                _ => {
                    "left out: settings of GuideLLM have other names in later releases; give it by the scenario's `env`"
                }
            };
            let trouble = self.trouble(env, &name, advice);
            entries.push(OutEntry::remark(self.builder.lose(&trouble)));
        }
        if !others.is_empty() {
            entries.push(OutEntry::new("env", Out::Map(others)));
        }
    }

    /// Fields that scenarios do not have.
    fn left_out(&mut self, job: &TreeItem, object: &TreeItem) -> Vec<OutEntry> {
        let mut marks = Vec::new();
        for (part, node) in [(Part::Job, &job.node), (Part::Object, &object.node)] {
            let Tree::Map(entries) = node else {
                continue;
            };
            for entry in entries {
                if OF_JOBS.contains(&&*entry.key.value) {
                    let advice = "left out: a scenario waits for its samples, and deletes what it made before";
                    self.builder.note(&entry.key.span, advice);
                }
                marks.extend(self.builder.left_out(part, entry));
            }
        }
        marks.into_iter().map(OutEntry::remark).collect()
    }

    /// What the parser needed is not needed any more.
    fn forgotten(&mut self, inputs: &Tree) {
        let Tree::Map(inputs) = inputs else {
            return;
        };
        for entry in inputs {
            if !matches!(
                &*entry.key.value,
                "env" | "completions" | "parallelism" | "pause"
            ) {
                self.builder.forget(&entry.node);
            }
        }
    }
}
