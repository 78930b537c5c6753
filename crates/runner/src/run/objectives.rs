//! Whether a run keeps its objectives, once all its documents are where they belong.

use guidellm_indexer::cli::SourceArguments;
use guidellm_indexer::judge_run;
use guidellm_results_model::Exit;
use guidellm_results_model::slo::{Outcome, Slos};

use super::arguments::RunCommand;
use super::narrator::Narrator;

impl RunCommand {
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
pub(super) async fn judge(
    command: &RunCommand,
    slos: Slos,
    uuid: &str,
    narrator: &Narrator,
) -> Exit {
    let (source, uuid) = (command.source(), uuid.to_owned());
    let judged = tokio::task::spawn_blocking(move || judge_run(&slos, &uuid, &source)).await;
    let judged = match judged {
        Ok(Ok(judged)) => judged,
        Ok(Err(error)) => {
            narrator.warn(&format!("error: objectives are not judged: {error:#}"));
            return Exit::SomeFailed;
        }
        Err(error) => {
            narrator.warn(&format!("error: objectives are not judged: {error}"));
            return Exit::SomeFailed;
        }
    };
    if judged.is_empty() {
        narrator.warn("error: no objective is for any scenario of this run");
        return Exit::SomeFailed;
    }
    for it in &judged {
        let line = format!("{}: {}", it.scenario, it.verdict);
        match (it.verdict.met, it.verdict.fails()) {
            (Outcome::Met, _) => narrator.tell(&line),
            (_, true) => narrator.warn(&format!("error: {line}")),
            (_, false) => narrator.warn(&format!("warning: {line}")),
        }
    }
    if judged.iter().any(|it| it.verdict.fails()) {
        Exit::ThresholdCrossed
    } else {
        Exit::Done
    }
}
