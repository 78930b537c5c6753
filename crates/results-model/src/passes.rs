//! What each pass over a report's text does with what the walk finds.

use std::sync::Arc;

use crate::documents::{Origin, RequestStatus, SCHEMA_VERSION, Timestamp};
use crate::error::{Place, ReadError};
use crate::generation::{Detection, Generation, detect, provisional};
use crate::generations::{self, Benchmark, OriginFacts, RecordContext};
use crate::identity::{self, RunContext};
use crate::pipeline::{Dispatcher, Job};
use crate::report::{State, state_at};
use crate::scan::{Events, List, Records, Skeleton, Walk};

/// Whether a report of one generation reads the same as one of the other.
pub(crate) fn same_layout(one: Generation, other: Generation) -> bool {
    let layout = |generation| match generation {
        Generation::Schema1 => Generation::V0_4,
        other => other,
    };
    layout(one) == layout(other)
}

fn job(
    generation: Generation,
    benchmark: usize,
    status: RequestStatus,
    records: Records,
    context: &RecordContext,
) -> Job {
    Job {
        generation,
        benchmark,
        status,
        records,
        context: context.clone(),
    }
}

/// Makes benchmarks' identities.
pub(crate) struct Identify<'a> {
    pub(crate) run: &'a RunContext,
    pub(crate) uuid: &'a mut Option<Arc<str>>,
    pub(crate) salvaged: bool,
}

impl Identify<'_> {
    /// What the records of a benchmark need; `facts` has an id and a strategy.
    pub(crate) fn context(
        &mut self,
        index: usize,
        facts: &OriginFacts,
        benchmark_timestamp: Timestamp,
        path: String,
        is_json: bool,
    ) -> Result<RecordContext, ReadError> {
        let missing = |what: &str| ReadError::Value {
            place: Place {
                byte: None,
                path: path.clone(),
            },
            message: format!("it names no {what}"),
        };
        let strategy = facts
            .strategy
            .as_deref()
            .ok_or_else(|| missing("strategy"))?;
        let benchmark_id = facts.benchmark_id.as_deref().ok_or_else(|| missing("id"))?;
        let run_id = facts.run_id.as_deref();
        let uuid = Arc::clone(self.uuid.get_or_insert_with(|| {
            run_id.map_or_else(
                || {
                    identity::run_uuid_of_benchmark(benchmark_id)
                        .to_string()
                        .into()
                },
                Arc::from,
            )
        }));
        let RunContext {
            job_name, sample, ..
        } = self.run;
        let summary_id = identity::summary_id(&uuid, job_name, *sample, run_id, benchmark_id);
        let job_name: Arc<str> = job_name.as_str().into();
        let origin = Origin {
            schema_version: SCHEMA_VERSION,
            uuid,
            job_name: Arc::clone(&job_name),
            kube_burner_job_name: job_name,
            sample: *sample,
            run_id: run_id.map(Arc::from),
            benchmark_id: benchmark_id.into(),
            benchmark_index: u32::try_from(index).unwrap_or(u32::MAX),
            strategy: strategy.into(),
            rate: facts.rate,
            streams: facts.streams,
            tpot_definition: facts.tpot_definition,
            salvaged: self.salvaged,
        };
        let origin = Arc::new(origin);
        Ok(RecordContext {
            origin,
            summary_id,
            benchmark_timestamp,
            path,
            is_json,
        })
    }
}

/// Copies the report's headers, and dispatches the records of each benchmark that is already
/// known well enough.
pub(crate) struct FirstPass<'a> {
    pub(crate) dispatcher: &'a Dispatcher,
    pub(crate) run: &'a RunContext,
    pub(crate) is_json: bool,
    /// Dispatch at all.
    pub(crate) optimistic: bool,
    /// What benchmarks were taken for.
    pub(crate) generation: Option<Generation>,
    pub(crate) uuid: Option<Arc<str>>,
    pub(crate) states: Vec<State>,
    pub(crate) groups: Vec<Skeleton>,
}

/// The generation, if the records of the present benchmark may be read as it.
fn readable_as(walk: &Walk) -> Option<Generation> {
    match detect(&walk.marks, false) {
        Detection::Known(generation) => Some(generation),
        Detection::Undecided => provisional(&walk.marks),
        Detection::UnsupportedVersion(_) | Detection::UnknownShape => None,
    }
}

