//! A progress bar over the bytes of all reports, on a terminal only.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use guidellm_results_model::{Position, Progress};
use indicatif::{ProgressBar as Bar, ProgressStyle};

use crate::files::Named;

const TEMPLATE: &str = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left  {wide_msg}";

/// The bar, or nothing.
pub(crate) struct ProgressBar {
    bar: Bar,
    /// Bytes of the reports before the present one.
    before: Arc<AtomicU64>,
}

impl ProgressBar {
    pub(crate) fn new(reports: &[Named], quiet: bool) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).ok();
        let shown = style.filter(|_| !quiet && std::io::stderr().is_terminal());
        let bar = shown.map_or_else(Bar::hidden, |style| {
            Bar::new(reports.iter().map(Named::size).sum()).with_style(style)
        });
        Self {
            bar,
            before: Arc::default(),
        }
    }

    /// What moves it.
    pub(crate) fn watch(&self) -> Progress {
        if self.bar.is_hidden() {
            return Progress::default();
        }
        let (bar, before) = (self.bar.clone(), Arc::clone(&self.before));
        Progress::new(move |Position { pass, bytes }| {
            bar.set_position(before.load(Ordering::Relaxed) + bytes);
            if pass > 1 && bytes < 1 << 20 {
                bar.set_message(format!("pass {pass}"));
            }
        })
    }

    pub(crate) fn begin(&self, report: &Named) {
        self.bar.set_message(report.name());
    }

    pub(crate) fn end(&self, report: &Named) {
        self.before.fetch_add(report.size(), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Calls `print` while the bar is out of its way.
    pub(crate) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}
