//! Expressions that should give nothing, and what is said where they do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use guidellm_indexer::kube_burner::{
    Alert, AlertMetricName, Document, DocumentSink, Labels, Severity,
};
use guidellm_results_model::Exit;
use serde::Serialize;

use super::answer::Series;
use super::client::{At, Client};
use super::fetch::{Fetch, Request};
use super::profile::{AlertProfile, Rule};
use super::window::{Window, instant};
use super::{Context, FailedQuery, environment, exit, hand_over, warn};

/// What came of evaluating alerts.
#[derive(Debug, Default, Serialize)]
pub struct Alerted {
    /// Those that fired, in the order of their expressions.
    pub alerts: Vec<Alert>,
    /// Expressions that could not be evaluated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedQuery>,
    /// What the server said beside its answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Alerted {
    /// The worst that fired.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.alerts.iter().map(|alert| alert.severity).max()
    }

    /// How a command ends after it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let crossed = self.worst() >= Some(Severity::Error);
        let crossed = if crossed {
            Exit::ThresholdCrossed
        } else {
            Exit::Done
        };
        crossed.max(exit(&self.failed))
    }
}

/// How long the series of an expression have been there, from one answer to the next.
#[derive(Default)]
struct Held(BTreeMap<(String, Arc<Labels>), Spell>);

struct Spell {
    since: i64,
    last: i64,
    fired: bool,
}

impl Held {
    /// The first sample of a series that has been there long enough, if it is among these.
    fn first(&mut self, series: &Series, step: i64, held: Duration) -> Option<(i64, f64)> {
        let held = i64::try_from(held.as_millis()).unwrap_or(i64::MAX);
        let key = (series.name.clone(), Arc::clone(&series.labels));
        let (start, _) = series.samples.first()?;
        let spell = self.0.entry(key).or_insert(Spell {
            since: *start,
            last: *start,
            fired: false,
        });
        for (time, value) in &series.samples {
            if time - spell.last > step {
                spell.since = *time;
            }
            spell.last = *time;
            if !spell.fired && time - spell.since >= held {
                spell.fired = true;
                return Some((*time, *value));
            }
        }
        None
    }
}

/// Evaluates all expressions over a window; each series fires once, at its first sample that has
/// held for as long as the profile asks. Alerts go to the sink as well.
///
/// # Errors
///
/// If the sink fails. Expressions that cannot be evaluated are in the outcome.
pub async fn alerts<S: DocumentSink + ?Sized + 'static>(
    client: &Client,
    profiles: &[AlertProfile],
    window: &Window,
    context: &Context,
    sink: &Arc<S>,
) -> Result<Alerted> {
    let mut alerted = Alerted::default();
    let rules: Vec<&Rule> = profiles.iter().flat_map(|profile| &profile.rules).collect();
    let requests = requests(&rules, window, context, &mut alerted);
    client.wait_for_last_scrape(window.end()).await;
    let mut held: BTreeMap<usize, Held> = BTreeMap::new();
    let mut told = BTreeSet::new();
    let mut fetch = Fetch::new(client, requests);
    while let Some((request, answered)) = fetch.next().await {
        let number = request.of;
        let Some(rule) = rules.get(number) else {
            continue;
        };
        let answer = match answered {
            Ok(answer) => answer,
            Err(error) => {
                alerted.fail(rule, &request, &error);
                if error.is_general() {
                    for request in fetch.give_up() {
                        if let Some(rule) = rules.get(request.of) {
                            alerted.fail(rule, &request, &error);
                        }
                    }
                    break;
                }
                continue;
            }
        };
        warn(&mut alerted.warnings, answer.warnings);
        let held = held.entry(number).or_default();
        for series in &answer.series {
            let Some(sample) = held.first(series, window.step(), rule.held) else {
                continue;
            };
            match alert(rule, series, sample, context) {
                Ok(alert) if told.insert(Document::Alert(alert.clone()).id()) => {
                    alerted.alerts.push(alert);
                }
                Ok(_) => {}
                Err(error) => alerted.failed.push(FailedQuery {
                    name: rule.text.clone(),
                    query: request.query.to_string(),
                    error: format!("it fired, but its description cannot be filled in: {error}"),
                    is_away: false,
                }),
            }
        }
    }
    let documents = alerted.alerts.iter().cloned().map(Document::Alert);
    hand_over(documents.collect(), sink).await?;
    Ok(alerted)
}