impl FirstPass<'_> {
    /// What the benchmark's records need, if it is all there.
    fn context(&mut self, walk: &Walk) -> Result<Option<RecordContext>, ReadError> {
        let Some(generation) = readable_as(walk).filter(|_| self.optimistic) else {
            return Ok(None);
        };
        // The run takes its uuid from the first benchmark.
        if self.uuid.is_none() && walk.index > 0 {
            return Ok(None);
        }
        let path = walk.path();
        let facts = Benchmark::parse(generation, &walk.benchmark, &path)?.origin();
        let timestamp = facts.measured_start.and_then(Timestamp::from_epoch_seconds);
        let Some(timestamp) = timestamp.filter(|_| facts.is_complete()) else {
            return Ok(None);
        };
        self.generation = Some(generation);
        let mut identify = Identify {
            run: self.run,
            uuid: &mut self.uuid,
            salvaged: false,
        };
        identify
            .context(walk.index, &facts, timestamp, path, self.is_json)
            .map(Some)
    }
}

impl Events for FirstPass<'_> {
    fn records(&mut self, list: List, records: Records, walk: &Walk) -> Result<(), ReadError> {
        let known = self.states.get(walk.index);
        let known = known.is_some_and(|state| state.deferred || state.context.is_some());
        if !known {
            let context = self.context(walk)?;
            let state = state_at(&mut self.states, walk.index);
            state.deferred = context.is_none();
            state.context = context;
        }
        let state = state_at(&mut self.states, walk.index);
        let (Some(context), List::Requests(status)) = (&state.context, list) else {
            return Ok(());
        };
        let Some(generation) = self.generation else {
            return Ok(());
        };
        let job = job(generation, walk.index, status, records, context);
        self.dispatcher.send(job)
    }

    fn benchmark(&mut self, walk: &Walk) -> Result<(), ReadError> {
        let group = self.groups.len();
        let generation = readable_as(walk);
        let state = state_at(&mut self.states, walk.index);
        state.group = group;
        // A benchmark without records still needs an identity.
        state.deferred |= state.context.is_none();
        match generation {
            Some(generation) => {
                self.generation = Some(generation);
                state.typed = Some(Benchmark::parse(generation, &walk.benchmark, &walk.path())?);
            }
            None => state.skeleton = walk.benchmark.clone(),
        }
        Ok(())
    }

    fn group(&mut self, walk: &Walk) -> Result<(), ReadError> {
        self.groups.push(walk.group.clone());
        Ok(())
    }
}

/// Looks for benchmarks' first record ids and earliest clocks.
pub(crate) struct Survey<'a> {
    pub(crate) generation: Generation,
    pub(crate) states: &'a mut Vec<State>,
}

impl Events for Survey<'_> {
    fn records(&mut self, list: List, records: Records, walk: &Walk) -> Result<(), ReadError> {
        let state = state_at(self.states, walk.index);
        let path = walk.path();
        let clock = generations::earliest_clock(self.generation, list, &records, &path)?;
        state.earliest_clock = match (state.earliest_clock, clock) {
            (Some(earliest), Some(clock)) => Some(earliest.min(clock)),
            (earliest, clock) => earliest.or(clock),
        };
        if let (None, List::Requests(status)) = (&state.first_record, list) {
            state.first_record =
                generations::first_record_id(self.generation, &records, status, &path)?;
        }
        Ok(())
    }
}

/// Dispatches the records that were deferred.
pub(crate) struct RecordsPass<'a> {
    pub(crate) dispatcher: &'a Dispatcher,
    pub(crate) generation: Generation,
    pub(crate) states: &'a [State],
}

impl Events for RecordsPass<'_> {
    fn records(&mut self, list: List, records: Records, walk: &Walk) -> Result<(), ReadError> {
        let state = self.states.get(walk.index).filter(|state| state.deferred);
        let context = state.and_then(|state| state.context.as_ref());
        let (Some(context), List::Requests(status)) = (context, list) else {
            return Ok(());
        };
        let job = job(self.generation, walk.index, status, records, context);
        self.dispatcher.send(job)
    }
}
