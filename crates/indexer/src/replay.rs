//! `guidellm-indexer replay`: undelivered documents, sent again.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;

use crate::bulk::{BulkSink, Undelivered};
use crate::cli::ReplayArguments;
use crate::server;

pub(crate) fn run(arguments: &ReplayArguments) -> Result<Exit> {
    let file = &arguments.file;
    let place = || file.display().to_string();
    // A replay that was killed is taken up again.
    let taken = taken_name(file);
    let present = if taken.exists() { &taken } else { file };
    let index = first_index(present).with_context(place)?;
    let Some(sink) = arguments.server.open(Some(&index))? else {
        bail!("replay needs --es-server URL (or ES_SERVER)");
    };
    if sink.cluster().is_none() {
        return Ok(Exit::DeadlinePassed);
    }
    // From here on it is ours: what still is not delivered goes to a new file of its name.
    if present == file {
        fs::rename(file, &taken).with_context(place)?;
    }
    let shipped = send(sink, &taken).with_context(place)?;
    // Whatever was not delivered now is in the files of the unsent and the rejected.
    if shipped.count(|it| it.lost) == 0 {
        fs::remove_file(&taken).with_context(place)?;
    }
    if arguments.json {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer(&mut stdout, &shipped)?;
        writeln!(stdout)?;
    }
    server::tell_of(&shipped, arguments.quiet);
    Ok(shipped.exit())
}

fn taken_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".replaying");
    name.into()
}

fn first_index(path: &Path) -> Result<String> {
    let mut line = String::new();
    BufReader::new(File::open(path)?).read_line(&mut line)?;
    let first: Undelivered =
        serde_json::from_str(&line).context("line 1 is no document of ours")?;
    Ok(first.index.into_owned())
}

fn send(mut sink: BulkSink, path: &Path) -> Result<crate::bulk::Shipped> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        let undelivered: Undelivered = serde_json::from_str(&line)
            .with_context(|| format!("line {number} is no document of ours"))?;
        sink.add(undelivered.kind, undelivered.id, undelivered.document)?;
    }
    Ok(sink.finish())
}
