//! Load and answers by the second.

use std::collections::BTreeMap;

use super::documents::Row;
use super::model::Second;
use crate::documents::RequestStatus;

/// Seconds before and after the start of the window that are looked at: clocks beyond are wrong.
const REACH_SECONDS: f64 = 172_800.0;

/// One sample's, and then the mean of several.
#[derive(Debug, Default)]
pub(super) struct Series {
    samples: f64,
    /// Seconds that the samples have in common are those at the same distance of their windows' start.
    seconds: BTreeMap<i64, Cell>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    started: f64,
    completed: f64,
    errored: f64,
    /// Seconds in flight that begin or end in this second.
    part_in_flight: f64,
    /// Requests that are in flight from the beginning of this second on, less those that are not any
    /// more.
    change_in_flight: f64,
    output_tokens: f64,
    first_tokens: f64,
    ttft_sum_ms: f64,
    ttft_max_ms: f64,
}

impl Series {
    /// Another sample follows.
    pub(super) fn open(&mut self) {
        self.samples += 1.0;
    }

    /// Counts a request in; `origin` is the start of its sample's window, epoch seconds.
    pub(super) fn push(&mut self, row: &Row<'_>, origin: f64) {
        let near = |instant: f64| Some(instant - origin).filter(|at| at.abs() < REACH_SECONDS);
        let start = row.instants.start.and_then(near);
        let end = row.instants.end.and_then(near);
        if let Some(at) = start {
            self.cell(at).started += 1.0;
        }
        if let Some(at) = end {
            let cell = self.cell(at);
            match row.status {
                RequestStatus::Successful => {
                    cell.completed += 1.0;
                    cell.output_tokens += row.output_tokens.unwrap_or_default();
                }
                RequestStatus::Errored => cell.errored += 1.0,
                RequestStatus::Incomplete => {}
            }
        }
        if let Some((at, ttft)) = row.instants.first_token.and_then(near).zip(row.ttft_ms) {
            let cell = self.cell(at);
            cell.first_tokens += 1.0;
            cell.ttft_sum_ms += ttft;
            cell.ttft_max_ms = cell.ttft_max_ms.max(ttft);
        }
        if let Some((start, end)) = start.zip(end).filter(|(start, end)| end > start) {
            self.fly(start, end);
        }
    }

    fn fly(&mut self, start: f64, end: f64) {
        if start.floor() >= end.floor() {
            self.cell(start).part_in_flight += end - start;
            return;
        }
        self.cell(start).part_in_flight += start.floor() + 1.0 - start;
        self.cell(end).part_in_flight += end - end.floor();
        self.cell(start + 1.0).change_in_flight += 1.0;
        self.cell(end).change_in_flight -= 1.0;
    }

    fn cell(&mut self, at: f64) -> &mut Cell {
        #[expect(clippy::cast_possible_truncation, reason = "within REACH_SECONDS")]
        self.seconds.entry(at.floor() as i64).or_default()
    }

    /// Every second from the first to the last.
    pub(super) fn seconds(self) -> Vec<Second> {
        let mut flying = 0.0;
        let (Some(first), Some(last)) = (
            self.seconds.keys().next().copied(),
            self.seconds.keys().next_back().copied(),
        ) else {
            return Vec::new();
        };
        (first..=last)
            .map(|second| {
                let cell = self.seconds.get(&second).copied().unwrap_or_default();
                flying += cell.change_in_flight;
                let measured = cell.first_tokens > 0.0;
                Second {
                    second,
                    started: cell.started / self.samples,
                    completed: cell.completed / self.samples,
                    errored: cell.errored / self.samples,
                    in_flight: (flying + cell.part_in_flight) / self.samples,
                    output_tokens: cell.output_tokens / self.samples,
                    ttft_mean_ms: measured.then_some(cell.ttft_sum_ms / cell.first_tokens),
                    ttft_max_ms: measured.then_some(cell.ttft_max_ms),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::windows::Instants;

    fn request(start: f64, end: f64) -> Row<'static> {
        Row {
            status: RequestStatus::Successful,
            instants: Instants {
                start: Some(1000.0 + start),
                first_token: Some(1000.0 + start + 0.1),
                end: Some(1000.0 + end),
            },
            ttft_ms: Some(100.0),
            itl_ms: None,
            tpot_ms: None,
            request_latency_seconds: Some(end - start),
            prompt_tokens: None,
            output_tokens: Some(8.0),
            error_class: None,
            http_status: None,
            error_message: None,
        }
    }

    #[test]
    fn a_request_is_in_flight_in_every_second_that_it_touches() {
        let mut series = Series::default();
        series.open();
        series.push(&request(-0.5, 2.25), 1000.0);
        series.push(&request(1.25, 1.5), 1000.0);
        let seconds = series.seconds();
        let flying: Vec<(i64, f64)> = seconds.iter().map(|it| (it.second, it.in_flight)).collect();
        assert_eq!(flying, [(-1, 0.5), (0, 1.0), (1, 1.25), (2, 0.25)]);
        let started: Vec<f64> = seconds.iter().map(|it| it.started).collect();
        assert_eq!(started, [1.0, 0.0, 1.0, 0.0]);
        let tokens: Vec<f64> = seconds.iter().map(|it| it.output_tokens).collect();
        assert_eq!(tokens, [0.0, 0.0, 8.0, 8.0]);
    }

    #[test]
    fn samples_are_averaged_and_wrong_clocks_left_out() {
        let mut series = Series::default();
        series.open();
        series.push(&request(0.0, 0.5), 1000.0);
        series.open();
        series.push(&request(0.0, 0.5), 1000.0);
        series.push(&request(0.0, 0.5), 0.0);
        series.push(&request(0.0, 0.5), -1e9);
        let seconds = series.seconds();
        assert_eq!(seconds.len(), 1001);
        assert_eq!(seconds.first().map(|it| it.started), Some(1.0));
    }
}
