//! Applies the statistics of `inference` to data of standard input, for tests/independent.
//!
//! Each line is a JSON object whose `task` is `pair`, `errors` or `changes`; one line of JSON
//! answers each.

#![allow(clippy::print_stdout, reason = "an example for a terminal")]

use std::io::stdin;

use guidellm_results_model::inference::{
    BlockSample, Detection, Observation, Scale, Statistic, change_points, compare_samples,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A sample: blocks of values.
type Blocks = Vec<Vec<f64>>;

#[derive(Deserialize)]
#[serde(tag = "task", rename_all = "lowercase")]
enum Task {
    /// Two sides are compared by a quantile, or by the mean if there is none.
    Pair {
        base: Vec<Blocks>,
        candidate: Vec<Blocks>,
        quantile: Option<f64>,
        /// Whether the requests' own errors are used.
        within: bool,
    },
    /// Quantiles of a sample, the mean last, and their standard errors.
    Errors { blocks: Blocks, quantiles: Vec<f64> },
    /// Change points of a series.
    Changes { values: Vec<f64> },
}

fn sample(blocks: &Blocks) -> BlockSample {
    let mut sample = BlockSample::default();
    for (block, values) in (0..).zip(blocks) {
        for value in values {
            sample.push(block, *value, 1.0);
        }
    }
    sample
}

fn observe(
    sides: &[Blocks],
    statistic: Statistic,
    within: bool,
) -> Result<Vec<Observation>, String> {
    let observe = |blocks: &Blocks| {
        let sample = sample(blocks);
        let errors = || sample.standard_errors(&[statistic], Scale::Ratio, 1);
        let within = if within {
            errors().pop().flatten()
        } else {
            None
        };
        let value = sample.statistic(statistic).ok_or("a sample is empty")?;
        Ok(Observation { value, within })
    };
    sides.iter().map(observe).collect()
}

fn answer(task: Task) -> Result<Value, String> {
    match task {
        Task::Pair {
            base,
            candidate,
            quantile,
            within,
        } => {
            let statistic = quantile.map_or(Statistic::Mean, Statistic::Quantile);
            let base = observe(&base, statistic, within)?;
            let candidate = observe(&candidate, statistic, within)?;
            let test = compare_samples(&base, &candidate, Scale::Ratio, 0.95)
                .map_err(|error| error.to_string())?;
            let values = |side: &[Observation]| -> Vec<f64> {
                side.iter().map(|observation| observation.value).collect()
            };
            Ok(json!({
                "base": values(&base),
                "candidate": values(&candidate),
                "difference": test.difference,
                "interval": test.interval,
                "p": test.p_value,
                "method": test.method,
            }))
        }
        Task::Errors { blocks, quantiles } => {
            let mut wanted: Vec<_> = quantiles.into_iter().map(Statistic::Quantile).collect();
            wanted.push(Statistic::Mean);
            let sample = sample(&blocks);
            let values: Vec<_> = wanted
                .iter()
                .map(|wanted| sample.statistic(*wanted))
                .collect();
            let errors = sample.standard_errors(&wanted, Scale::Ratio, 1);
            Ok(json!({ "values": values, "errors": errors }))
        }
        Task::Changes { values } => {
            let found = change_points(&values, Detection::default());
            Ok(json!({ "changes": found }))
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in stdin().lines() {
        println!("{}", answer(serde_json::from_str(&line?)?)?);
    }
    Ok(())
}
