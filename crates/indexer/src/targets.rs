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
        let ending = self.output.as_deref().and_then(Path::extension);
        let ending = ending.map(|it| it.to_string_lossy().to_ascii_lowercase());
        if let (Some(output), Some("gz" | "zst")) = (&self.output, ending.as_deref()) {
            let plain = output.with_extension("");
            bail!(
                "{}: what is written is not compressed; name it {}, and compress it then",
                output.display(),
                plain.display()
            );
        }
        Ok(())
    }

    /// The store that documents go to, as it is called from anywhere; the default one `by_default`.
    pub(crate) fn store_name(&self, by_default: bool) -> String {
        #[cfg(feature = "store")]
        let store = self.store.as_deref();
        #[cfg(not(feature = "store"))]
        let store: Option<&Path> = None;
        let default = self.default_store().filter(|_| by_default);
        let store = store.or(default.map(Path::new));
        let store = store.map(|store| std::path::absolute(store).unwrap_or(store.to_path_buf()));
        store.map_or_else(String::new, |store| store.display().to_string())
    }

    /// The default store, if no file and no store is named.
    pub(crate) fn default_store(&self) -> Option<&'static str> {
        #[cfg(feature = "store")]
        let default = (self.output.is_none() && self.store.is_none()).then_some(DEFAULT_STORE);
        #[cfg(not(feature = "store"))]
        let default = None;
        default
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
