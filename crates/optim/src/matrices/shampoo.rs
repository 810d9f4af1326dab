use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described, setting_words};
use chainrule_tensor::each;

use super::axes::{Axis, identity, with_matrices};
use super::inverse_root::{self, inverse_root};
use super::rows_of;
use crate::running_mean::correction;
use crate::setters::setters;
use crate::{Optimizer, ParamKind, Parameter, Real, Schedule, SettingError, Update, UpdateRule, vector};

/// In how many steps at the beginning the roots are computed each time at most.
const MAX_FIRST_STEPS: u64 = 100;

/// From what [`Shampoo`] takes the length of its step for each parameter, in place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graft {
    /// From the gradient.
    Sgd,
    /// From the gradient divided by the roots of sums of its squares; of their means, as RMSProp has them, if β is below 1.
    Adagrad,
}

setting_words! { Graft { Sgd = "sgd", Adagrad = "adagrad" } }

/// Shampoo (Gupta, Koren and Singer 2018): multiplies the gradient along each axis by an inverse root of the sum of its products with
/// itself.
///
/// ```text
/// Lᵢ ← Lᵢ + gᵢ gᵢᵀ                  of each axis i, where the rows of gᵢ are the slices of g at each of its indices
/// Rᵢ = (Lᵢ + ε I)^(-1 / 2a)         in the first k steps (at most 100), then in every k-th; a is the number of axes that have an Lᵢ
/// d = g times all Rᵢ                of a matrix: R₁ g R₂
/// m ← μ m + d;   d = m              with Nesterov: d = d + μ m
/// p ← p - η λ p - η d
/// ```
///
/// So a matrix `[A, B]` has sums `[A, A]` and `[B, B]`, and a kernel of a convolution has one for each of its axes. A vector of n
/// values has one of `[n, n]`: that is Adagrad with a full matrix. An axis that is too long has none, and a parameter without any is
/// trained by its gradient. With β below 1, the sums are running means, `Lᵢ ← β Lᵢ + (1 - β) gᵢ gᵢᵀ`, and are divided by `1 - βᵗ` for
/// the root.
///
/// Grafting (Agarwal et al. 2020) multiplies d by `‖u‖ / ‖d‖`, with `u = g`, or `u = g / (√v + 1e-10)` and `v ← v + g²`. Then the rates
/// of SGD or of Adagrad fit.
///
/// Defaults are those of pytorch-optimizer's `Shampoo`: η 0.001, μ 0, λ 0, ε 1e-6, β 1, no grafting. But that computes the roots in each
/// step and of axes of any length. A root takes about 10 n³ operations, so here k is 10, and the longest axis with a sum is 1024, as in
/// Meta's distributed Shampoo. λ applies to [`ParamKind::Weight`] only.
///
/// Roots are those of eigenvalues in double precision. The sums have the precision of the parameters, so that eigenvalues below `√n`
/// roundings of the largest one are not known, and count as that much. The state is the sums and the roots of all axes, a slot for the
/// momentum if there is one, and one for v.
#[derive(Clone, Debug)]
pub struct Shampoo {
    rate: Arc<dyn Schedule>,
    momentum: f64,
    nesterov: bool,
    decay: f64,
    beta: f64,
    epsilon: f64,
    every: u64,
    max_size: usize,
    graft: Option<Graft>,
}

describe! {
    /// Multiplies the gradient along each axis by an inverse root of the sum of its products with itself.
    Shampoo = "shampoo";
    aliases ["distributed_shampoo"];
    formula "L ← L + g gᵀ; R ← R + gᵀ g; p ← p - η (L + ε)^(-1/4) g (R + ε)^(-1/4)";
    source "Gupta, Koren and Singer 2018, algorithms 1 and 2; Agarwal et al. 2020";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.001;
        /// The momentum μ.
        momentum: 0.0, Range::FRACTION;
        /// Whether the momentum is Nesterov's.
        nesterov: false;
        /// The weight decay λ, of weights.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
        /// The decay rate β of the products; with 1, they are added up.
        beta as "beta2" ("shampoo_beta"): 1.0, Range::UNIT;
        /// What is added to the eigenvalues of the sums, ε.
        epsilon as "matrix_eps" ("eps", "epsilon"): 1e-6, Range::POSITIVE;
        /// In how many steps the roots are computed once, after as many with roots of their own: k.
        every as "precondition_frequency" ("preconditioning_compute_steps", "update_freq"): 10, Range::AT_LEAST_ONE;
        /// The length of the longest axis that has a sum.
        max_size as "max_preconditioner_dim" ("no_preconditioning_for_layers_with_dim_gt"): 1024, Range::AT_LEAST_ONE;
        /// What the length of a step is taken from: `sgd` or `adagrad`; `none` is its own length.
        graft as "graft_type": none;
    }
}

/// Shampoo with this learning rate; often 1e-3, and that of SGD or Adagrad with a [`Graft`] from these.
pub fn shampoo(rate: impl Schedule + 'static) -> Shampoo {
    Shampoo {
        rate: Arc::new(rate),
        momentum: 0.0,
        nesterov: false,
        decay: 0.0,
        beta: 1.0,
        epsilon: 1e-6,
        every: 10,
        max_size: 1024,
        graft: None,
    }
}

