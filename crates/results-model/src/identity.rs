//! Whose documents they are, and their deterministic ids.
//!
//! An id depends on what a document *is* (run, job, sample, GuideLLM's own ids), never on the
//! bytes or the name of the file it came from. So JSON, YAML, a compressed copy and a salvaged
//! part of one report share their ids, and indexing anything twice changes nothing.

use sha1::{Digest, Sha1};
use uuid::Uuid;

use crate::documents::RunOutcome;

/// Root of this project's UUIDs (version 5). Changing it orphans every indexed document.
const ROOT: Uuid = Uuid::from_u128(0x8c9f_5f0e_2f64_5c1b_9a57_3d1e_07b4_a6d2);

/// What the caller knows about a report that the report does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunContext {
    /// The run. Any non-empty string, as in kube-burner. Without it, the report's own run id is
    /// used, and for 0.1, which has none, a UUID derived from its first record.
    pub uuid: Option<String>,
    /// The scenario; may be empty.
    pub job_name: String,
    /// Sample of the scenario, from 0.
    pub sample: u32,
    /// How the benchmark ended, if somebody watched it.
    pub outcome: RunOutcome,
}

/// UUID of a sequence of parts. Each part's length is hashed too, so that `("ab", "c")` and
/// `("a", "bc")` differ.
fn derive(kind: &str, parts: &[&str]) -> Uuid {
    let mut name = Vec::with_capacity(64);
    for part in std::iter::once(&kind).chain(parts) {
        name.extend_from_slice(&(part.len() as u64).to_le_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    version_5(ROOT, &name)
}

/// What [`Uuid::new_v5`] gives, by a SHA-1 that uses the processor's: this runs once a record.
fn version_5(namespace: Uuid, name: &[u8]) -> Uuid {
    let digest = Sha1::new()
        .chain_update(namespace)
        .chain_update(name)
        .finalize();
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(digest)
        .for_each(|(byte, of)| *byte = of);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

/// Id of a benchmark of 0.1, which has none of its own: derived from its first record, of which
/// GuideLLM made the id at random. A salvaged part has the same first record.
pub(crate) fn benchmark_id_of_first_record(benchmark_index: u32, record_id: &str) -> Uuid {
    derive("benchmark", &[&benchmark_index.to_string(), record_id])
}

/// Run of a report that names none: derived from its first benchmark's id.
pub(crate) fn run_uuid_of_benchmark(benchmark_id: &str) -> Uuid {
    derive("run", &[benchmark_id])
}

/// `document_id` of a summary, and the namespace of its requests' ids.
pub(crate) fn summary_id(
    uuid: &str,
    job_name: &str,
    sample: u32,
    run_id: Option<&str>,
    benchmark_id: &str,
) -> Uuid {
    let sample = sample.to_string();
    derive(
        "summary",
        &[
            uuid,
            job_name,
            &sample,
            run_id.unwrap_or_default(),
            benchmark_id,
        ],
    )
}

/// `document_id` of what stands for the summaries of a run that left none.
pub(crate) fn failed_run_id(uuid: &str, job_name: &str, sample: u32) -> Uuid {
    derive("failed run", &[uuid, job_name, &sample.to_string()])
}

/// Id of a load, given as JSON with its members in a fixed order: what a benchmark report calls
/// `cfg_id`.
pub(crate) fn load_id(config: &str) -> Uuid {
    derive("load", &[config])
}

/// `document_id` of a request.
pub(crate) fn request_id(summary_id: Uuid, request_id: &str) -> Uuid {
    // One SHA-1 block for GuideLLM's own ids.
    version_5(summary_id, request_id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_boundary_between_parts_changes_the_id() {
        let one = summary_id("ab", "c", 0, None, "b");
        let other = summary_id("a", "bc", 0, None, "b");
        assert_ne!(one, other);
    }

    #[test]
    fn every_part_counts() {
        let ids = [
            summary_id("u", "j", 0, Some("r"), "b"),
            summary_id("v", "j", 0, Some("r"), "b"),
            summary_id("u", "k", 0, Some("r"), "b"),
            summary_id("u", "j", 1, Some("r"), "b"),
            summary_id("u", "j", 0, Some("s"), "b"),
            summary_id("u", "j", 0, None, "b"),
            summary_id("u", "j", 0, Some("r"), "c"),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn ids_are_uuids_of_version_5() {
        let (namespace, name) = (Uuid::NAMESPACE_DNS, "rust-lang.org");
        let expected = Uuid::new_v5(&namespace, name.as_bytes());
        assert_eq!(version_5(namespace, name.as_bytes()), expected);
    }

    #[test]
    fn ids_never_change_between_releases() {
        let summary = summary_id("u", "j", 0, Some("r"), "b");
        let request = request_id(summary, "q");
        insta::assert_snapshot!(format!("{summary}\n{request}"));
    }
}
