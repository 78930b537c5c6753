//! `ttft_p95_ms <= 500`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::figures::{Figure, UnknownFigure};

/// How a figure has to stand to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Operator {
    const ALL: [Self; 4] = [Self::AtMost, Self::AtLeast, Self::Less, Self::More];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// What a figure has to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// The figure.
    pub figure: Figure,
    /// How it has to stand to the bound.
    pub operator: Operator,
    /// In the figure's unit.
    pub bound: f64,
}

/// A text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// It has no operator.
    #[error("`{0}` has none of <=, <, >= and >; write `ttft_p95_ms <= 500`")]
    NoOperator(String),
    /// No figure has this name.
    #[error(transparent)]
    Figure(#[from] UnknownFigure),
    /// The bound is no number.
    #[error("`{bound}` is no number{}", unit_hint(*figure))]
    Bound {
        /// The figure.
        figure: Figure,
        /// What stands for the bound.
        bound: String,
    },
}

fn unit_hint(figure: Figure) -> String {
    match figure.unit() {
        "" if figure.is_share() => format!("; {figure} is a share: write 0.99 or 99%"),
        "" => String::new(),
        unit => format!("; {figure} is in {unit}, and the number stands alone"),
    }
}

impl Condition {
    /// Whether a value keeps it.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        match self.operator {
            Operator::Less => value < self.bound,
            Operator::AtMost => value <= self.bound,
            Operator::More => value > self.bound,
            Operator::AtLeast => value >= self.bound,
        }
    }
}

/// Significant digits that are enough to tell a figure; more are told where less would judge otherwise.
const DIGITS: usize = 6;
/// What any number takes to be read back as it is.
const ALL_DIGITS: usize = 17;

impl Condition {
    /// A value as it is told: rounded, but never to the other side of the bound, or onto it.
    pub(super) fn rounded(&self, value: f64) -> f64 {
        let judged = |it: f64| it.partial_cmp(&self.bound);
        let rounded = (DIGITS..ALL_DIGITS).map(|digits| format!("{value:.*e}", digits - 1).parse());
        let mut rounded = rounded.filter_map(Result::ok);
        rounded
            .find(|it| judged(*it) == judged(value))
            .unwrap_or(value)
    }
}

impl FromStr for Condition {
    type Err = BadCondition;

    /// A figure's name, an operator, and a number; for a share, a percentage may stand.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let missing = || BadCondition::NoOperator(text.trim().to_owned());
        let at = text.find(['<', '>']).ok_or_else(missing)?;
        let (name, rest) = text.split_at_checked(at).ok_or_else(missing)?;
        let (operator, bound) = Operator::ALL
            .into_iter()
            .find_map(|operator| Some((operator, rest.strip_prefix(operator.as_str())?)))
            .ok_or_else(missing)?;
        let figure: Figure = name.trim().parse()?;
        let bound = bound.trim();
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let parsed = match bound.strip_suffix('%') {
            Some(percent) if figure.is_share() => number(percent).map(|it| it / 100.0),
            _ => number(bound),
        };
        let parsed = parsed.filter(|bound| bound.is_finite());
        Ok(Self {
            figure,
            operator,
            bound: parsed.ok_or_else(|| BadCondition::Bound {
                figure,
                bound: bound.to_owned(),
            })?,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = self.operator.as_str();
        write!(formatter, "{} {operator} {}", self.figure, self.bound)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_condition_is_told() {
        let told = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
        assert_eq!(
            told("ttft_p95_ms = 500"),
            "`ttft_p95_ms = 500` has none of <=, <, >= and >; write `ttft_p95_ms <= 500`"
        );
        assert_eq!(
            told("ttft_p96_ms <= 500"),
            "no figure is named `ttft_p96_ms`; `ttft_p90_ms` is the nearest"
        );
        assert_eq!(
            told("ttft_p95_ms <= 500ms"),
            "`500ms` is no number; ttft_p95_ms is in ms, and the number stands alone"
        );
        assert_eq!(
            told("request_success_rate >= most"),
            "`most` is no number; request_success_rate is a share: write 0.99 or 99%"
        );
        assert!(told("ttft_p95_ms <= 5%").contains("no number"));
        assert!(told("ttft_p95_ms <= NaN").contains("no number"));
    }

    #[test]
    fn what_is_told_is_judged_as_what_was_measured() {
        let told = |condition: &str, value: f64| {
            let condition: Condition = condition.parse().unwrap();
            condition.rounded(value).to_string()
        };
        assert_eq!(told("ttft_p95_ms <= 50", 59.189_081_191_202_15), "59.1891");
        assert_eq!(told("ttft_p95_ms <= 500", 1_234_567.0), "1234570");
        assert_eq!(told("ttft_p95_ms <= 500", 500.000_2), "500.0002");
        assert_eq!(told("ttft_p95_ms <= 500", 499.999_9), "499.9999");
        assert_eq!(told("request_success_rate >= 0.99", 0.989_99), "0.98999");
        assert_eq!(told("request_success_rate >= 0.99", 0.99), "0.99");
        assert_eq!(told("itl_mean_ms < 1", 0.0), "0");
    }

    #[test]
    fn bounds_belong_to_where_the_operator_says() {
        let holds = |text: &str, value| text.parse::<Condition>().unwrap().holds(value);
        assert!(holds("ttft_p95_ms <= 5", 5.0) && !holds("ttft_p95_ms < 5", 5.0));
        assert!(holds("ttft_p95_ms>=5", 5.0) && !holds("ttft_p95_ms >5", 5.0));
        assert!(holds("request_success_rate >= 99%", 0.99));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(
            place in 0..Figure::all().count(),
            operator in 0_usize..4,
            bound in -1e12_f64..1e12,
        ) {
            let condition = Condition {
                figure: Figure::all().nth(place).unwrap(),
                operator: Operator::ALL[operator],
                bound,
            };
            proptest::prop_assert_eq!(condition.to_string().parse(), Ok(condition));
        }
    }
}
