//! Whether the samples of an evaluation are those that the model was trained on.
//!
//! Fingerprints of some samples are taken where they are in memory anyway: in the batches of an epoch, spread over it, and in
//! those of an evaluation. Of `n` training samples `4 √n` are remembered and as many compared, so that about 16 are found again
//! where all were trained on, whatever `n` is, at the cost of a small part of one epoch. Small data sets are compared as a whole.
//! Where training samples equal each other, as the rows of a table with few different values do, new samples equal them as often; but
//! not where nearly all are there equally often, as in a file that was written twice.

use chainrule_tensor::Real;

use crate::engine::shard::Shard;

/// Data sets up to this size are compared as a whole.
const WHOLE: usize = 1024;

/// From how many distinct samples on it can be told whether all are there equally often.
const KINDS: usize = 32;

/// How many of `samples` are remembered or compared.
fn some_of(samples: usize) -> usize {
    samples.min(WHOLE.max(4 * samples.isqrt()))
}

/// A number that depends on all values of a sample, however they are cut into parts.
pub(super) fn fingerprint<'a, T: Real>(parts: impl IntoIterator<Item = &'a [T]>) -> u64 {
    (0..).zip(parts.into_iter().flatten()).fold(0, |sum, (column, &value)| add_value(sum, column, value))
}

/// The [`fingerprint`] of a sample that is 0 but for some columns.
pub(super) fn sparse_fingerprint<T: Real>((columns, values): (&[u32], &[T])) -> u64 {
    columns.iter().zip(values).fold(0, |sum, (&column, &value)| add_value(sum, column.into(), value))
}

/// Adds the value of a column to a fingerprint; 0 adds nothing.
#[inline]
fn add_value<T: Real>(sum: u64, column: u64, value: T) -> u64 {
    /// Odd, so that two samples that differ in one value never have the same number.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    // -0 becomes 0.
    let bits = (value.as_f64() + 0.0).to_bits();
    let key = FACTOR.wrapping_add((FACTOR << 1).wrapping_mul(column + 1));
    sum.wrapping_add((bits ^ (bits >> 32)).wrapping_mul(key))
}

/// Fingerprints of training samples.
#[derive(Debug, Default)]
pub(super) struct TrainedSamples {
    fingerprints: Vec<u64>,
    /// The number of samples of the training data.
    of: usize,
    /// Where the training data is in memory: it may be evaluated on purpose.
    address: usize,
}

impl TrainedSamples {
    /// Forgets all, before a training with `samples` samples at this address.
    pub(super) fn start(&mut self, samples: usize, address: usize) {
        self.fingerprints.clear();
        self.fingerprints.reserve_exact(some_of(samples));
        (self.of, self.address) = (samples, address);
    }

    /// Which rows of a batch to remember, if `done` samples of the epoch were trained on, its own included.
    pub(super) fn wanted(&self, batch: usize, done: usize) -> WantedRows {
        let share = some_of(self.of) as u64 * done as u64 / self.of as u64;
        let wanted = (share as usize).saturating_sub(self.fingerprints.len());
        WantedRows { wanted: wanted.min(batch), batch }
    }

    pub(super) fn remember(&mut self, fingerprint: u64) {
        self.fingerprints.push(fingerprint);
    }

    /// Begins a comparison with `samples` samples at this address; `None` if there is nothing to compare.
    pub(super) fn compare(&mut self, samples: usize, address: usize) -> Option<Comparison> {
        if samples == 0 || self.fingerprints.is_empty() || self.address == address {
            return None;
        }
        self.fingerprints.sort_unstable();
        let copies = self.copies();
        let alike: usize = self.counts().filter(|&count| count > copies).sum();
        let chance = alike as f64 / self.fingerprints.len() as f64;
        let compared = samples.min(some_of(self.of).max(WHOLE));
        Some(Comparison {
            every: samples / compared,
            chance,
            compared: 0,
            found: 0,
            first: None,
            differ: false,
        })
    }

    /// How often each distinct fingerprint is there, once they are sorted.
    fn counts(&self) -> impl Iterator<Item = usize> {
        self.fingerprints.chunk_by(|a, b| a == b).map(<[u64]>::len)
    }

