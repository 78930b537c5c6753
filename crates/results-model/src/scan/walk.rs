//! The walk through a report's outer structure.

use super::block::Records;
use super::cursor::Cursor;
use super::skeleton::Skeleton;
use crate::documents::RequestStatus;
use crate::error::ReadError;
use crate::generation::{BenchmarkShape, Detection, Marks, detect};

/// One of a benchmark's long lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// Requests that ended so.
    Requests(RequestStatus),
    /// 0.1's `concurrencies`: how many requests were in flight, over time.
    Concurrencies,
}

impl List {
    fn in_requests(key: &[u8]) -> Option<Self> {
        match key {
            b"\"successful\"" => Some(Self::Requests(RequestStatus::Successful)),
            b"\"incomplete\"" => Some(Self::Requests(RequestStatus::Incomplete)),
            b"\"errored\"" => Some(Self::Requests(RequestStatus::Errored)),
            _ => None,
        }
    }

    fn in_nested_benchmark(key: &[u8]) -> Option<Self> {
        match key {
            b"\"results\"" => Some(Self::Requests(RequestStatus::Successful)),
            b"\"errors\"" => Some(Self::Requests(RequestStatus::Errored)),
            b"\"concurrencies\"" => Some(Self::Concurrencies),
            _ => None,
        }
    }
}

/// Who is told what the walk finds, in the order of the text.
pub(crate) trait Events {
    /// Some records of a list of the benchmark that is being read.
    fn records(&mut self, list: List, records: Records, walk: &Walk) -> Result<(), ReadError>;

    /// The benchmark was read to its end; [`Walk::benchmark`] is whole.
    fn benchmark(&mut self, _walk: &Walk) -> Result<(), ReadError> {
        Ok(())
    }

    /// A group of 0.1's benchmarks was read to its end; [`Walk::group`] is whole.
    fn group(&mut self, _walk: &Walk) -> Result<(), ReadError> {
        Ok(())
    }
}

/// What is known of the report so far.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The report without its benchmarks.
    pub(crate) top: Skeleton,
    /// 0.1 only: the element of `benchmarks` that is being read, without its benchmarks.
    pub(crate) group: Skeleton,
    /// The benchmark that is being read, without its lists.
    pub(crate) benchmark: Skeleton,
    /// Position of that benchmark in the report.
    pub(crate) index: usize,
    /// What tells the generation.
    pub(crate) marks: Marks,
    /// `benchmarks` is there.
    seen_benchmarks: bool,
    /// A benchmark's `{` was read, but not its `}`.
    inside_benchmark: bool,
}

impl Walk {
    /// Reads the whole text.
    pub(crate) fn run(
        &mut self,
        cursor: &mut Cursor<'_>,
        events: &mut dyn Events,
    ) -> Result<(), ReadError> {
        cursor.skip_byte_order_mark()?;
        match cursor.peek()? {
            None => return Err(cursor.nothing()),
            Some(b'[') => return Err(root_list(cursor)),
            Some(_) => {}
        }
        self.report(cursor, events)?;
        cursor.expect_end()?;
        self.check_benchmarks()
    }

    /// Whether a benchmark was left open when the text ended.
    pub(crate) fn inside_benchmark(&self) -> bool {
        self.inside_benchmark
    }

    /// The path of the benchmark that is being read, for errors.
    pub(crate) fn path(&self) -> String {
        benchmark_path(self.index, self.marks.shape)
    }

    fn check_benchmarks(&self) -> Result<(), ReadError> {
        match (self.seen_benchmarks, self.index) {
            (false, _) if self.marks.version.is_some() || self.top.text() == b"{}" => {
                Err(ReadError::NoBenchmarks)
            }
            (false, _) => Err(ReadError::UnknownShape {
                reason: "it has no `benchmarks`".into(),
            }),
            (true, 0) => Err(ReadError::NoBenchmarks),
            (true, _) => Ok(()),
        }
    }

    fn report(
        &mut self,
        cursor: &mut Cursor<'_>,
        events: &mut dyn Events,
    ) -> Result<(), ReadError> {
        cursor.expect(b'{', "`{`, the start of a report")?;
        self.top.open(b'{');
        let mut more = !cursor.take(b'}')?;
        while more {
            let offset = cursor.offset();
            let key = cursor.key()?;
            if key == b"\"benchmarks\"" && cursor.peek()? == Some(b'[') {
                self.seen_benchmarks = true;
                self.benchmarks(cursor, events)?;
            } else {
                self.top_member(cursor, &key, offset)?;
            }
            more = next_member(cursor)?;
        }
        self.top.close();
        Ok(())
    }

    fn top_member(
        &mut self,
        cursor: &mut Cursor<'_>,
        key: &[u8],
        offset: u64,
    ) -> Result<(), ReadError> {
        member(cursor, &mut self.top, key, offset)?;
        match key {
            b"\"metadata\"" => {
                self.marks.version = self.top.parse::<Tag>("")?.version();
                if let Detection::UnsupportedVersion(found) = detect(&self.marks, false) {
                    return Err(ReadError::UnsupportedVersion { found });
                }
            }
            b"\"args\"" => self.marks.args = true,
            b"\"config\"" => self.marks.config = true,
            _ => {}
        }
        Ok(())
    }

