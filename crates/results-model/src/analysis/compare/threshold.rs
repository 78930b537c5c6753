//! How much a figure may change: `ttft_p95_ms>+5%`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::figures::{Figure, UnknownFigure};

/// How much a figure may change before it is a regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The figure.
    pub figure: Figure,
    /// Which changes cross it.
    pub crossed_by: Crossing,
    /// From where on, signed.
    pub amount: Amount,
}

/// Which changes cross a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// `>`
    Above,
    /// `<`
    Below,
}

/// A change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// Of the base, in percent.
    Percent(f64),
    /// In the figure's own unit.
    Plain(f64),
}

/// What is no threshold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ThresholdError {
    /// No figure is named so.
    #[error(transparent)]
    Figure(#[from] UnknownFigure),
    /// It has another form.
    #[error("`{0}` is no threshold; write ttft_p95_ms>+5% or request_success_rate<-0.01")]
    Form(String),
    /// It is crossed where nothing changes.
    #[error("`{0}` is crossed if nothing changes; `>` takes a rise (+5%), `<` a fall (-5%)")]
    Always(String),
}

impl Threshold {
    /// Whether a change crosses it: `base` and `candidate` in the figure's unit. `None` where a
    /// percentage has no base.
    #[must_use]
    pub fn is_crossed(&self, base: f64, candidate: f64) -> Option<bool> {
        let (change, amount) = match self.amount {
            Amount::Percent(amount) if base > 0.0 => ((candidate / base - 1.0) * 100.0, amount),
            Amount::Percent(_) => return None,
            Amount::Plain(amount) => (candidate - base, amount),
        };
        Some(match self.crossed_by {
            Crossing::Above => change > amount,
            Crossing::Below => change < amount,
        })
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ThresholdError::Form(text.to_owned());
        let place = text.find(['>', '<']).ok_or_else(form)?;
        let (name, rest) = text.split_at(place);
        let (sign, amount) = rest.split_at(1);
        let (number, percent) = match amount.trim().strip_suffix('%') {
            Some(number) => (number.trim(), true),
            None => (amount.trim(), false),
        };
        let number: f64 = number.parse().map_err(|_| form())?;
        if !number.is_finite() {
            return Err(form());
        }
        let crossed_by = if sign == ">" {
            Crossing::Above
        } else {
            Crossing::Below
        };
        let always = match crossed_by {
            Crossing::Above => number < 0.0,
            Crossing::Below => number > 0.0,
        };
        if always {
            return Err(ThresholdError::Always(text.to_owned()));
        }
        Ok(Self {
            figure: name.trim().parse()?,
            crossed_by,
            amount: if percent {
                Amount::Percent(number)
            } else {
                Amount::Plain(number)
            },
        })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.crossed_by {
            Crossing::Above => '>',
            Crossing::Below => '<',
        };
        match self.amount {
            Amount::Percent(amount) => write!(formatter, "{}{sign}{amount:+}%", self.figure),
            Amount::Plain(amount) => write!(formatter, "{}{sign}{amount:+}", self.figure),
        }
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rise_and_a_fall_are_judged_by_the_point_estimate() {
        let rise: Threshold = "ttft_p95_ms > +5%".parse().unwrap();
        assert_eq!(rise.is_crossed(100.0, 105.1), Some(true));
        assert_eq!(rise.is_crossed(100.0, 104.9), Some(false));
        assert_eq!(rise.is_crossed(0.0, 104.9), None);
        let fall: Threshold = "request_success_rate<-0.01".parse().unwrap();
        assert_eq!(fall.is_crossed(1.0, 0.985), Some(true));
        assert_eq!(fall.is_crossed(1.0, 0.995), Some(false));
        assert_eq!(
            "tpot_p95_ms>5%".parse::<Threshold>().unwrap().to_string(),
            "time_per_output_token_p95_ms>+5%"
        );
    }

    #[test]
    fn what_is_no_threshold_is_told() {
        let error = |text: &str| text.parse::<Threshold>().unwrap_err().to_string();
        assert!(error("ttft_p95_ms").contains("is no threshold"));
        assert!(error("ttft_p95_ms>five").contains("is no threshold"));
        assert!(error("ttft_p95>+5%").contains("`ttft_p95_ms` is the nearest"));
        assert!(error("throughput_mean_rps<5%").contains("if nothing changes"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            index in 0..Figure::all().count(), above: bool, percent: bool, amount in 0.0..1e4f64
        ) {
            let signed = if above { amount } else { -amount };
            let threshold = Threshold {
                figure: Figure::all().nth(index).unwrap(),
                crossed_by: if above { Crossing::Above } else { Crossing::Below },
                amount: if percent { Amount::Percent(signed) } else { Amount::Plain(signed) },
            };
            prop_assert_eq!(threshold.to_string().parse::<Threshold>(), Ok(threshold));
        }
    }
}
