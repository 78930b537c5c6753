//! What a sidecar is told, by flags or by its environment: the one place where the names are.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

/// What a sidecar and whoever writes its manifest agree on.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Contract {
    /// Folder that the benchmark writes its report to
    #[arg(long, value_name = "DIR", env = Contract::RESULTS_DIR)]
    pub results_dir: PathBuf,
    /// The report in it; may be a glob
    #[arg(long, value_name = "NAME", env = Contract::RESULTS_FILE, default_value = "benchmarks.json")]
    pub results_file: String,
    /// File that the benchmark's exit code is written to, in decimal, when it has ended
    /// [default: exit-code, in the folder of results]
    #[arg(long, value_name = "FILE", env = Contract::MARKER_FILE)]
    pub marker_file: Option<PathBuf>,
    /// Without that file: how long a whole report must not have changed
    #[arg(long, value_name = "SECONDS", env = Contract::QUIET_SECONDS, default_value = "5")]
    pub quiet_seconds: NonZero<u64>,
    /// The scenario
    #[arg(long, short, env = Contract::JOB_NAME, default_value = "")]
    pub job_name: String,
    /// The run; by default GuideLLM's own run id, or one derived from the report
    #[arg(long, env = Contract::UUID)]
    pub uuid: Option<String>,
    /// Folder for documents that cannot be sent; made if need be [default: the folder of results]
    #[arg(long, value_name = "DIR", env = Contract::SPOOL_DIR)]
    pub spool_dir: Option<PathBuf>,
    /// Sample of the scenario: the index of the pod in its Job
    #[arg(long, short, env = Contract::SAMPLE, default_value_t = 0)]
    pub sample: u32,
    /// It is a native sidecar: once it is done, it waits for SIGTERM, or it would be started again
    #[arg(long, env = Contract::NATIVE)]
    pub native: bool,
    /// The pod's `terminationGracePeriodSeconds`: after SIGTERM it is done within these
    #[arg(long, value_name = "SECONDS", env = Contract::GRACE_SECONDS, default_value_t = 30)]
    pub grace_seconds: u64,
    /// Without a server: how long documents wait in the pod until llm-d-scale has fetched them
    #[arg(long, value_name = "SECONDS", env = Contract::HAND_OVER_SECONDS)]
    pub hand_over_seconds: Option<NonZero<u64>>,
    /// Objectives that the benchmark has to keep; what it misses is sent as kube-burner's alerts, and
    /// the exit code is 3
    #[arg(long, value_name = "FILE", env = Contract::SLO_FILE)]
    pub slo: Option<PathBuf>,
    /// This pod
    #[arg(long, value_name = "NAME", env = Contract::POD_NAME)]
    pub pod_name: Option<String>,
    /// Its namespace
    #[arg(long, value_name = "NAME", env = Contract::POD_NAMESPACE)]
    pub pod_namespace: Option<String>,
    /// Its node
    #[arg(long, value_name = "NAME", env = Contract::NODE_NAME)]
    pub node_name: Option<String>,
    /// The benchmark's container [default: the pod's, as kubectl chooses it]
    #[arg(long, value_name = "NAME", env = Contract::CONTAINER)]
    pub container: Option<String>,
    /// Port for /healthz and /metrics
    #[arg(long, value_name = "PORT", env = Contract::HEALTH_PORT)]
    pub health_port: Option<NonZero<u16>>,
    /// File for one line that says what came of it
    #[arg(long, value_name = "FILE", env = Contract::TERMINATION_LOG, default_value = "/dev/termination-log")]
    pub termination_log: PathBuf,
}

impl Contract {
    /// What `/bin/sh -c` runs in the benchmark's container, whose image it leaves as it is: its
    /// arguments are the benchmark, whose exit code it writes to [`Self::MARKER_FILE`].
    pub const SCRIPT: &str = include_str!("../../../../manifests/sidecar/benchmark.sh");
    /// Name of the variable for [`Self::results_dir`].
    pub const RESULTS_DIR: &str = "RESULTS_DIR";
    /// Name of the variable for [`Self::results_file`].
    pub const RESULTS_FILE: &str = "RESULTS_FILE";
    /// Name of the variable for [`Self::marker_file`].
    pub const MARKER_FILE: &str = "MARKER_FILE";
    /// Name of the variable for [`Self::quiet_seconds`].
    pub const QUIET_SECONDS: &str = "QUIET_SECONDS";
    /// Name of the variable for [`Self::job_name`].
    pub const JOB_NAME: &str = "JOB_NAME";
    /// Name of the variable for [`Self::uuid`].
    pub const UUID: &str = "UUID";
    /// Name of the variable for [`Self::spool_dir`].
    pub const SPOOL_DIR: &str = "SPOOL_DIR";
    /// Name of the variable for [`Self::sample`], which Kubernetes sets in an Indexed Job.
    pub const SAMPLE: &str = "JOB_COMPLETION_INDEX";
    /// Name of the variable for [`Self::native`]: `true` or `false`.
    pub const NATIVE: &str = "NATIVE_SIDECAR";
    /// Name of the variable for [`Self::grace_seconds`].
    pub const GRACE_SECONDS: &str = "GRACE_SECONDS";
    /// Name of the variable for [`Self::hand_over_seconds`].
    pub const HAND_OVER_SECONDS: &str = "HAND_OVER_SECONDS";
    /// Name of the variable for [`Self::slo`].
    pub const SLO_FILE: &str = "SLO_FILE";
    /// Name of the variable for [`Self::pod_name`].
    pub const POD_NAME: &str = "POD_NAME";
    /// Name of the variable for [`Self::pod_namespace`].
    pub const POD_NAMESPACE: &str = "POD_NAMESPACE";
    /// Name of the variable for [`Self::node_name`].
    pub const NODE_NAME: &str = "NODE_NAME";
    /// Name of the variable for [`Self::container`].
    pub const CONTAINER: &str = "BENCHMARK_CONTAINER";
    /// Name of the variable for [`Self::health_port`].
    pub const HEALTH_PORT: &str = "HEALTH_PORT";
    /// Name of the variable for [`Self::termination_log`].
    pub const TERMINATION_LOG: &str = "TERMINATION_LOG";

    /// The file that the benchmark's exit code is written to.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        let default = || self.results_dir.join("exit-code");
        self.marker_file.clone().unwrap_or_else(default)
    }

    /// The folder for documents that cannot be sent.
    #[must_use]
    pub fn spool(&self) -> &Path {
        self.spool_dir.as_ref().unwrap_or(&self.results_dir)
    }

    /// This pod; outside Kubernetes, the host.
    #[must_use]
    pub fn pod(&self) -> Option<String> {
        let host = || std::env::var("HOSTNAME").ok();
        let pod = self.pod_name.clone().or_else(host);
        pod.filter(|name| !name.is_empty())
    }

    /// How long after SIGTERM there is.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }

    /// How long documents wait to be fetched; `None` if they are sent.
    #[must_use]
    pub fn hand_over(&self) -> Option<Duration> {
        let seconds = self.hand_over_seconds?;
        Some(Duration::from_secs(seconds.get()))
    }

    /// How long a whole report must not have changed.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        Duration::from_secs(self.quiet_seconds.get())
    }
}
