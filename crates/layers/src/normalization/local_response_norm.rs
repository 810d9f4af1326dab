//! Local response normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::vector::{CHAIN, LongSum};
use chainrule_tensor::{Buffer, Real, Shape, each};

use super::scratch::{scratch, zeroed};
use crate::contiguous::{contiguous, write_contiguous};

/// `y = x s^-β`, `s = k + α/n Σ x²` over the `n` neighbouring channels of each value, itself in the middle
/// (Krizhevsky, Sutskever and Hinton 2012), for samples `[channels, spatial...]`.
///
/// As in PyTorch, `α = 10⁻⁴`, `β = 0.75`, `k = 1`, the sum is divided by `n` at the edges too, and if `n` is even there is
/// one more neighbour before the value than after it.
#[derive(Clone, Copy, Debug)]
pub struct LocalResponseNorm {
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
}

describe! {
    /// Divides each value by a power of the squares of its neighbouring channels.
    LocalResponseNorm = "local_response_norm";
    formula "y = x / (k + α mean(x²))^β";
    source "Krizhevsky et al. 2012";
    settings {
        /// The number of channels that are added up.
        size: required, Range::AT_LEAST_ONE;
        /// The factor of the mean of the squares.
        alpha: 0.0001, Range::NOT_NEGATIVE;
        /// The exponent.
        beta: 0.75, Range::FINITE;
        /// What is added to the mean.
        k: 1.0, Range::POSITIVE;
    }
}

impl LocalResponseNorm {
    /// Over `size` neighbouring channels.
    pub fn new(size: usize) -> Self {
        Self { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }

    /// Another `α`.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// Another `β`.
    #[must_use]
    pub fn beta(self, beta: f64) -> Self {
        Self { beta, ..self }
    }

    /// Another `k`.
    #[must_use]
    pub fn k(self, k: f64) -> Self {
        Self { k, ..self }
    }

    /// For each distance of neighbours, the ranges of a sample's values and of their neighbours.
    fn neighbours(&self, channels: usize, inner: usize) -> impl Iterator<Item = [std::ops::Range<usize>; 2]> {
        let size = channels * inner;
        let before = (1..=(self.size / 2).min(channels - 1)).rev();
        let after = 0..=((self.size - 1) / 2).min(channels - 1);
        let before = before.map(move |d| [d * inner..size, 0..size - d * inner]);
        before.chain(after.map(move |d| [0..size - d * inner, d * inner..size]))
    }

    /// Adds to the sum of each value the terms of its neighbours; with `backwards` those of the values that it is a neighbour of.
    fn add_terms<T: Real>(
        &self,
        [channels, inner]: [usize; 2],
        backwards: bool,
        terms: &[T],
        to: Sums<'_, T>,
    ) {
        let Sums { sums, long } = to;
        let is_long = self.size.min(2 * channels) > 2 * CHAIN;
        if is_long {
            long.start(sums.len());
        }
        for [own, neighbour] in self.neighbours(channels, inner) {
            let [from, to] = if backwards { [own, neighbour] } else { [neighbour, own] };
            let term = &terms[from];
            let sum = if is_long { &mut long.part()[to] } else { &mut sums[to] };
            each!(sum = |term| sum + term);
        }
        if is_long {
            long.add_to(sums);
        }
    }
}

/// The sums of one sample, and where those of very many neighbours are made.
struct Sums<'a, T: Real> {
    sums: &'a mut [T],
    long: &'a mut LongSum<T>,
}

/// What a [`LocalResponseNorm`] layer keeps between its passes.
#[derive(Clone, Debug, Default)]
pub struct LocalResponseNormCache<T: Real> {
    channels: usize,
    inner: usize,
    /// `s` of each value.
    s: Buffer<T>,
    /// The terms of `Σ t` and the sums, for each value of one sample.
    terms: Buffer<T>,
    sums: Buffer<T>,
    long: LongSum<T>,
    /// Copies of strided batches.
    copies: [Buffer<T>; 3],
}

impl<T: Real> Layer<T> for LocalResponseNorm {
    type Cache = LocalResponseNormCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let [channels, spatial @ ..] = &*input else {
            return Err(plan.error(input, "[channels, spatial...]", "give it at least one channel"));
        };
        if input.size() == 0 {
            return Err(plan.error(input, "[channels, spatial...]", "give it at least one value"));
        }
        let Self { size, alpha, beta, k } = *self;
        let finite = [alpha, beta, k].iter().all(|value| value.is_finite());
        if size == 0 || alpha < 0.0 || T::of(k) < T::min_positive_value() || !finite {
            let help = "choose a size of at least 1, an alpha of at least 0, a k above 0 and any beta";
            return Err(plan.setting_error(input, "other settings", help));
        }
        plan.memory(input.size());
        let inner = spatial.iter().product();
        Ok((input, LocalResponseNormCache { channels: *channels, inner, ..Default::default() }))
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let LocalResponseNormCache { channels, inner, s, terms, long, copies: [x_copy, y_copy, _], .. } =
            cache;
        let size = *channels * *inner;
        let alpha = T::of(self.alpha / self.size as f64);
        let beta = T::of(self.beta);
        let s = scratch(s, x.len());
        let x = contiguous(x, x_copy);
        s.fill(T::of(self.k));
        let terms = scratch(terms, size);
        for (x, s) in x.chunks_exact(size).zip(s.chunks_exact_mut(size)) {
            each!(terms = |x| alpha * (x * x)); //                           s = k + α/n Σ x²
            self.add_terms([*channels, *inner], false, terms, Sums { sums: s, long: &mut *long });
        }
        write_contiguous(y, y_copy, |y| {
            each!(y = |x, s| x * (-beta * s.fast_ln()).fast_exp()); //       y = x s^-β
        });
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, Self::Cache>) {
        let Some(dx) = dx else { return };
        let LocalResponseNormCache { channels, inner, s, terms, sums, long, copies } = cache;
        let [x_copy, dy_copy, dx_copy] = copies;
        let size = *channels * *inner;
        let beta = T::of(self.beta);
        let factor = T::of(2.0 * self.alpha * self.beta / self.size as f64);
        let x = contiguous(x, x_copy);
        let dy = contiguous(dy, dy_copy);
        write_contiguous(dx, dx_copy, |dx| {
            let rows = x.chunks_exact(size).zip(dy.chunks_exact(size)).zip(s.chunks_exact(size));
            for (((x, dy), s), dx) in rows.zip(dx.chunks_exact_mut(size)) {
                let terms = scratch(terms, size);
                let sums = zeroed(sums, size);
                each!(
                    [dx, terms] = |x, dy, s| {
                        let direct = dy * (-beta * s.fast_ln()).fast_exp();
                        [direct, direct * x / s] //                              t = dy x s^(-β-1)
                    }
                );
                self.add_terms([*channels, *inner], true, terms, Sums { sums: &mut *sums, long: &mut *long });
                each!(dx = |x, sum: sums| dx - factor * x * sum); //         dx = dy s^-β - 2αβ/n x Σ t
            }
        });
    }
}
