//! The passes after the first: what they look for, and what benchmarks turn out to be.

use super::{Report, state_at, take, tolerate};
use crate::documents::Timestamp;
use crate::error::ReadError;
use crate::generation::Generation;
use crate::generations::{Benchmark, BenchmarkFacts};
use crate::identity;
use crate::passes::{Identify, RecordsPass, Survey};
use crate::pipeline;
use crate::read::{Consumer, Interrupted};
use crate::scan::{Cursor, Skeleton, Walk};
use crate::summarise::Gathered;
use crate::verify::Recheck;

impl Report<'_> {
    /// Reads the requests that had to wait, once their benchmarks are known.
    pub(crate) fn later_passes<C: Consumer>(
        &mut self,
        consumer: &mut C,
    ) -> Result<(), Interrupted<C::Error>> {
        if self.states.iter().all(|state| !state.deferred) {
            return Ok(());
        }
        let generation = self.known_generation()?;
        if self.needs_survey(generation) {
            self.survey(generation)?;
        }
        for index in 0..self.states.len() {
            let resolved = self.resolve(index, generation);
            self.unless_cut(index, resolved)?;
        }
        self.records_pass(generation, consumer)
    }

    pub(super) fn known_generation(&self) -> Result<Generation, ReadError> {
        let reason = "its generation is not known".to_owned();
        self.generation.ok_or(ReadError::UnknownShape { reason })
    }

    fn needs_survey(&self, generation: Generation) -> bool {
        generation == Generation::V0_1
            || self.states.iter().any(|state| {
                let origin = state.typed.as_ref().map(Benchmark::origin);
                origin.is_none_or(|it| it.benchmark_id.is_none() || it.measured_start.is_none())
            })
    }

    /// Looks into the records for what their benchmark does not say: an id and a clock.
    fn survey(&mut self, generation: Generation) -> Result<(), ReadError> {
        let mut text = self.input.text()?;
        let mut pass = Survey {
            generation,
            states: &mut self.states,
        };
        let ended = Walk::default().run(&mut Cursor::new(&mut text, &self.pool), &mut pass);
        tolerate(ended, self.salvaged)
    }

    fn records_pass<C: Consumer>(
        &mut self,
        generation: Generation,
        consumer: &mut C,
    ) -> Result<(), Interrupted<C::Error>> {
        let threads = self.threads();
        let mut gathered = self.to_gather(generation)?;
        let mut text = self.input.text()?;
        let (pool, states, salvaged) = (&self.pool, &self.states, self.salvaged);
        let mut requests = self.requests;
        let (read, consumed) = pipeline::run(
            threads,
            pool,
            |dispatcher| {
                let mut pass = RecordsPass {
                    dispatcher,
                    generation,
                    states,
                };
                let ended = Walk::default().run(&mut Cursor::new(&mut text, pool), &mut pass);
                tolerate(ended, salvaged)
            },
            &mut |parsed| take(parsed, &mut gathered, &mut requests, consumer),
        );
        consumed?;
        drop(text);
        read?;
        self.requests = requests;
        self.absorb(gathered);
        Ok(())
    }

    /// What the records of each benchmark have to add, beside themselves.
    fn to_gather(&self, generation: Generation) -> Result<Vec<Gathered>, ReadError> {
        let gather = |index| {
            let facts = self.facts(index, generation)?;
            let verify = self.options.verify;
            let recheck = verify.then(|| Box::new(Recheck::new(&facts, self.salvaged)));
            let computed = facts.metrics.is_none().then(Box::default);
            Ok(Gathered {
                computed,
                recheck,
                ..Gathered::default()
            })
        };
        (0..self.states.len()).map(gather).collect()
    }

    pub(super) fn absorb(&mut self, gathered: Vec<Gathered>) {
        for (index, gathered) in gathered.into_iter().enumerate() {
            let state = state_at(&mut self.states, index);
            if gathered.records() > 0 || state.deferred {
                state.gathered = gathered;
            }
        }
    }

    /// Makes a benchmark's identity from all that is known of it.
    fn resolve(&mut self, index: usize, generation: Generation) -> Result<(), ReadError> {
        let path = self.path(index);
        let is_json = self.input.is_json();
        let Some(state) = self
            .states
            .get(index)
            .filter(|state| state.context.is_none())
        else {
            return Ok(());
        };
        let mut origin = self.facts(index, generation)?.origin;
        if origin.benchmark_id.is_none() {
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            let record = state.first_record.as_deref().unwrap_or_default();
            origin.benchmark_id =
                Some(identity::benchmark_id_of_first_record(number, record).to_string());
        }
        let clock = origin.measured_start.or(state.earliest_clock);
        let timestamp = clock
            .and_then(Timestamp::from_epoch_seconds)
            .ok_or_else(|| ReadError::NoClock { path: path.clone() })?;
        let context = Identify {
            run: self.run,
            uuid: &mut self.uuid,
            salvaged: self.salvaged,
        }
        .context(index, &origin, timestamp, path, is_json)?;
        if let Some(state) = self.states.get_mut(index) {
            state.context = Some(context);
        }
        Ok(())
    }

    pub(super) fn facts(
        &self,
        index: usize,
        generation: Generation,
    ) -> Result<BenchmarkFacts, ReadError> {
        let nothing = Skeleton::default();
        let state = self.states.get(index);
        let typed = state.and_then(|state| state.typed.as_ref());
        let group = state
            .and_then(|state| self.groups.get(state.group))
            .unwrap_or(&nothing);
        typed
            .ok_or_else(|| ReadError::UnknownShape {
                reason: "a benchmark is missing".into(),
            })?
            .facts(generation, &self.walk.top, group)
    }
}
