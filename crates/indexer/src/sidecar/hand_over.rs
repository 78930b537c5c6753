//! Without a search server: documents wait in the pod until somebody has fetched them, and says so.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, ErrorKind};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use guidellm_results_model::Exit;

use super::contract::Contract;
use super::documents;
use super::signals::Signals;
use super::volume::goes_with_the_pod;
use crate::cli::HandOverArguments;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// As long as whoever fetches is kept waiting for documents that are not ready.
const READY: Duration = Duration::from_secs(20);

impl Contract {
    /// Where documents wait.
    pub(super) fn documents(&self) -> PathBuf {
        self.spool().join("guidellm-documents.ndjson")
    }

    /// The file that says that they were fetched.
    fn taken(&self) -> PathBuf {
        self.spool().join("guidellm-documents.taken")
    }
}

/// `guidellm-indexer hand-over`, started in the sidecar's container by whoever fetches documents.
pub(crate) fn run(arguments: &HandOverArguments) -> Result<Exit> {
    let contract = &arguments.contract;
    if arguments.taken {
        let taken = contract.taken();
        let place = || taken.display().to_string();
        let file = File::create(&taken).with_context(place)?;
        file.sync_all().with_context(place)?;
        return Ok(Exit::Done);
    }
    let path = contract.documents();
    let began = Instant::now();
    let file = loop {
        match File::open(&path) {
            // It has its name once it is whole.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => break opened.with_context(|| path.display().to_string())?,
        }
        if began.elapsed() >= READY {
            return Ok(Exit::DeadlinePassed);
        }
        sleep(PAUSE);
    };
    let stdout = std::io::stdout().lock();
    documents::send(BufReader::new(file), BufWriter::new(stdout))?;
    Ok(Exit::Done)
}

/// What there is to do for a sidecar whose documents are ready.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait,
    Fetched,
    GiveUp,
}

/// Decides; `waited` is since the documents were ready, `left` what is left of the pod's time once it
/// has to go.
fn next(taken: bool, waited: Duration, patience: Duration, left: Option<Duration>) -> Next {
    let out_of_time = waited >= patience || left.is_some_and(|left| left.is_zero());
    match taken {
        true => Next::Fetched,
        false if out_of_time => Next::GiveUp,
        false => Next::Wait,
    }
}

/// Waits until the documents were fetched; whether they were.
pub(super) fn wait(contract: &Contract, patience: Duration, signals: &Signals) -> bool {
    let (taken, began) = (contract.taken(), Instant::now());
    loop {
        match next(taken.exists(), began.elapsed(), patience, signals.left()) {
            Next::Wait => sleep(PAUSE),
            Next::Fetched => return true,
            Next::GiveUp => return false,
        }
    }
}

/// What happened to documents that nobody fetched, and what to do.
pub(super) fn not_fetched(contract: &Contract, patience: Duration) -> String {
    let (path, seconds) = (contract.documents(), patience.as_secs());
    let fate = match goes_with_the_pod(contract.spool()) {
        Some(why) => format!("they go with the pod ({why}): run the scenario again"),
        None => format!(
            "they stay in {}, and the report beside it can be indexed",
            path.display()
        ),
    };
    format!(
        "nobody fetched its documents within {seconds} s, and {fate}; leave llm-d-scale running, or \
         go on by --resume within that time ({})",
        Contract::HAND_OVER_SECONDS
    )
}

/// Whether the documents were fetched before this sidecar was started again.
pub(super) fn is_taken(contract: &Contract) -> bool {
    fs::exists(contract.taken()).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_wait_until_they_are_fetched_or_time_is_over() {
        let at = |taken, waited, left: Option<u64>| {
            let seconds = Duration::from_secs;
            next(taken, seconds(waited), seconds(60), left.map(seconds))
        };
        assert_eq!(at(false, 0, None), Next::Wait);
        assert_eq!(at(false, 59, Some(1)), Next::Wait);
        assert_eq!(at(false, 60, None), Next::GiveUp);
        assert_eq!(at(false, 1, Some(0)), Next::GiveUp);
        // Late is not too late.
        assert_eq!(at(true, 60, Some(0)), Next::Fetched);
    }
}
