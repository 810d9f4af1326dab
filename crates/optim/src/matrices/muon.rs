use std::sync::Arc;

use chainrule_core::{Range, describe, described, setting_words};
use chainrule_tensor::{each, gemm};

use super::{rows_of, rows_of_mut};
use crate::setters::setters;
use crate::{Optimizer, ParamKind, Parameter, Real, Schedule, Update, UpdateRule, vector};

/// How [`Muon`]'s rate depends on the shape of a weight, with A units and B inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MuonScale {
    /// `√max(1, A / B)`, as Keller Jordan.
    Original,
    /// `0.2 √max(A, B)`, so that the steps are as large as AdamW's (Liu et al. 2025).
    MatchAdamW,
    /// 1.
    One,
}

setting_words! { MuonScale { Original = "original", MatchAdamW = "match_rms_adamw", One = "none" } }

/// Muon (Jordan et al. 2024): momentum, made orthogonal. It is for weights; all other parameters are trained by AdamW.
///
/// ```text
/// m ← μ m + (1 - μ) g;   u = μ m + (1 - μ) g          without Nesterov: u = m
/// X = u / ‖u‖;   five times: A = X Xᵀ,  X ← a X + (b A + c A²) X
/// p ← p - η λ p;   p ← p - η s X                      s depends on the shape
///
/// others: m ← β₁ m + (1 - β₁) g;   v ← β₂ v + (1 - β₂) g²;   p ← p - η m̂ / (√v̂ + ε)
/// ```
///
/// Defaults are PyTorch's: η 0.001, μ 0.95, Nesterov, λ 0.1, (a, b, c) = (3.4445, -4.775, 2.0315), except that X has the precision of the
/// parameters, not 16 bits, and that kernels of convolutions are matrices too. The first and the last layer are customarily trained
/// by AdamW: put them into a group of [`groups`](crate::groups()).
#[derive(Clone, Debug)]
pub struct Muon {
    rate: Arc<dyn Schedule>,
    momentum: f64,
    nesterov: bool,
    decay: f64,
    coefficients: [f64; 3],
    iterations: usize,
    epsilon: f64,
    scale: MuonScale,
    betas: [f64; 2],
    adam_epsilon: f64,
}

describe! {
    /// Momentum of weights, made orthogonal; AdamW for all other parameters.
    Muon = "muon";
    formula "m ← μ m + (1 - μ) g; p ← p - η (λ p + s X), where X is m with all singular values near 1";
    source "Jordan et al. 2024; Liu et al. 2025";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.001;
        /// The weight decay λ, of weights.
        decay as "weight_decay": 0.1, Range::NOT_NEGATIVE;
        /// The momentum μ.
        momentum: 0.95, Range::FRACTION;
        /// Whether the momentum is Nesterov's.
        nesterov: true;
        /// The coefficients a, b, c of the iteration.
        coefficients as "ns_coefficients": [3.4445, -4.775, 2.0315], Range::FINITE;
        /// The norm that a matrix is taken to have at least.
        epsilon as "eps": 1e-7, Range::POSITIVE;
        /// The number of iterations.
        iterations as "ns_steps": 5, Range::between(1.0, 99.0, "from 1 to 99");
        /// How the rate depends on the shape: `original`, `match_rms_adamw` or `"none"`.
        scale as "adjust_lr_fn": original;
        /// The decay rates β₁, β₂ of AdamW's means.
        betas as "adam_betas": [0.9, 0.999], Range::FRACTION;
        /// The term ε of AdamW's denominator.
        adam_epsilon as "adam_eps": 1e-8, Range::POSITIVE;
    }
}

/// Muon with this learning rate; often 1e-3 with [`MuonScale::MatchAdamW`], 2e-2 without.
pub fn muon(rate: impl Schedule + 'static) -> Muon {
    Muon {
        rate: Arc::new(rate),
        momentum: 0.95,
        nesterov: true,
        decay: 0.1,
        coefficients: [3.4445, -4.775, 2.0315],
        iterations: 5,
        epsilon: 1e-7,
        scale: MuonScale::Original,
        betas: [0.9, 0.999],
        adam_epsilon: 1e-8,
    }
}

setters! { Muon;
    /// The momentum μ, in `[0, 1)`.
    momentum(momentum: f64) => momentum = momentum;
    /// Uses the momentum as it is, not Nesterov's.
    without_nesterov() => nesterov = false;
    /// The weight decay λ, of weights.
    weight_decay(decay: f64) => decay = decay;
    /// How the rate depends on the shape of a weight.
    scale(scale: MuonScale) => scale = scale;
    /// The number of iterations by which a matrix is made orthogonal.
    iterations(iterations: usize) => iterations = iterations;
    /// The decay rates β₁ and β₂ of AdamW's means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
}