    /// How often the samples were written, once the fingerprints are sorted: equal samples of a file that holds each twice say nothing
    /// of new ones. Samples that are equal by chance do not all come equally often: of those that come at all, less than a third come a
    /// certain number of times above one.
    fn copies(&self) -> usize {
        let mut counts: Vec<usize> = self.counts().collect();
        counts.sort_unstable();
        let often = counts.chunk_by(|a, b| a == b).find(|group| 3 * group.len() > 2 * counts.len());
        often.filter(|_| counts.len() >= KINDS).map_or(1, |group| group[0])
    }

    /// Whether this sample is among those that are remembered.
    fn contains(&self, fingerprint: u64) -> bool {
        self.fingerprints.binary_search(&fingerprint).is_ok()
    }

    /// The number of training samples.
    pub(super) fn len(&self) -> usize {
        self.of
    }
}

/// Some rows of a batch, spread over it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WantedRows {
    wanted: usize,
    batch: usize,
}

impl WantedRows {
    pub(super) fn is_empty(self) -> bool {
        self.wanted == 0
    }

    pub(super) fn contains(self, row: usize) -> bool {
        let before = |row: usize| row as u64 * self.wanted as u64 / self.batch as u64;
        before(row + 1) > before(row)
    }
}

/// The samples of an evaluation, as far as they were compared.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Every so many samples one is compared.
    every: usize,
    /// How likely a new sample equals one that is remembered.
    chance: f64,
    compared: usize,
    found: usize,
    first: Option<u64>,
    /// Whether they are not all the same.
    differ: bool,
}

impl Comparison {
    /// Whether to compare the sample with this index.
    pub(super) fn wants(&self, index: usize) -> bool {
        index.is_multiple_of(self.every)
    }

    /// The fingerprints of those samples of a pass that are compared; the samples have these indices.
    pub(super) fn fingerprints<T: Real, Y>(
        &self,
        shard: &Shard<T, Y>,
        samples: &[u32],
        found: &mut Vec<u64>,
    ) {
        let inputs = shard.inputs();
        let sparse = shard.sparse_samples();
        for (row, (x, &sample)) in inputs.rows().into_iter().zip(samples).enumerate() {
            if self.wants(sample as usize) {
                found.push(match sparse {
                    Some((x, _)) => sparse_fingerprint(x.row(row)),
                    None => fingerprint(x.to_slice()),
                });
            }
        }
    }

    /// Compares a sample.
    pub(super) fn add(&mut self, fingerprint: u64, trained: &TrainedSamples) {
        self.compared += 1;
        self.found += usize::from(trained.contains(fingerprint));
        self.differ |= *self.first.get_or_insert(fingerprint) != fingerprint;
    }

