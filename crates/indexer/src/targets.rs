//! From what the user says of files and stores to sinks for documents.

use std::path::Path;
#[cfg(feature = "store")]
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::cli::TargetArguments;
use crate::output::Output;
use crate::sink::{Sink, Sinks};
#[cfg(feature = "store")]
use crate::store::Store;
use crate::unfinished::Registry;

/// Where the store is if the user does not say.
#[cfg(feature = "store")]
pub(crate) const DEFAULT_STORE: &str = "results";

impl TargetArguments {
    /// Whether the user's wishes go together.
    pub(crate) fn check(&self) -> Result<()> {
        if self.json && self.output.as_deref() == Some(Path::new("-")) {
            bail!("--json and `--output -` both want standard output; leave one of them out");
        }
        Ok(())
    }

    /// Opens the sinks, beside others; the default store if there is no other, and this build has it.
    pub(crate) fn open(&self, others: Vec<Box<dyn Sink>>, unfinished: &Registry) -> Result<Sinks> {
        let mut sinks = others;
        if let Some(path) = &self.output {
            sinks.push(Box::new(Output::watched(path, self.format, unfinished)?));
        }
        #[cfg(feature = "store")]
        {
            let default = sinks.is_empty().then(|| PathBuf::from(DEFAULT_STORE));
            if let Some(root) = self.store.clone().or(default) {
                sinks.push(Box::new(Store::watched(root, unfinished.clone())?));
            }
        }
        if sinks.is_empty() {
            bail!("where to? name a file with --output, or a server with --es-server");
        }
        Ok(Sinks(sinks))
    }
}
