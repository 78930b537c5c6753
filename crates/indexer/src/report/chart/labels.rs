//! What stands beside points.

use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ticks::Extent;
use super::{HEIGHT, SCALE, Series, WIDTH};

/// The plot is so many pixels smaller than its drawing.
const MARGINS: (f64, f64) = (76.0, 74.0);
/// Pixels that a letter, and a line, take up, generously.
const LETTER: (f64, f64) = (8.0, 16.0);

/// A label and its place.
pub(super) struct Label<'a> {
    pub(super) text: &'a str,
    /// The point that it is of.
    pub(super) at: (f64, f64),
    pub(super) anchor: Pos,
    /// From the point, in units of the drawing.
    pub(super) offset: (i32, i32),
}

/// A rectangle, in pixels.
#[derive(Clone, Copy)]
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn meets(&self, other: &Self) -> bool {
        let meet = |one: (f64, f64), other: (f64, f64)| one.0 < other.1 && other.0 < one.1;
        meet(self.x, other.x) && meet(self.y, other.y)
    }
}

/// The labels of a series that do not stand in one another's way.
pub(super) fn placed<'a>(series: &'a Series, x: &Extent, y: &Extent) -> Vec<Label<'a>> {
    let mut taken: Vec<Frame> = Vec::new();
    let mut labels = Vec::new();
    let width = f64::from(WIDTH) - MARGINS.0;
    let height = f64::from(HEIGHT) - MARGINS.1;
    // The last points are where load is heaviest: of those that crowd there, the last is named.
    for (text, at) in series.labels.iter().zip(&series.points).rev() {
        let spot = (x.part(at.0) * width, (1.0 - y.part(at.1)) * height);
        let (label, frame) = beside(text, *at, spot, height);
        let free = !taken.iter().any(|it| it.meets(&frame));
        if spot.0.is_finite() && spot.1.is_finite() && free {
            taken.push(frame);
            labels.push(label);
        }
    }
    labels
}

/// Above to the left, where a rising line is not; below to the right where there is no room.
fn beside(text: &str, at: (f64, f64), spot: (f64, f64), height: f64) -> (Label<'_>, Frame) {
    #[expect(clippy::cast_precision_loss, reason = "labels are short")]
    let length = text.chars().count() as f64 * LETTER.0;
    let left = spot.0 > length;
    let below = !left && spot.1 < 0.8 * height;
    let x = if left {
        (spot.0 - 6.0 - length, spot.0 - 6.0)
    } else {
        (spot.0 + 8.0, spot.0 + 8.0 + length)
    };
    let y = if below {
        (spot.1 + 6.0, spot.1 + 6.0 + LETTER.1)
    } else {
        (spot.1 - 8.0 - LETTER.1, spot.1 - 8.0)
    };
    let side = if left { HPos::Right } else { HPos::Left };
    let edge = if below { VPos::Top } else { VPos::Bottom };
    let units = |pixels: i32| pixels * i32::try_from(SCALE).unwrap_or(1);
    let label = Label {
        text,
        at,
        anchor: Pos::new(side, edge),
        offset: (
            units(if left { -6 } else { 8 }),
            units(if below { 6 } else { -8 }),
        ),
    };
    (label, Frame { x, y })
}

#[cfg(test)]
mod tests {
    use super::super::Scale;
    use super::super::ticks::extent;
    use super::*;

    fn texts(points: &[(f64, f64)], labels: &[&str]) -> Vec<String> {
        let series = Series {
            points: points.to_vec(),
            labels: labels.iter().map(|&it| it.to_owned()).collect(),
            ..Series::default()
        };
        let axis = extent(0.0, 10.0, Scale::Linear, 0.0);
        let placed = placed(&series, &axis, &axis);
        placed.iter().map(|it| it.text.to_owned()).collect()
    }

    #[test]
    fn labels_that_have_room_are_all_there() {
        let points = [(1.0, 1.0), (5.0, 2.0), (9.0, 8.0)];
        assert_eq!(
            texts(&points, &["2/s", "4/s", "8/s"]),
            ["8/s", "4/s", "2/s"]
        );
    }

    #[test]
    fn of_labels_that_crowd_the_last_is_there() {
        let points = [(1.0, 1.0), (8.9, 8.0), (9.0, 8.0)];
        assert_eq!(
            texts(&points, &["2/s", "8/s", "throughput"]),
            ["throughput", "2/s"]
        );
    }

    #[test]
    fn what_cannot_be_drawn_has_no_label() {
        assert!(texts(&[(1.0, f64::NAN)], &["2/s"]).is_empty());
    }
}
