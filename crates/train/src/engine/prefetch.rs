//! Prefetching the samples of the next batch while this one is computed.
//!
//! Samples are read in random order, so each read goes to main memory, and a CPU stalls once it waits for more than a few
//! dozen cache lines. So each thread prefetches a few of its next samples before each bucket of the update, and finds them
//! all in its cache when the next step begins.

use std::ops::Range;

/// The samples that a thread will read in the next step.
#[derive(Clone, Copy)]
pub(crate) struct NextSamples<'a> {
    /// Prefetches these columns of a sample.
    pub(crate) prefetch: &'a (dyn Fn(u32, Range<usize>) + Sync),
    pub(crate) samples: &'a [u32],
    pub(crate) columns: (usize, usize),
}

impl<'a> NextSamples<'a> {
    /// None.
    pub(crate) fn none() -> Self {
        Self { prefetch: &|_, _| (), samples: &[], columns: (0, 0) }
    }

    /// Spreads the samples evenly over this many calls of [`Prefetcher::advance`]; later calls do nothing.
    pub(crate) fn over(self, calls: usize) -> Prefetcher<'a> {
        Prefetcher { per_call: self.samples.len().div_ceil(calls.max(1)), rest: self }
    }
}

/// Prefetches the samples of a thread, a few at a time.
pub(crate) struct Prefetcher<'a> {
    rest: NextSamples<'a>,
    per_call: usize,
}

impl Prefetcher<'_> {
    /// Prefetches the next few samples.
    pub(crate) fn advance(&mut self) {
        let NextSamples { prefetch, samples, columns } = self.rest;
        let (now, later) = samples.split_at(self.per_call.min(samples.len()));
        now.iter().for_each(|&sample| prefetch(sample, columns.0..columns.1));
        self.rest.samples = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_sample_is_prefetched_once() {
        let samples: Vec<u32> = (10..21).collect();
        for calls in [0, 1, 3, 11, 40] {
            let fetched = Mutex::new(Vec::new());
            let prefetch = |sample, columns| fetched.lock().unwrap().push((sample, columns));
            let next = NextSamples { prefetch: &prefetch, samples: &samples, columns: (2, 5) };
            let mut prefetcher = next.over(calls);
            (0..calls.max(1)).for_each(|_| prefetcher.advance());
            let right: Vec<_> = samples.iter().map(|&sample| (sample, 2..5)).collect();
            assert_eq!(*fetched.lock().unwrap(), right, "{calls} calls");
        }
    }
}
