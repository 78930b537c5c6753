//! Instants, kept as whole microseconds and written as RFC 3339 in UTC.

use std::fmt;

use bitcode::{Decode, Encode};
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Latest instant that RFC 3339 can express: the end of the year 9999.
const LATEST_EPOCH_SECONDS: f64 = 253_402_300_799.0;

/// An instant in UTC, to the microsecond.
///
/// Serialised as RFC 3339 with six decimals and `Z`, the form that OpenSearch, Elasticsearch and
/// DuckDB read as a date without a format string: `2025-09-23T23:59:06.125779Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From a GuideLLM clock: seconds since 1970-01-01T00:00:00Z as a float.
    ///
    /// `None` for what is no clock: NaN, an infinity, zero or less (GuideLLM writes 0 and -1 for
    /// "never happened"), or a year past 9999.
    #[must_use]
    pub fn from_epoch_seconds(seconds: f64) -> Option<Self> {
        if !(seconds > 0.0 && seconds < LATEST_EPOCH_SECONDS) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "bounded by the check above"
        )]
        Some(Self((seconds * 1e6).round() as i64))
    }

    /// From whole microseconds since 1970-01-01T00:00:00Z; `None` for a year that RFC 3339 cannot
    /// express.
    #[must_use]
    pub fn from_epoch_micros(micros: i64) -> Option<Self> {
        let instant = DateTime::from_timestamp_micros(micros)?;
        (0..=9999).contains(&instant.year()).then_some(Self(micros))
    }

    /// Whole microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn epoch_micros(self) -> i64 {
        self.0
    }

    fn date_time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

/// What is written of an instant: digits take the place of the zeros.
const FORM: [u8; 27] = *b"0000-00-00T00:00:00.000000Z";

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Timestamp {
    /// The text, without the detours of a general format: a request has ten of them.
    fn text(self) -> [u8; FORM.len()] {
        let date = self.date_time().date_naive();
        let micros = self.0.rem_euclid(MICROS_PER_DAY);
        let seconds = micros / 1_000_000;
        let mut text = FORM;
        for (place, number) in [
            (0..4, i64::from(date.year())),
            (5..7, i64::from(date.month())),
            (8..10, i64::from(date.day())),
            (11..13, seconds / 3600),
            (14..16, seconds / 60 % 60),
            (17..19, seconds % 60),
            (20..26, micros % 1_000_000),
        ] {
            let mut left = number.unsigned_abs();
            for digit in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
                *digit += (left % 10) as u8;
                left /= 10;
            }
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Self::from_epoch_micros(instant.timestamp_micros())
            .ok_or_else(|| serde::de::Error::custom("its year is past 9999"))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 in UTC with microseconds"
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_written_in_utc_with_microseconds() {
        let clock = Timestamp::from_epoch_seconds(1_758_671_946.125_779).unwrap();
        assert_eq!(clock.to_string(), "2025-09-23T23:59:06.125779Z");
    }

    #[test]
    fn whole_seconds_keep_their_six_decimals() {
        let clock = Timestamp::from_epoch_seconds(1_758_671_946.0).unwrap();
        assert_eq!(clock.to_string(), "2025-09-23T23:59:06.000000Z");
    }

    #[test]
    fn what_is_no_clock_is_absent() {
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Timestamp::from_epoch_seconds(seconds), None, "{seconds}");
        }
    }

    #[test]
    fn text_form_reads_back() {
        let clock = Timestamp::from_epoch_seconds(1_795_499_776.049_934_6).unwrap();
        let text = serde_json::to_string(&clock).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), clock);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(5000))]

        #[test]
        fn the_text_is_chronos(micros in -62_167_219_200_000_000_i64..=253_402_300_799_999_999) {
            let clock = Timestamp::from_epoch_micros(micros).unwrap();
            let expected = clock.date_time().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            proptest::prop_assert_eq!(clock.to_string(), expected);
        }
    }
}
