//! The threads of a training, kept awake while it runs.
//!
//! A step of a small network takes tens of microseconds and forks twice. Rayon's threads fall asleep about as fast, and
//! waking one takes as long as the step. So while a training runs, every other thread of the pool spins: it runs a task that
//! looks for work again and again, and sleeps only after there has been none for a while.
//!
//! Work is handed to rayon as a [`Task`] whose type it does not know, so that rayon is compiled once, with this crate.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use chainrule_tensor::{PortableProducts, move_to_core};
use rayon_core::{ThreadPoolBuildError, ThreadPoolBuilder, Yield};

/// How many times a spinning worker looks for work before it starts to yield its core to other programs.
const SPINS: u32 = 500;

/// How many times it looks before it sleeps between looks: by then the program does something other than training.
const YIELDS: u32 = 20_000;

/// How many times a thread checks whether another one is done before it waits as rayon does.
const WAITS: u32 = 100_000;

/// How long a worker sleeps between looks.
const NAP: Duration = Duration::from_micros(100);

thread_local! {
    /// Whether there are more threads than may run, so that one that waits gives its core to another.
    static CROWDED: Cell<bool> = const { Cell::new(false) };
}

/// Something to do once.
trait Task: Send {
    fn run(&mut self);
}

/// A function that is called once, and what it has returned.
struct Call<F, R> {
    function: Option<F>,
    result: Option<R>,
}

impl<R: Send, F: FnOnce() -> R + Send> Call<F, R> {
    fn new(function: F) -> Self {
        Self { function: Some(function), result: None }
    }

    /// What the function has returned.
    ///
    /// # Panics
    ///
    /// If it was not called.
    fn result(self) -> R {
        self.result.expect("it was called")
    }
}

impl<R: Send, F: FnOnce() -> R + Send> Task for Call<F, R> {
    fn run(&mut self) {
        self.result = self.function.take().map(|function| function());
    }
}

/// Runs `work` where [`join`] has `threads` threads of its own, of which `running` may run at once; on the calling thread alone if that
/// is 1. All of them have portable products, or the fastest.
pub(crate) fn run<R: Send>(
    threads: usize,
    running: usize,
    portable: bool,
    work: impl FnOnce() -> R + Send,
) -> Result<R, ThreadPoolBuildError> {
    let mut work = Call::new(work);
    run_task(threads, running, portable, &mut work)?;
    Ok(work.result())
}

fn run_task(
    threads: usize,
    running: usize,
    portable: bool,
    work: &mut dyn Task,
) -> Result<(), ThreadPoolBuildError> {
    if threads < 2 {
        let _products = PortableProducts::new(portable);
        work.run();
        return Ok(());
    }
    let name = |index| format!("chainrule-{index}");
    let builder = ThreadPoolBuilder::new().num_threads(threads).thread_name(name);
    // Scoped, so that the threads have ended when this returns.
    let thread = |thread: rayon_core::ThreadBuilder| {
        let _products = PortableProducts::new(portable);
        CROWDED.set(threads > running);
        thread.run();
    };
    builder.build_scoped(thread, |pool| pool.install(|| with_spinning_workers(threads - 1, work)))
}

/// Runs `work` on this thread of a pool while its other threads, the `workers`, spin.
fn with_spinning_workers(workers: usize, work: &mut dyn Task) {
    let started = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    rayon_core::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|_| {
                move_to_core(started.fetch_add(1, Ordering::Relaxed) + 1);
                spin(&stop);
            });
        }
        move_to_core(0);
        // This thread must not run one of these tasks itself: waiting in a `join`, it would spin forever.
        while started.load(Ordering::Relaxed) < workers {
            thread::yield_now();
        }
        // Also if `work` panics, since the scope waits for the workers.
        let _stop = StopOnDrop(&stop);
        work.run();
    });
}

/// As [`rayon_core::join`], for work that takes microseconds: when `a` is done while another thread runs `b`, this thread spins
/// until that one is done, instead of looking for other work or sleeping.
pub(crate) fn join<A, B>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B)
where
    A: Send,
    B: Send,
{
    let (mut a, mut b) = (Call::new(a), Call::new(b));
    join_tasks(&mut a, &mut b);
    (a.result(), b.result())
}

