//! Instants, kept as whole microseconds and written as RFC 3339 in UTC.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Latest instant that RFC 3339 can express: the end of the year 9999.
const LATEST_EPOCH_SECONDS: f64 = 253_402_300_799.0;

/// An instant in UTC, to the microsecond.
///
/// Serialised as RFC 3339 with six decimals and `Z`, the form that OpenSearch, Elasticsearch and
/// DuckDB read as a date without a format string: `2025-09-23T23:59:06.125779Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// From whole microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_epoch_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(|_| Self(micros))
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

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            &self
                .date_time()
                .to_rfc3339_opts(SecondsFormat::Micros, true),
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|instant| Self(instant.timestamp_micros()))
            .map_err(serde::de::Error::custom)
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
}
