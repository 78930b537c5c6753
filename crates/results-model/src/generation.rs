//! Which layout a report has.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A layout of GuideLLM's report, named by the releases that write it.
///
/// Deliberately not `non_exhaustive`: a new generation must be a compile error wherever it
/// matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Generation {
    /// 0.1: `benchmarks[].benchmarks[]`, no statistics.
    #[serde(rename = "0.1")]
    V0_1,
    /// 0.2 and 0.3: a bare `benchmarks[]` with `args`, `worker` and `run_stats` in each.
    #[serde(rename = "0.2-0.3")]
    V0_2,
    /// 0.4: `args` beside `benchmarks[]`, no `metadata`.
    #[serde(rename = "0.4")]
    V0_4,
    /// 0.5 and 0.6: as 0.4, tagged `metadata.version` 1.
    #[serde(rename = "0.5-0.6")]
    Schema1,
    /// 0.7 and 0.8: `config` in place of `args`, tagged `metadata.version` 2.
    #[serde(rename = "0.7-0.8")]
    Schema2,
}

impl Generation {
    /// Every generation, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V0_1,
        Self::V0_2,
        Self::V0_4,
        Self::Schema1,
        Self::Schema2,
    ];

    /// The releases that write it, as in the documents' `report_generation`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            Self::V0_2 => "0.2-0.3",
            Self::V0_4 => "0.4",
            Self::Schema1 => "0.5-0.6",
            Self::Schema2 => "0.7-0.8",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Shape of a report's first benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BenchmarkShape {
    /// It holds `benchmarks`: 0.1.
    Nested,
    /// It holds `config`: from 0.4 on.
    Configured,
    /// It holds `run_stats`, `worker` or `request_loader`: 0.2 and 0.3.
    SelfContained,
}

/// What detection goes by: the keys seen so far beside and in a report's benchmarks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// `metadata.version`, as JSON text.
    pub(crate) version: Option<String>,
    /// `args` is there.
    pub(crate) args: bool,
    /// `config` is there.
    pub(crate) config: bool,
    /// Shape of the first benchmark.
    pub(crate) shape: Option<BenchmarkShape>,
}

/// What the marks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Detection {
    /// The report's generation.
    Known(Generation),
    /// The tag names a version that nobody here knows.
    UnsupportedVersion(String),
    /// The marks fit more than one generation; reading on may tell.
    Undecided,
    /// The marks fit none.
    UnknownShape,
}

/// Tells the generation: by the tag, then by the shape.
///
/// `whole` says that the report was read to its end, so that what is not there is known to be
/// absent. Before that, an absent tag decides nothing, unless a mark seen rules it out.
pub(crate) fn detect(marks: &Marks, whole: bool) -> Detection {
    if let Some(version) = &marks.version {
        return match version.as_str() {
            "1" => Detection::Known(Generation::Schema1),
            "2" => Detection::Known(Generation::Schema2),
            other => Detection::UnsupportedVersion(other.to_owned()),
        };
    }
    match marks.shape {
        Some(BenchmarkShape::Nested) => Detection::Known(Generation::V0_1),
        Some(BenchmarkShape::SelfContained) => Detection::Known(Generation::V0_2),
        Some(BenchmarkShape::Configured) | None if !whole => Detection::Undecided,
        Some(BenchmarkShape::Configured) if marks.args => Detection::Known(Generation::V0_4),
        Some(BenchmarkShape::Configured) | None => Detection::UnknownShape,
    }
}

/// The generation that an undecided report must be read as, if a tag does not rule it out
/// later: 0.4 differs from 0.5 and 0.6 in the tag alone, so that its records need not wait.
pub(crate) fn provisional(marks: &Marks) -> Option<Generation> {
    match marks.shape {
        Some(BenchmarkShape::Configured) if marks.config => Some(Generation::Schema2),
        Some(BenchmarkShape::Configured) if marks.args => Some(Generation::V0_4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(shape: BenchmarkShape) -> Marks {
        Marks {
            shape: Some(shape),
            ..Marks::default()
        }
    }

    #[test]
    fn the_tag_decides_before_the_shape() {
        let tagged = Marks {
            version: Some("1".into()),
            ..marks(BenchmarkShape::SelfContained)
        };
        assert_eq!(
            detect(&tagged, false),
            Detection::Known(Generation::Schema1)
        );
    }

    #[test]
    fn an_unknown_tag_is_named() {
        let tagged = Marks {
            version: Some("3".into()),
            ..Marks::default()
        };
        assert_eq!(
            detect(&tagged, false),
            Detection::UnsupportedVersion("3".into())
        );
    }

    #[test]
    fn without_a_tag_the_shape_decides_the_old_generations() {
        let nested = detect(&marks(BenchmarkShape::Nested), false);
        let bare = detect(&marks(BenchmarkShape::SelfContained), false);
        assert_eq!(nested, Detection::Known(Generation::V0_1));
        assert_eq!(bare, Detection::Known(Generation::V0_2));
    }

    #[test]
    fn a_tag_may_still_come_until_the_report_is_whole() {
        let configured = Marks {
            args: true,
            ..marks(BenchmarkShape::Configured)
        };
        assert_eq!(detect(&configured, false), Detection::Undecided);
        assert_eq!(
            detect(&configured, true),
            Detection::Known(Generation::V0_4)
        );
    }

    #[test]
    fn names_are_the_serialised_ones() {
        for generation in Generation::ALL {
            assert_eq!(
                serde_json::to_value(generation).unwrap(),
                generation.as_str()
            );
        }
    }
}