setters! { Shampoo;
    /// The momentum μ, in `[0, 1)`.
    momentum(momentum: f64) => momentum = momentum;
    /// Uses Nesterov's momentum: needs a momentum above 0.
    nesterov() => nesterov = true;
    /// The weight decay λ, of weights.
    weight_decay(decay: f64) => decay = decay;
    /// The decay rate β of the products, in `[0, 1]`; with 1, they are added up.
    beta(beta: f64) => beta = beta;
    /// What is added to the eigenvalues of the sums.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// In how many steps the roots are computed once, after as many with roots of their own.
    every(steps: u64) => every = steps;
    /// The length of the longest axis that has a sum of products.
    max_size(size: usize) => max_size = size;
    /// What the length of a step is taken from.
    graft(graft: Graft) => graft = Some(graft);
}

impl Shampoo {
    /// The axes with a sum.
    fn axes<'a>(&self, parameter: &'a Parameter) -> impl Iterator<Item = Axis> + 'a {
        Axis::of(&parameter.shape, self.max_size)
    }

    /// How much of a new product is added.
    fn added(&self) -> f64 {
        if self.beta == 1.0 { 1.0 } else { 1.0 - self.beta }
    }

    /// What a sum is divided by, in the step of this number: of a running mean, its [`correction`].
    fn divisor(&self, t: f64) -> f64 {
        if self.beta == 1.0 { 1.0 } else { correction(self.beta, t) }
    }

    /// `‖u‖`, of the gradient from which the length of a step is taken.
    fn length<T: Real>(&self, g: &[T], v: &mut [T], divisor: f64, scratch: &mut [T]) -> Option<f64> {
        match self.graft? {
            Graft::Sgd => Some(vector::norm(g)),
            Graft::Adagrad => {
                let [keep, new, divisor, small] = [self.beta, self.added(), divisor, 1e-10].map(T::of);
                let u = &mut scratch[..g.len()];
                each!(
                    [v, u] = |g| {
                        let v = keep * v + new * g * g;
                        [v, g / ((v / divisor).sqrt() + small)]
                    }
                );
                Some(vector::norm(u))
            }
        }
    }
}

impl Optimizer for Shampoo {
    described!(check_settings);

    fn slots(&self) -> usize {
        usize::from(self.momentum != 0.0) + usize::from(self.graft == Some(Graft::Adagrad))
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        self.axes(parameter).map(|axis| 2 * axis.square()).sum()
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        let of_roots = self.axes(parameter).map(|axis| inverse_root::scratch(axis.size)).max();
        of_roots.unwrap_or(0).max(parameter.shape.size())
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Shampoo {
    fn start(&self, Update { parameter, extra, .. }: Update<'_, T>) {
        let Some(parameter) = parameter else { return };
        for (axis, _, root) in with_matrices(self.axes(parameter), extra) {
            identity(root, axis.size);
        }
    }

    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, parameter, params: p, grads: d, state, extra, scratch, .. } = pass;
        let Some(parameter) = parameter.filter(|_| !p.is_empty()) else { return };
        let divisor = self.divisor(step.number());
        // The sum of a few gradients says nothing of what the next ones contain, so its root is not kept.
        let with_roots =
            step.index < self.every.min(MAX_FIRST_STEPS) || (step.index + 1).is_multiple_of(self.every);
        let power = 0.5 / self.axes(parameter).count().max(1) as f64;
        let (m, v) = state.split_at_mut(if self.momentum == 0.0 { 0 } else { p.len() });
        for (axis, sum, root) in with_matrices(self.axes(parameter), &mut *extra) {
            axis.add_products(d, self.beta, self.added(), sum);
            if with_roots {
                inverse_root(sum, axis.size, divisor, self.epsilon, power, root, scratch);
            }
        }
        let length = self.length(d, v, divisor, scratch);
        for (axis, _, root) in with_matrices(self.axes(parameter), extra) {
            axis.multiply(rows_of(root, axis.size), d, scratch);
        }
        let of_d = vector::norm(d);
        let graft = length.filter(|_| of_d > 0.0).map_or(1.0, |length| length / of_d);
        let rate = self.rate.rate(step);
        let decay = if kind == ParamKind::Weight { self.decay } else { 0.0 };
        let [shrink, rate, momentum, graft] = [1.0 - rate * decay, rate, self.momentum, graft].map(T::of);
        let d = &*d;
        if m.is_empty() {
            each!(p = |d| shrink * p - rate * (graft * d));
        } else {
            let nesterov = self.nesterov;
            each!(
                [p, m] = |d| {
                    let d = graft * d;
                    let m = momentum * m + d;
                    [shrink * p - rate * if nesterov { d + momentum * m } else { m }, m]
                }
            );
        }
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        if self.nesterov && self.momentum == 0.0 {
            let conflict = "Nesterov's momentum needs `.momentum(...)` above 0";
            return Err(SettingError::Conflict { owner: "Shampoo", conflict });
        }
        SettingCheck("Shampoo").epsilon::<T>(self.epsilon)
    }
}
