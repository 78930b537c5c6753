//! A report on its way through the passes that its documents take.
//!
//! The common report is read in one pass: what its requests need stands before them. A report
//! whose keys are in another order (YAML dumps them sorted), 0.1 (whose requests need the
//! earliest clock of all) and a salvaged one take a second pass.

mod later;

use std::num::NonZero;
use std::sync::Arc;

use crate::documents::SummaryTimestampSource;
use crate::error::ReadError;
use crate::generation::{Detection, Generation, detect};
use crate::generations::{Benchmark, RecordContext};
use crate::identity::RunContext;
use crate::passes::{FirstPass, same_layout};
use crate::pipeline::{self, Parsed};
use crate::read::{Consumer, Interrupted, ReadOptions, ReadOutcome};
use crate::scan::{BlockPool, Cursor, Skeleton, Walk, benchmark_path};
use crate::source::Input;
use crate::summarise::{Filed, Gathered, summarise};
use crate::verify::Verification;

/// A benchmark, as far as it is known.
#[derive(Default)]
pub(crate) struct State {
    /// Its own part of the report, until it is typed.
    pub(crate) skeleton: Skeleton,
    pub(crate) typed: Option<Benchmark>,
    /// Which group of 0.1 it belongs to.
    pub(crate) group: usize,
    /// What its records need; known from the first pass on, or later.
    pub(crate) context: Option<RecordContext>,
    /// Its requests are yet to be read.
    pub(crate) deferred: bool,
    pub(crate) first_record: Option<String>,
    pub(crate) earliest_clock: Option<f64>,
    gathered: Gathered,
}

/// A report that is being read.
pub(crate) struct Report<'a> {
    input: Input,
    run: &'a RunContext,
    options: &'a ReadOptions,
    pool: BlockPool,
    generation: Option<Generation>,
    walk: Walk,
    groups: Vec<Skeleton>,
    states: Vec<State>,
    /// The run's uuid, once it is known.
    uuid: Option<Arc<str>>,
    salvaged: bool,
    /// The benchmark that a salvaged report ends in.
    cut: Option<usize>,
    requests: u64,
}

impl<'a> Report<'a> {
    pub(crate) fn new(input: Input, run: &'a RunContext, options: &'a ReadOptions) -> Self {
        Self {
            input,
            run,
            options,
            pool: BlockPool::default(),
            generation: None,
            walk: Walk::default(),
            groups: Vec::new(),
            states: Vec::new(),
            uuid: run.uuid.as_deref().map(Arc::from),
            salvaged: false,
            cut: None,
            requests: 0,
        }
    }

    fn threads(&self) -> usize {
        let available = std::thread::available_parallelism().map_or(2, NonZero::get);
        self.options
            .threads
            .map_or(available.clamp(1, 4), NonZero::get)
    }

    /// Reads everything but the records; and these too, where what they need stands before them.
    pub(crate) fn first_pass<C: Consumer>(
        &mut self,
        consumer: &mut C,
    ) -> Result<(), Interrupted<C::Error>> {
        let (threads, is_json) = (self.threads(), self.input.is_json());
        let mut text = self.input.text()?;
        let (pool, run) = (&self.pool, self.run);
        let optimistic = !self.options.salvage && !self.options.verify;
        let mut requests = 0;
        let mut gathered = Vec::new();
        let uuid = self.uuid.clone();
        let (read, consumed) = pipeline::run(
            threads,
            pool,
            |dispatcher| {
                let mut walk = Walk::default();
                let mut pass = FirstPass {
                    dispatcher,
                    run,
                    is_json,
                    optimistic,
                    generation: None,
                    uuid,
                    states: Vec::new(),
                    groups: Vec::new(),
                };
                let ended = walk.run(&mut Cursor::new(&mut text, pool), &mut pass);
                Ok((
                    walk,
                    pass.states,
                    pass.groups,
                    pass.generation,
                    pass.uuid,
                    ended,
                ))
            },
            &mut |parsed| take(parsed, &mut gathered, &mut requests, consumer),
        );
        consumed?;
        drop(text);
        let (walk, states, groups, assumed, uuid, ended) = read?;
        (self.walk, self.states, self.groups, self.uuid) = (walk, states, groups, uuid);
        self.requests = requests;
        self.absorb(gathered);
        Ok(self.settle(assumed, ended)?)
    }

    /// The first pass is over: what is not known now will never be.
    fn settle(
        &mut self,
        assumed: Option<Generation>,
        ended: Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        if let Err(error) = ended {
            let nothing = self.states.is_empty() && !self.walk.inside_benchmark();
            if !self.options.salvage || !error.is_truncation() || nothing {
                return Err(error);
            }
            self.salvaged = true;
            self.keep_cut_benchmark();
        }
        let generation = match detect(&self.walk.marks, true) {
            Detection::Known(generation) => generation,
            Detection::UnsupportedVersion(found) => {
                return Err(ReadError::UnsupportedVersion { found });
            }
            Detection::Undecided | Detection::UnknownShape => {
                let reason = "its benchmarks have neither `run_stats` (0.2-0.3), nor `config` \
                              beside the report's `args` or `metadata` (0.4 on), nor \
                              `benchmarks` inside (0.1)";
                return Err(ReadError::UnknownShape {
                    reason: reason.to_owned(),
                });
            }
        };
        if let Some(benchmarks) = assumed
            && !same_layout(benchmarks, generation)
        {
            return Err(ReadError::ContradictoryTag {
                benchmarks,
                tag: generation,
            });
        }
        self.generation = Some(generation);
        for index in 0..self.states.len() {
            let typed = self.type_benchmark(index, generation);
            self.unless_cut(index, typed)?;
        }
        Ok(())
    }

