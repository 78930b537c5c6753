//! `guidellm-indexer replay`: undelivered documents, sent again.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;

use crate::bulk::{BulkSink, Shipped, Stop, Undelivered};
use crate::cli::{ReplayArguments, SendingArguments};
use crate::server;

pub(crate) fn run(arguments: &ReplayArguments) -> Result<Exit> {
    let stop = Stop::default();
    let Some(shipped) = send_again(&arguments.file, &arguments.sending, &stop)? else {
        return Ok(Exit::DeadlinePassed);
    };
    if arguments.json {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer(&mut stdout, &shipped)?;
        writeln!(stdout)?;
    }
    server::tell_of(&shipped, arguments.quiet);
    Ok(shipped.exit())
}

/// Sends the documents of a file of undelivered ones, and removes it; `None` if the server stays
/// away, which leaves it as it is.
pub(crate) fn send_again(
    file: &Path,
    sending: &SendingArguments,
    stop: &Stop,
) -> Result<Option<Shipped>> {
    let place = || file.display().to_string();
    // A replay that was killed is taken up again.
    let taken = taken_name(file);
    let present = if taken.exists() { &taken } else { file };
    let indices = indices(present).with_context(place)?;
    let Some(sink) = sending.open(&indices, stop)? else {
        bail!("replay needs --es-server URL (or ES_SERVER)");
    };
    if sink.cluster().is_none() {
        return Ok(None);
    }
    // From here on it is ours: what still is not delivered goes to a new file of its name.
    if present == file {
        fs::rename(file, &taken).with_context(place)?;
    }
    let elsewhere = sending.server.es_index.as_deref().map(Into::into);
    let shipped = send(sink, &taken, elsewhere.as_ref()).with_context(place)?;
    // Whatever was not delivered now is in the files of the unsent and the rejected.
    if shipped.count(|it| it.lost) == 0 {
        fs::remove_file(&taken).with_context(place)?;
    }
    Ok(Some(shipped))
}

fn taken_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".replaying");
    name.into()
}

/// Calls `take` with each line of a file.
fn for_each(path: &Path, mut take: impl FnMut(Undelivered<'_>) -> Result<()>) -> Result<()> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        let undelivered = serde_json::from_str(&line);
        take(undelivered.with_context(|| format!("line {number} is no document of ours"))?)?;
    }
    Ok(())
}

/// Where the documents of a file were to go.
fn indices(path: &Path) -> Result<Vec<Arc<str>>> {
    let mut indices: Vec<Arc<str>> = Vec::new();
    for_each(path, |undelivered| {
        if !indices.iter().any(|index| **index == *undelivered.index) {
            indices.push(Arc::from(&*undelivered.index));
        }
        Ok(())
    })?;
    Ok(indices)
}

fn send(sink: BulkSink, path: &Path, elsewhere: Option<&Arc<str>>) -> Result<Shipped> {
    for_each(path, |undelivered| {
        let own = Arc::from(&*undelivered.index);
        let index = elsewhere.unwrap_or(&own);
        Ok(sink.add_to(
            index,
            undelivered.kind,
            undelivered.id,
            undelivered.document,
        )?)
    })?;
    Ok(sink.finish())
}
