//! What Prometheus answers, read.

use std::collections::BTreeSet;
use std::sync::Arc;

use guidellm_indexer::kube_burner::Labels;
use serde::de::{Error, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

/// What came back of a query.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) series: Vec<Series>,
    /// Samples that are no number: NaN, infinite, or a histogram.
    pub(super) left_out: u64,
    /// What the server says beside it.
    pub(super) warnings: Vec<String>,
}

/// A series of samples.
#[derive(Debug, PartialEq)]
pub(super) struct Series {
    pub(super) labels: Arc<Labels>,
    /// `__name__`, where the answer has more than one: labels alone do not tell series apart then.
    pub(super) name: String,
    /// Milliseconds since 1970, and a finite value.
    pub(super) samples: Vec<(i64, f64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    status: String,
    data: Option<Data>,
    error_type: Option<String>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Matrix(Vec<Row>),
    Vector(Vec<Row>),
    Scalar(Sample),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Row {
    metric: Labels,
    #[serde(default)]
    values: Vec<Sample>,
    value: Option<Sample>,
    #[serde(default)]
    histograms: Vec<IgnoredAny>,
    histogram: Option<IgnoredAny>,
}

/// Seconds, and a value in a string.
#[derive(Deserialize)]
struct Sample(f64, Number);

struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number in a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Answer {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// In words, if it is none of Prometheus.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let reply: Reply = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if reply.status != "success" {
            return Err(told(reply.error_type, reply.error));
        }
        let mut answer = Self {
            warnings: reply.warnings,
            ..Self::default()
        };
        match reply.data {
            Some(Data::Matrix(rows) | Data::Vector(rows)) => answer.take(rows),
            Some(Data::Scalar(sample)) => answer.take(vec![Row {
                metric: Labels::new(),
                values: Vec::new(),
                value: Some(sample),
                histograms: Vec::new(),
                histogram: None,
            }]),
            Some(Data::String(_)) => return Err("the query gives a string, no numbers".to_owned()),
            None => return Err("it has no data".to_owned()),
        }
        Ok(answer)
    }

    fn take(&mut self, rows: Vec<Row>) {
        let names: BTreeSet<&String> = rows.iter().filter_map(|it| it.metric.get(NAME)).collect();
        let several = names.len() > 1;
        for mut row in rows {
            let name = row.metric.remove(NAME).filter(|_| several);
            let histograms = row.histograms.len() + usize::from(row.histogram.is_some());
            self.left_out += histograms as u64;
            let mut samples = Vec::with_capacity(row.values.len() + 1);
            for Sample(seconds, Number(value)) in row.values.into_iter().chain(row.value) {
                if value.is_finite() {
                    samples.push((millis(seconds), value));
                } else {
                    self.left_out += 1;
                }
            }
            self.series.push(Series {
                labels: Arc::new(row.metric),
                name: name.unwrap_or_default(),
                samples,
            });
        }
    }
}

const NAME: &str = "__name__";

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float beyond is cut to the last instant"
)]
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

fn told(kind: Option<String>, error: Option<String>) -> String {
    let told: Vec<String> = [kind, error].into_iter().flatten().collect();
    if told.is_empty() {
        return "no reason is given".to_owned();
    }
    told.join(": ")
}

/// The reason in an answer that is an error, and whether the query itself took too long.
pub(super) fn reason(body: &[u8]) -> (String, bool) {
    /// Enough to know what answers.
    const SHOWN: usize = 200;
    if let Ok(reply) = serde_json::from_slice::<Reply>(body)
        && reply.error_type.is_some()
    {
        let timeout = reply.error_type.as_deref() == Some("timeout");
        return (told(reply.error_type, reply.error), timeout);
    }
    let text = String::from_utf8_lossy(body);
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = line.chars().take(SHOWN).collect();
    let empty = shown.is_empty();
    (
        if empty {
            "no reason is given".to_owned()
        } else {
            shown
        },
        false,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Arc<Labels> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Arc::new(owned.collect())
    }

    #[test]
    fn a_matrix_loses_names_and_what_is_no_number() {
        let answer = Answer::read(
            br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"x","pod":"a"},"values":[[1764000000,"1"],[1764000000.5,"NaN"],
            [1764000001.001,"-2.5e3"],[1764000002,"+Inf"]],"histograms":[[1,{}]]}]},
            "warnings":["partial"],"infos":["i"]}"#,
        )
        .unwrap();
        let samples = vec![(1_764_000_000_000, 1.0), (1_764_000_001_001, -2500.0)];
        let series = Series {
            labels: labels(&[("pod", "a")]),
            name: String::new(),
            samples,
        };
        let warnings = vec!["partial".to_owned()];
        assert_eq!(
            answer,
            Answer {
                series: vec![series],
                left_out: 3,
                warnings
            }
        );
    }

    #[test]
    fn vectors_and_scalars_are_series_of_one_sample() {
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"x"},"value":[1764000000,"3"]},
            {"metric":{"__name__":"y"},"value":[1764000000,"4"]}]}}"#;
        let series = Answer::read(vector).unwrap().series;
        let names: Vec<&str> = series.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["x", "y"]);
        let scalar =
            br#"{"status":"success","data":{"resultType":"scalar","result":[1764000000,"5"]}}"#;
        assert_eq!(
            Answer::read(scalar).unwrap().series[0].samples,
            [(1_764_000_000_000, 5.0)]
        );
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for (body, part) in [
            (
                &br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#[..],
                "bad_data: parse error",
            ),
            (
                br#"{"status":"success","data":{"resultType":"string","result":[1,"s"]}}"#,
                "a string",
            ),
            (br#"{"status":"success"}"#, "no data"),
            (b"<html>log in</html>", "expected value"),
            (
                br#"{"status":"success","data":{"resultType":"scalar","result":[1,"s"]}}"#,
                "invalid float",
            ),
        ] {
            let error = Answer::read(body).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(reason(b"<html>\n busy"), ("<html> busy".to_owned(), false));
        let body = br#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
        assert_eq!(reason(body), ("timeout: query timed out".to_owned(), true));
    }
}
