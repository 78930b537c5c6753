//! The time that is asked about, and how it is cut into requests. Pure.

use std::time::Duration;

use guidellm_results_model::documents::Timestamp;

/// Most points of a series that one request asks for: Prometheus refuses more.
pub(super) const MOST_POINTS: i64 = 11_000;

/// The time of a job, and the step in which it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// In milliseconds since 1970, which is as finely as Prometheus knows time.
    start: i64,
    end: i64,
    step: i64,
    load: Option<(i64, i64)>,
}

/// A window makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It ends before it starts.
    #[error("the window ends at {end}, before its start at {start}; swap --start and --end")]
    Reversed {
        /// Its start.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
    /// Its points would lie on each other.
    #[error("a step has to be a millisecond at least")]
    NoStep,
}

/// Points of a series that one request asks for: from a time to another, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) start: i64,
    /// A whole number of steps after the start.
    pub(super) end: i64,
    pub(super) step: i64,
}

impl Window {
    /// From a time to another, in steps; times are cut to milliseconds.
    ///
    /// # Errors
    ///
    /// If it ends before it starts, or the step is too small.
    pub fn new(start: Timestamp, end: Timestamp, step: Duration) -> Result<Self, WindowError> {
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        if step == 0 {
            return Err(WindowError::NoStep);
        }
        if end < start {
            return Err(WindowError::Reversed { start, end });
        }
        Ok(Self {
            start: millis(start),
            end: millis(end),
            step,
            load: None,
        })
    }

    /// The same, with the time of the load itself: what lies in it is marked.
    #[must_use]
    pub fn with_load(self, start: Timestamp, end: Timestamp) -> Self {
        Self {
            load: Some((millis(start), millis(end))),
            ..self
        }
    }

    /// How long it is, in whole seconds; at least one, for a range of none is no range.
    #[must_use]
    pub fn elapsed_seconds(&self) -> i64 {
        ((self.end - self.start) / 1000).max(1)
    }

    pub(super) fn start(&self) -> i64 {
        self.start
    }

    pub(super) fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn step(&self) -> i64 {
        self.step
    }

    /// Whether a time lies in that of the load.
    pub(super) fn is_during_load(&self, time: i64) -> bool {
        let within = |(start, end)| (start..=end).contains(&time);
        self.load.is_some_and(within)
    }

    /// The requests that together give what one for all points would.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Chunk> + use<> {
        let Self {
            start, end, step, ..
        } = *self;
        let last = (end - start) / step;
        let chunk = move |first: i64| Chunk {
            start: start + first * step,
            end: start + (first + MOST_POINTS - 1).min(last) * step,
            step,
        };
        (0..=last / MOST_POINTS).map(move |number| chunk(number * MOST_POINTS))
    }

    /// The end, where no step ends at it: asked about by itself, as kube-burner does.
    pub(super) fn rest(&self) -> Option<i64> {
        ((self.end - self.start) % self.step != 0).then_some(self.end)
    }
}

impl Chunk {
    /// Both halves, unless it is one point.
    pub(super) fn halves(self) -> Option<[Self; 2]> {
        let steps = (self.end - self.start) / self.step;
        if steps == 0 {
            return None;
        }
        let end = self.start + (steps - 1) / 2 * self.step;
        let start = end + self.step;
        Some([Self { end, ..self }, Self { start, ..self }])
    }
}

fn millis(time: Timestamp) -> i64 {
    time.epoch_micros().div_euclid(1000)
}

/// A time as an instant.
pub(super) fn instant(millis: i64) -> Option<Timestamp> {
    Timestamp::from_epoch_micros(millis.checked_mul(1000)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(start: i64, length: i64, step: u64) -> Window {
        let at = |millis| instant(millis).unwrap();
        Window::new(at(start), at(start + length), Duration::from_millis(step)).unwrap()
    }

    fn points(chunk: Chunk) -> Vec<i64> {
        let steps = (chunk.end - chunk.start) / chunk.step;
        (0..=steps).map(|n| chunk.start + n * chunk.step).collect()
    }

    #[test]
    fn a_window_that_makes_no_sense_is_refused() {
        let at = |seconds: i64| instant(seconds * 1000).unwrap();
        let reversed = Window::new(at(2), at(1), Duration::from_secs(1));
        assert!(matches!(reversed, Err(WindowError::Reversed { .. })));
        let still = Window::new(at(1), at(2), Duration::from_micros(999));
        assert_eq!(still, Err(WindowError::NoStep));
    }

    #[test]
    fn an_instant_is_one_point() {
        let window = window(1_764_000_000_000, 0, 15_000);
        let chunks: Vec<Chunk> = window.chunks().collect();
        assert_eq!(chunks.len(), 1);
        assert_eq!(points(chunks[0]), [1_764_000_000_000]);
        assert_eq!(window.rest(), None);
        assert_eq!(chunks[0].halves(), None);
    }

    #[test]
    fn the_end_is_asked_about_where_no_step_ends_at_it() {
        assert_eq!(window(5000, 60_000, 15_000).rest(), None);
        assert_eq!(window(5000, 60_001, 15_000).rest(), Some(65_001));
    }

    #[test]
    fn the_load_includes_both_its_ends() {
        let at = |millis| instant(millis).unwrap();
        let window = window(0, 10_000, 1000).with_load(at(2000), at(4000));
        let during: Vec<i64> = (0..=10)
            .map(|n| n * 1000)
            .filter(|time| window.is_during_load(*time))
            .collect();
        assert_eq!(during, [2000, 3000, 4000]);
    }

    proptest! {
        #[test]
        fn chunks_are_the_points_of_the_window_each_once(
            start in 0i64..10_000_000_000, length in 0i64..40_000_000, step in 1u64..2000,
        ) {
            let window = window(start, length, step);
            let step = i64::try_from(step).unwrap();
            let expected: Vec<i64> = (0..=length / step).map(|n| start + n * step).collect();
            let chunks: Vec<Chunk> = window.chunks().collect();
            let many = |chunk: &Chunk| (chunk.end - chunk.start) / step < MOST_POINTS;
            prop_assert!(chunks.iter().all(many));
            let found: Vec<i64> = chunks.into_iter().flat_map(points).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn halves_are_the_points_of_the_whole(
            start in 0i64..10_000_000_000, steps in 1i64..5000, step in 1i64..60_000,
        ) {
            let chunk = Chunk { start, end: start + steps * step, step };
            let halves = chunk.halves().unwrap();
            prop_assert_eq!(halves.map(points).concat(), points(chunk));
        }
    }
}
