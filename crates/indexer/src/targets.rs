//! From what the user says of files and stores to sinks for documents.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::cli::TargetArguments;
use crate::output::Output;
use crate::sink::{Sink, Sinks};
#[cfg(feature = "store")]
use crate::store::Store;
use crate::unfinished::Registry;

/// Where the store is if the user does not say.
#[cfg(feature = "store")]
pub const DEFAULT_STORE: &str = "results";

impl TargetArguments {
    /// Whether the user's wishes go together.
    pub(crate) fn check(&self) -> Result<()> {
        if self.json && self.output.as_deref() == Some(Path::new("-")) {
            bail!("--json and `--output -` both want standard output; leave one of them out");
        }
        Ok(())
    }

    /// The store that is named, if one is.
    pub(crate) fn store_name(&self) -> String {
        #[cfg(feature = "store")]
        let store = self.store.as_ref();
        #[cfg(not(feature = "store"))]
        let store: Option<&PathBuf> = None;
        store.map_or_else(String::new, |store| store.display().to_string())
    }

    /// Opens the sinks, beside others; the default store if there is no other, and this build has it.
    pub(crate) fn open(&self, others: Vec<Box<dyn Sink>>, unfinished: &Registry) -> Result<Sinks> {
        let mut sinks = others;
        if let Some(output) = self.open_output(unfinished)? {
            sinks.push(Box::new(output));
        }
        #[cfg(feature = "store")]
        if let Some(store) = self.open_store(sinks.is_empty(), unfinished)? {
            sinks.push(Box::new(store));
        }
        if sinks.is_empty() {
            bail!("where to? name a file with --output, or a server with --es-server");
        }
        Ok(Sinks(sinks))
    }

    /// The file, if one is named.
    pub(crate) fn open_output(&self, unfinished: &Registry) -> Result<Option<Output>> {
        let output = self.output.as_ref();
        let open = |path: &PathBuf| Output::watched(path, self.format, unfinished);
        output.map(open).transpose()
    }

    /// The store, if one is named; the default one if there has to be any.
    #[cfg(feature = "store")]
    pub(crate) fn open_store(
        &self,
        by_default: bool,
        unfinished: &Registry,
    ) -> Result<Option<Store>> {
        let default = by_default.then(|| PathBuf::from(DEFAULT_STORE));
        let root = self.store.clone().or(default);
        let open = |root| Store::watched(root, unfinished.clone());
        root.map(open).transpose()
    }
}