    /// Whether a quarter of the samples or more were trained on, as far as can be told: a half where samples may be equal by chance.
    /// Samples that are all the same tell nothing.
    pub(super) fn overlaps(&self, trained: &TrainedSamples) -> bool {
        let expected = self.compared as f64 * trained.fingerprints.len() as f64 / trained.of as f64;
        let by_chance = self.compared as f64 * self.chance;
        let share = if by_chance > 0.0 { 0.5 } else { 0.25 };
        let deviation = (by_chance * (1.0 - self.chance)).sqrt();
        let enough = by_chance + (share * expected * (1.0 - self.chance)).max(4.0 * deviation);
        let found = self.found as f64;
        self.differ && found > by_chance && found >= enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Seed;

    #[test]
    fn a_fingerprint_depends_on_every_value_and_on_no_cut() {
        let sample: Vec<f32> = (0..10).map(|i| i as f32 / 3.0).collect();
        let whole = fingerprint([&sample[..]]);
        for cut in 0..=10 {
            let (a, b) = sample.split_at(cut);
            assert_eq!(fingerprint([a, b]), whole);
        }
        for index in 0..10 {
            let mut other = sample.clone();
            other[index] += 1e-6;
            assert_ne!(fingerprint([&other[..]]), whole);
            other.swap(index, (index + 1) % 10);
            assert_ne!(fingerprint([&other[..]]), whole);
        }
    }

    /// Whether a test set is found to overlap with a training set, trained on in this order.
    fn overlaps(train: &[u64], test: &[u64], batch_size: usize) -> bool {
        let mut trained = TrainedSamples::default();
        trained.start(train.len(), 1);
        let mut done = 0;
        for samples in train.chunks(batch_size) {
            done += samples.len();
            let wanted = trained.wanted(samples.len(), done);
            let rows = samples.iter().enumerate().filter(|(row, _)| wanted.contains(*row));
            rows.for_each(|(_, &sample)| trained.remember(sample));
        }
        assert_eq!(trained.fingerprints.len(), some_of(train.len()));
        let mut comparison = trained.compare(test.len(), 2).unwrap();
        let compared = (0..test.len()).filter(|&index| comparison.wants(index)).collect::<Vec<_>>();
        compared.into_iter().for_each(|index| comparison.add(test[index], &trained));
        comparison.overlaps(&trained)
    }

    #[test]
    fn sets_of_every_size_are_told_apart() {
        for (samples, tests) in
            [(2, 2), (100, 5), (1000, 1000), (60_000, 10_000), (2000, 300), (300_000, 300_000)]
        {
            for batch_size in [1, 32, 128, samples] {
                let mut order: Vec<u64> = (0..samples).map(|sample| Seed(1).bits(sample)).collect();
                let test = order[order.len() - tests..].to_vec();
                let new: Vec<u64> = (0..tests as u64).map(|sample| Seed(2).bits(sample)).collect();
                assert!(!overlaps(&order, &new, batch_size as usize), "{samples} {batch_size}");
                assert!(overlaps(&order, &test, batch_size as usize), "{samples} {batch_size}, in order");
                Seed(3).rng().shuffle(&mut order);
                assert!(!overlaps(&order, &new, batch_size as usize), "{samples} {batch_size}");
                assert!(overlaps(&order, &test, batch_size as usize), "{samples} {batch_size}");
            }
        }
    }

    #[test]
    fn samples_that_are_equal_by_chance_tell_nothing() {
        // Of 20 kinds of samples, the training has all, so that nothing can be told.
        for (samples, tests, kinds, told) in
            [(210, 45, 200, true), (3000, 600, 1500, true), (3000, 600, 20, false)]
        {
            let draw = |seed: u64, count: usize| -> Vec<u64> {
                let mut rng = Seed(seed).rng();
                (0..count).map(|_| rng.below(kinds) as u64).collect()
            };
            let trained = draw(1, samples);
            assert!(!overlaps(&trained, &draw(2, tests), 32), "{samples} {tests} {kinds}");
            assert_eq!(overlaps(&trained, &trained[..tests], 32), told, "{samples} {tests} {kinds}");
        }
    }

    #[test]
    fn samples_that_are_there_several_times_are_told_apart() {
        for (samples, copies) in [(40, 2), (300, 2), (512, 2), (515, 2), (600, 3), (5000, 2)] {
            let once: Vec<u64> = (0..samples).map(|sample| Seed(1).bits(sample)).collect();
            let new: Vec<u64> = (0..samples).map(|sample| Seed(2).bits(sample)).collect();
            let mut trained = once.repeat(copies);
            Seed(3).rng().shuffle(&mut trained);
            assert!(overlaps(&trained, &once, 32), "{samples} {copies}");
            assert!(!overlaps(&trained, &new, 32), "{samples} {copies}");
        }
        // Most rows are there once, and those of one kind ten times.
        let once: Vec<u64> = (0..300).map(|sample| Seed(1).bits(sample)).collect();
        let oversampled = [&once[..250], &once[250..].repeat(10)].concat();
        assert!(overlaps(&oversampled, &once, 32));
    }

    #[test]
    fn the_training_data_may_be_evaluated_on_purpose() {
        let mut trained = TrainedSamples::default();
        assert!(trained.compare(10, 0).is_none());
        trained.start(1, 7);
        trained.remember(5);
        assert!(trained.compare(1, 7).is_none());
        assert!(trained.compare(0, 8).is_none(), "no samples");
        let mut same = trained.compare(3, 8).unwrap();
        (0..3).for_each(|_| same.add(5, &trained));
        assert!(!same.overlaps(&trained), "samples that are all the same");
    }
}
