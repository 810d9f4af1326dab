//! Asking for the samples of the next batch while this one is computed.
//!
//! Samples that are read in a random order come from memory, which answers after as long as it takes to gather a whole
//! sample, and a CPU waits where it has asked for more than a few dozen lines. So each thread asks for some of its samples
//! before each piece of the descent, and finds all of them in its cache when the next step begins.

use std::ops::Range;

/// Which samples a thread will read next, and how to ask for them.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'a> {
    /// Asks for these columns of a sample.
    pub(crate) ask: &'a (dyn Fn(u32, Range<usize>) + Sync),
    pub(crate) samples: &'a [u32],
    pub(crate) columns: (usize, usize),
}

impl<'a> Ahead<'a> {
    /// The samples in as many parts as there are `moments` to ask; then nothing more.
    pub(crate) fn spread(self, moments: usize) -> Asking<'a> {
        Asking { ahead: self, some: self.samples.len().div_ceil(moments.max(1)) }
    }
}

/// The samples that a thread has not asked for yet.
pub(crate) struct Asking<'a> {
    ahead: Ahead<'a>,
    some: usize,
}

impl Asking<'_> {
    /// Asks for some more samples.
    pub(crate) fn go_on(&mut self) {
        let Ahead { ask, samples, columns } = self.ahead;
        let (some, rest) = samples.split_at(self.some.min(samples.len()));
        some.iter().for_each(|&sample| ask(sample, columns.0..columns.1));
        self.ahead.samples = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_sample_is_asked_for_once() {
        let samples: Vec<u32> = (10..21).collect();
        for moments in [0, 1, 3, 11, 40] {
            let asked = Mutex::new(Vec::new());
            let ask = |sample, columns| asked.lock().unwrap().push((sample, columns));
            let ahead = Ahead { ask: &ask, samples: &samples, columns: (2, 5) };
            let mut asking = ahead.spread(moments);
            (0..moments.max(1)).for_each(|_| asking.go_on());
            let right: Vec<_> = samples.iter().map(|&sample| (sample, 2..5)).collect();
            assert_eq!(*asked.lock().unwrap(), right, "{moments} moments");
        }
    }
}
