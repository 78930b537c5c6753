//! What a sidecar is told, by flags or by its environment: the one place where the names are.

use std::num::NonZero;
use std::path::PathBuf;
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
    /// Sample of the scenario: the index of the pod in its Job
    #[arg(long, short, env = Contract::SAMPLE, default_value_t = 0)]
    pub sample: u32,
    /// It is a native sidecar: once it is done, it waits for SIGTERM, or it would be started again
    #[arg(long, env = Contract::NATIVE)]
    pub native: bool,
    /// File for one line that says what came of it
    #[arg(long, value_name = "FILE", env = Contract::TERMINATION_LOG, default_value = "/dev/termination-log")]
    pub termination_log: PathBuf,
}

impl Contract {
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
    /// Name of the variable for [`Self::sample`], which Kubernetes sets in an Indexed Job.
    pub const SAMPLE: &str = "JOB_COMPLETION_INDEX";
    /// Name of the variable for [`Self::native`]: `true` or `false`.
    pub const NATIVE: &str = "NATIVE_SIDECAR";
    /// Name of the variable for [`Self::termination_log`].
    pub const TERMINATION_LOG: &str = "TERMINATION_LOG";

    /// The file that the benchmark's exit code is written to.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        let default = || self.results_dir.join("exit-code");
        self.marker_file.clone().unwrap_or_else(default)
    }

    /// How long a whole report must not have changed.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        Duration::from_secs(self.quiet_seconds.get())
    }
}
