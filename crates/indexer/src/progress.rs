//! A progress bar over the bytes of all reports, on a terminal only.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use guidellm_results_model::{Position, Progress};
use indicatif::{HumanCount, ProgressBar as Bar, ProgressState, ProgressStyle};

use crate::files::Named;

const TEMPLATE: &str =
    "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {documents}, {eta} left  {wide_msg}";

/// The bar, or nothing.
pub(crate) struct ProgressBar {
    bar: Bar,
    documents: Arc<AtomicU64>,
}

/// How far a report has come.
pub(crate) struct Watch {
    bar: Bar,
    size: u64,
    seen: Arc<AtomicU64>,
}

impl ProgressBar {
    pub(crate) fn new(reports: &[Named], quiet: bool) -> Self {
        let documents: Arc<AtomicU64> = Arc::default();
        let style = ProgressStyle::with_template(TEMPLATE).ok();
        let shown = style.filter(|_| !quiet && std::io::stderr().is_terminal());
        let bar = shown.map_or_else(Bar::hidden, |style| {
            let counted = Arc::clone(&documents);
            let rate = move |state: &ProgressState, text: &mut dyn Write| {
                let seconds = state.elapsed().as_secs().max(1);
                let rate = HumanCount(counted.load(Ordering::Relaxed) / seconds);
                // A text in memory takes everything.
                write!(text, "{rate} documents/s").unwrap_or_default();
            };
            let size = reports.iter().map(Named::size).sum();
            Bar::new(size).with_style(style.with_key("documents", rate))
        });
        Self { bar, documents }
    }

    /// Watches over a report that is read now.
    pub(crate) fn watch(&self, report: &Named) -> Watch {
        self.bar.set_message(report.name());
        Watch {
            bar: self.bar.clone(),
            size: report.size(),
            seen: Arc::default(),
        }
    }

    /// Counts documents.
    pub(crate) fn add_documents(&self, count: usize) {
        self.documents.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Calls `print` while the bar is out of its way.
    pub(crate) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Watch {
    /// What moves the bar: by the furthest that any pass over the report has come.
    pub(crate) fn progress(&self) -> Progress {
        if self.bar.is_hidden() {
            return Progress::default();
        }
        let (bar, seen) = (self.bar.clone(), Arc::clone(&self.seen));
        Progress::new(move |Position { bytes, .. }| {
            let before = seen.fetch_max(bytes, Ordering::Relaxed);
            bar.inc(bytes.saturating_sub(before));
        })
    }
}

impl Drop for Watch {
    /// Whatever was not read of it never will be.
    fn drop(&mut self) {
        let seen = self.seen.load(Ordering::Relaxed);
        self.bar.inc(self.size.saturating_sub(seen));
    }
}
