//! Penalties of the weights: stages that add the gradient of a penalty to the gradients of the loss, for the optimizer after
//! them.
//!
//! The loss that is reported is that without the penalty. They act on [`ParamKind::Weight`] only, and after clipping, wherever
//! they stand.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{each, gemm, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Bounds, Optimizer, ParamKind, Parameter, Real, Update, UpdateRule};

/// The penalty `λ₁ Σ |w| + λ₂ Σ w²`, as Keras' `L1L2`: `g ← g + λ₁ sign(w) + 2 λ₂ w`. See [`l1`], [`l2`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L1L2 {
    /// λ₁, which makes weights 0.
    pub l1: f64,
    /// λ₂, which makes weights small.
    pub l2: f64,
}

/// The penalty `λ Σ |w|`.
pub fn l1(lambda: f64) -> L1L2 {
    L1L2 { l1: lambda, l2: 0.0 }
}

/// The penalty `λ Σ w²`, as in Keras: twice the decay of [`WeightDecay`](crate::WeightDecay).
pub fn l2(lambda: f64) -> L1L2 {
    L1L2 { l1: 0.0, l2: lambda }
}

describe! {
    /// The penalties of absolute and of squared weights.
    L1L2 = "l1_l2";
    aliases ["elastic_net"];
    formula "g ← g + λ₁ sign(w) + 2 λ₂ w";
    source "Keras";
    settings {
        /// λ₁, the factor of the absolute values.
        l1: 0.0, Range::NOT_NEGATIVE;
        /// λ₂, the factor of the squares.
        l2: 0.0, Range::NOT_NEGATIVE;
    }
    presets {
        l1 { l1 = 0.01 }
        l2 { l2 = 0.01 }
    }
}

impl Optimizer for L1L2 {
    described!(check_settings);
}

impl<T: Real> UpdateRule<T> for L1L2 {
    fn update(&self, Update { kind, params: p, grads: g, .. }: Update<'_, T>) {
        if kind != ParamKind::Weight {
            return;
        }
        let [l1, l2] = [self.l1, 2.0 * self.l2].map(T::of);
        let zero = T::zero();
        each!(g = |p| g + (if p == zero { zero } else { l1.copysign(p) }) + l2 * p);
    }

    fn bound(&self, Bounds { params, grads, .. }: Bounds<'_>) -> f64 {
        *grads += self.l1 + 2.0 * self.l2 * *params;
        *grads
    }
}

/// Which vectors of a matrix should be orthogonal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrthogonalMode {
    /// Its rows.
    Rows,
    /// Its columns.
    Columns,
}

chainrule_core::setting_words! { OrthogonalMode { Rows = "rows", Columns = "columns" } }

/// The penalty of vectors that are not orthogonal, as Keras' `OrthogonalRegularizer`: λ times the mean over all pairs of
/// `|cos(wᵢ, wⱼ)|`, for weights with two axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrthogonalPenalty {
    /// λ.
    pub factor: f64,
    /// Which vectors should be orthogonal.
    pub mode: OrthogonalMode,
}

describe! {
    /// The penalty of the absolute cosines between the rows, or the columns, of a weight.
    OrthogonalPenalty = "orthogonal_penalty";
    aliases ["orthogonal_regularizer"];
    formula "g ← g + ∂/∂w λ 2 / (n (n - 1)) Σ_{i<j} |cos(wᵢ, wⱼ)|";
    source "Keras";
    settings {
        /// λ.
        factor: 0.01, Range::NOT_NEGATIVE;
        /// Whether the rows or the columns should be orthogonal.
        mode: rows;
    }
}

impl OrthogonalPenalty {
    /// The number of vectors and their size.
    fn vectors(&self, parameter: &Parameter) -> Option<[usize; 2]> {
        let matrix = parameter.kind == ParamKind::Weight && parameter.shape.len() == 2;
        let [rows, columns] = parameter.matrix();
        let vectors = match self.mode {
            OrthogonalMode::Rows => [rows, columns],
            OrthogonalMode::Columns => [columns, rows],
        };
        (matrix && vectors[0] > 1 && vectors[1] > 0).then_some(vectors)
    }
}

impl Optimizer for OrthogonalPenalty {
    described!(check_settings);

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        self.vectors(parameter).map_or(0, |[count, size]| count * (count + 2 * size + 1))
    }
}

/// Values as rows of this size.
fn rows_of<T>(values: &[T], columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((values.len() / columns, columns), values).expect("whole rows")
}

/// Values as rows of this size.
fn rows_of_mut<T>(values: &mut [T], columns: usize) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((values.len() / columns, columns), values).expect("whole rows")
}

impl<T: Real> UpdateRule<T> for OrthogonalPenalty {
    fn update(&self, Update { parameter, params, grads, scratch, .. }: Update<'_, T>) {
        let Some(parameter) = parameter else { return };
        let Some([count, size]) = self.vectors(parameter) else { return };
        // The vectors as rows, of length 1.
        let (unit, rest) = scratch.split_at_mut(count * size);
        let (d_unit, rest) = rest.split_at_mut(count * size);
        let (products, rest) = rest.split_at_mut(count * count);
        let lengths = &mut rest[..count];
        let [rows, columns] = parameter.matrix();
        let matrix = ArrayView2::from_shape((rows, columns), params).expect("the values of the parameter");
        let vectors = match self.mode {
            OrthogonalMode::Rows => matrix,
            OrthogonalMode::Columns => matrix.reversed_axes(),
        };
        for ((vector, unit), length) in
            vectors.outer_iter().zip(unit.chunks_exact_mut(size)).zip(&mut *lengths)
        {
            let square: f64 = vector.iter().map(|w| w.as_f64() * w.as_f64()).sum();
            // As Keras' normalize.
            *length = T::of(square.sqrt().max(1e-12));
            unit.iter_mut().zip(vector).for_each(|(unit, &w)| *unit = w / *length);
        }
        let units = rows_of(unit, size);
        gemm(T::one(), units, units.reversed_axes(), T::zero(), rows_of_mut(products, count));
        for (row, cosines) in products.chunks_exact_mut(count).enumerate() {
            for (column, cosine) in cosines.iter_mut().enumerate() {
                let sign = if *cosine > T::zero() {
                    T::one()
                } else if *cosine < T::zero() {
                    -T::one()
                } else {
                    T::zero()
                };
                *cosine = if row == column { T::zero() } else { sign };
            }
        }
        let pairs = 0.5 * count as f64 * (count as f64 - 1.0);
        let scale = T::of(self.factor / pairs);
        gemm(scale, rows_of(products, count), units, T::zero(), rows_of_mut(d_unit, size));
        let gradient =
            ArrayViewMut2::from_shape((rows, columns), grads).expect("the values of the parameter");
        let mut gradient = match self.mode {
            OrthogonalMode::Rows => gradient,
            OrthogonalMode::Columns => gradient.reversed_axes(),
        };
        let units = unit.chunks_exact(size).zip(d_unit.chunks_exact(size));
        for ((mut g, (unit, d_unit)), &length) in gradient.outer_iter_mut().zip(units).zip(&*lengths) {
            // w / ‖w‖ passes on what is at right angles to w.
            let along = vector::dot(unit, d_unit);
            let terms = unit.iter().zip(d_unit);
            g.iter_mut().zip(terms).for_each(|(g, (&u, &d))| *g += (d - along * u) / length);
        }
    }
}