    fn benchmarks(
        &mut self,
        cursor: &mut Cursor<'_>,
        events: &mut dyn Events,
    ) -> Result<(), ReadError> {
        elements(cursor, &mut |cursor| {
            // The element may turn out to be a group of 0.1, whose benchmarks are inside.
            let is_group = self.benchmark(cursor, events, Level::Outer)?;
            if !is_group {
                self.end_benchmark(events)?;
            }
            Ok(())
        })
    }

    fn end_benchmark(&mut self, events: &mut dyn Events) -> Result<(), ReadError> {
        events.benchmark(self)?;
        self.inside_benchmark = false;
        self.index += 1;
        Ok(())
    }

    /// Reads one element of a list of benchmarks; true if it is a group of 0.1.
    fn benchmark(
        &mut self,
        cursor: &mut Cursor<'_>,
        events: &mut dyn Events,
        level: Level,
    ) -> Result<bool, ReadError> {
        cursor.expect(b'{', "a benchmark (an object)")?;
        self.benchmark = Skeleton::default();
        self.benchmark.open(b'{');
        self.inside_benchmark = true;
        let mut is_group = false;
        let mut more = !cursor.take(b'}')?;
        while more {
            let offset = cursor.offset();
            let key = cursor.key()?;
            self.mark_shape(&key, level);
            match (cursor.peek()?, &key[..], List::in_nested_benchmark(&key)) {
                (Some(b'['), b"\"benchmarks\"", _) if level == Level::Outer => {
                    is_group = true;
                    self.group = std::mem::take(&mut self.benchmark);
                    self.nested(cursor, events)?;
                    self.benchmark = std::mem::take(&mut self.group);
                }
                (Some(b'{'), b"\"requests\"", _) if level == Level::Outer => {
                    self.requests(cursor, events, offset)?;
                }
                (Some(b'['), _, Some(list)) if level == Level::Nested => {
                    self.list(cursor, events, &key, offset, list)?;
                }
                _ => member(cursor, &mut self.benchmark, &key, offset)?,
            }
            more = next_member(cursor)?;
        }
        self.benchmark.close();
        if is_group {
            self.group = std::mem::take(&mut self.benchmark);
            self.inside_benchmark = false;
            events.group(self)?;
        }
        Ok(is_group)
    }

    fn nested(
        &mut self,
        cursor: &mut Cursor<'_>,
        events: &mut dyn Events,
    ) -> Result<(), ReadError> {
        elements(cursor, &mut |cursor| {
            self.benchmark(cursor, events, Level::Nested)?;
            self.end_benchmark(events)
        })
    }

    fn mark_shape(&mut self, key: &[u8], level: Level) {
        let shape = match (level, key) {
            (Level::Nested, _) | (_, b"\"benchmarks\"") => BenchmarkShape::Nested,
            (_, b"\"config\"") => BenchmarkShape::Configured,
            (_, b"\"run_stats\"" | b"\"worker\"" | b"\"request_loader\"") => {
                BenchmarkShape::SelfContained
            }
            _ => return,
        };
        self.marks.shape.get_or_insert(shape);
    }

    /// Reads `requests`, whose lists are handed out.
    fn requests(
        &mut self,
        cursor: &mut Cursor<'_>,
        events: &mut dyn Events,
        offset: u64,
    ) -> Result<(), ReadError> {
        cursor.expect(b'{', "`{`")?;
        self.benchmark.key(b"\"requests\"", offset);
        self.benchmark.open(b'{');
        let mut more = !cursor.take(b'}')?;
        while more {
            let offset = cursor.offset();
            let key = cursor.key()?;
            match (cursor.peek()?, List::in_requests(&key)) {
                (Some(b'['), Some(list)) => self.list(cursor, events, &key, offset, list)?,
                _ => member(cursor, &mut self.benchmark, &key, offset)?,
            }
            more = next_member(cursor)?;
        }
        self.benchmark.close();
        Ok(())
    }

    fn list(
        &mut self,
        cursor: &mut Cursor<'_>,
        events: &mut dyn Events,
        key: &[u8],
        offset: u64,
        list: List,
    ) -> Result<(), ReadError> {
        cursor.expect(b'[', "`[`")?;
        self.benchmark.key(key, offset);
        self.benchmark.open(b'[');
        self.benchmark.close();
        cursor.records(&mut |records| events.records(list, records, self))
    }
}

/// How deep a benchmark lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// An element of the report's `benchmarks`.
    Outer,
    /// An element of a group's `benchmarks`, in 0.1.
    Nested,
}

/// The tag of a report from 0.5 on.
#[derive(serde::Deserialize)]
struct Tag {
    metadata: serde_json::Value,
}

