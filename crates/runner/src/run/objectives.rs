//! Whether a run keeps its objectives, once all its documents are where they belong.

use anyhow::Result;
use guidellm_indexer::cli::SourceArguments;
use guidellm_indexer::{judge_run, objectives};
use guidellm_results_model::Exit;
use guidellm_results_model::slo::{Outcome, Slos};

use super::arguments::RunCommand;
use super::narrator::Narrator;

impl RunCommand {
    /// What scenarios have to keep, if anything.
    pub(super) fn objectives(&self) -> Result<Option<Slos>> {
        self.slo.as_deref().map(objectives).transpose()
    }

    /// Where the run's documents are: the server, or the store.
    fn source(&self) -> SourceArguments {
        SourceArguments {
            store: (!self.has_server()).then(|| self.fetched_into()),
            job_name: None,
            server: self.sending.server.clone(),
        }
    }
}

/// Judges a run; what cannot be judged is told, and is not kept.
pub(super) async fn judge(command: &RunCommand, uuid: &str, narrator: &Narrator) -> Result<Exit> {
    let Some(slos) = command.objectives()? else {
        return Ok(Exit::Done);
    };
    let (source, uuid) = (command.source(), uuid.to_owned());
    let judged = tokio::task::spawn_blocking(move || judge_run(&slos, &uuid, &source)).await;
    let judged = match judged {
        Ok(Ok(judged)) => judged,
        Ok(Err(error)) => {
            narrator.warn(&format!("error: objectives are not judged: {error:#}"));
            return Ok(Exit::SomeFailed);
        }
        Err(error) => {
            narrator.warn(&format!("error: objectives are not judged: {error}"));
            return Ok(Exit::SomeFailed);
        }
    };
    if judged.is_empty() {
        narrator.warn("error: no objective is for any scenario of this run");
        return Ok(Exit::SomeFailed);
    }
    for it in &judged {
        let line = format!("{}: {}", it.scenario, it.verdict);
        match (it.verdict.met, it.verdict.fails()) {
            (Outcome::Met, _) => narrator.tell(&line),
            (_, true) => narrator.warn(&format!("error: {line}")),
            (_, false) => narrator.warn(&format!("warning: {line}")),
        }
    }
    Ok(if judged.iter().any(|it| it.verdict.fails()) {
        Exit::ThresholdCrossed
    } else {
        Exit::Done
    })
}