    /// The benchmark that a salvaged report ends in may have nothing yet that tells what it is: then
    /// those before it are what there is.
    fn unless_cut(&mut self, index: usize, known: Result<(), ReadError>) -> Result<(), ReadError> {
        if known.is_err() && index > 0 && self.cut == Some(index) {
            self.states.truncate(index);
            return Ok(());
        }
        known
    }

    fn type_benchmark(&mut self, index: usize, generation: Generation) -> Result<(), ReadError> {
        let path = self.path(index);
        if let Some(state) = self.states.get_mut(index)
            && state.typed.is_none()
        {
            let skeleton = std::mem::take(&mut state.skeleton);
            state.typed = Some(Benchmark::parse(generation, &skeleton, &path)?);
        }
        Ok(())
    }

    /// The report ended inside a benchmark; what there is of it counts.
    fn keep_cut_benchmark(&mut self) {
        if !self.walk.inside_benchmark() {
            return;
        }
        let skeleton = std::mem::take(&mut self.walk.benchmark);
        let group = self.groups.len();
        let state = state_at(&mut self.states, self.walk.index);
        self.cut = Some(self.walk.index);
        (state.skeleton, state.group, state.deferred) = (skeleton, group, true);
    }

    /// Fails if the source changed while it was being read.
    pub(crate) fn check_unchanged(&self) -> Result<(), ReadError> {
        self.input.check_unchanged()
    }

    /// Hands out the summaries; everything is known.
    pub(crate) fn summaries<C: Consumer>(
        mut self,
        consumer: &mut C,
    ) -> Result<ReadOutcome, Interrupted<C::Error>> {
        let generation = self.known_generation()?;
        let mut summaries = Vec::with_capacity(self.states.len());
        let mut verifications = Vec::new();
        for index in 0..self.states.len() {
            let facts = self.facts(index, generation)?;
            let Some(state) = self.states.get_mut(index) else {
                continue;
            };
            let Some(context) = state.context.take() else {
                continue;
            };
            let timestamp_source = match facts.origin.measured_start {
                Some(_) => SummaryTimestampSource::MeasuredStart,
                None => SummaryTimestampSource::EarliestRecord,
            };
            let filed = Filed {
                origin: context.origin,
                document_id: context.summary_id,
                timestamp: context.benchmark_timestamp,
                timestamp_source,
                outcome: self.run.outcome.clone(),
            };
            let mut gathered = std::mem::take(&mut state.gathered);
            let recheck = gathered.recheck.take();
            let summary = summarise(filed, facts, gathered).map_err(ReadError::Spill)?;
            if let Some(recheck) = recheck {
                let verdict = recheck.verdict(&summary).map_err(ReadError::Spill)?;
                verifications.push(Verification {
                    benchmark_index: summary.origin.benchmark_index,
                    verdict,
                });
            }
            summaries.push(summary);
        }
        let benchmarks = summaries.len();
        for summary in summaries {
            consumer.summary(summary).map_err(Interrupted::Consumer)?;
        }
        let Self {
            requests, salvaged, ..
        } = self;
        Ok(ReadOutcome {
            generation,
            benchmarks,
            requests,
            salvaged,
            verifications,
        })
    }

    fn path(&self, index: usize) -> String {
        benchmark_path(index, self.walk.marks.shape)
    }
}

/// The truncation that is being salvaged is met again in every pass.
fn tolerate(ended: Result<(), ReadError>, salvaged: bool) -> Result<(), ReadError> {
    ended.or_else(|error| {
        if salvaged && error.is_truncation() {
            Ok(())
        } else {
            Err(error)
        }
    })
}

pub(crate) fn state_at(states: &mut Vec<State>, index: usize) -> &mut State {
    if states.len() <= index {
        states.resize_with(index + 1, State::default);
    }
    // The line above made it exist.
    #[expect(clippy::indexing_slicing, reason = "resized above")]
    &mut states[index]
}

/// Takes in one parsed block, on the caller's thread.
fn take<C: Consumer>(
    parsed: Parsed,
    gathered: &mut Vec<Gathered>,
    requests: &mut u64,
    consumer: &mut C,
) -> Result<(), Interrupted<C::Error>> {
    let Parsed {
        benchmark,
        status,
        batch,
        ..
    } = parsed;
    if gathered.len() <= benchmark {
        gathered.resize_with(benchmark + 1, Gathered::default);
    }
    *requests += batch.requests.len() as u64;
    if let Some(gathered) = gathered.get_mut(benchmark) {
        gathered.add(status, &batch).map_err(ReadError::Spill)?;
    }
    consumer
        .requests(batch.requests)
        .map_err(Interrupted::Consumer)
}
