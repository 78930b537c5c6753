//! How long to wait before the same is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Exponential, with full jitter: any time from nothing to the present limit, so that clients
/// that were refused together do not come back together.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait; at least what the server asks for. `random` is from 0 to 1.
    pub fn next(&mut self, retry_after: Option<Duration>, random: f64) -> Duration {
        let limit = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries += 1;
        let wait = limit.mul_f64(random.clamp(0.0, 1.0));
        retry_after.map_or(wait, |least| least.saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..10)
            .map(|_| backoff.next(None, 1.0).as_millis())
            .collect();
        assert_eq!(&waits[..4], [250, 500, 1000, 2000]);
        assert_eq!(waits[9], 30_000);
    }

    #[test]
    fn the_server_is_given_what_it_asks_for() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_secs(7);
        assert_eq!(backoff.next(Some(asked), 0.0), asked);
        assert!(backoff.next(Some(asked), 1.0) > asked);
        assert_eq!(backoff.next(Some(Duration::MAX), 1.0), Duration::MAX);
    }
}
