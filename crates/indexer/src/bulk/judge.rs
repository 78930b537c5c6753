//! What became of each document of a batch, by the server's answer.

use serde::Deserialize;

use super::Operation;
use crate::cluster::is_passing;

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was not there before.
    Created,
    /// It replaced one with its id.
    Updated,
    /// One with its id was there and was to stay.
    Unchanged,
    /// Not taken now; maybe later.
    Again {
        /// Its own status.
        status: u16,
        /// The server's reason.
        reason: String,
    },
    /// Never taken as it is.
    Rejected {
        /// Its own status.
        status: u16,
        /// The server's reason.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

/// The operation is the item's only member.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Item {
    Index(Done),
    Create(Done),
}

#[derive(Deserialize)]
struct Done {
    status: u16,
    result: Option<String>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Failure {
    Typed {
        #[serde(rename = "type")]
        kind: Option<String>,
        reason: Option<String>,
        caused_by: Option<Cause>,
    },
    Text(String),
}

/// What lies behind a failure, which may say no more than that there is one.
#[derive(Deserialize)]
struct Cause {
    reason: Option<String>,
}

impl Failure {
    fn text(self) -> String {
        match self {
            Self::Typed {
                kind,
                reason,
                caused_by,
            } => {
                let cause = caused_by.and_then(|cause| cause.reason);
                let parts = [kind, reason, cause];
                parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
            }
            Self::Text(text) => text,
        }
    }
}

/// A verdict for each of the `sent` documents, in their order. `None` if this is no answer to
/// them: then nothing is known, and since ids are fixed, all may be sent again.
pub(super) fn judge(body: &[u8], sent: usize) -> Option<Vec<Verdict>> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    if answer.items.len() != sent {
        return None;
    }
    Some(answer.items.into_iter().map(verdict).collect())
}

fn verdict(item: Item) -> Verdict {
    let (operation, done) = match item {
        Item::Index(done) => (Operation::Index, done),
        Item::Create(done) => (Operation::Create, done),
    };
    let Done {
        status,
        result,
        error,
    } = done;
    match (status, result.as_deref()) {
        (200..300, Some("noop")) => Verdict::Unchanged,
        (200..300, Some("updated")) | (200, None) => Verdict::Updated,
        (200..300, _) => Verdict::Created,
        (409, _) if operation == Operation::Create => Verdict::Unchanged,
        _ => {
            let reason = error.map(Failure::text).unwrap_or_default();
            if is_passing(status) {
                Verdict::Again { status, reason }
            } else {
                Verdict::Rejected { status, reason }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(status: u16, reason: &str) -> Verdict {
        let reason = reason.to_owned();
        Verdict::Again { status, reason }
    }

    fn rejected(status: u16, reason: &str) -> Verdict {
        let reason = reason.to_owned();
        Verdict::Rejected { status, reason }
    }

    #[test]
    fn each_position_is_judged_by_itself() {
        let body = br#"{"took": 3, "errors": true, "items": [
            {"index": {"_id": "a", "status": 201, "result": "created"}},
            {"index": {"_id": "b", "status": 200, "result": "updated"}},
            {"index": {"_id": "c", "status": 429, "error": {"type": "rejected_execution_exception",
                "reason": "rejected"}}},
            {"index": {"_id": "d", "status": 400, "error": {"type": "mapper_parsing_exception",
                "reason": "failed to parse field [rate]", "caused_by": {"type": "number",
                "reason": "For input string"}}}},
            {"index": {"_id": "e", "status": 403, "error": {"type": "security_exception",
                "reason": "no permissions"}}},
            {"index": {"_id": "f", "status": 503, "error": "unavailable"}},
            {"index": {"_id": "g", "status": 402, "error": {"type": "x", "reason": null}}}]}"#;
        let expected = [
            Verdict::Created,
            Verdict::Updated,
            again(429, "rejected_execution_exception: rejected"),
            rejected(
                400,
                "mapper_parsing_exception: failed to parse field [rate]: For input string",
            ),
            rejected(403, "security_exception: no permissions"),
            again(503, "unavailable"),
            again(402, "x"),
        ];
        assert_eq!(judge(body, 7).unwrap(), expected);
    }

    #[test]
    fn a_conflict_is_what_create_asks_for() {
        let body = br#"{"items": [{"create": {"status": 409, "error":
            {"type": "version_conflict_engine_exception", "reason": "exists"}}}]}"#;
        assert_eq!(judge(body, 1).unwrap(), [Verdict::Unchanged]);
        let replaced = String::from_utf8_lossy(body).replace("create", "index");
        let judged = judge(replaced.as_bytes(), 1).unwrap();
        assert!(matches!(
            judged.as_slice(),
            [Verdict::Rejected { status: 409, .. }]
        ));
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let item = r#"{"index": {"status": 201}}"#;
        for body in [
            String::new(),
            "<html>".to_owned(),
            format!(r#"{{"items": [{item}, {item}]}}"#),
            format!(r#"{{"items": [{item}"#),
            r#"{"items": [{"delete": {"status": 200}}]}"#.to_owned(),
        ] {
            assert_eq!(judge(body.as_bytes(), 1), None, "{body}");
        }
    }
}