fn join_tasks(a: &mut dyn Task, b: &mut dyn Task) {
    let taken = AtomicBool::new(false);
    let done = AtomicBool::new(false);
    rayon_core::join(
        || {
            a.run();
            let mut waits = 0..WAITS;
            // If no other thread has taken `b`, rayon runs it on this one.
            let wait = if CROWDED.get() { thread::yield_now } else { std::hint::spin_loop };
            while taken.load(Ordering::Acquire) && !done.load(Ordering::Acquire) && waits.next().is_some() {
                wait();
            }
        },
        || {
            taken.store(true, Ordering::Release);
            // Also if `b` panics.
            let _done = StopOnDrop(&done);
            b.run();
        },
    );
}

/// Calls `work` with the index and the elements of each pair of the two slices, on up to `threads` threads; returns the
/// first error by index. All calls are made, whether there is an error or not.
pub(crate) fn each_pair<A: Send, B: Send, E: Send>(
    a: &mut [A],
    b: &mut [B],
    threads: usize,
    work: &(impl Fn(usize, &mut A, &mut B) -> Result<(), E> + Sync),
) -> Result<(), E> {
    pairs_from(0, a, b, threads, work)
}

fn pairs_from<A: Send, B: Send, E: Send>(
    first: usize,
    a: &mut [A],
    b: &mut [B],
    threads: usize,
    work: &(impl Fn(usize, &mut A, &mut B) -> Result<(), E> + Sync),
) -> Result<(), E> {
    if threads < 2 || a.len() < 2 {
        let results = a.iter_mut().zip(b).enumerate().map(|(index, (a, b))| work(first + index, a, b));
        return results.fold(Ok(()), Result::and);
    }
    let half = a.len().div_ceil(2);
    let (a, a_rest) = a.split_at_mut(half);
    let (b, b_rest) = b.split_at_mut(half);
    let (result, rest) = join(
        || pairs_from(first, a, b, threads.div_ceil(2), work),
        || pairs_from(first + half, a_rest, b_rest, threads / 2, work),
    );
    result.and(rest)
}

/// Runs what other threads fork, until `stop` is set.
fn spin(stop: &AtomicBool) {
    let first = if CROWDED.get() { SPINS } else { 0 };
    let mut idle = first;
    while !stop.load(Ordering::Relaxed) {
        match rayon_core::yield_now() {
            Some(Yield::Executed) => idle = first,
            _ => {
                idle += 1;
                match idle {
                    0..SPINS => std::hint::spin_loop(),
                    SPINS..YIELDS => thread::yield_now(),
                    _ => thread::sleep(NAP),
                }
            }
        }
    }
}

/// Sets a flag when it is dropped.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_are_joined() {
        let fork = |i: u64| {
            let (a, b) = join(|| i, || 2 * i);
            a + b
        };
        for (threads, running) in [(2, 2), (3, 3), (8, 8), (3, 1), (8, 2)] {
            let sum = run(threads, running, false, || (0..1000).map(fork).sum::<u64>());
            assert_eq!(sum.unwrap(), 3 * 499_500, "{threads} threads");
        }
    }

    #[test]
    fn every_pair_is_run_and_the_first_error_returned() {
        for (threads, running) in [(1, 1), (2, 2), (3, 3), (8, 8), (3, 1), (8, 2)] {
            let mut squares = [0; 7];
            let mut calls = [0; 7];
            let result = run(threads, running, false, || {
                each_pair(&mut squares, &mut calls, threads, &|index, square, call| {
                    *square = index * index;
                    *call += 1;
                    if index == 2 || index == 5 { Err(index) } else { Ok(()) }
                })
            });
            assert_eq!(result.unwrap(), Err(2), "{threads} threads");
            assert_eq!((squares, calls), ([0, 1, 4, 9, 16, 25, 36], [1; 7]), "{threads} threads");
        }
    }

    #[test]
    fn a_panic_comes_through() {
        let result =
            std::panic::catch_unwind(|| run(2, 2, false, || -> u8 { panic!("as intended") }).unwrap());
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"as intended"));
    }
}
