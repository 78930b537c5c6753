//! `llm-d-scale status`: how far a run is, and whether anybody runs it.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use guidellm_results_model::Exit;
use serde::Serialize;

use super::arguments::StatusArguments;
use super::state::{State, is_running, read};

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Standing {
    /// A process is at it.
    Running,
    /// The process that was at it is gone, and did not end it.
    Interrupted,
    /// It was ended, well or not.
    Ended,
}

#[derive(Serialize)]
struct Told<'a> {
    status: Standing,
    /// What to do, if anything is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(flatten)]
    state: &'a State,
}

/// Tells how far a run is.
///
/// # Errors
///
/// If there is none in the folder.
pub fn status(arguments: &StatusArguments) -> Result<Exit> {
    let folder = &arguments.folder;
    // Before the rest is read: a run that ends in between is not taken for one that was killed.
    let is_running = is_running(folder)?;
    let Some(state) = read(folder)? else {
        bail!(
            "{}: there is no run; its folder is llm-d-scale-UUID where it was started",
            folder.display()
        );
    };
    let standing = standing(&state, is_running);
    let next = next(&state, standing);
    if arguments.json {
        let told = Told {
            status: standing,
            next,
            state: &state,
        };
        crate::print(&(serde_json::to_string(&told)? + "\n"))?;
    } else {
        let next = next.map(|it| format!("{it}\n")).unwrap_or_default();
        crate::print(&(table(&state, standing) + &next))?;
    }
    Ok(exit(&state, standing))
}

fn standing(state: &State, is_running: bool) -> Standing {
    match state.exit {
        _ if is_running => Standing::Running,
        None => Standing::Interrupted,
        Some(_) => Standing::Ended,
    }
}

fn exit(state: &State, standing: Standing) -> Exit {
    const ALL: [Exit; 5] = [
        Exit::Done,
        Exit::SomeFailed,
        Exit::Unusable,
        Exit::ThresholdCrossed,
        Exit::DeadlinePassed,
    ];
    let failed = state.jobs.iter().any(|it| it.end.is_some() && !it.passed());
    let ended = ALL.into_iter().find(|it| Some(it.code()) == state.exit);
    match standing {
        Standing::Ended => ended.unwrap_or(Exit::SomeFailed),
        Standing::Running if !failed => Exit::Done,
        Standing::Running | Standing::Interrupted => Exit::SomeFailed,
    }
}

/// What to do about a run that is not as it should be.
fn next(state: &State, standing: Standing) -> Option<String> {
    let uuid = &state.uuid;
    let why = match standing {
        Standing::Interrupted => "the process that ran it is gone, and did not end it",
        Standing::Ended if state.exit != Some(0) => "not all is done",
        Standing::Running | Standing::Ended => return None,
    };
    Some(format!(
        "{why}: `llm-d-scale run` with the run's arguments and --uuid {uuid} --resume goes on; \
         `llm-d-scale gc --uuid {uuid}` deletes what it made"
    ))
}

/// A run, for people.
pub(super) fn table(state: &State, standing: Standing) -> String {
    let State {
        uuid,
        namespace,
        skipped,
        ..
    } = state;
    let standing_told = match (standing, state.exit) {
        (Standing::Running, _) => "running".to_owned(),
        (Standing::Interrupted, _) => "interrupted".to_owned(),
        (Standing::Ended, code) => format!("ended with exit code {}", code.unwrap_or_default()),
    };
    let mut text = format!("run {uuid} in namespace {namespace}: {standing_told}\n");
    for job in &state.jobs {
        let seconds = job
            .end
            .map(|end| (end.epoch_micros() - job.start.epoch_micros()) / 1_000_000);
        let verdict = match (job.end, job.passed()) {
            (None, _) if standing == Standing::Running => "running",
            (None, _) => "unfinished",
            (_, true) => "passed",
            _ => "failed",
        };
        let documents = if job.indexed {
            "documents written"
        } else {
            "documents not written"
        };
        let time = seconds.map(|it| format!("{it} s")).unwrap_or_default();
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "{:<24} {verdict:<10} {time:>8}  {documents}",
            job.name
        );
        for failure in &job.failures {
            let _ = writeln!(text, "    {failure}");
        }
    }
    if *skipped > 0 {
        let _ = writeln!(text, "{skipped} jobs not run");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::state::Book;
    use super::*;

    #[test]
    fn who_runs_it_is_told_and_how_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let told = || {
            let running = is_running(folder.path()).unwrap();
            let state = read(folder.path()).unwrap().unwrap();
            let standing = standing(&state, running);
            (standing, exit(&state, standing), next(&state, standing))
        };
        assert!(!is_running(folder.path()).unwrap(), "nobody ever did");
        let book = Book::open(folder.path(), "u", "ns", "d", false).unwrap();
        assert_eq!(told(), (Standing::Running, Exit::Done, None));
        // As after SIGKILL.
        drop(book);
        let (standing, code, what) = told();
        assert_eq!((standing, code), (Standing::Interrupted, Exit::SomeFailed));
        assert!(what.unwrap().contains("--uuid u --resume"));
        for end in [Exit::DeadlinePassed, Exit::ThresholdCrossed, Exit::Done] {
            let mut book = Book::open(folder.path(), "u", "ns", "d", true).unwrap();
            assert_eq!(told().0, Standing::Running);
            book.end(end, 1).unwrap();
            drop(book);
            let (standing, code, what) = told();
            assert_eq!((standing, code), (Standing::Ended, end));
            assert_eq!(what.is_some(), end != Exit::Done);
        }
    }
}
