use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::{doubles, each, gemm, scratch_for_doubles};

use super::axes::{Axis, identity, swap_rows, with_matrices};
use super::eigen::eigen;
use super::orthonormal::orthonormalize;
use super::{rows_of, rows_of_mut};
use crate::running_mean::correction;
use crate::setters::setters;
use crate::{Optimizer, ParamKind, Parameter, Real, Schedule, SettingError, Update, UpdateRule, vector};

/// SOAP (Vyas et al. 2024): Adam in the basis of the eigenvectors of [`Shampoo`](crate::Shampoo)'s means of products.
///
/// ```text
/// h = Q g                            along each axis i by its Qᵢ, whose rows are the basis; of a matrix: Q₁ g Q₂ᵀ
/// m ← β₁ m + (1 - β₁) h;   v ← β₂ v + (1 - β₂) h²;   d = Qᵀ (m / (√v + ε))
/// p ← p - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) d;   p ← p - η λ p
/// Lᵢ ← β Lᵢ + (1 - β) gᵢ gᵢᵀ         of each axis, where the rows of gᵢ are the slices of g at each of its indices
/// Qᵢ ← orthonormal rows of Qᵢ Lᵢ     every k steps, with the larger ⟨q, L q⟩ first; m is turned into the new basis
/// ```
///
/// The first step changes no parameter: it makes L of the gradient, and Q of the eigenvectors of L. So t counts the steps after it. A
/// matrix `[A, B]` has L and Q of `[A, A]` and `[B, B]`, and a kernel of a convolution has them for each of its axes. An axis that is
/// too long, and that of a vector, has none, so vectors are trained by Adam.
///
/// Defaults are those of the authors' program: η 0.003, β₁ and β₂ 0.95, β as β₂, ε 1e-8, λ 0.01, k 10, and 10000 as the length of the
/// longest axis with a basis. A new basis takes about 5 n³ operations, so a smaller limit is of use where layers are wide. Axes are not
/// merged. λ applies to [`ParamKind::Weight`] only.
///
/// Eigenvectors and orthonormal rows are computed in double precision. The state is two slots, and L and Q of all axes.
#[derive(Clone, Debug)]
pub struct Soap {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    beta: Option<f64>,
    epsilon: f64,
    decay: f64,
    every: u64,
    max_size: usize,
    with_vectors: bool,
    normalized: bool,
    corrected: bool,
}

describe! {
    /// Adam in the basis of the eigenvectors of Shampoo's means of products.
    Soap = "soap";
    formula "h = Q₁ g Q₂ᵀ; v ← β₂ v + (1 - β₂) h²; p ← p - η Q₁ᵀ (m / (√v + ε)) Q₂, with the mean m of h";
    source "Vyas et al. 2024, algorithm 3";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.003;
        /// The decay rates β₁, β₂ of the means.
        betas: [0.95, 0.95], Range::FRACTION;
        /// The decay rate β of the products; `none` is β₂.
        beta as "shampoo_beta": none, Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, of weights.
        decay as "weight_decay": 0.01, Range::NOT_NEGATIVE;
        /// In how many steps the basis moves once, k.
        every as "precondition_frequency": 10, Range::AT_LEAST_ONE;
        /// The length of the longest axis that has a basis.
        max_size as "max_precond_dim" ("max_precondition_dim"): 10000, Range::AT_LEAST_ONE;
        /// Whether vectors have a basis too.
        with_vectors as "precondition_1d": false;
        /// Whether d is divided by its root mean square.
        normalized as "normalize_grads" ("normalize_gradient"): false;
        /// Whether the means are corrected for their beginning with 0.
        corrected as "correct_bias": true;
    }
}

/// SOAP with this learning rate; often 3e-3.
pub fn soap(rate: impl Schedule + 'static) -> Soap {
    Soap {
        rate: Arc::new(rate),
        betas: [0.95, 0.95],
        beta: None,
        epsilon: 1e-8,
        decay: 0.01,
        every: 10,
        max_size: 10_000,
        with_vectors: false,
        normalized: false,
        corrected: true,
    }
}

setters! { Soap;
    /// The decay rates β₁ and β₂ of the means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The decay rate β of the products, in `[0, 1)`.
    shampoo_beta(beta: f64) => beta = Some(beta);
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, of weights.
    weight_decay(decay: f64) => decay = decay;
    /// In how many steps the basis moves once.
    every(steps: u64) => every = steps;
    /// The length of the longest axis that has a basis.
    max_size(size: usize) => max_size = size;
    /// Gives vectors a basis too.
    precondition_vectors() => with_vectors = true;
    /// Divides each step by its root mean square.
    normalize() => normalized = true;
    /// Leaves the means as they are, though they begin with 0.
    without_correction() => corrected = false;
}

