//! Parses blocks of records on several threads, and hands the results on in the report's order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::documents::RequestStatus;
use crate::error::ReadError;
use crate::generation::Generation;
use crate::generations::{Batch, RecordContext, normalise};
use crate::scan::{BlockPool, Records};

/// Blocks in flight for each parsing thread; bounds the memory.
const BLOCKS_PER_THREAD: usize = 2;

/// Text in flight, in bytes. Blocks are far smaller, unless records are huge: then it is these
/// that are parsed one at a time.
const BYTES_IN_FLIGHT: usize = 24 << 20;

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
    /// Its text is gone, but what was made of it takes as much.
    _room: Room,
}

type Outcome = Result<Parsed, ReadError>;

/// A block to parse, and where the outcome is awaited.
type Task = (Job, SyncSender<Outcome>);

/// Where the reading thread puts its blocks.
pub(crate) struct Dispatcher {
    work: SyncSender<Task>,
    order: SyncSender<Receiver<Outcome>>,
    in_flight: Arc<InFlight>,
}

/// Bytes of the blocks that are dispatched, but not consumed.
#[derive(Default)]
struct InFlight {
    bytes: Mutex<usize>,
    consumed: Condvar,
}

impl InFlight {
    /// Waits until there is room; a block larger than all room comes alone.
    fn wait_for_room(&self, bytes: usize) {
        let in_flight = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full =
            |in_flight: &mut usize| *in_flight > 0 && *in_flight + bytes > BYTES_IN_FLIGHT;
        let mut in_flight = self
            .consumed
            .wait_while(in_flight, is_full)
            .unwrap_or_else(PoisonError::into_inner);
        *in_flight += bytes;
    }
}

/// A dispatched block's room; free once this is dropped, even by a panic.
pub(crate) struct Room {
    of: Arc<InFlight>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut in_flight = self.of.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *in_flight = in_flight.saturating_sub(self.bytes);
        drop(in_flight);
        self.of.consumed.notify_one();
    }
}

impl Dispatcher {
    /// Queues a block; waits while too many are in flight. Fails once nobody takes the documents
    /// any more, which ends the pass; the caller of [`run`] knows why.
    pub(crate) fn send(&self, job: Job) -> Result<(), ReadError> {
        let (reply, outcome) = sync_channel(1);
        self.in_flight.wait_for_room(job.records.block.len());
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
    let in_flight = Arc::new(InFlight::default());
    let blocks = threads * BLOCKS_PER_THREAD;
    let (work, jobs) = sync_channel(blocks);
    let (order, outcomes) = sync_channel(blocks);
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        let dispatcher = Dispatcher {
            work,
            order,
            in_flight: Arc::clone(&in_flight),
        };
        let reader = scope.spawn(move || read(&dispatcher));
        for _ in 0..threads {
            scope.spawn(|| parse(&jobs, pool, &in_flight));
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

fn parse(jobs: &Mutex<Receiver<Task>>, pool: &BlockPool, in_flight: &Arc<InFlight>) {
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
        let room = Room {
            of: Arc::clone(in_flight),
            bytes: records.block.len(),
        };
        let batch = normalise(generation, &records, status, &context);
        pool.give(records.block);
        // Nobody waits for it once a block before it failed.
        drop(reply.send(batch.map(|batch| Parsed {
            benchmark,
            status,
            batch,
            _room: room,
        })));
    }
}
