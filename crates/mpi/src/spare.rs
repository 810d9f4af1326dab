//! The memory of messages that are done with, for the next ones: the system gives and takes back memory of their size page by page, which
//! takes longer than to fill it.

use std::sync::{Mutex, PoisonError};

/// The most messages that are kept.
const MOST: usize = 32;

/// The most bytes of one that is kept.
const LONGEST: usize = 1 << 20;

/// Messages that are not in use.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Some memory, with whatever it was filled with last.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Memory with this message.
    pub(crate) fn copy_of(&self, message: &[u8]) -> Vec<u8> {
        let mut copy = self.take();
        copy.clear();
        copy.extend_from_slice(message);
        copy
    }

    /// A message that is done with.
    pub(crate) fn give(&self, message: Vec<u8>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST && (1..=LONGEST).contains(&message.capacity()) {
            all.push(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_unless_there_is_too_much() {
        let spare = Spare::default();
        spare.give(spare.copy_of(&[1; 100]));
        let again = spare.take();
        assert!(again.capacity() >= 100);
        spare.give(again);
        assert_eq!(spare.copy_of(&[2; 3]), [2; 3]);
        spare.give(vec![0; LONGEST + 1]);
        spare.give(Vec::new());
        assert_eq!(spare.take().capacity(), 0);
        (0..2 * MOST).for_each(|_| spare.give(vec![0; 8]));
        assert_eq!((0..2 * MOST).filter(|_| spare.take().capacity() > 0).count(), MOST);
    }
}