impl Soap {
    /// The axes with a basis.
    fn axes<'a>(&self, parameter: &'a Parameter) -> impl Iterator<Item = Axis> + 'a {
        let is_vector = parameter.shape.len() == 1;
        Axis::of(&parameter.shape, if is_vector && !self.with_vectors { 0 } else { self.max_size })
    }

    /// `x ← Q x` along all axes.
    fn turn_in<T: Real>(&self, parameter: &Parameter, extra: &mut [T], x: &mut [T], scratch: &mut [T]) {
        for (axis, _, basis) in with_matrices(self.axes(parameter), extra) {
            axis.multiply(rows_of(basis, axis.size), x, scratch);
        }
    }

    /// `x ← Qᵀ x` along all axes.
    fn turn_back<T: Real>(&self, parameter: &Parameter, extra: &mut [T], x: &mut [T], scratch: &mut [T]) {
        for (axis, _, basis) in with_matrices(self.axes(parameter), extra) {
            axis.multiply(rows_of(basis, axis.size).reversed_axes(), x, scratch);
        }
    }

    /// A step of Adam in the basis.
    fn descend<T: Real>(&self, pass: Update<'_, T>) {
        let Update { step, kind, parameter, params: p, grads, state, extra, scratch, .. } = pass;
        let Some(parameter) = parameter else { return };
        let (m, v) = state.split_at_mut(p.len());
        let (h, d) = scratch.split_at_mut(p.len());
        let d = &mut d[..p.len()];
        h.copy_from_slice(grads);
        self.turn_in(parameter, extra, h, d);
        let [beta1, beta2] = self.betas;
        let [new_m, new_v, epsilon] = [1.0 - beta1, 1.0 - beta2, self.epsilon].map(T::of);
        {
            let h = &*h;
            each!(
                [m, v, d] = |h| {
                    let m = m + new_m * (h - m);
                    let v = v + new_v * (h * h - v);
                    [m, v, m / (v.sqrt() + epsilon)]
                }
            );
        }
        self.turn_back(parameter, extra, d, h);
        let rate = self.rate.rate(step);
        // The first step was none of Adam's.
        let t = step.index as f64;
        let scale = if self.corrected { correction(beta2, t).sqrt() / correction(beta1, t) } else { 1.0 };
        let root_mean_square = vector::norm(d) / (d.len() as f64).sqrt();
        let size = if self.normalized { root_mean_square + self.epsilon } else { 1.0 };
        let decay = if kind == ParamKind::Weight { self.decay } else { 0.0 };
        let [shrink, rate] = [1.0 - rate * decay, rate * scale / size].map(T::of);
        let d = &*d;
        each!(p = |d| shrink * (p - rate * d));
    }

    /// Takes the gradient into the means of products, and from time to time these into the bases.
    fn learn<T: Real>(&self, pass: Update<'_, T>) {
        let Update { step, parameter, grads, state, extra, scratch, .. } = pass;
        let Some(parameter) = parameter else { return };
        let keep = self.beta.unwrap_or(self.betas[1]);
        for (axis, l, basis) in with_matrices(self.axes(parameter), &mut *extra) {
            axis.add_products(grads, keep, 1.0 - keep, l);
            if step.is_first() {
                find_basis(l, axis.size, basis, scratch);
            }
        }
        if step.is_first() || !step.index.is_multiple_of(self.every) {
            return;
        }
        let (m, v) = state.split_at_mut(grads.len());
        self.turn_back(parameter, extra, m, scratch);
        for (axis, l, basis) in with_matrices(self.axes(parameter), &mut *extra) {
            move_basis(axis, l, basis, v, scratch);
        }
        self.turn_in(parameter, extra, m, scratch);
    }
}

/// Makes the rows of `basis` the eigenvectors of L, or leaves them as they are if L is not finite.
fn find_basis<T: Real>(l: &[T], size: usize, basis: &mut [T], scratch: &mut [T]) {
    let (vectors, rest) = doubles(scratch).split_at_mut(size * size);
    let (values, rest) = rest.split_at_mut(size);
    vectors.iter_mut().zip(l).for_each(|(to, l)| *to = l.as_f64());
    if eigen(vectors, values, rest) {
        basis.iter_mut().zip(vectors).for_each(|(to, vector)| *to = T::of(*vector));
    }
}

/// Moves the rows of `basis` towards the eigenvectors of L, in the order of the eigenvalues that they have so far, and puts `v` in the same
/// order along the axis.
fn move_basis<T: Real>(axis: Axis, l: &[T], basis: &mut [T], v: &mut [T], scratch: &mut [T]) {
    let size = axis.size;
    let (products, scratch) = scratch.split_at_mut(size * size);
    let (values, scratch) = scratch.split_at_mut(size);
    gemm(T::one(), rows_of(&*basis, size), rows_of(l, size), T::zero(), rows_of_mut(&mut *products, size));
    let pairs = basis.chunks_exact(size).zip(products.chunks_exact(size));
    values.iter_mut().zip(pairs).for_each(|(value, (q, product))| *value = vector::dot(q, product));
    for index in 0..size {
        let largest =
            (index + 1..size).fold(index, |best, at| if values[at] > values[best] { at } else { best });
        if largest != index {
            values.swap(index, largest);
            swap_rows(products, size, index, largest);
            axis.swap(v, index, largest);
        }
    }
    let rows = &mut doubles(scratch)[..size * size];
    rows.iter_mut().zip(products).for_each(|(to, product)| *to = product.as_f64());
    orthonormalize(rows, size);
    basis.iter_mut().zip(rows).for_each(|(to, value)| *to = T::of(*value));
}

impl Optimizer for Soap {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        self.axes(parameter).map(|axis| 2 * axis.square()).sum()
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        let of_basis = |axis: Axis| {
            let square = axis.square();
            square + axis.size + scratch_for_doubles(square + 2 * axis.size)
        };
        self.axes(parameter).map(of_basis).max().unwrap_or(0).max(2 * parameter.shape.size())
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Soap {
    fn start(&self, Update { parameter, extra, .. }: Update<'_, T>) {
        let Some(parameter) = parameter else { return };
        for (axis, _, basis) in with_matrices(self.axes(parameter), extra) {
            identity(basis, axis.size);
        }
    }

    fn update(&self, mut pass: Update<'_, T>) {
        if pass.params.is_empty() {
            return;
        }
        if !pass.step.is_first() {
            self.descend(pass.reborrow());
        }
        self.learn(pass);
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Soap").epsilon::<T>(self.epsilon)
    }
}
