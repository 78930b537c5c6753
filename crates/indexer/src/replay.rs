//! `guidellm-indexer replay`: undelivered documents, sent again.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;

use crate::bulk::{BulkSink, Operation, Shipped, Stop, Taken, Undelivered, for_each};
use crate::cli::{ReplayArguments, SendingArguments};
use crate::{server, tell};

pub(crate) fn run(arguments: &ReplayArguments) -> Result<Exit> {
    let destination = if arguments.elsewhere {
        Destination::Named
    } else {
        Destination::Own
    };
    let stop = Stop::default();
    let sent = send_again(&arguments.file, &arguments.sending, destination, &stop)?;
    let Some(shipped) = sent else {
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

/// Where documents that are sent again go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Each into the index that it was meant for.
    Own,
    /// Into the one that the user names now.
    Named,
}

/// Sends the documents of a file of undelivered ones, and removes it; `None` if the server stays
/// away, which leaves it as it is.
pub(crate) fn send_again(
    file: &Path,
    sending: &SendingArguments,
    destination: Destination,
    stop: &Stop,
) -> Result<Option<Shipped>> {
    let place = || file.display().to_string();
    let own = indices(file).with_context(place)?;
    let known = match destination {
        Destination::Own => own.as_slice(),
        Destination::Named => &[],
    };
    let Some(sink) = sending.open(known, stop)? else {
        bail!("replay needs --es-server URL (or ES_SERVER)");
    };
    if sink.cluster().is_none() {
        return Ok(None);
    }
    // From here on it is ours: what still is not delivered goes to a new file of its name.
    let taken = Taken::take(file).with_context(place)?;
    if taken.torn > 0 {
        let (file, torn) = (place(), taken.torn);
        tell(&format!(
            "warning: {file}: its last line, of {torn} bytes, was not ended: a run was killed; \
             index its report again"
        ));
    }
    let shipped = send(sink, &taken, destination).with_context(place)?;
    // Whatever was not delivered now is in the files of the unsent and the rejected.
    if shipped.count(|it| it.lost) == 0 {
        taken.done().with_context(place)?;
    }
    Ok(Some(shipped))
}

/// Where the documents of a file, and of what was left of an earlier one, were to go.
fn indices(file: &Path) -> Result<Vec<Arc<str>>> {
    let mut indices: Vec<Arc<str>> = Vec::new();
    let files = Taken::files(file)?;
    if files.is_empty() {
        bail!("there is no such file");
    }
    for file in files {
        for_each(&file, |undelivered| {
            if !indices.iter().any(|index| **index == *undelivered.index) {
                indices.push(Arc::from(&*undelivered.index));
            }
            Ok(())
        })?;
    }
    Ok(indices)
}

fn send(sink: BulkSink, taken: &Taken, destination: Destination) -> Result<Shipped> {
    for_each(taken.text()?, |undelivered| {
        let Undelivered {
            index,
            operation,
            kind,
            id,
            document,
            ..
        } = undelivered;
        let own = Arc::from(&*index);
        let index = match destination {
            Destination::Own => &own,
            Destination::Named => sink.options().index_of(kind),
        };
        let operation = match operation {
            Operation::Index => sink.options().operation,
            Operation::Create => operation,
        };
        Ok(sink.add_to(index, operation, kind, id, document)?)
    })?;
    Ok(sink.finish())
}
