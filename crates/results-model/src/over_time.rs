//! Values over a time that nobody knows beforehand, in a bounded number of buckets.

use std::collections::VecDeque;

use crate::documents::Timestamp;

/// Microseconds of a bucket, as long as there are few.
const FIRST_WIDTH: i64 = 1_000_000;

/// What is kept of a span of time.
pub(crate) trait Bucket: Default {
    /// Takes in what is kept of the span that follows.
    fn merge(&mut self, next: Self);
}

/// Buckets of one width that follow one another: a second, or as many powers of two of it as
/// `MOST` buckets need (two or more). Where a value goes follows from the earliest and the latest
/// instant, whatever the order in which they come.
#[derive(Debug)]
pub(crate) struct OverTime<B, const MOST: usize> {
    /// In microseconds.
    width: i64,
    /// Widths from 1970 to the first bucket.
    first: i64,
    buckets: VecDeque<B>,
}

impl<B, const MOST: usize> Default for OverTime<B, MOST> {
    fn default() -> Self {
        const {
            assert!(
                MOST >= 2,
                "an instant before 1970 has no bucket with one after it"
            );
        }
        Self {
            width: FIRST_WIDTH,
            first: 0,
            buckets: VecDeque::new(),
        }
    }
}

impl<B: Bucket, const MOST: usize> OverTime<B, MOST> {
    /// Changes the bucket of an instant.
    pub(crate) fn add(&mut self, instant: Timestamp, change: impl FnOnce(&mut B)) {
        let micros = instant.epoch_micros();
        let mut place = micros.div_euclid(self.width);
        while !self.has_room_for(place) {
            self.double();
            place = micros.div_euclid(self.width);
        }
        if self.buckets.is_empty() {
            self.first = place;
        }
        while place < self.first {
            self.buckets.push_front(B::default());
            self.first -= 1;
        }
        let offset = offset(self.first, place);
        if offset >= self.buckets.len() {
            self.buckets.resize_with(offset + 1, B::default);
        }
        if let Some(bucket) = self.buckets.get_mut(offset) {
            change(bucket);
        }
    }

    /// Has buckets up to an instant, though nothing happened there.
    pub(crate) fn reach(&mut self, instant: Timestamp) {
        self.add(instant, |_| ());
    }

    fn has_room_for(&self, place: i64) -> bool {
        if self.buckets.is_empty() {
            return true;
        }
        let before = offset(place, self.first);
        let until = (offset(self.first, place) + 1).max(self.buckets.len());
        before + until <= MOST
    }

    fn double(&mut self) {
        let mut merged: VecDeque<B> = VecDeque::with_capacity(self.buckets.len() / 2 + 1);
        for (place, bucket) in (self.first..).zip(self.buckets.drain(..)) {
            match merged.back_mut() {
                Some(last) if place.rem_euclid(2) == 1 => last.merge(bucket),
                _ => merged.push_back(bucket),
            }
        }
        self.width *= 2;
        self.first = self.first.div_euclid(2);
        self.buckets = merged;
    }

    /// Width of a bucket, in seconds.
    pub(crate) fn width_seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a power of two of a second")]
        let seconds = (self.width / FIRST_WIDTH) as f64;
        seconds
    }

    /// The buckets, each with its start in microseconds since 1970.
    pub(crate) fn buckets(&self) -> impl ExactSizeIterator<Item = (i64, &B)> {
        self.buckets.iter().enumerate().map(|(offset, bucket)| {
            let place = self.first.saturating_add_unsigned(offset as u64);
            (place.saturating_mul(self.width), bucket)
        })
    }
}

/// Buckets from one to another that is not before it, else 0.
fn offset(from: i64, to: i64) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, Clone, PartialEq)]
    struct Count(u64);

    impl Bucket for Count {
        fn merge(&mut self, next: Self) {
            self.0 += next.0;
        }
    }

    fn counted(micros: &[i64]) -> OverTime<Count, 8> {
        let mut over_time = OverTime::default();
        for micros in micros {
            let instant = Timestamp::from_epoch_micros(*micros).unwrap();
            over_time.add(instant, |count: &mut Count| count.0 += 1);
        }
        over_time
    }

    fn buckets(of: &OverTime<Count, 8>) -> Vec<(i64, u64)> {
        of.buckets()
            .map(|(start, count)| (start, count.0))
            .collect()
    }

    #[test]
    fn seconds_become_longer_when_there_are_too_many() {
        let seconds = |seconds: &[i64]| -> Vec<i64> {
            seconds.iter().map(|it| it * FIRST_WIDTH + 5).collect()
        };
        let few = counted(&seconds(&[103, 101, 103]));
        assert_eq!(few.width_seconds().to_bits(), 1.0_f64.to_bits());
        let at = |second: i64, count| (second * FIRST_WIDTH, count);
        assert_eq!(buckets(&few), [at(101, 1), at(102, 0), at(103, 2)]);
        let many = counted(&seconds(&[101, 103, 109, 108]));
        assert_eq!(many.width_seconds().to_bits(), 2.0_f64.to_bits());
        let expected = [at(100, 1), at(102, 1), at(104, 0), at(106, 0), at(108, 2)];
        assert_eq!(buckets(&many), expected);
    }

    #[test]
    fn all_of_time_has_room() {
        let ends = [-62_167_219_200_000_000, 253_402_300_799_999_999];
        assert_eq!(
            buckets(&counted(&ends)).iter().map(|it| it.1).sum::<u64>(),
            2
        );
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_nothing_is_lost(
            mut micros in prop::collection::vec(-40_000_000_i64..40_000_000, 1..40)
        ) {
            let forth = counted(&micros);
            micros.reverse();
            prop_assert_eq!(buckets(&counted(&micros)), buckets(&forth));
            micros.sort_unstable();
            prop_assert_eq!(buckets(&counted(&micros)), buckets(&forth));
            // Each is in the bucket that it lies in, and no bucket is wider than it has to be.
            let width = forth.width;
            for (start, count) in buckets(&forth) {
                let own = micros.iter().filter(|it| (start..start + width).contains(it));
                prop_assert_eq!(own.count() as u64, count);
            }
            prop_assert_eq!(buckets(&forth).iter().map(|it| it.1).sum::<u64>(), micros.len() as u64);
            let needed = |width: i64| {
                let (first, last) = (micros[0], micros[micros.len() - 1]);
                last.div_euclid(width) - first.div_euclid(width) + 1
            };
            prop_assert!(needed(width) <= 8);
            prop_assert!(width == FIRST_WIDTH || needed(width / 2) > 8);
        }
    }
}
