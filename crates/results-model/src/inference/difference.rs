//! Whether two groups of samples differ.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Interval;

/// One sample's figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The figure, in its own unit.
    pub value: f64,
    /// Its standard error on the scale of the comparison, as far as its own requests tell.
    pub within: Option<f64>,
}

/// What a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The logarithm of the ratio, for latencies and rates, whose values are positive and skewed.
    Ratio,
    /// The difference itself, for shares.
    Difference,
}

/// What a p-value and an interval rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Welch's t-test on the samples' figures (on a ratio's scale, on their logarithms). The
    /// variance of a side is never taken for less than its requests' own, of a block bootstrap:
    /// samples that are alike by chance prove nothing.
    Welch,
    /// The errors of a block bootstrap of the requests alone, where a side has one sample: noise
    /// between runs is not known, and in truth the p-value is larger.
    Bootstrap,
}

/// How two groups differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Candidate less base, on the scale.
    pub difference: f64,
    /// Its confidence interval on the scale, if errors are known.
    pub interval: Option<Interval>,
    /// How likely a difference as large is by chance alone, two-sided.
    pub p_value: Option<f64>,
    /// What these rest on.
    pub method: Option<Method>,
}

/// Mean of a side, the variance of that mean, and the degrees of freedom of its samples.
struct Side {
    mean: f64,
    variance: f64,
    freedom: Option<f64>,
}

/// How candidate samples differ from base samples; `None` if a side has none, or a value that has
/// no place on the scale.
#[must_use]
pub fn difference(
    base: &[Observation],
    candidate: &[Observation],
    scale: Scale,
    level: f64,
) -> Option<Difference> {
    let (base, candidate) = (side(base, scale)?, side(candidate, scale)?);
    let difference = candidate.mean - base.mean;
    let variance = base.variance + candidate.variance;
    let unknown = Difference {
        difference,
        interval: None,
        p_value: None,
        method: None,
    };
    if !(variance > 0.0 && variance.is_finite()) {
        return Some(unknown);
    }
    let error = variance.sqrt();
    let freedom = base.freedom.zip(candidate.freedom).map(|(b, c)| {
        // Welch and Satterthwaite.
        let parts = base.variance.powi(2) / b + candidate.variance.powi(2) / c;
        variance * variance / parts
    });
    let (reach, p_value, method) = if let Some(freedom) = freedom {
        let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
        let reach = student.inverse_cdf(0.5 + level / 2.0);
        let p_value = 2.0 * student.cdf(-(difference / error).abs());
        (reach, p_value, Method::Welch)
    } else {
        // A side without any known error would be taken for exact.
        if base.variance <= 0.0 || candidate.variance <= 0.0 {
            return Some(unknown);
        }
        let normal = Normal::new(0.0, 1.0).ok()?;
        let reach = normal.inverse_cdf(0.5 + level / 2.0);
        let p_value = 2.0 * normal.cdf(-(difference / error).abs());
        (reach, p_value, Method::Bootstrap)
    };
    Some(Difference {
        difference,
        interval: Some(Interval {
            low: difference - reach * error,
            high: difference + reach * error,
        }),
        p_value: Some(p_value),
        method: Some(method),
    })
}

#[expect(clippy::cast_precision_loss, reason = "samples are few")]
fn side(observations: &[Observation], scale: Scale) -> Option<Side> {
    let place = |observation: &Observation| match scale {
        Scale::Ratio => (observation.value > 0.0).then(|| observation.value.ln()),
        Scale::Difference => Some(observation.value),
    };
    let values: Vec<f64> = observations.iter().map(place).collect::<Option<_>>()?;
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares = observations
        .iter()
        .filter_map(|it| Some(it.within?.powi(2)));
    let known = observations.iter().filter(|it| it.within.is_some()).count();
    let of_requests = match known {
        0 => 0.0,
        known => squares.sum::<f64>() / known as f64 / count,
    };
    if values.len() < 2 {
        return Some(Side {
            mean,
            variance: of_requests,
            freedom: None,
        });
    }
    let squares = values.iter().map(|value| (value - mean).powi(2));
    let between = squares.sum::<f64>() / (count - 1.0) / count;
    Some(Side {
        mean,
        variance: between.max(of_requests),
        freedom: Some(count - 1.0),
    })
}

/// Student's interval of a mean; `None` for less than two values.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "samples are few")]
pub fn mean_interval(values: &[f64], level: f64) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    let deviation = (squares.sum::<f64>() / (count - 1.0)).sqrt();
    let student = StudentsT::new(0.0, 1.0, count - 1.0).ok()?;
    let reach = student.inverse_cdf(0.5 + level / 2.0) * deviation / count.sqrt();
    Some(Interval {
        low: mean - reach,
        high: mean + reach,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64], within: Option<f64>) -> Vec<Observation> {
        let of = |value: &f64| Observation {
            value: *value,
            within,
        };
        values.iter().map(of).collect()
    }

    #[test]
    fn without_errors_of_requests_it_is_welchs_test() {
        let base = samples(&[100.0, 104.0, 98.0], None);
        let candidate = samples(&[110.0, 121.0, 113.0], None);
        let found = difference(&base, &candidate, Scale::Difference, 0.95).unwrap();
        // scipy.stats.ttest_ind([110,121,113], [100,104,98], equal_var=False)
        assert!(
            (found.p_value.unwrap() - 0.031_754_767_062_489_67).abs() < 1e-12,
            "{found:?}"
        );
        assert_eq!(found.method, Some(Method::Welch));
        let interval = found.interval.unwrap();
        assert!(
            (interval.low - 2.282_498_091_358_004).abs() < 1e-9,
            "{interval:?}"
        );
    }

    #[test]
    fn samples_that_are_alike_by_chance_prove_nothing() {
        let of = |value, within| samples(&[value; 3], within);
        let found = difference(
            &of(100.0, Some(0.05)),
            &of(103.0, Some(0.05)),
            Scale::Ratio,
            0.95,
        );
        assert!(found.unwrap().p_value.unwrap() > 0.3);
        let unknown = difference(&of(100.0, None), &of(103.0, None), Scale::Ratio, 0.95).unwrap();
        assert_eq!((unknown.p_value, unknown.method), (None, None));
        assert!((unknown.difference - 1.03_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn one_sample_has_the_errors_of_its_requests_alone() {
        let of = |value, within| samples(&[value], within);
        let known = difference(
            &of(1.0, Some(0.01)),
            &of(1.1, Some(0.01)),
            Scale::Ratio,
            0.95,
        );
        let known = known.unwrap();
        assert_eq!(known.method, Some(Method::Bootstrap));
        assert!(known.p_value.unwrap() < 1e-6);
        let half = difference(&of(1.0, Some(0.01)), &of(1.1, None), Scale::Ratio, 0.95);
        assert_eq!(half.unwrap().p_value, None);
        assert_eq!(difference(&[], &of(1.0, None), Scale::Ratio, 0.95), None);
        assert_eq!(
            difference(&of(0.0, None), &of(1.0, None), Scale::Ratio, 0.95),
            None
        );
    }
}
