//! Which of GuideLLM's distributions a record counts in.

use crate::generation::Generation;

/// A span of time, epoch seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) start: f64,
    pub(crate) end: f64,
}

/// The instants of a record, epoch seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Instants {
    pub(crate) start: Option<f64>,
    pub(crate) first_token: Option<f64>,
    pub(crate) end: Option<f64>,
}

/// How a release decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windowing {
    /// Without one, everything counts.
    window: Option<Window>,
    /// TTFT is of the requests whose wait for the first token touches the window, and ITL of those
    /// whose decoding does.
    by_phase: bool,
}

/// What a successful record counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The number of requests, latency, TPOT and token counts.
    pub(crate) request: bool,
    /// TTFT.
    pub(crate) first_token: bool,
    /// ITL.
    pub(crate) decoding: bool,
}

impl Windowing {
    /// `None` if the release is not known, and it matters.
    pub(crate) fn new(
        generation: Generation,
        release: Option<&str>,
        window: Option<Window>,
    ) -> Option<Self> {
        let by_phase = by_phase(generation, release)?;
        Some(Self { window, by_phase })
    }

    /// As all releases before 0.8.
    #[cfg(feature = "frames")]
    pub(crate) fn by_request(window: Option<Window>) -> Self {
        Self {
            window,
            by_phase: false,
        }
    }

    pub(crate) fn counted(&self, instants: &Instants) -> Counted {
        let Instants {
            start,
            first_token,
            end,
        } = *instants;
        let (waited_until, decoded_from) = if self.by_phase {
            (first_token, first_token.or(start))
        } else {
            (end, start)
        };
        Counted {
            request: touches(self.window, start, end),
            first_token: touches(self.window, start, waited_until),
            decoding: touches(self.window, decoded_from, end),
        }
    }
}

/// Whether a release makes its figures of a window: to 0.3 only records of the window are kept.
pub(crate) fn is_windowed(generation: Generation) -> bool {
    generation >= Generation::V0_4
}

/// Whether TTFT and ITL have windows of their own: from 0.8 on. `None` if it cannot be told.
fn by_phase(generation: Generation, release: Option<&str>) -> Option<bool> {
    if generation != Generation::Schema2 {
        return Some(false);
    }
    let mut parts = release?.split('.').map(str::parse::<u32>);
    let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
    Some((major, minor) >= (0, 8))
}

/// Whether a span touches the window. A span that never ended does not.
fn touches(window: Option<Window>, from: Option<f64>, to: Option<f64>) -> bool {
    let Some(Window { start, end }) = window else {
        return true;
    };
    to.is_some_and(|to| to >= start && from.unwrap_or(to) <= end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_the_first_token_came_with_0_8() {
        let of = |release| by_phase(Generation::Schema2, release);
        assert_eq!(of(Some("0.7.3")), Some(false));
        assert_eq!(of(Some("0.8.0rc1")), Some(true));
        assert_eq!(of(Some("1.0")), Some(true));
        assert_eq!(of(None), None);
        assert_eq!(by_phase(Generation::Schema1, Some("0.6.1")), Some(false));
    }

    #[test]
    fn a_span_that_only_touches_the_window_counts() {
        let window = Some(Window {
            start: 10.0,
            end: 20.0,
        });
        assert!(touches(window, Some(5.0), Some(10.0)));
        assert!(touches(window, Some(20.0), Some(25.0)));
        assert!(!touches(window, Some(20.5), Some(25.0)));
        assert!(!touches(window, Some(5.0), None));
        assert!(touches(None, None, None));
    }
}