impl Tag {
    fn version(&self) -> Option<String> {
        self.metadata.get("version").map(|version| match version {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// The path of a benchmark, for errors.
pub(crate) fn benchmark_path(index: usize, shape: Option<BenchmarkShape>) -> String {
    match shape {
        Some(BenchmarkShape::Nested) => format!("benchmarks[0].benchmarks[{index}]"),
        _ => format!("benchmarks[{index}]"),
    }
}

fn root_list(cursor: &mut Cursor<'_>) -> ReadError {
    let opened = cursor.expect(b'[', "`[`").and_then(|()| cursor.peek());
    match opened {
        Ok(Some(b']')) => ReadError::NoBenchmarks,
        Ok(Some(_)) => ReadError::UnknownShape {
            reason: "it is a list, not an object".into(),
        },
        Ok(None) => cursor.truncated("a list"),
        Err(error) => error,
    }
}

/// Copies one member; on failure nothing of it stays.
fn member(
    cursor: &mut Cursor<'_>,
    copy: &mut Skeleton,
    key: &[u8],
    offset: u64,
) -> Result<(), ReadError> {
    let mark = copy.mark();
    copy.key(key, offset);
    cursor.value(copy).inspect_err(|_| copy.rewind(mark))
}

/// After a member: true if another follows.
fn next_member(cursor: &mut Cursor<'_>) -> Result<bool, ReadError> {
    if cursor.take(b',')? {
        return Ok(true);
    }
    cursor.expect(b'}', "`,` or `}`")?;
    Ok(false)
}

/// Reads a list whose elements `element` takes.
fn elements(
    cursor: &mut Cursor<'_>,
    element: &mut dyn FnMut(&mut Cursor<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    cursor.expect(b'[', "`[`")?;
    if cursor.take(b']')? {
        return Ok(());
    }
    loop {
        element(cursor)?;
        if !cursor.take(b',')? {
            return cursor.expect(b']', "`,` or `]`");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::BlockPool;

    /// Notes each list's records and each benchmark's own part.
    #[derive(Default)]
    struct Notes {
        records: Vec<(usize, List, String)>,
        benchmarks: Vec<String>,
        groups: Vec<String>,
    }

    fn text(skeleton: &Skeleton) -> String {
        String::from_utf8(skeleton.text()).unwrap()
    }

    impl Events for Notes {
        fn records(&mut self, list: List, records: Records, walk: &Walk) -> Result<(), ReadError> {
            for (record, ..) in records.iter() {
                let record = String::from_utf8(record.to_vec()).unwrap();
                self.records.push((walk.index, list, record));
            }
            Ok(())
        }

        fn benchmark(&mut self, walk: &Walk) -> Result<(), ReadError> {
            self.benchmarks.push(text(&walk.benchmark));
            Ok(())
        }

        fn group(&mut self, walk: &Walk) -> Result<(), ReadError> {
            self.groups.push(text(&walk.group));
            Ok(())
        }
    }

    fn walked(report: &str) -> (Walk, Notes) {
        let (pool, mut input) = (BlockPool::default(), report.as_bytes());
        let (mut walk, mut notes) = (Walk::default(), Notes::default());
        let mut cursor = Cursor::new(&mut input, &pool);
        walk.run(&mut cursor, &mut notes).unwrap();
        (walk, notes)
    }

    #[test]
    fn requests_are_handed_out_and_all_else_is_copied() {
        let report = r#"{"args": {"x": 1}, "benchmarks": [
            {"id_": "a", "requests": {"successful": [{"n": 1}, {"n": 2}], "errored": [],
             "total": null}, "duration": 2.0},
            {"id_": "b", "requests": {"incomplete": [{"n": 3}]}}]}"#;
        let (walk, notes) = walked(report);
        let of = |index, status, record: &str| (index, List::Requests(status), record.to_owned());
        assert_eq!(
            notes.records,
            [
                of(0, RequestStatus::Successful, r#"{"n": 1}"#),
                of(0, RequestStatus::Successful, r#"{"n": 2}"#),
                of(1, RequestStatus::Incomplete, r#"{"n": 3}"#),
            ]
        );
        assert_eq!(text(&walk.top), r#"{"args":{"x": 1}}"#);
        assert!(notes.benchmarks[0].contains(r#""duration":2.0"#));
        assert!(!notes.benchmarks[0].contains(r#""n""#));
        assert_eq!(notes.benchmarks.len(), 2);
        assert!(notes.groups.is_empty());
    }

    #[test]
    fn groups_of_0_1_hold_benchmarks_of_their_own() {
        let report = r#"{"benchmarks": [{"args": {"mode": "sweep"}, "benchmarks": [
            {"mode": "synchronous", "results": [{"n": 1}], "concurrencies": [{"time": 1.0}]},
            {"mode": "throughput", "errors": [{"n": 2}]}]}]}"#;
        let (walk, notes) = walked(report);
        let found: Vec<(usize, List)> = notes.records.iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(
            found,
            [
                (0, List::Requests(RequestStatus::Successful)),
                (0, List::Concurrencies),
                (1, List::Requests(RequestStatus::Errored)),
            ]
        );
        assert_eq!(notes.groups, [r#"{"args":{"mode": "sweep"}}"#]);
        assert_eq!(walk.index, 2);
        assert_eq!(walk.marks.shape, Some(BenchmarkShape::Nested));
    }
}
