//! The messages that have arrived and were not received yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The messages of all processes, for one of them.
#[derive(Debug)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
    /// How many threads wait for a message.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// From each process, in the order in which they were sent.
    from: Vec<VecDeque<Vec<u8>>>,
    /// Why no more will arrive, if that is so.
    closed: Option<String>,
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoMessage {
    /// None has arrived for as long as the caller waits.
    Late,
    /// None will arrive.
    Closed(String),
}

impl Mailbox {
    /// For this number of processes.
    pub(crate) fn new(processes: usize) -> Self {
        let from = (0..processes).map(|_| VecDeque::new()).collect();
        let state = Mutex::new(State { from, closed: None });
        Self { state, changed: Condvar::new(), waiting: AtomicUsize::new(0) }
    }

    /// Whether a thread waits for a message.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// The next message of a process, if it has arrived.
    fn arrived(&self, from: usize) -> Option<Vec<u8>> {
        self.state().from[from].pop_front()
    }

    /// A message has arrived.
    pub(crate) fn put(&self, from: usize, message: Vec<u8>) {
        self.state().from[from].push_back(message);
        self.changed.notify_all();
    }

    /// No more will arrive.
    pub(crate) fn close(&self, why: impl Into<String>) {
        self.state().closed.get_or_insert(why.into());
        self.changed.notify_all();
    }

    /// Waits for the next message of a process; calls `begin` before it does.
    pub(crate) fn take(
        &self,
        from: usize,
        patience: Duration,
        begin: impl FnOnce(),
    ) -> Result<Vec<u8>, NoMessage> {
        if let Some(message) = self.arrived(from) {
            return Ok(message);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        begin();
        let result = self.wait(from, patience);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn wait(&self, from: usize, patience: Duration) -> Result<Vec<u8>, NoMessage> {
        let begin = Instant::now();
        let mut state = self.state();
        loop {
            if let Some(message) = state.from[from].pop_front() {
                return Ok(message);
            }
            if let Some(why) = &state.closed {
                return Err(NoMessage::Closed(why.clone()));
            }
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(NoMessage::Late);
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn messages_of_a_process_keep_their_order() {
        let mailbox = Mailbox::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(SHORT);
                (0..3).for_each(|byte| mailbox.put(1, vec![byte]));
                mailbox.put(0, vec![9]);
            });
            for byte in 0..3 {
                assert_eq!(mailbox.take(1, Duration::from_secs(30), || ()), Ok(vec![byte]));
            }
            assert_eq!(mailbox.take(0, Duration::from_secs(30), || ()), Ok(vec![9]));
        });
        assert_eq!(mailbox.take(0, SHORT, || ()), Err(NoMessage::Late));
    }

    #[test]
    fn what_has_arrived_is_received_after_the_end() {
        let mailbox = Mailbox::new(1);
        mailbox.put(0, vec![1]);
        mailbox.close("over");
        mailbox.close("again");
        assert_eq!(mailbox.take(0, SHORT, || ()), Ok(vec![1]));
        assert_eq!(mailbox.take(0, SHORT, || ()), Err(NoMessage::Closed("over".into())));
    }
}
