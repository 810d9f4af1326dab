//! The samples that batches are drawn from.

use std::error::Error;
use std::ops::Range;

use chainrule::prelude::*;
use chainrule::tensor::UsedColumns;

use super::workloads::Workload;

/// Where the samples come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// The images of MNIST; the bundled digits without them.
    pub(crate) images: Option<Images>,
    /// Whether no pixel may be 0.
    pub(crate) dense: bool,
}

/// The samples of one shape.
pub(crate) struct SampleSet {
    images: Images,
    /// The indices of all samples, twice, with a large distance from each to the next.
    scattered: Vec<u32>,
}

/// A prime that does not divide the number of samples.
const STRIDE: usize = 7_919;

impl SampleSet {
    pub(crate) fn new(images: Images) -> Self {
        let count = images.count();
        let scattered = (0..2 * count).map(|index| (index * STRIDE % count) as u32).collect();
        Self { images, scattered }
    }

    /// The share of the columns that are not zeros in a whole batch.
    pub(crate) fn used_columns(&self, batch: usize) -> f64 {
        let inputs = self.shape().size();
        let mut x = vec![0.0f32; batch * inputs];
        let mut used = UsedColumns::default();
        let batches = self.scattered.chunks_exact(batch).take(16);
        let count = batches.len();
        let share = |indices: &[u32]| {
            for (row, &index) in x.chunks_exact_mut(inputs).zip(indices) {
                self.images.read(index as usize, row);
            }
            used.find(&x, inputs, 0);
            used.indices().len() as f64 / inputs as f64
        };
        batches.map(share).sum::<f64>() / count as f64
    }

    /// The number of samples.
    pub(crate) fn count(&self) -> usize {
        self.images.count()
    }

    fn shape(&self) -> Shape {
        self.images.image_shape()
    }

    /// The samples at these positions of a scattered order in which each comes twice.
    pub(crate) fn window(&self, positions: Range<usize>) -> ScatteredSamples<'_> {
        ScatteredSamples { images: &self.images, indices: &self.scattered[positions] }
    }
}

/// The samples for several workloads; workloads of one shape share theirs.
pub(crate) struct SampleSets(Vec<SampleSet>);

impl SampleSets {
    pub(crate) fn of_all(workloads: &[Workload], source: &Source) -> Result<Self, Box<dyn Error>> {
        let mut all: Vec<SampleSet> = Vec::new();
        for workload in workloads {
            if all.iter().all(|samples| samples.shape() != workload.input) {
                all.push(workload.samples(source)?);
            }
        }
        Ok(Self(all))
    }

    /// The samples for one of the workloads.
    pub(crate) fn of(&self, workload: &Workload) -> &SampleSet {
        self.0.iter().find(|samples| samples.shape() == workload.input).expect("made for all workloads")
    }
}

/// Some of the samples, scattered over the memory that holds them all, so that an epoch of a few thousand samples misses
/// the caches as often as an epoch of all.
pub(crate) struct ScatteredSamples<'a> {
    images: &'a Images,
    indices: &'a [u32],
}

impl ScatteredSamples<'_> {
    #[inline]
    fn index(&self, index: usize) -> usize {
        self.indices[index] as usize
    }
}

impl Dataset for ScatteredSamples<'_> {
    type Target = u8;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> Shape {
        self.images.image_shape()
    }

    fn classes(&self) -> Option<usize> {
        Some(self.images.classes())
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        self.images.prefetch(self.index(index), columns);
    }
}

impl Samples<f32> for ScatteredSamples<'_> {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        self.images.read(self.index(index), row)
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [f32], row: &mut [f32]) -> u8 {
        self.images.read_part(self.index(index), columns, part, row)
    }
}

#[cfg(test)]
mod tests {
    use super::super::workloads::SAMPLES;
    use super::*;

    #[test]
    fn a_dense_source_has_no_columns_of_zeros() {
        let workload = Workload::dense("small", &[784, 8, 10], 8);
        let share = |dense| {
            let samples = workload.samples(&Source { images: None, dense }).unwrap();
            samples.used_columns(workload.batch)
        };
        assert!(share(false) < 0.9);
        assert_eq!(share(true), 1.0);
    }

    #[test]
    fn a_window_takes_each_sample_once() {
        let workload = Workload::dense("tiny", &[4, 3], 32);
        let samples = workload.samples(&Source::default()).unwrap();
        let window = samples.window(12_345..12_345 + SAMPLES);
        let mut seen = vec![false; SAMPLES];
        (0..SAMPLES).for_each(|index| seen[window.index(index)] = true);
        assert!(seen.into_iter().all(|seen| seen));
    }
}
