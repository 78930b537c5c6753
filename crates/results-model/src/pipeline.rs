//! Parses blocks of records on several threads, and hands the results on in the report's order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::documents::RequestStatus;
use crate::error::ReadError;
use crate::generation::Generation;
use crate::generations::{Batch, RecordContext, normalise};
use crate::scan::{BlockPool, Records};

/// Blocks in flight for each parsing thread; bounds the memory.
const BLOCKS_PER_THREAD: usize = 2;

/// A block of records to parse.
pub(crate) struct Job {
    pub(crate) generation: Generation,
    /// Position of their benchmark in the report.
    pub(crate) benchmark: usize,
    pub(crate) status: RequestStatus,
    pub(crate) records: Records,
    pub(crate) context: RecordContext,
}

/// A parsed block.
pub(crate) struct Parsed {
    pub(crate) benchmark: usize,
    pub(crate) status: RequestStatus,
    pub(crate) batch: Batch,
}

type Outcome = Result<Parsed, ReadError>;

/// Where the reading thread puts its blocks.
pub(crate) struct Dispatcher {
    work: SyncSender<(Job, SyncSender<Outcome>)>,
    order: SyncSender<Receiver<Outcome>>,
}

impl Dispatcher {
    /// Queues a block; waits while too many are in flight. Fails once nobody takes the documents
    /// any more, which ends the pass; the caller of [`run`] knows why.
    pub(crate) fn send(&self, job: Job) -> Result<(), ReadError> {
        let (reply, outcome) = sync_channel(1);
        let queued = self.order.send(outcome).is_ok() && self.work.send((job, reply)).is_ok();
        if queued {
            Ok(())
        } else {
            Err(ReadError::Io(std::io::ErrorKind::BrokenPipe.into()))
        }
    }
}

/// Runs `read` on a thread of its own; what it dispatches is parsed on `threads` more, and comes
/// to `consume` on the caller's thread, in the order of dispatch. Returns what `read` and
/// `consume` ended with; a failed record ends both.
pub(crate) fn run<T: Send, E>(
    threads: usize,
    pool: &BlockPool,
    read: impl FnOnce(&Dispatcher) -> Result<T, ReadError> + Send,
    consume: &mut dyn FnMut(Parsed) -> Result<(), E>,
) -> (Result<T, ReadError>, Result<(), E>) {
    let in_flight = threads * BLOCKS_PER_THREAD;
    let (work, jobs) = sync_channel(in_flight);
    let (order, outcomes) = sync_channel(in_flight);
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read(&Dispatcher { work, order }));
        for _ in 0..threads {
            scope.spawn(|| parse(&jobs, pool));
        }
        let mut consumed = Ok(());
        let mut failed = None;
        for outcome in &outcomes {
            match outcome.recv() {
                Ok(Ok(parsed)) => consumed = consume(parsed),
                Ok(Err(error)) => failed = Some(error),
                // Its thread died; joining below tells.
                Err(_) => break,
            }
            if consumed.is_err() || failed.is_some() {
                break;
            }
        }
        drop(outcomes);
        let read = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (failed.map_or(read, Err), consumed)
    })
}

fn parse(jobs: &Mutex<Receiver<(Job, SyncSender<Outcome>)>>, pool: &BlockPool) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((job, reply)) = next else { return };
        let Job {
            generation,
            benchmark,
            status,
            records,
            context,
        } = job;
        let batch = normalise(generation, &records, status, &context);
        pool.give(records.block);
        // Nobody waits for it once a block before it failed.
        drop(reply.send(batch.map(|batch| Parsed {
            benchmark,
            status,
            batch,
        })));
    }
}