fn requests(
    rules: &[&Rule],
    window: &Window,
    context: &Context,
    alerted: &mut Alerted,
) -> Vec<Request<usize>> {
    let env = environment();
    let values = context.values(window, &env);
    let mut requests = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        match rule.expr.render(&values) {
            Ok(query) => {
                let query: Arc<str> = query.into();
                requests.extend(window.chunks().map(|chunk| Request {
                    of: number,
                    query: Arc::clone(&query),
                    at: At::Range(chunk),
                }));
            }
            Err(error) => alerted.failed.push(FailedQuery {
                name: rule.text.clone(),
                query: String::new(),
                error: format!("cannot be filled in: {error}"),
                is_away: false,
            }),
        }
    }
    requests
}

fn alert(
    rule: &Rule,
    series: &Series,
    (time, value): (i64, f64),
    context: &Context,
) -> Result<Alert, String> {
    let timestamp = instant(time).ok_or("its time is none")?;
    Ok(Alert {
        timestamp,
        uuid: Arc::clone(&context.uuid),
        severity: rule.severity,
        description: rule.description.render(&series.labels, value)?,
        metric_name: AlertMetricName::Alert,
        churn_metric: false,
        metadata: Arc::clone(&context.metadata),
        job_name: Arc::clone(&context.job_name),
        expr: rule.text.as_str().into(),
    })
}

impl Alerted {
    fn fail(&mut self, rule: &Rule, request: &Request<usize>, error: &super::PrometheusError) {
        let known = |it: &FailedQuery| it.name == rule.text && *it.query == *request.query;
        if !self.failed.iter().any(known) {
            let failed = FailedQuery::new(&rule.text, &request.query, error);
            self.failed.push(failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(times: &[i64]) -> Series {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let samples = times.iter().map(|time| (*time, *time as f64)).collect();
        Series {
            labels: Arc::default(),
            name: String::new(),
            samples,
        }
    }

    #[test]
    fn a_series_fires_once_at_its_first_sample() {
        let mut held = Held::default();
        assert_eq!(held.first(&series(&[]), 10, Duration::ZERO), None);
        assert_eq!(
            held.first(&series(&[5, 15]), 10, Duration::ZERO),
            Some((5, 5.0))
        );
        assert_eq!(held.first(&series(&[25]), 10, Duration::ZERO), None);
    }

    #[test]
    fn a_break_starts_the_time_anew_and_an_answers_end_does_not() {
        let long = Duration::from_millis(20);
        let mut held = Held::default();
        assert_eq!(held.first(&series(&[0, 10]), 10, long), None);
        assert_eq!(held.first(&series(&[20]), 10, long), Some((20, 20.0)));
        let mut held = Held::default();
        assert_eq!(held.first(&series(&[0, 10, 30, 40]), 10, long), None);
        assert_eq!(held.first(&series(&[50, 60]), 10, long), Some((50, 50.0)));
    }

    #[test]
    fn errors_cross_a_threshold_and_warnings_do_not() {
        let of = |severity| Alerted {
            alerts: vec![Alert {
                timestamp: instant(0).unwrap(),
                uuid: "".into(),
                severity,
                description: String::new(),
                metric_name: AlertMetricName::Alert,
                churn_metric: false,
                metadata: Arc::default(),
                job_name: "".into(),
                expr: "".into(),
            }],
            ..Alerted::default()
        };
        assert_eq!(Alerted::default().exit(), Exit::Done);
        assert_eq!(of(Severity::Warning).exit(), Exit::Done);
        assert_eq!(of(Severity::Error).exit(), Exit::ThresholdCrossed);
        assert_eq!(of(Severity::Critical).exit(), Exit::ThresholdCrossed);
    }
}
