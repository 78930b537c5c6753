//! Several reports at once, with their outcomes in the order in which the reports were named.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How many outcomes for each thread may wait for one that comes before them.
const LEAD_PER_THREAD: usize = 4;

/// How many outcomes may wait where a large item is to begin, whose own takes much memory.
const LARGE_LEAD: usize = 2;

/// Beyond it, more threads are no help whatever the user asks for.
const MOST_THREADS: usize = 256;

/// Calls `work` with each item, on several threads, and then `take` with its outcome, on the
/// caller's thread and in the items' order. An item that is `large` keeps all threads busy by
/// itself, and is worked on alone.
pub(crate) fn in_order<I: Sync, T: Send>(
    items: &[I],
    threads: usize,
    large: impl Fn(&I) -> bool + Sync,
    work: impl Fn(&I) -> T + Sync,
    mut take: impl FnMut(&I, T),
) {
    let threads = threads.min(items.len()).clamp(1, MOST_THREADS);
    let turns = Turns {
        items,
        threads,
        state: Mutex::new(State {
            free: threads,
            ..State::default()
        }),
        changed: Condvar::new(),
    };
    let (finished, outcomes) = channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (finished, turns, work, large) = (finished.clone(), &turns, &work, &large);
            scope.spawn(move || {
                while let Some(turn) = turns.next(large) {
                    // The caller is there until all senders are gone.
                    drop(finished.send((turn.index, work(turn.item))));
                }
            });
        }
        drop(finished);
        let mut early = BTreeMap::new();
        let mut due = items.iter().enumerate().peekable();
        for (index, outcome) in outcomes {
            early.insert(index, outcome);
            while let Some((index, item)) = due.peek()
                && let Some(outcome) = early.remove(index)
            {
                take(item, outcome);
                due.next();
                turns.taken();
            }
        }
    });
}

struct Turns<'a, I> {
    items: &'a [I],
    threads: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Items that were begun.
    begun: usize,
    /// Items whose outcome was taken.
    taken: usize,
    /// Threads without work.
    free: usize,
    /// A thread is gone, and with it an outcome that others wait for.
    broken: bool,
}

/// An item that is being worked on.
struct Turn<'a, I> {
    turns: &'a Turns<'a, I>,
    index: usize,
    item: &'a I,
    threads: usize,
}

impl<'a, I> Turns<'a, I> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next item, once its turn has come; `None` if there is none.
    fn next(&'a self, large: impl Fn(&I) -> bool) -> Option<Turn<'a, I>> {
        let mut state = self.lock();
        loop {
            let index = state.begun;
            let item = self.items.get(index).filter(|_| !state.broken)?;
            let (threads, most) = if large(item) {
                (self.threads, LARGE_LEAD)
            } else {
                (1, self.threads * LEAD_PER_THREAD)
            };
            let lead = index - state.taken;
            if state.free >= threads && lead < most {
                state.free -= threads;
                state.begun += 1;
                let turns = self;
                return Some(Turn {
                    turns,
                    index,
                    item,
                    threads,
                });
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn taken(&self) {
        self.lock().taken += 1;
        self.changed.notify_all();
    }
}

impl<I> Drop for Turn<'_, I> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.free += self.threads;
        state.broken |= thread::panicking();
        drop(state);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn outcomes_come_in_order_whoever_is_first() {
        let items: Vec<u64> = (0..200).collect();
        let mut taken = Vec::new();
        in_order(
            &items,
            4,
            |_| false,
            |item| {
                thread::sleep(Duration::from_micros((item * 7919) % 300));
                item * 2
            },
            |item, outcome| {
                assert_eq!(outcome, item * 2);
                taken.push(*item);
            },
        );
        assert_eq!(taken, items);
    }

    #[test]
    fn as_many_threads_as_a_user_can_ask_for_do_no_harm() {
        let items = [1, 2, 3];
        for threads in [0, usize::MAX / 2, usize::MAX] {
            let mut taken = Vec::new();
            in_order(&items, threads, |_| false, |it| *it, |_, it| taken.push(it));
            assert_eq!(taken, items);
        }
        in_order(&[], 4, |(): &()| false, |()| (), |(), ()| unreachable!());
    }

    #[test]
    fn a_large_item_is_worked_on_alone() {
        let items: Vec<usize> = (0..60).collect();
        let at_work = AtomicUsize::new(0);
        let large = |item: &usize| item.is_multiple_of(7);
        in_order(
            &items,
            3,
            large,
            |item| {
                let others = at_work.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_micros(200));
                let left = at_work.fetch_sub(1, Ordering::SeqCst);
                assert!(!large(item) || (others == 0 && left == 1), "{item}");
            },
            |_, ()| {},
        );
    }

    #[test]
    fn nobody_runs_far_ahead_of_a_slow_item() {
        let items: Vec<usize> = (0..100).collect();
        let (begun, slow) = (AtomicUsize::new(0), Mutex::new(()));
        let mut held = Some(slow.lock().unwrap());
        thread::scope(|scope| {
            let (items, begun, slow) = (&items, &begun, &slow);
            let work = move |item: &usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                if *item == 0 {
                    drop(slow.lock().unwrap());
                }
            };
            scope.spawn(move || in_order(items, 2, |_| false, work, |_, ()| {}));
            thread::sleep(Duration::from_millis(50));
            assert_eq!(begun.load(Ordering::SeqCst), 2 * LEAD_PER_THREAD);
            held.take();
        });
        assert_eq!(begun.load(Ordering::SeqCst), items.len());
    }

    #[test]
    fn few_large_outcomes_wait_to_be_taken() {
        let items: Vec<usize> = (0..20).collect();
        let (begun, slow) = (AtomicUsize::new(0), Mutex::new(()));
        let held = slow.lock().unwrap();
        let ahead = thread::scope(|scope| {
            let (items, begun, slow) = (&items, &begun, &slow);
            let work = move |_: &usize| begun.fetch_add(1, Ordering::SeqCst);
            let take = move |_: &usize, _| drop(slow.lock().unwrap());
            scope.spawn(move || in_order(items, 2, |_| true, work, take));
            thread::sleep(Duration::from_millis(50));
            let ahead = begun.load(Ordering::SeqCst);
            drop(held);
            ahead
        });
        assert_eq!(ahead, LARGE_LEAD);
        assert_eq!(begun.load(Ordering::SeqCst), items.len());
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_is_passed_on() {
        let items: Vec<usize> = (0..100).collect();
        in_order(
            &items,
            2,
            |_| false,
            |item| assert_ne!(*item, 3),
            |_, ()| {},
        );
    }
}
