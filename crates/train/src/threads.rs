//! The threads of a training, kept awake while it runs.
//!
//! A step of a small network takes tens of microseconds and forks twice. Rayon's threads fall asleep about as
//! fast, and waking one takes as long as the step. So while a training runs, each other thread is busy with an
//! attendant: a task that looks for work, without sleeping as long as there is some.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder, Yield};

/// How often an attendant looks for work before it lets other programs have the core.
const SPINS: u32 = 500;

/// How often it does that before it sleeps between looks, for something else than training is going on.
const YIELDS: u32 = 20_000;

/// How often a thread looks whether another is done before it waits as rayon does.
const WAITS: u32 = 100_000;

/// How long it sleeps.
const NAP: Duration = Duration::from_micros(100);

/// Runs `work` where [`join`] uses `threads` threads of its own; here, without any, if that is 1.
pub(crate) fn run<R: Send>(
    threads: usize,
    work: impl FnOnce() -> R + Send,
) -> Result<R, ThreadPoolBuildError> {
    if threads < 2 {
        return Ok(work());
    }
    let name = |index| format!("chainrule-{index}");
    let builder = ThreadPoolBuilder::new().num_threads(threads).thread_name(name);
    // Scoped, so that the threads have ended when this returns.
    builder.build_scoped(rayon::ThreadBuilder::run, |pool| pool.install(|| attended(threads, work)))
}

/// Runs `work` on this thread of a pool, and keeps the others awake meanwhile.
fn attended<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let attendants = threads - 1;
    let (present, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    rayon::scope(|scope| {
        for _ in 0..attendants {
            scope.spawn(|_| {
                move_to(present.fetch_add(1, Ordering::Relaxed) + 1);
                attend(&done);
            });
        }
        move_to(0);
        // This thread must not take an attendant itself: while it waits in a `join` it would attend for ever.
        while present.load(Ordering::Relaxed) < attendants {
            thread::yield_now();
        }
        // Also if `work` panics, since the scope waits for the attendants.
        let _dismiss = Dismiss(&done);
        work()
    })
}

/// Moves the calling thread to the core of this index among those that the program may use, and leaves it free
/// to be moved again.
///
/// A thread that was just woken often finds itself on the core of the one that woke it, and the system takes many
/// milliseconds, hundreds of steps, to see that the two stand in each other's way.
#[cfg(target_os = "linux")]
fn move_to(index: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    // Where this is not allowed, the system's choice stays.
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    let count = allowed.count() as usize;
    if let Some(core) = cores.nth(index % count.max(1)) {
        let mut one = CpuSet::new();
        one.set(core);
        if sched_setaffinity(None, &one).is_ok() {
            let _ = sched_setaffinity(None, &allowed);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn move_to(_: usize) {}

/// As [`rayon::join`], for work that takes microseconds: when `a` is done and another thread is at `b`, this one
/// does not look for other work or sleep, but waits for that thread's word.
pub(crate) fn join<A, B>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B)
where
    A: Send,
    B: Send,
{
    let (taken, done) = (AtomicBool::new(false), AtomicBool::new(false));
    rayon::join(
        || {
            let a = a();
            let mut waits = 0..WAITS;
            // If nobody has taken `b`, rayon runs it on this thread.
            while taken.load(Ordering::Acquire) && !done.load(Ordering::Acquire) && waits.next().is_some() {
                std::hint::spin_loop();
            }
            a
        },
        || {
            taken.store(true, Ordering::Release);
            // Also if `b` panics.
            let _done = Dismiss(&done);
            b()
        },
    )
}

/// Takes up what others fork, until all is done.
fn attend(done: &AtomicBool) {
    let mut idle = 0;
    while !done.load(Ordering::Relaxed) {
        match rayon::yield_now() {
            Some(Yield::Executed) => idle = 0,
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

/// Lets the attendants go when it is dropped.
struct Dismiss<'a>(&'a AtomicBool);

impl Drop for Dismiss<'_> {
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
        for threads in [2, 3, 8] {
            let sum = run(threads, || (0..1000).map(fork).sum::<u64>());
            assert_eq!(sum.unwrap(), 3 * 499_500, "{threads} threads");
        }
    }

    #[test]
    fn a_panic_comes_through() {
        let result = std::panic::catch_unwind(|| run(2, || -> u8 { panic!("as wanted") }).unwrap());
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"as wanted"));
    }
}
