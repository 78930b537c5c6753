//! Deterministic ids: of what a document is, never of what it says.

use uuid::Uuid;

use super::Document;

/// Root of these UUIDs (version 5). Changing it orphans every document in an index.
const ROOT: Uuid = Uuid::from_u128(0x1d0c_6a3b_94e7_5f52_8b1e_c7f0_35a9_4e68);

/// UUID of a sequence of parts. Each part's length counts too, so that `("ab", "c")` and
/// `("a", "bc")` differ.
fn derive<'a>(kind: &'a str, parts: impl IntoIterator<Item = &'a str>) -> Uuid {
    let mut name = Vec::with_capacity(256);
    for part in std::iter::once(kind).chain(parts) {
        name.extend_from_slice(&(part.len() as u64).to_le_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&ROOT, &name)
}

impl Document {
    /// Its `_id`: of a sample from run, job, name, series and time; of a job from run and job; of an
    /// alert from run, text and time.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let time = self.timestamp().epoch_micros().to_string();
        match self {
            Self::Metric(it) => {
                let fixed = [&*it.uuid, &*it.job_name, &*it.metric_name, &*it.origin];
                let labels = it.labels.iter().flat_map(|(name, value)| [name, value]);
                let labels = labels.map(String::as_str);
                derive("metric", fixed.into_iter().chain([&*time]).chain(labels))
            }
            Self::JobSummary(it) => derive("jobSummary", [&*it.uuid, it.job_name()]),
            Self::Alert(it) => derive("alert", [&*it.uuid, &*it.description, &*time]),
        }
    }

    /// What it is written together with in a store: a metric's samples of a job, a job, an
    /// expression's alerts in a job.
    #[cfg(feature = "store")]
    pub(crate) fn table_id(&self) -> Uuid {
        match self {
            Self::Metric(it) => {
                let parts = [&*it.uuid, &*it.job_name, &*it.metric_name, &*it.origin];
                derive("metric's table", parts)
            }
            Self::JobSummary(_) => self.id(),
            Self::Alert(it) => derive("alert's table", [&*it.uuid, &*it.job_name, &*it.expr]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::documents::tests::{alert, instant, metric, summary};
    use super::super::{Labels, Metric};
    use super::*;

    #[test]
    fn moving_a_boundary_between_parts_changes_the_id() {
        assert_ne!(derive("k", ["ab", "c"]), derive("k", ["a", "bc"]));
        assert_ne!(derive("k", ["a"]), derive("k", ["a", ""]));
        assert_ne!(derive("ka", []), derive("k", ["a"]));
    }

    #[test]
    fn ids_follow_from_identity_alone() {
        let id = |metric: Metric| Document::Metric(metric).id();
        let same = Metric {
            value: 7.0,
            query: "sum(y)".into(),
            during_load: true,
            ..metric()
        };
        assert_eq!(id(same), id(metric()));
        let pod = Labels::from([("pod".to_owned(), "epp-1".to_owned())]);
        let later = instant(1_764_000_001);
        let others = [
            Metric {
                uuid: "v".into(),
                ..metric()
            },
            Metric {
                job_name: "k".into(),
                ..metric()
            },
            Metric {
                metric_name: "memory".into(),
                ..metric()
            },
            Metric {
                origin: "2".into(),
                ..metric()
            },
            Metric {
                timestamp: later,
                ..metric()
            },
            Metric {
                labels: Arc::new(pod),
                ..metric()
            },
            Metric {
                labels: Arc::default(),
                ..metric()
            },
        ];
        let ids = others.map(id).into_iter().chain([id(metric())]);
        let distinct: std::collections::BTreeSet<Uuid> = ids.collect();
        assert_eq!(distinct.len(), 8);
    }

    #[test]
    fn ids_never_change_between_releases() {
        let ids = [
            Document::Metric(metric()).id(),
            Document::JobSummary(Box::new(summary())).id(),
            Document::Alert(alert()).id(),
        ];
        assert_eq!(
            ids.map(|id| id.to_string()),
            [
                "97e24b3a-d581-5576-a45e-b9b2b0c1cd3d",
                "3c2afc6b-f827-599c-8d94-c75cd55a5e67",
                "08cde758-586f-5249-aee2-a6736e1095c9",
            ]
        );
    }
}
