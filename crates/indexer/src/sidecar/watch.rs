//! When has the benchmark ended? Decided from what was seen, purely.

use std::path::PathBuf;
use std::time::Duration;

use guidellm_results_model::documents::RunOutcome;

/// How a benchmark ended, as far as one can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It says so, with its exit code.
    ExitCode(i32),
    /// It says nothing, but its report is whole and does not change any more.
    Quiet,
    /// The pod is told to go.
    Terminated,
}

impl Ended {
    /// How it ended, for the documents of a benchmark whose report is whole or is not.
    pub(super) fn outcome(self, whole: bool) -> RunOutcome {
        let exit_code = match self {
            Self::ExitCode(code) => u32::try_from(code).ok(),
            Self::Quiet | Self::Terminated => None,
        };
        let reason = match (self, exit_code) {
            (Self::ExitCode(0), _) if !whole => "it left no whole report".to_owned(),
            (Self::ExitCode(0), _) => String::new(),
            (Self::ExitCode(_), Some(code @ 129..)) => format!("ended by signal {}", code - 128),
            (Self::ExitCode(code), _) => format!("exit code {code}"),
            (Self::Quiet | Self::Terminated, _) if whole => String::new(),
            (Self::Quiet | Self::Terminated, _) => "the pod ended before it did".to_owned(),
        };
        let failed = !reason.is_empty();
        RunOutcome {
            passed: (failed || exit_code.is_some()).then_some(!failed),
            exit_code,
            failure_reason: failed.then_some(reason),
        }
    }

    pub(super) fn told(self) -> String {
        match self {
            Self::ExitCode(code) => format!("the benchmark ended with exit code {code}"),
            Self::Quiet => "the report is whole".to_owned(),
            Self::Terminated => "the pod ends".to_owned(),
        }
    }
}

/// What can be seen at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// SIGTERM came.
    pub(super) terminated: bool,
    /// The text of the marker file.
    pub(super) marker: Option<String>,
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
    /// The reports have not changed for long enough: it has ended, if all of them are whole.
    EndIfWhole,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Seen,
    /// Since when the reports are as they are; by a clock that starts anywhere.
    unchanged_since: Duration,
    /// These were not whole; nothing is known of others.
    not_whole: bool,
}

impl Watch {
    /// Takes what is seen `now`.
    pub(super) fn next(&mut self, seen: Seen, now: Duration, quiet: Duration) -> Next {
        if seen.reports != self.last.reports {
            (self.unchanged_since, self.not_whole) = (now, false);
        }
        self.last = seen;
        // A marker that is empty, or no number, is one that is being written.
        let code = self
            .last
            .marker
            .as_ref()
            .and_then(|text| text.trim().parse().ok());
        if let Some(code) = code {
            return Next::End(Ended::ExitCode(code));
        }
        if self.last.terminated {
            return Next::End(Ended::Terminated);
        }
        let is_quiet = now.saturating_sub(self.unchanged_since) >= quiet;
        if is_quiet && !self.not_whole && !self.last.reports.is_empty() {
            return Next::EndIfWhole;
        }
        Next::Wait
    }

    /// The reports that were quiet are not whole: nothing is to be done before they change.
    pub(super) fn not_whole(&mut self) {
        self.not_whole = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(5);

    fn report(length: u64) -> Seen {
        Seen {
            reports: vec![("r.json".into(), length, Duration::from_secs(length))],
            ..Seen::default()
        }
    }

    fn at(watch: &mut Watch, seconds: u64, seen: Seen) -> Next {
        watch.next(seen, Duration::from_secs(seconds), QUIET)
    }

    #[test]
    fn a_report_must_have_been_quiet_for_long_enough() {
        let mut watch = Watch::default();
        assert_eq!(at(&mut watch, 0, Seen::default()), Next::Wait);
        assert_eq!(at(&mut watch, 90, Seen::default()), Next::Wait);
        assert_eq!(at(&mut watch, 100, report(1)), Next::Wait);
        assert_eq!(at(&mut watch, 104, report(1)), Next::Wait);
        assert_eq!(at(&mut watch, 104, report(2)), Next::Wait);
        assert_eq!(at(&mut watch, 108, report(2)), Next::Wait);
        assert_eq!(at(&mut watch, 109, report(2)), Next::EndIfWhole);
        watch.not_whole();
        assert_eq!(at(&mut watch, 200, report(2)), Next::Wait);
        assert_eq!(at(&mut watch, 201, report(3)), Next::Wait);
        assert_eq!(at(&mut watch, 206, report(3)), Next::EndIfWhole);
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
            ("", Next::End(Ended::Terminated)),
            ("0", Next::End(Ended::ExitCode(0))),
            (" 137\n", Next::End(Ended::ExitCode(137))),
        ] {
            let seen = Seen {
                terminated: true,
                marker: Some(text.to_owned()),
                ..report(1)
            };
            assert_eq!(at(&mut Watch::default(), 0, seen), next, "{text:?}");
        }
        let unfinished = Seen {
            marker: Some("no".to_owned()),
            ..Seen::default()
        };
        assert_eq!(at(&mut Watch::default(), 0, unfinished), Next::Wait);
    }
}
