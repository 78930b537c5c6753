//! How exact one sample's figures are, as far as its own requests tell.

use std::collections::BTreeMap;

use super::documents::Row;
use super::pool::{Counting, contributions};
use crate::documents::RequestStatus;
use crate::figures::{Figure, Member, Metric};
use crate::inference::{BlockSample, Scale, Statistic};
use crate::windows::Window;

/// Blocks of a window: long against the time that requests have an influence on each other, and
/// enough to be drawn from.
const BLOCKS: f64 = 20.0;

/// Members whose error a bootstrap tells; it says nothing of extremes.
const MEMBERS: [Member; 5] = [
    Member::Mean,
    Member::P50,
    Member::P90,
    Member::P95,
    Member::P99,
];

/// The requests of one sample, by blocks of time.
#[derive(Debug)]
pub(super) struct Spread {
    window: Window,
    metrics: BTreeMap<Metric, BlockSample>,
    successful: f64,
    errored: f64,
}

impl Spread {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            metrics: BTreeMap::new(),
            successful: 0.0,
            errored: 0.0,
        }
    }

    pub(super) fn push(&mut self, row: &Row<'_>, counting: &Counting) {
        let Some(start) = row.instants.start else {
            return;
        };
        if counting.windowing.counted(&row.instants).request {
            match row.status {
                RequestStatus::Successful => self.successful += 1.0,
                RequestStatus::Errored => self.errored += 1.0,
                RequestStatus::Incomplete => {}
            }
        }
        let length = self.window.end - self.window.start;
        let at = ((start - self.window.start) / length * BLOCKS).clamp(0.0, BLOCKS - 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 19"
        )]
        let block = at as u32;
        for (metric, value, weight) in contributions(row, counting).into_iter().flatten() {
            let blocks = self.metrics.entry(metric).or_default();
            blocks.push(block, value, weight);
        }
    }

    pub(super) fn standard_errors(self, seed: u64) -> BTreeMap<Figure, f64> {
        let statistics = MEMBERS.map(|member| match member.rank() {
            Some(rank) => Statistic::Quantile(rank),
            None => Statistic::Mean,
        });
        let mut errors = BTreeMap::new();
        let ended = self.successful + self.errored;
        if ended > 0.0 {
            // One more of either kind: a few requests that all went well do not prove that all do.
            let share = (self.successful + 1.0) / (ended + 2.0);
            let error = (share * (1.0 - share) / (ended + 2.0)).sqrt();
            errors.insert(Figure::RequestSuccessRate, error);
        }
        for (metric, blocks) in self.metrics {
            let found = blocks.standard_errors(&statistics, Scale::Ratio, seed);
            let members = MEMBERS.into_iter().zip(found);
            let known = |(it, error)| Some((Figure::Statistic(metric, it), error?));
            errors.extend(members.filter_map(known));
        }
        errors
    }
}
