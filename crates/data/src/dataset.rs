//! The trait that every data set implements.

use chainrule_tensor::{Real, Seed, Shape};

/// Samples that can be read by index, on several threads at once.
///
/// A sample is written where the batch wants it, and converted on the way: a data set of bytes stays one in
/// memory. Targets are cheap to clone: a class, an array, a shared slice.
pub trait Dataset<T: Real>: Sync {
    /// What a sample's output is to become; most losses take every [`Target`](chainrule_tensor::Target).
    type Target: Clone + Send + Sync;

    /// How many samples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample.
    fn shape(&self) -> Shape;

    /// Writes the sample at `index`, below [`len`](Self::len), to `row`, which has as many values as the
    /// [`shape`](Self::shape), and returns its target. Called for every sample of every batch: it allocates nothing.
    fn read(&self, index: usize, row: &mut [T]) -> Self::Target;
}

impl<T: Real, D: Dataset<T> + ?Sized> Dataset<T> for &D {
    type Target = D::Target;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn shape(&self) -> Shape {
        (**self).shape()
    }

    fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
        (**self).read(index, row)
    }
}

/// Some samples of a data set, in an order of their own.
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    indices: Vec<u32>,
}

impl<D> Subset<D> {
    /// The first `count` samples, or all if there are fewer.
    pub fn first<T: Real>(data: D, count: usize) -> Self
    where
        D: Dataset<T>,
    {
        let indices = (0..data.len().min(count) as u32).collect();
        Self { data, indices }
    }

    /// Two parts at random, the second with this share of the samples: for training and validation.
    pub fn split<T: Real>(data: &D, share: f64, seed: Seed) -> (Subset<&D>, Subset<&D>)
    where
        D: Dataset<T>,
    {
        let mut indices: Vec<u32> = (0..data.len() as u32).collect();
        seed.rng().shuffle(&mut indices);
        let held_out = (share.clamp(0.0, 1.0) * indices.len() as f64).round() as usize;
        let rest = indices.split_off(indices.len() - held_out);
        (Subset { data, indices }, Subset { data, indices: rest })
    }
}

impl<T: Real, D: Dataset<T>> Dataset<T> for Subset<D> {
    type Target = D::Target;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }

    fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
        self.data.read(self.indices[index] as usize, row)
    }
}
