//! Spectral normalisation.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{Real, Seed, Shape, gemm, vector};
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::reparametrized::{Reparametrization, Terms, Weight};

/// A layer whose first weight, as a matrix `W` of `[units, the others]`, is divided by an estimate of its greatest
/// singular value `σ` (Miyato et al. 2018, "Spectral normalization for generative adversarial networks"; PyTorch's
/// `spectral_norm`).
///
/// Each pass of training improves the estimate by a step of the power iteration, `v ← Wᵀu / |Wᵀu|`, `u ← W v / |W v|`,
/// `σ = uᵀ W v`, from the `u` of the step before, a buffer `[units]`; outside training `u` stays, and `σ = |Wᵀu|`. To the
/// gradient, `u` and `v` are constants: `dW = (dŴ - (Σ dŴ Ŵ) u vᵀ) / σ` for `Ŵ = W / σ`.
///
/// A `u` of 0, as the buffer starts, stands for one that 15 steps from a fixed direction give; PyTorch takes as many
/// when the layer is made.
///
/// The units of a matrix lie along its last axis (`Dense`), those of a weight of more axes along the first
/// (convolutions); [`axis`](Self::axis) chooses another, such as 1 for transposed convolutions.
#[derive(Clone, Copy, Debug)]
pub struct SpectralNorm<L> {
    pub(super) layer: L,
    axis: Option<usize>,
    iterations: usize,
}

/// How many steps the first estimate takes.
const FIRST: usize = 15;

/// The smallest length that is divided by.
const SHORTEST: f64 = 1e-12;

impl<L> SpectralNorm<L> {
    /// This layer, with its first weight divided by its spectral norm.
    pub fn new(layer: L) -> Self {
        Self { layer, axis: None, iterations: 1 }
    }

    /// Along which axis of the weight the units lie.
    #[must_use]
    pub fn axis(self, axis: usize) -> Self {
        Self { axis: Some(axis), ..self }
    }

    /// Another number of steps of the power iteration in each pass of training, at least 1.
    #[must_use]
    pub fn iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }
}

impl<T: Real, L> Reparametrization<T> for SpectralNorm<L> {
    const NAME: &'static str = "spectral_norm";

    fn axis(&self) -> Option<usize> {
        self.axis
    }

    fn declare(&self, weight: &Weight, input: Shape, plan: &mut Plan) -> Result<(), ShapeError> {
        if self.iterations == 0 {
            let help = "choose at least one iteration";
            return Err(plan.error(input, "any samples, with some iterations,", help));
        }
        plan.buffer("u", [weight.units], 0.0)?;
        Ok(())
    }

    fn weight(&self, terms: &mut Terms<T>, w: &[T], start: &[T], normalised: &mut [T], training: bool) {
        let Terms { weight, units: [u, next, _], places: v, norm } = terms;
        u.copy_from_slice(start);
        let mut steps = if training { self.iterations } else { 0 };
        if start.iter().all(|&u| u == T::zero()) {
            let anywhere = |i| T::of(Seed(0).bits(i) as i64 as f64 / 2f64.powi(63));
            (0..).zip(u.iter_mut()).for_each(|(i, u)| *u = anywhere(i));
            steps += FIRST;
        }
        normalise(u);
        weight.transposed_times(w, u, v);
        *norm = normalise(v); //                                             v = Wᵀu / |Wᵀu|, σ = uᵀ W v = |Wᵀu|
        for step in 0..steps {
            if step > 0 {
                weight.transposed_times(w, u, v);
                normalise(v);
            }
            weight.times(w, v, u);
            *norm = normalise(u); //                                         u = W v / |W v|, σ = uᵀ W v = |W v|
        }
        next.copy_from_slice(if training { u } else { start });
        let factor = norm.recip();
        vector::each(
            [w],
            [normalised],
            #[inline(always)]
            |[w], _| [w * factor], //                                        Ŵ = W / σ
        );
    }

    fn gradient(&self, terms: &mut Terms<T>, w: &[T], dw: &mut [T], du: &mut [T], share: T) {
        let Terms { weight, units: [u, next, _], places: v, norm } = terms;
        let [along] = vector::sums(
            [dw, w],
            #[inline(always)]
            |[dw, w]| [dw * w],
        );
        weight.add_outer(-along / (*norm * *norm), u, v, norm.recip(), dw); // dW = (dŴ - (Σ dŴ Ŵ) u vᵀ) / σ
        for (du, &next) in du.iter_mut().zip(next.iter()) {
            *du += share * next;
        }
    }
}

impl Weight {
    /// How many matrices `[units, width]` it is, the width, and whether they lie column by column.
    fn matrices(&self) -> (usize, usize, bool) {
        match self.inner {
            1 => (1, self.outer, true),
            inner => (self.outer, inner, false),
        }
    }

    /// `y = W x`, for `x` with a value for each place and `y` with one for each unit.
    fn times<T: Real>(&self, w: &[T], x: &[T], y: &mut [T]) {
        let ((count, width, columns), units) = (self.matrices(), self.units);
        for i in 0..count {
            let w = view(&w[i * units * width..], units, width, columns);
            let beta = if i == 0 { T::zero() } else { T::one() };
            gemm(T::one(), w, view(&x[i * width..], width, 1, false), beta, view_mut(y, units, 1, false));
        }
    }

    /// `y = Wᵀ x`, for `x` with a value for each unit and `y` with one for each place.
    fn transposed_times<T: Real>(&self, w: &[T], x: &[T], y: &mut [T]) {
        let ((count, width, columns), units) = (self.matrices(), self.units);
        for i in 0..count {
            let w = view(&w[i * units * width..], units, width, columns);
            let y = view_mut(&mut y[i * width..], width, 1, false);
            gemm(T::one(), w.t(), view(x, units, 1, false), T::zero(), y);
        }
    }

    /// `W ← alpha u vᵀ + beta W`.
    fn add_outer<T: Real>(&self, alpha: T, u: &[T], v: &[T], beta: T, w: &mut [T]) {
        let ((count, width, columns), units) = (self.matrices(), self.units);
        for i in 0..count {
            let w = view_mut(&mut w[i * units * width..], units, width, columns);
            gemm(alpha, view(u, units, 1, false), view(&v[i * width..], 1, width, false), beta, w);
        }
    }
}

/// The first values as a matrix, which lies row by row or column by column.
fn view<T>(values: &[T], rows: usize, columns: usize, by_columns: bool) -> ArrayView2<'_, T> {
    let shape = (rows, columns).set_f(by_columns);
    ArrayView2::from_shape(shape, &values[..rows * columns]).expect("as many values")
}

fn view_mut<T>(values: &mut [T], rows: usize, columns: usize, by_columns: bool) -> ArrayViewMut2<'_, T> {
    let shape = (rows, columns).set_f(by_columns);
    ArrayViewMut2::from_shape(shape, &mut values[..rows * columns]).expect("as many values")
}

/// Divides by the length, and returns it; a vector shorter than that is divided by the shortest length.
fn normalise<T: Real>(values: &mut [T]) -> T {
    let [squares] = vector::sums([&*values], |[v]| [v * v]);
    let length = squares.sqrt().max(T::of(SHORTEST));
    values.iter_mut().for_each(|value| *value /= length);
    length
}
