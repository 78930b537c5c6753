//! `guidellm-indexer history`: a figure over many runs.

use std::io::Write;

use anyhow::{Result, bail};
use guidellm_results_model::Exit;
use guidellm_results_model::analysis::history::{history, text};

use crate::cli::HistoryArguments;
use crate::selection::{Selected, tell_unmeasured};
use crate::unfinished::Registry;

/// What permutations follow from: the same runs always give the same changes.
const SEED: u64 = 0;

pub(crate) fn run(arguments: &HistoryArguments, unfinished: &Registry) -> Result<Exit> {
    let options = arguments.about.pooling.options()?;
    let selected = Selected::open(&arguments.about.what, &arguments.about.source, unfinished)?;
    let analyses = selected.analyse_each_run(&options)?;
    let series = history(&analyses, arguments.figure, 1.0 - options.level, SEED);
    analyses.iter().for_each(tell_unmeasured);
    if series.is_empty() {
        bail!("{}: no run has {}", selected.name(), arguments.figure);
    }
    let text = if arguments.json {
        serde_json::to_string_pretty(&series)? + "\n"
    } else {
        text(&series)
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}
