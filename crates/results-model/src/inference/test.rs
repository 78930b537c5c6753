//! Whether two sets of samples differ by more than chance.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{Scale, mean, number, variance};

/// Smaller than this no p-value is given: the distributions are models, and no model is known
/// that far into its tail.
const SMALLEST_P: f64 = 1e-12;

/// Degrees of freedom where requests tell the noise: their errors come of tens of blocks a sample.
const MOST_WITH_FLOOR: f64 = 100.0;

/// From so many samples on, a side's own variance is known well enough to need no floor, which would
/// only hide effects.
const ENOUGH: usize = 5;

/// One sample's figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The figure, in its own unit.
    pub value: f64,
    /// Its standard error on the scale of the comparison, as the sample's own requests tell it.
    pub within: Option<f64>,
}

/// What a p-value rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum Method {
    /// Welch's t-test on the samples' figures.
    Welch {
        /// By Welch and Satterthwaite.
        degrees_of_freedom: f64,
    },
    /// The same, but on a side the samples are closer to each other than their requests allow, and
    /// the requests' variance took the place of theirs.
    WelchFloored {
        /// By Welch and Satterthwaite; only the samples' own part of the variance costs any.
        degrees_of_freedom: f64,
    },
    /// A side has one sample: noise between runs is unknown, and only the requests' own is counted.
    RequestsOnly,
    /// Nothing is known of the noise.
    None {
        /// Why.
        reason: Unknown,
    },
}

/// Why nothing is known of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// A side has one sample, and its requests are too few, or have no such figure.
    OneSample,
    /// All samples of each side are equal, and no requests say how far they might have differed.
    EqualSamples,
}

/// Why values cannot be compared at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untestable {
    /// A side has no sample.
    #[error("a side has no sample with this figure")]
    Empty,
    /// A value has no place on the scale.
    #[error("a value is 0 or less, which has no ratio")]
    OffScale,
}

/// A comparison of two sets of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// Candidate less base on the scale: the logarithm of the ratio, or the difference.
    pub difference: f64,
    /// Standard error of the difference; absent where nothing is known of the noise.
    pub standard_error: Option<f64>,
    /// Ends of the confidence interval of the difference.
    pub interval: Option<(f64, f64)>,
    /// Probability of a difference at least this large by chance. Absent where nothing is known of
    /// the noise, and never below 1e-12.
    pub p_value: Option<f64>,
    /// What these rest on.
    pub method: Method,
    level: f64,
}

/// Compares two sets of samples.
///
/// With two samples or more on each side this is Welch's t-test, with one addition: the variance
/// of a side with less than five samples is at least the mean of its samples' `within²`. Three
/// samples that are equal by chance are no proof of a quiet system. What the requests add is known from many blocks of time,
/// and so the degrees of freedom count the samples' own variance alone. Simulated, three samples a
/// side raise a false alarm at 5 % in 1 to 4.5 % of comparisons, whatever the noise between runs
/// (`tests/independent/check_statistics.py`). With one sample on a side only the requests' own noise
/// is known ([`Method::RequestsOnly`]).
///
/// # Errors
///
/// If a side is empty, or a value is not on the scale.
pub fn compare_samples(
    base: &[Observation],
    candidate: &[Observation],
    scale: Scale,
    level: f64,
) -> Result<Test, Untestable> {
    let (base, candidate) = (Side::of(base, scale)?, Side::of(candidate, scale)?);
    let (error, method) = noise(&base, &candidate);
    let test = Test {
        difference: 0.0,
        standard_error: error,
        interval: None,
        p_value: None,
        method,
        level,
    };
    Ok(test.about(candidate.mean - base.mean))
}

impl Test {
    /// The same noise around another estimate of the difference: that of all requests together,
    /// say, whose noise between runs is that of the samples.
    #[must_use]
    pub fn about(self, difference: f64) -> Self {
        let Some(error) = self.standard_error else {
            return Self { difference, ..self };
        };
        let (p_value, critical) = match self.method {
            Method::Welch { degrees_of_freedom } | Method::WelchFloored { degrees_of_freedom } => {
                students(difference / error, degrees_of_freedom, self.level)
            }
            Method::RequestsOnly | Method::None { .. } => {
                tails(&Normal::standard(), difference / error, self.level)
            }
        };
        Self {
            difference,
            interval: Some((
                critical.mul_add(-error, difference),
                critical.mul_add(error, difference),
            )),
            p_value: Some(p_value.max(SMALLEST_P)),
            ..self
        }
    }
}

