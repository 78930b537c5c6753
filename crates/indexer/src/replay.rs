//! `guidellm-indexer replay`: undelivered documents, sent again.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use guidellm_results_model::Exit;
use guidellm_results_model::documents::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::bulk::{
    BulkSink, Operation, Shipped, Stamped, Stop, Taken, Undelivered, for_each, indices,
    tell_of_torn,
};
use crate::cli::{ReplayArguments, SendingArguments};
use crate::{server, tell};

pub(crate) fn run(arguments: &ReplayArguments) -> Result<Exit> {
    let destination = if arguments.elsewhere {
        Destination::Named
    } else {
        Destination::Own
    };
    arguments.sending.check_files()?;
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
    let own = destinations(file).with_context(place)?;
    if own.is_empty() {
        tell(&format!("{}: it holds no documents", place()));
        return Ok(Some(Shipped::default()));
    }
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
    tell_of_torn(file, taken.torn);
    let shipped =
        send(sink, &taken, destination).with_context(|| taken.path().display().to_string())?;
    // Whatever was not delivered now is in the files of the unsent and the rejected.
    if shipped.count(|it| it.lost) == 0 {
        taken.done().with_context(place)?;
    } else {
        let (file, kept) = (place(), taken.path().display());
        tell(&format!(
            "error: {kept} still has all of them; once they can be kept, replay {file} again"
        ));
    }
    Ok(Some(shipped))
}

/// Where the documents of a file, and of what was left of an earlier one, were to go.
fn destinations(file: &Path) -> Result<Vec<Arc<str>>> {
    let files = Taken::files(file)?;
    if files.is_empty() {
        bail!("there is no such file");
    }
    let mut found = Vec::new();
    files
        .iter()
        .try_for_each(|file| indices(file, &mut found))?;
    Ok(found)
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
        match time_to_add(operation, document) {
            Some(timestamp) => {
                let document: Map<String, Value> = serde_json::from_str(document.get())?;
                let document = Stamped {
                    timestamp,
                    document: &document,
                };
                Ok(sink.add_to(index, operation, kind, id, &document)?)
            }
            None => Ok(sink.add_to(index, operation, kind, id, document)?),
        }
    })?;
    Ok(sink.finish())
}

/// The time of a document that a data stream asks for, and that it lacks: it was not to go there.
fn time_to_add(operation: Operation, document: &RawValue) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Times {
        #[serde(rename = "@timestamp")]
        own: Option<IgnoredAny>,
        timestamp: Option<Timestamp>,
    }
    if operation == Operation::Index {
        return None;
    }
    let times: Times = serde_json::from_str(document.get()).ok()?;
    times.timestamp.filter(|_| times.own.is_none())
}
