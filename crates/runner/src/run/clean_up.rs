//! Deleting what a run made, also of a run that was killed while it did.

use anyhow::{Context, Result};
use tokio::time::{Instant, timeout_at};

use super::arguments::RunCommand;
use super::engine::{Engine, lock};
use super::state::JobRecord;

/// Deletes what the run made, unless it is to stay, or documents are `waiting` in so many pods; whether
/// all is as it was wished.
pub(super) async fn clean_up(
    command: &RunCommand,
    engine: &Engine<'_>,
    waiting: usize,
) -> Result<bool> {
    let uuid = &engine.run.uuid;
    if waiting > 0 {
        engine.narrator.warn(&format!(
            "error: all stays; `llm-d-scale gc --uuid {uuid}` deletes it, once nothing waits in it"
        ));
        return Ok(false);
    }
    let unsent: Vec<String> = lock(&engine.book).unsent();
    if !unsent.is_empty() {
        let told = format!(
            "error: documents of {} are in the volume alone, so all stays; once they are replayed, \
             `llm-d-scale gc --uuid {uuid}` deletes it",
            unsent.join(", ")
        );
        engine.narrator.warn(&told);
        return Ok(false);
    }
    if !engine.global.gc || command.keep {
        let told = format!("objects stay; `llm-d-scale gc --uuid {uuid}` deletes them");
        engine.narrator.tell(&told);
        return Ok(true);
    }
    match engine.sweep().await {
        Err(error) => {
            engine.narrator.warn(&format!(
                "error: {error:#}; what is left, `llm-d-scale gc --uuid {uuid}` deletes"
            ));
            Ok(false)
        }
        swept => swept,
    }
}

impl Engine<'_> {
    /// Ends a clean-up that was begun and not ended. What a run measures with is deleted by nothing else;
    /// what is left of it holds what goes already: pods that have ended, their volume. `gc` may have
    /// begun it as well, so it is the cluster that knows, not the book.
    pub(super) async fn finish_clean_up(&self) -> Result<()> {
        let (run, timeout) = (&self.run.uuid, self.global.gc_timeout.0);
        if !self.may_have_begun_to_clean_up() {
            return Ok(());
        }
        let ending = self.cluster.ending(run, timeout).await?;
        if !ending.iter().all(|name| self.is_scenario(name)) {
            self.narrator
                .tell("deleting what is left of a clean-up that was not ended");
            self.sweep().await?;
        }
        Ok(())
    }

    /// As long as there may be documents in pods or in the volume alone, nothing is deleted.
    fn may_have_begun_to_clean_up(&self) -> bool {
        let book = lock(&self.book);
        let mut records = book.state.jobs.iter().peekable();
        let held = |it: &JobRecord| it.unsent || (it.end.is_none() && self.is_scenario(&it.name));
        records.peek().is_some() && !records.any(held)
    }

    fn is_scenario(&self, name: &str) -> bool {
        let mut jobs = self.jobs.iter();
        jobs.any(|it| it.is_scenario && it.job.name == name)
    }

    /// Deletes what the run made, unless the user is in a hurry; whether nothing stays.
    async fn sweep(&self) -> Result<bool> {
        let (run, timeout) = (&self.run.uuid, self.global.gc_timeout.0);
        self.narrator.job("cleaning up", None);
        let until = Instant::now() + timeout * 2;
        let swept = tokio::select! {
            () = self.stop.hurried() => {
                let how = format!("not cleaned up; do it by `llm-d-scale gc --uuid {run}`");
                self.narrator.warn(&how);
                return Ok(false);
            }
            swept = timeout_at(until, self.cluster.sweep(run, None, timeout)) => swept,
        };
        let swept = swept
            .context("deleting took too long")?
            .context("cannot clean up")?;
        self.narrator
            .tell(&format!("{} objects deleted", swept.deleted));
        for left in &swept.left {
            self.narrator
                .warn(&format!("warning: {} stays: {}", left.object, left.reason));
        }
        Ok(swept.left.is_empty())
    }
}