/// One side, on the scale.
struct Side {
    count: usize,
    mean: f64,
    /// Variance between the samples.
    between: Option<f64>,
    /// Mean of the variances within the samples that have one.
    within: Option<f64>,
}

impl Side {
    fn of(observations: &[Observation], scale: Scale) -> Result<Self, Untestable> {
        let values: Option<Vec<f64>> = observations
            .iter()
            .map(|observation| scale.of(observation.value))
            .collect();
        let values = values.ok_or(Untestable::OffScale)?;
        let within: Vec<f64> = observations
            .iter()
            .filter_map(|observation| observation.within)
            .filter(|within| within.is_finite())
            .map(|within| within * within)
            .collect();
        Ok(Self {
            count: values.len(),
            mean: mean(&values).ok_or(Untestable::Empty)?,
            between: variance(&values),
            within: mean(&within),
        })
    }

    /// Variance of the side's mean that the requests alone make.
    fn of_requests(&self) -> Option<f64> {
        Some(self.within? / number(self.count))
    }

    /// Variance of the side's mean, and whether the requests had to say it.
    fn of_samples(&self) -> Option<(f64, bool)> {
        let between = self.between? / number(self.count);
        let floor = self.of_requests().filter(|_| self.count < ENOUGH);
        let floor = floor.unwrap_or(0.0);
        Some((between.max(floor), floor > between))
    }
}

/// Standard error of the difference of the means, and what it rests on.
fn noise(base: &Side, candidate: &Side) -> (Option<f64>, Method) {
    let (Some((one, one_floored)), Some((other, other_floored))) =
        (base.of_samples(), candidate.of_samples())
    else {
        return match (base.of_requests(), candidate.of_requests()) {
            (Some(one), Some(other)) if one + other > 0.0 => {
                (Some((one + other).sqrt()), Method::RequestsOnly)
            }
            _ => (
                None,
                Method::None {
                    reason: Unknown::OneSample,
                },
            ),
        };
    };
    let together = one + other;
    if together <= 0.0 {
        return (
            None,
            Method::None {
                reason: Unknown::EqualSamples,
            },
        );
    }
    let own = |side: &Side| {
        let variance = side.between.unwrap_or_default() / number(side.count);
        variance.powi(2) / number(side.count - 1)
    };
    let degrees_of_freedom = together.powi(2) / (own(base) + own(candidate));
    let method = if one_floored || other_floored {
        Method::WelchFloored {
            degrees_of_freedom: degrees_of_freedom.min(MOST_WITH_FLOOR),
        }
    } else {
        Method::Welch { degrees_of_freedom }
    };
    (Some(together.sqrt()), method)
}

/// Two-sided p-value, and how many standard errors an interval reaches to each side.
fn students(statistic: f64, degrees_of_freedom: f64, level: f64) -> (f64, f64) {
    match StudentsT::new(0.0, 1.0, degrees_of_freedom) {
        Ok(distribution) => tails(&distribution, statistic, level),
        // Degrees of freedom are at least 1, and finite but for variances beyond all measure.
        Err(_) => tails(&Normal::standard(), statistic, level),
    }
}

