//! What the user sees of a run: a line that changes, on a terminal; lines that stay, elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Tells how far a run is.
#[derive(Debug, Clone)]
pub(super) struct Narrator {
    bar: ProgressBar,
    quiet: bool,
    /// Without a terminal: the job, and when it was told last what is waited for.
    last: Arc<Mutex<(String, Instant)>>,
}

/// Without a terminal, what is waited for is told so often.
const TOLD: Duration = Duration::from_secs(30);

impl Narrator {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {elapsed}  {wide_msg}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let last = Arc::new(Mutex::new((String::new(), Instant::now())));
        Self { bar, quiet, last }
    }

    /// A job begins.
    pub(super) fn job(&self, place: &str, left: Option<Duration>) {
        let left = left.map(|left| format!("  about {} left", whole(left)));
        let place = format!("{place}{}", left.unwrap_or_default());
        if self.bar.is_hidden() {
            self.tell(&place);
            *self.last() = (place.clone(), Instant::now());
        }
        self.bar.set_prefix(place);
        self.bar.set_message("");
    }

    /// What is waited for now.
    pub(super) fn waits(&self, what: &str) {
        if self.bar.is_hidden() && !what.is_empty() {
            let mut last = self.last();
            if last.1.elapsed() >= TOLD {
                self.tell(&format!("{}: waiting for {what}", last.0));
                last.1 = Instant::now();
            }
        }
        self.bar.set_message(what.to_owned());
    }

    fn last(&self) -> MutexGuard<'_, (String, Instant)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that stays to be read.
    pub(super) fn tell(&self, line: &str) {
        if !self.quiet {
            self.warn(line);
        }
    }

    /// Something that has to be read.
    pub(super) fn warn(&self, line: &str) {
        self.bar.suspend(|| crate::tell(line));
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A time as people say it.
pub(super) fn whole(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs()))
}
