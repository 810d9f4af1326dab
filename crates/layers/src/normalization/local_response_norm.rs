//! Local response normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::{room, zeroed};
use crate::packed::{fill_packed, packed};

/// `y = x s^-β`, `s = k + α/n Σ x²` over the `n` neighbouring channels of each value, itself in the middle
/// (Krizhevsky, Sutskever and Hinton 2012), for samples `[channels, spatial...]`.
///
/// As in PyTorch, `α = 10⁻⁴`, `β = 0.75`, `k = 1`, the sum is divided by `n` at the edges too, and of an even number of
/// neighbours there is one more before than after.
#[derive(Clone, Copy, Debug)]
pub struct LocalResponseNorm {
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
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

    /// For each distance of neighbours, where in a sample a value and its neighbour lie.
    fn neighbours(&self, channels: usize, inner: usize) -> impl Iterator<Item = [std::ops::Range<usize>; 2]> {
        let size = channels * inner;
        let before = (1..=(self.size / 2).min(channels - 1)).rev();
        let after = 0..=((self.size - 1) / 2).min(channels - 1);
        let before = before.map(move |d| [d * inner..size, 0..size - d * inner]);
        before.chain(after.map(move |d| [0..size - d * inner, d * inner..size]))
    }
}

/// What a [`LocalResponseNorm`] remembers.
#[derive(Clone, Debug, Default)]
pub struct LocalResponse<T: Real> {
    channels: usize,
    inner: usize,
    /// `s` of each value.
    s: Buffer<T>,
    /// Of each value of one sample.
    terms: Buffer<T>,
    sums: Buffer<T>,
    /// Copies of batches that are strided.
    copies: [Buffer<T>; 3],
}

impl<T: Real> Layer<T> for LocalResponseNorm {
    type Cache = LocalResponse<T>;

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
            return Err(plan.error(input, "any samples, with other settings,", help));
        }
        plan.memory(input.size());
        let (channels, inner) = (*channels, spatial.iter().product());
        Ok((input, LocalResponse { channels, inner, ..Default::default() }))
    }

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let LocalResponse { channels, inner, s, copies: [x_copy, y_copy, _], .. } = cache;
        let (size, alpha) = (*channels * *inner, T::of(self.alpha / self.size as f64));
        let (beta, s) = (T::of(self.beta), room(s, x.len()));
        let x = packed(x, x_copy);
        s.fill(T::of(self.k));
        for (x, s) in x.chunks_exact(size).zip(s.chunks_exact_mut(size)) {
            for [own, neighbour] in self.neighbours(*channels, *inner) {
                vector::each(
                    [&x[neighbour]],
                    [&mut s[own]],
                    #[inline(always)]
                    |[x], [s]| [s + alpha * (x * x)], //                     s = k + α/n Σ x²
                );
            }
        }
        fill_packed(y, y_copy, |y| {
            vector::each(
                [x, s],
                [y],
                #[inline(always)]
                |[x, s], _| [x * (-beta * s.fast_ln()).fast_exp()], //       y = x s^-β
            );
        });
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, Self::Cache>) {
        let Some(dx) = dx else { return };
        let LocalResponse { channels, inner, s, terms, sums, copies: [x_copy, dy_copy, dx_copy] } = cache;
        let (size, beta) = (*channels * *inner, T::of(self.beta));
        let slope = T::of(2.0 * self.alpha * self.beta / self.size as f64);
        let (x, dy) = (packed(x, x_copy), packed(dy, dy_copy));
        fill_packed(dx, dx_copy, |dx| {
            let rows = x.chunks_exact(size).zip(dy.chunks_exact(size)).zip(s.chunks_exact(size));
            for (((x, dy), s), dx) in rows.zip(dx.chunks_exact_mut(size)) {
                let (terms, sums) = (room(terms, size), zeroed(sums, size));
                vector::each(
                    [x, dy, s],
                    [dx, terms],
                    #[inline(always)]
                    |[x, dy, s], _| {
                        let direct = dy * (-beta * s.fast_ln()).fast_exp();
                        [direct, direct * x / s] //                          t = dy x s^(-β-1)
                    },
                );
                for [own, neighbour] in self.neighbours(*channels, *inner) {
                    vector::each(
                        [&terms[own]],
                        [&mut sums[neighbour]],
                        #[inline(always)]
                        |[term], [sum]| [sum + term],
                    );
                }
                vector::each(
                    [x, sums],
                    [dx],
                    #[inline(always)]
                    |[x, sum], [direct]| [direct - slope * x * sum], //      dx = dy s^-β - 2αβ/n x Σ t
                );
            }
        });
    }
}