fn tails(distribution: &impl ContinuousCDF<f64, f64>, statistic: f64, level: f64) -> (f64, f64) {
    let p_value = 2.0 * distribution.cdf(-statistic.abs());
    (
        p_value.min(1.0),
        distribution.inverse_cdf(f64::midpoint(1.0, level)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(values: &[f64], within: Option<f64>) -> Vec<Observation> {
        let observe = |value: &f64| Observation {
            value: *value,
            within,
        };
        values.iter().map(observe).collect()
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn without_floor_it_is_welchs_test() {
        let base = observed(&[10.0, 11.0, 12.0], None);
        let candidate = observed(&[14.0, 15.0, 18.0, 20.0], None);
        let test = compare_samples(&base, &candidate, Scale::Difference, 0.95).unwrap();
        // scipy.stats.ttest_ind([14, 15, 18, 20], [10, 11, 12], equal_var=False)
        near(test.p_value.unwrap(), 0.018_596_215_564_230_814);
        let (low, high) = test.interval.unwrap();
        near(low, 1.589_717_364_747_293);
        near(high, 9.910_282_635_252_706);
        assert!(matches!(test.method, Method::Welch { .. }));
    }

    #[test]
    fn equal_samples_are_no_proof() {
        let base = observed(&[100.0; 3], Some(0.02));
        let candidate = observed(&[102.0; 3], Some(0.02));
        let test = compare_samples(&base, &candidate, Scale::Ratio, 0.95).unwrap();
        assert!(test.p_value.unwrap() > 0.05);
        assert!(matches!(test.method, Method::WelchFloored { .. }));

        let base = observed(&[100.0; 3], None);
        let candidate = observed(&[103.0; 3], None);
        let test = compare_samples(&base, &candidate, Scale::Ratio, 0.95).unwrap();
        assert_eq!(test.p_value, None);
        let reason = Unknown::EqualSamples;
        assert_eq!(test.method, Method::None { reason });
    }

    #[test]
    fn five_samples_tell_their_noise_themselves() {
        let (base, candidate) = ([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 4.0, 5.0, 6.0, 8.0]);
        let test = |within| {
            let (base, candidate) = (observed(&base, within), observed(&candidate, within));
            compare_samples(&base, &candidate, Scale::Difference, 0.95).unwrap()
        };
        assert_eq!(test(None), test(Some(10.0)));
        let four = compare_samples(
            &observed(&base[..4], Some(10.0)),
            &observed(&candidate, Some(10.0)),
            Scale::Difference,
            0.95,
        );
        assert!(matches!(four.unwrap().method, Method::WelchFloored { .. }));
    }

    #[test]
    fn one_sample_leaves_the_requests_noise() {
        let base = observed(&[100.0], Some(0.03));
        let candidate = observed(&[110.0, 111.0], Some(0.04 * std::f64::consts::SQRT_2));
        let test = compare_samples(&base, &candidate, Scale::Ratio, 0.95).unwrap();
        assert_eq!(test.method, Method::RequestsOnly);
        near(test.standard_error.unwrap(), 0.05);
        let none = compare_samples(&base, &observed(&[110.0], None), Scale::Ratio, 0.95).unwrap();
        assert_eq!((none.p_value, none.interval), (None, None));
        let reason = Unknown::OneSample;
        assert_eq!(none.method, Method::None { reason });
    }

    #[test]
    fn what_has_no_ratio_is_told() {
        let compare = |base: &[f64], candidate: &[f64]| {
            compare_samples(
                &observed(base, None),
                &observed(candidate, None),
                Scale::Ratio,
                0.95,
            )
        };
        assert_eq!(compare(&[], &[1.0]), Err(Untestable::Empty));
        assert_eq!(compare(&[0.0], &[1.0]), Err(Untestable::OffScale));
        assert_eq!(compare(&[f64::NAN], &[1.0]), Err(Untestable::OffScale));
    }

    proptest::proptest! {
        #[test]
        fn sides_may_be_swapped(
            base in proptest::collection::vec((0.1_f64..1e4, proptest::option::of(0.0_f64..0.5)), 1..6),
            candidate in proptest::collection::vec((0.1_f64..1e4, proptest::option::of(0.0_f64..0.5)), 1..6),
        ) {
            let observe = |values: &[(f64, Option<f64>)]| -> Vec<Observation> {
                values.iter().map(|&(value, within)| Observation { value, within }).collect()
            };
            let (base, candidate) = (observe(&base), observe(&candidate));
            let one = compare_samples(&base, &candidate, Scale::Ratio, 0.95).unwrap();
            let other = compare_samples(&candidate, &base, Scale::Ratio, 0.95).unwrap();
            proptest::prop_assert!((one.difference + other.difference).abs() < 1e-9);
            proptest::prop_assert_eq!(one.p_value.is_some(), one.interval.is_some());
            if let (Some(one_p), Some(other_p)) = (one.p_value, other.p_value) {
                proptest::prop_assert!((one_p - other_p).abs() < 1e-9);
                proptest::prop_assert!(one_p > 0.0 && one_p <= 1.0);
                let (low, high) = one.interval.unwrap();
                proptest::prop_assert!(low <= one.difference && one.difference <= high);
                // The interval leaves 0 out where p is below 1 - level.
                if (one_p - 0.05).abs() > 1e-6 {
                    proptest::prop_assert_eq!(one_p < 0.05, low > 0.0 || high < 0.0);
                }
            }
        }
    }
}