/// The numbers of rows and columns of a parameter that is taken for a matrix.
fn matrix(parameter: &Parameter) -> Option<[usize; 2]> {
    let [rows, columns] = parameter.matrix();
    let is_matrix = parameter.kind == ParamKind::Weight && parameter.shape.len() > 1;
    (is_matrix && rows > 0 && columns > 0).then_some([rows, columns])
}

impl Muon {
    /// `s`.
    fn scale_of(&self, parameter: &Parameter, [rows, columns]: [usize; 2]) -> f64 {
        let [units, inputs] =
            if parameter.has_units_in_columns() { [columns, rows] } else { [rows, columns] }
                .map(|n| n as f64);
        match self.scale {
            MuonScale::Original => (units / inputs).max(1.0).sqrt(),
            MuonScale::MatchAdamW => 0.2 * units.max(inputs).sqrt(),
            MuonScale::One => 1.0,
        }
    }

    /// Replaces a matrix by one with the same singular vectors, and singular values near 1.
    fn orthogonalize<T: Real>(&self, values: &mut [T], columns: usize, scratch: &mut [T]) {
        let rows = values.len() / columns;
        let (short, long) = (rows.min(columns), rows.max(columns));
        let (x, rest) = scratch.split_at_mut(short * long);
        let (next, rest) = rest.split_at_mut(short * long);
        let (gram, rest) = rest.split_at_mut(short * short);
        let polynomial = &mut rest[..short * short];
        let [mut x, mut next] = [x, next];
        let scale = T::of(1.0 / vector::norm(values).max(self.epsilon));
        {
            // The rows of X are the short side.
            let matrix = rows_of(&*values, columns);
            let matrix = if rows <= columns { matrix } else { matrix.reversed_axes() };
            x.iter_mut().zip(matrix).for_each(|(x, &value)| *x = scale * value);
        }
        let [a, b, c] = self.coefficients.map(T::of);
        for _ in 0..self.iterations {
            let view = rows_of(&*x, long);
            gemm(T::one(), view, view.reversed_axes(), T::zero(), rows_of_mut(&mut *gram, short)); // A = X Xᵀ
            polynomial.copy_from_slice(gram);
            let of_gram = rows_of(&*gram, short);
            gemm(c, of_gram, of_gram, b, rows_of_mut(&mut *polynomial, short)); // B = b A + c A²
            next.copy_from_slice(x);
            gemm(T::one(), rows_of(&*polynomial, short), view, a, rows_of_mut(&mut *next, long)); // X' = a X + B X
            std::mem::swap(&mut x, &mut next);
        }
        let result = rows_of(&*x, long);
        let result = if rows <= columns { result } else { result.reversed_axes() };
        values.iter_mut().zip(result).for_each(|(value, &x)| *value = x);
    }
}

impl Optimizer for Muon {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        // AdamW's mean of squares.
        if matrix(parameter).is_some() { 0 } else { parameter.shape.size() }
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        matrix(parameter).map_or(0, |[rows, columns]| 2 * rows * columns + 2 * rows.min(columns).pow(2))
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Muon {
    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, parameter, params: p, grads: g, state: m, extra: v, scratch, .. } = pass;
        let Some(parameter) = parameter else { return };
        let rate = self.rate.rate(step);
        let decay = if kind == ParamKind::Weight { self.decay } else { 0.0 };
        let shrink = T::of(1.0 - rate * decay);
        let Some(shape) = matrix(parameter) else {
            let [beta1, beta2] = self.betas;
            let t = step.number();
            let corrections = [1.0 - beta1.powf(t), 1.0 - beta2.powf(t)];
            let numbers = [1.0 - beta1, 1.0 - beta2, corrections[0], corrections[1], rate, self.adam_epsilon];
            let [new_m, new_v, c1, c2, rate, epsilon] = numbers.map(T::of);
            let grads = &*g;
            return each!(
                [p, m, v] = |g: grads| {
                    let m = m + new_m * (g - m);
                    let v = v + new_v * (g * g - v);
                    [shrink * p - rate * ((m / c1) / ((v / c2).sqrt() + epsilon)), m, v]
                }
            );
        };
        let [momentum, new] = [self.momentum, 1.0 - self.momentum].map(T::of);
        let nesterov = self.nesterov;
        {
            let grads = &*g;
            each!(m = |g: grads| m + new * (g - m));
        }
        let mean = &*m;
        each!(g = |m: mean| if nesterov { g + momentum * (m - g) } else { m });
        self.orthogonalize(g, shape[1], scratch);
        let scale = T::of(rate * self.scale_of(parameter, shape));
        let x = &*g;
        each!(p = |x| shrink * p - scale * x);
    }
}
