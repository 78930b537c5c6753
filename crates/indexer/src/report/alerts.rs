//! Alerts that were recorded beside the documents, as the page shows them.

use guidellm_results_model::slo::Severity;
use serde::Serialize;

use super::given::AlertRow;
use super::numbers;
use crate::kube_burner::Alert;

/// Alerts that are listed, at most.
const LISTED: usize = 100;

/// Severities, the worst first.
const SEVERITIES: [Severity; 4] = [
    Severity::Critical,
    Severity::Error,
    Severity::Warning,
    Severity::Info,
];

/// All alerts, the bad ones first.
#[derive(Debug, Serialize)]
pub(super) struct Alerts {
    /// How many there are of each severity: `1 critical, 3 warning`.
    counts: String,
    /// Whether one of them is bad enough to make a check fail.
    bad: bool,
    rows: Vec<AlertText>,
    /// Alerts that are not listed.
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct AlertText {
    severity: String,
    bad: bool,
    time: String,
    job_name: String,
    /// Where there are several runs.
    uuid: Option<String>,
    description: String,
    /// Where the description does not begin with it.
    expression: Option<String>,
}

impl From<Alert> for AlertRow {
    fn from(alert: Alert) -> Self {
        Self {
            timestamp: alert.timestamp,
            uuid: alert.uuid,
            job_name: alert.job_name,
            severity: alert.severity,
            description: alert.description,
            expression: alert.expr,
        }
    }
}

/// Them, where `several` says whether runs have to be told apart.
pub(super) fn alerts(alerts: &[AlertRow], several: bool) -> Alerts {
    let mut rows: Vec<&AlertRow> = alerts.iter().collect();
    rows.sort_by(|one, other| {
        let key = |it: &AlertRow| (std::cmp::Reverse(it.severity), it.timestamp);
        let texts = |it: &'_ AlertRow| (it.uuid.clone(), it.description.clone());
        let order = key(one).cmp(&key(other));
        order.then_with(|| texts(one).cmp(&texts(other)))
    });
    let counts = SEVERITIES.into_iter().filter_map(|severity| {
        let count = rows.iter().filter(|it| it.severity == severity).count();
        (count > 0).then(|| format!("{} {severity}", numbers::count(count as u64)))
    });
    let text = |row: &&AlertRow| AlertText {
        severity: row.severity.to_string(),
        bad: is_bad(row),
        time: numbers::instant(row.timestamp),
        job_name: row.job_name.to_string(),
        uuid: several.then(|| row.uuid.to_string()),
        description: row.description.clone(),
        expression: {
            let told = row.description.starts_with(&*row.expression);
            (!told).then(|| row.expression.to_string())
        },
    };
    Alerts {
        counts: counts.collect::<Vec<_>>().join(", "),
        bad: rows.iter().any(|it| is_bad(it)),
        left_out: rows.len().saturating_sub(LISTED),
        rows: rows.iter().take(LISTED).map(text).collect(),
    }
}

fn is_bad(alert: &AlertRow) -> bool {
    alert.severity >= Severity::Error
}

#[cfg(test)]
mod tests {
    use guidellm_results_model::documents::Timestamp;

    use super::*;

    fn row(severity: Severity, seconds: u32) -> AlertRow {
        AlertRow {
            timestamp: Timestamp::from_epoch_seconds(1.76e9 + f64::from(seconds)).unwrap(),
            uuid: "u".into(),
            job_name: "steady".into(),
            severity,
            description: format!("{severity} {seconds}"),
            expression: "up == 0".into(),
        }
    }

    #[test]
    fn the_worst_come_first_and_all_are_counted() {
        let mut given: Vec<AlertRow> = (0..150)
            .map(|it| row(Severity::Warning, 150 - it))
            .collect();
        given.push(row(Severity::Critical, 500));
        given.push(row(Severity::Info, 0));
        let shown = alerts(&given, false);
        assert_eq!(shown.counts, "1 critical, 150 warning, 1 info");
        assert_eq!(
            (shown.rows.len(), shown.left_out, shown.bad),
            (100, 52, true)
        );
        let told: Vec<&str> = shown.rows.iter().map(|it| &*it.description).collect();
        assert_eq!(
            told.get(..3).unwrap(),
            ["critical 500", "warning 1", "warning 2"]
        );
        assert!(!alerts(&[row(Severity::Warning, 1)], true).bad);
    }

    #[test]
    fn an_objective_is_told_once() {
        let mut given = [row(Severity::Error, 1), row(Severity::Error, 2)];
        given[1].description = "steady: itl_mean_ms < 1: missed, it is 7 ms".to_owned();
        given[1].expression = "steady: itl_mean_ms < 1".into();
        let shown = alerts(&given, false);
        let told: Vec<Option<&str>> = shown
            .rows
            .iter()
            .map(|it| it.expression.as_deref())
            .collect();
        assert_eq!(told, [Some("up == 0"), None]);
    }
}
