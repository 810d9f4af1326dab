//! Rotary positions.

use std::sync::{Arc, OnceLock};

use chainrule_tensor::{Buffer, Real};
use ndarray::ArrayViewMut2;

/// Rotary positions (Su et al. 2021, "RoFormer", equation 34): the pair of the features `2i` and `2i + 1` of a head's
/// query or key is turned by the angle `step · base⁻²ⁱᐟˢⁱᶻᵉ`, so that a score depends on how far the two are apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Rotary<T: Real> {
    steps: usize,
    size: usize,
    base: f64,
    /// The cosine and the sine of each pair's angle, `[steps, size]`, from the first pass on. All copies share them.
    turns: Arc<OnceLock<Buffer<T>>>,
}

impl<T: Real> Rotary<T> {
    pub(super) fn new(steps: usize, size: usize, base: f64) -> Self {
        Self { steps, size, base, turns: Arc::default() }
    }

    fn turns(&self) -> &[T] {
        let &Self { steps, size, base, .. } = self;
        self.turns.get_or_init(|| {
            let mut turns = Buffer::zeros(steps * size);
            for (step, turns) in turns.chunks_exact_mut(size).enumerate() {
                for (pair, turn) in turns.as_chunks_mut().0.iter_mut().enumerate() {
                    let angle = step as f64 * base.powf(-2.0 * pair as f64 / size as f64);
                    *turn = [T::of(angle.cos()), T::of(angle.sin())];
                }
            }
            turns
        })
    }

    /// Turns every head of `x`, `[rows * steps, heads * size]`.
    pub(super) fn turn(&self, x: ArrayViewMut2<'_, T>) {
        self.each(x, |[a, b], [cos, sin]| [a * cos - b * sin, a * sin + b * cos]);
    }

    /// Turns back, which is also the gradient.
    pub(super) fn turn_back(&self, x: ArrayViewMut2<'_, T>) {
        self.each(x, |[a, b], [cos, sin]| [a * cos + b * sin, b * cos - a * sin]);
    }

    fn each(&self, mut x: ArrayViewMut2<'_, T>, f: impl Fn([T; 2], [T; 2]) -> [T; 2]) {
        for (step, turns) in x.rows_mut().into_iter().zip(self.turns().chunks_exact(self.size).cycle()) {
            let step = step.into_slice().expect("the features of a step lie side by side");
            for head in step.chunks_exact_mut(self.size) {
                for (pair, &turn) in head.as_chunks_mut().0.iter_mut().zip(turns.as_chunks().0) {
                    *pair = f(*pair, turn);
                }
            }
        }
    }
}
