//! Rotary positions.

use std::sync::{Arc, OnceLock};

use chainrule_tensor::{Buffer, Real};
use ndarray::ArrayViewMut2;

/// Rotary positions (Su et al. 2021, "RoFormer", equation 34): the pair of the features `2i` and `2i + 1` of a head's
/// query or key is rotated by the angle `step · base⁻²ⁱᐟˢⁱᶻᵉ`, so that a score depends on the distance between the two.
#[derive(Clone, Debug, Default)]
pub(super) struct Rotary<T: Real> {
    steps: usize,
    size: usize,
    base: f64,
    /// The cosine and the sine of each pair's angle, `[steps, size]`, computed in the first pass and shared by all copies.
    rotations: Arc<OnceLock<Buffer<T>>>,
}

impl<T: Real> Rotary<T> {
    pub(super) fn new(steps: usize, size: usize, base: f64) -> Self {
        Self { steps, size, base, rotations: Arc::default() }
    }

    fn rotations(&self) -> &[T] {
        let &Self { steps, size, base, .. } = self;
        self.rotations.get_or_init(|| {
            let mut rotations = Buffer::zeros(steps * size);
            for (step, rotations) in rotations.chunks_exact_mut(size).enumerate() {
                for (pair, rotation) in rotations.as_chunks_mut().0.iter_mut().enumerate() {
                    let angle = step as f64 * base.powf(-2.0 * pair as f64 / size as f64);
                    *rotation = [T::of(angle.cos()), T::of(angle.sin())];
                }
            }
            rotations
        })
    }

    /// Rotates every head of `x`, `[rows * steps, heads * size]`.
    pub(super) fn rotate(&self, x: ArrayViewMut2<'_, T>) {
        self.each(x, |[a, b], [cos, sin]| [a * cos - b * sin, a * sin + b * cos]);
    }

    /// Rotates back, which is also the backward pass.
    pub(super) fn rotate_back(&self, x: ArrayViewMut2<'_, T>) {
        self.each(x, |[a, b], [cos, sin]| [a * cos + b * sin, b * cos - a * sin]);
    }

    fn each(&self, mut x: ArrayViewMut2<'_, T>, f: impl Fn([T; 2], [T; 2]) -> [T; 2]) {
        for (step, rotations) in
            x.rows_mut().into_iter().zip(self.rotations().chunks_exact(self.size).cycle())
        {
            let step = step.into_slice().expect("the features of a step are contiguous");
            for head in step.chunks_exact_mut(self.size) {
                for (pair, &rotation) in head.as_chunks_mut().0.iter_mut().zip(rotations.as_chunks().0) {
                    *pair = f(*pair, rotation);
                }
            }
        }
    }
}
