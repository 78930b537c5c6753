//! What a scenario comes to: a job whose object runs GuideLLM, with the indexer beside it.

use guidellm_indexer::Contract;
use serde_json::{Map, Value, json};

use crate::guidellm::Benchmark;
use crate::objects::short;
use crate::plan::Run;
use crate::suite::{Job, Object, Period, Scenario, Suite};

/// The template of its Job.
pub(crate) const TEMPLATE: &str = "guidellm-job.yaml.j2";
/// What a sample may take beside its measured time: GuideLLM's start and end, and sending documents.
const OVERHEAD_SECONDS: u64 = 600;
/// How long documents wait in a pod to be fetched: as long as a run that was killed may be resumed
/// without loss.
pub(crate) const HAND_OVER_SECONDS: u64 = 1800;
/// How long a pod has after its benchmark where documents are sent, and what it has beyond
/// [`HAND_OVER_SECONDS`] where they are fetched: the sidecar keeps a fifth of it for its last words.
const GRACE_SECONDS: u64 = 600;
/// The container beside the benchmark, in [`TEMPLATE`].
pub(crate) const SIDECAR: &str = "guidellm-indexer";
/// Where the benchmark writes its report, and the sidecar finds it.
const REPORT: &str = "/results/benchmarks.json";

/// The job of a scenario, which is the `number`th of its suite.
pub(crate) fn job(scenario: &Scenario, number: usize, suite: &Suite, run: &Run) -> Job {
    let samples = scenario.samples.unwrap_or(suite.vars.samples());
    let hand_over = if run.fetches() { HAND_OVER_SECONDS } else { 0 };
    let deadline =
        (u64::from(scenario.seconds) + OVERHEAD_SECONDS) * u64::from(samples) + hand_over;
    Job {
        name: scenario.name.clone(),
        namespace: String::new(),
        namespaced_iterations: false,
        job_iterations: 1,
        qps: 5.0,
        burst: 10,
        cleanup: true,
        wait_when_finished: true,
        // The Job has a deadline of its own; this is for one that Kubernetes forgets.
        max_wait_timeout: Some(Period::seconds(deadline + OVERHEAD_SECONDS)),
        job_pause: scenario.pause,
        objects: vec![Object {
            object_template: TEMPLATE.into(),
            replicas: 1,
            input_vars: input(scenario, number, suite, run, (samples, deadline, hand_over)),
            wait: true,
        }],
    }
}

fn input(
    scenario: &Scenario,
    number: usize,
    suite: &Suite,
    run: &Run,
    (samples, deadline, hand_over): (u32, u64, u64),
) -> Map<String, Value> {
    let vars = &suite.vars;
    let release = vars.release();
    // Of no two samples the same: identical prompts would be answered from the prefix cache.
    let base = vars.seed().unwrap_or_else(|| seed(&run.uuid));
    let seed = format!("{base}{number:02}$(JOB_COMPLETION_INDEX)");
    let benchmark = Benchmark {
        scenario,
        target: vars.target(),
        model: vars.model(),
        seed: &seed,
        report: REPORT,
    };
    let mut environment: Vec<Value> = Vec::new();
    for (name, value) in release.environment(&benchmark) {
        if !scenario.env.contains_key(name) {
            environment.push(json!({ "name": name, "value": value }));
        }
    }
    for (name, value) in &scenario.env {
        environment.push(json!({ "name": name, "value": value }));
    }
    let input = json!({
        "name": format!("{}-{}", scenario.name, short(&run.uuid)),
        "scenario": scenario,
        "samples": samples,
        "parallelism": vars.parallelism(),
        "image": vars.guidellm_image(),
        "deadlineSeconds": deadline,
        "handOverSeconds": hand_over,
        "graceSeconds": hand_over + GRACE_SECONDS,
        "script": Contract::SCRIPT.trim_end(),
        "command": release.command(),
        "environment": environment,
    });
    input.as_object().cloned().unwrap_or_default()
}

/// A seed of a run, of five digits: with scenario and sample behind it, it is still one of 32 bits.
fn seed(uuid: &str) -> u32 {
    // FNV-1a: the same on every machine and in every release of this program.
    let hash = uuid.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    10_000 + hash % 30_000
}
