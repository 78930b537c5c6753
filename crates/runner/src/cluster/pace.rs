//! How many requests a second: kube-burner's `qps` and `burst`.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// A bucket of tokens.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    /// How far ahead of itself it may be.
    slack: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many a second, of which some may come at once.
    #[must_use]
    pub fn new(qps: f64, burst: u32) -> Self {
        let qps = if qps.is_finite() && qps > 0.0 {
            qps
        } else {
            5.0
        };
        let every = Duration::from_secs_f64(1.0 / qps);
        Self {
            every,
            slack: every * burst.saturating_sub(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until the next may go.
    pub async fn wait(&self) {
        let turn = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let turn = (*next).max(now.checked_sub(self.slack).unwrap_or(now));
            *next = turn + self.every;
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_in_its_time() {
        let pace = Pace::new(5.0, 3);
        let start = Instant::now();
        tokio::time::advance(Duration::from_secs(10)).await;
        let start = start + Duration::from_secs(10);
        for (number, millis) in [(0, 0), (1, 0), (2, 0), (3, 200), (4, 400)] {
            pace.wait().await;
            assert_eq!(start.elapsed(), Duration::from_millis(millis), "{number}");
        }
    }
}
