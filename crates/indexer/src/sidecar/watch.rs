//! When has the benchmark ended? Decided from what was seen, purely.

use std::path::PathBuf;
use std::time::Duration;

use guidellm_results_model::documents::RunOutcome;

/// How a benchmark ended, as far as one can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It says so, with its exit code.
    ExitCode(i32),
    /// Kubernetes says so.
    Container(ContainerEnd),
    /// It says nothing, but its report is whole and does not change any more.
    Quiet,
    /// The pod is told to go.
    Terminated,
}

/// How a container ended (`state.terminated` of its status).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerEnd {
    pub(super) exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled` and so on.
    pub(super) reason: String,
}

impl Ended {
    fn exit_code(&self) -> Option<i32> {
        match self {
            Self::ExitCode(code) => Some(*code),
            Self::Container(end) => Some(end.exit_code),
            Self::Quiet | Self::Terminated => None,
        }
    }

    /// Whether it ended well, but for what its report shows.
    pub(super) fn is_success(&self) -> bool {
        self.exit_code() == Some(0)
    }

    /// Why it failed, of a benchmark whose report is whole or is not.
    fn failure(&self, whole: bool) -> Option<String> {
        match self {
            Self::ExitCode(0) | Self::Container(ContainerEnd { exit_code: 0, .. }) => {
                (!whole).then(|| "it left no whole report".to_owned())
            }
            Self::ExitCode(code) => Some(failed_with(*code)),
            Self::Container(end) if matches!(end.reason.as_str(), "" | "Error") => {
                Some(failed_with(end.exit_code))
            }
            Self::Container(end) => Some(format!("{}: {}", end.reason, failed_with(end.exit_code))),
            Self::Quiet | Self::Terminated => {
                (!whole).then(|| "the pod ended before it did".to_owned())
            }
        }
    }

    /// How it ended, for the documents of a benchmark whose report is whole or is not.
    pub(super) fn outcome(&self, whole: bool) -> RunOutcome {
        let exit_code = self.exit_code();
        let failure_reason = self.failure(whole);
        let failed = failure_reason.is_some();
        RunOutcome {
            passed: (failed || exit_code.is_some()).then_some(!failed),
            exit_code: exit_code.and_then(|code| u32::try_from(code).ok()),
            failure_reason,
            ..RunOutcome::default()
        }
    }

    pub(super) fn told(&self) -> String {
        match self {
            Self::ExitCode(code) => format!("the benchmark ended with exit code {code}"),
            Self::Container(ContainerEnd { exit_code, reason }) => {
                format!("the benchmark's container ended with exit code {exit_code} ({reason})")
            }
            Self::Quiet => "the report is whole".to_owned(),
            Self::Terminated => "the pod ends".to_owned(),
        }
    }
}

fn failed_with(code: i32) -> String {
    match code {
        129.. => format!("ended by signal {}", code - 128),
        _ => format!("exit code {code}"),
    }
}

/// What can be seen at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// SIGTERM came.
    pub(super) terminated: bool,
    /// The text of the marker file.
    pub(super) marker: Option<String>,
    /// What Kubernetes says of the benchmark's container.
    pub(super) container: Option<ContainerEnd>,
    /// The reports, each with its length and time of change.
    pub(super) reports: Vec<(PathBuf, u64, Duration)>,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again.
    Wait,
    /// It has ended.
    End(Ended),
    /// It has ended in this way, if all reports are whole.
    EndIfWhole(Ended),
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A report must not have changed for so long.
    pub(super) quiet: Duration,
    /// After SIGTERM, a benchmark that gets one as well has so long to write its report.
    pub(super) last_words: Duration,
}

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watch {
    patience: Patience,
    last: Seen,
    /// Since when the reports are as they are; by a clock that starts anywhere.
    unchanged_since: Duration,
    terminated_since: Option<Duration>,
    /// These were not whole; nothing is known of others.
    not_whole: bool,
}

impl Watch {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            last: Seen::default(),
            unchanged_since: Duration::ZERO,
            terminated_since: None,
            not_whole: false,
        }
    }

    /// Takes what is seen `now`.
    pub(super) fn next(&mut self, seen: Seen, now: Duration) -> Next {
        if seen.reports != self.last.reports {
            (self.unchanged_since, self.not_whole) = (now, false);
        }
        self.last = seen;
        // A marker that is empty, or no number, is one that is being written.
        let marker = self.last.marker.as_ref();
        if let Some(code) = marker.and_then(|text| text.trim().parse().ok()) {
            return Next::End(Ended::ExitCode(code));
        }
        if let Some(end) = self.last.container.clone() {
            return Next::End(Ended::Container(end));
        }
        let may_be_whole = !self.not_whole && !self.last.reports.is_empty();
        if self.last.terminated {
            let since = *self.terminated_since.get_or_insert(now);
            return match now.saturating_sub(since) {
                _ if may_be_whole => Next::EndIfWhole(Ended::Terminated),
                waited if waited >= self.patience.last_words => Next::End(Ended::Terminated),
                _ => Next::Wait,
            };
        }
        let is_quiet = now.saturating_sub(self.unchanged_since) >= self.patience.quiet;
        if is_quiet && may_be_whole {
            return Next::EndIfWhole(Ended::Quiet);
        }
        Next::Wait
    }

    /// The reports that were asked about are not whole: nothing is to be done before they change.
    pub(super) fn not_whole(&mut self) {
        self.not_whole = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        quiet: Duration::from_secs(5),
        last_words: Duration::from_secs(3),
    };

    fn watch() -> Watch {
        Watch::new(PATIENCE)
    }

    fn container(exit_code: i32, reason: &str) -> Ended {
        Ended::Container(ContainerEnd {
            exit_code,
            reason: reason.to_owned(),
        })
    }

    fn report(length: u64) -> Seen {
        Seen {
            reports: vec![("r.json".into(), length, Duration::from_secs(length))],
            ..Seen::default()
        }
    }

    fn at(watch: &mut Watch, seconds: u64, seen: Seen) -> Next {
        watch.next(seen, Duration::from_secs(seconds))
    }

    #[test]
    fn a_report_must_have_been_quiet_for_long_enough() {
        let mut watch = watch();
        assert_eq!(at(&mut watch, 0, Seen::default()), Next::Wait);
        assert_eq!(at(&mut watch, 90, Seen::default()), Next::Wait);
        assert_eq!(at(&mut watch, 100, report(1)), Next::Wait);
        assert_eq!(at(&mut watch, 104, report(1)), Next::Wait);
        assert_eq!(at(&mut watch, 104, report(2)), Next::Wait);
        assert_eq!(at(&mut watch, 108, report(2)), Next::Wait);
        assert_eq!(
            at(&mut watch, 109, report(2)),
            Next::EndIfWhole(Ended::Quiet)
        );
        watch.not_whole();
        assert_eq!(at(&mut watch, 200, report(2)), Next::Wait);
        assert_eq!(at(&mut watch, 201, report(3)), Next::Wait);
        assert_eq!(
            at(&mut watch, 206, report(3)),
            Next::EndIfWhole(Ended::Quiet)
        );
    }

    #[test]
    fn what_ended_well_is_told_from_what_did_not() {
        let told = |ended: Ended, whole| {
            let outcome = ended.outcome(whole);
            let reason = outcome.failure_reason.unwrap_or_default();
            (outcome.passed, outcome.exit_code, reason)
        };
        let well = String::new;
        assert_eq!(
            told(Ended::ExitCode(0), true),
            (Some(true), Some(0), well())
        );
        assert_eq!(told(Ended::Quiet, true), (None, None, well()));
        assert_eq!(told(Ended::Terminated, true), (None, None, well()));
        for (ended, whole, code, reason) in [
            (
                Ended::ExitCode(0),
                false,
                Some(0),
                "it left no whole report",
            ),
            (Ended::ExitCode(1), true, Some(1), "exit code 1"),
            (Ended::ExitCode(137), false, Some(137), "ended by signal 9"),
            (
                container(137, "OOMKilled"),
                false,
                Some(137),
                "OOMKilled: ended by signal 9",
            ),
            (container(2, "Error"), true, Some(2), "exit code 2"),
            (
                container(0, "Completed"),
                false,
                Some(0),
                "it left no whole report",
            ),
            (
                Ended::Terminated,
                false,
                None,
                "the pod ended before it did",
            ),
        ] {
            assert_eq!(told(ended, whole), (Some(false), code, reason.to_owned()));
        }
    }

    #[test]
    fn the_benchmarks_own_word_counts_most() {
        for (text, next) in [
            ("", Next::EndIfWhole(Ended::Terminated)),
            ("0", Next::End(Ended::ExitCode(0))),
            (" 137\n", Next::End(Ended::ExitCode(137))),
        ] {
            let seen = Seen {
                terminated: true,
                marker: Some(text.to_owned()),
                ..report(1)
            };
            assert_eq!(at(&mut watch(), 0, seen), next, "{text:?}");
        }
        let unfinished = Seen {
            marker: Some("no".to_owned()),
            ..Seen::default()
        };
        assert_eq!(at(&mut watch(), 0, unfinished), Next::Wait);
    }

    #[test]
    fn after_sigterm_the_benchmark_has_its_last_words() {
        let terminated = |length| Seen {
            terminated: true,
            ..report(length)
        };
        let mut watch = watch();
        assert_eq!(at(&mut watch, 10, report(1)), Next::Wait);
        let if_whole = Next::EndIfWhole(Ended::Terminated);
        assert_eq!(at(&mut watch, 11, terminated(1)), if_whole);
        watch.not_whole();
        assert_eq!(at(&mut watch, 13, terminated(1)), Next::Wait);
        assert_eq!(at(&mut watch, 13, terminated(2)), if_whole);
        watch.not_whole();
        let end = Next::End(Ended::Terminated);
        assert_eq!(at(&mut watch, 14, terminated(2)), end);
    }
}
