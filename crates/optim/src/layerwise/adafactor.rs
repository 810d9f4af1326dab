use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::decay_of;
use crate::setters::setters;
use crate::{Optimizer, Parameter, Real, Schedule, Update, UpdateRule, vector};

/// Adafactor (Shazeer and Stern 2018): the mean of squares of a matrix is the product of those of its rows and of its columns, so
/// the state takes almost no memory.
///
/// ```text
/// ρ = min(η, 1/√t)               α = max(ε₂, rms(p)) ρ            β = t^γ           t = 1, 2, ...
/// r ← r + β (mean of g² over each row - r)      c ← c + β (mean of g² over each column - c)
/// v = r cᵀ / max(mean r, ε₁)                     of a vector: v ← v + β (g² - v)
/// u = g / √max(v, ε₁²)
/// p ← p - η λ p;   p ← p - α u / max(1, rms(u) / d)
/// ```
///
/// Defaults are PyTorch's: η 0.01, γ -0.8, ε₁ the precision of the numbers, ε₂ 1e-3, d 1, no decay. Of more than two axes, the last
/// two make a matrix. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Adafactor {
    rate: Arc<dyn Schedule>,
    beta2_decay: f64,
    epsilon1: Option<f64>,
    epsilon2: f64,
    threshold: f64,
    decay: f64,
}

describe! {
    /// Steps of a relative size, with means of squares of rows and columns in place of those of all values.
    Adafactor = "adafactor";
    formula "v = r cᵀ / mean r; p ← p - max(ε₂, rms(p)) min(η, 1/√t) g / √v / max(1, rms(g / √v) / d)";
    source "Shazeer and Stern 2018, algorithms 4 and 5";
    settings {
        /// The maximum relative size of a step, η.
        rate as "lr" ("learning_rate"): 0.01;
        /// The power γ of the step by which the weight of new squares decays.
        beta2_decay: -0.8, Range::between(f64::MIN, 0.0, "a finite number of at most 0");
        /// The value ε₁ that roots of means count as having at least; `none` is the precision of the numbers.
        epsilon1 as "eps1" ("epsilon_1"): none, Range::NOT_NEGATIVE;
        /// The size ε₂ that parameters count as having at least.
        epsilon2 as "eps2" ("epsilon_2"): 1e-3, Range::NOT_NEGATIVE;
        /// The root mean square d of the update from which it is clipped.
        threshold as "d" ("clip_threshold"): 1.0, Range::AT_LEAST_ONE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
}

/// Adafactor with this maximum relative size of a step; often 0.01.
pub fn adafactor(rate: impl Schedule + 'static) -> Adafactor {
    Adafactor {
        rate: Arc::new(rate),
        beta2_decay: -0.8,
        epsilon1: None,
        epsilon2: 1e-3,
        threshold: 1.0,
        decay: 0.0,
    }
}

setters! { Adafactor;
    /// The power γ of the step by which the weight of new squares decays, at most 0.
    beta2_decay(power: f64) => beta2_decay = power;
    /// The values ε₁ of roots of means, and ε₂ of sizes of parameters, that these count as having at least.
    epsilons(root: f64, size: f64) => epsilon1 = Some(root), epsilon2 = size;
    /// The root mean square of the update from which it is clipped.
    threshold(d: f64) => threshold = d;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
}

/// The numbers of matrices, of their rows and of their columns; `None` for vectors.
fn matrices(parameter: &Parameter) -> Option<[usize; 3]> {
    match &*parameter.shape {
        [outer @ .., rows, columns] => Some([outer.iter().product(), *rows, *columns]),
        _ => None,
    }
}

impl Optimizer for Adafactor {
    described!(check_settings);

    fn extra(&self, parameter: &Parameter) -> usize {
        matrices(parameter).map_or(parameter.shape.size(), |[count, rows, columns]| count * (rows + columns))
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Adafactor {
    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, parameter, params: p, grads: u, extra, .. } = pass;
        let Some(parameter) = parameter.filter(|_| !p.is_empty()) else { return };
        let t = step.number();
        let rate = self.rate.rate(step);
        let epsilon1 = self.epsilon1.unwrap_or(T::epsilon().as_f64());
        let size = (p.len() as f64).sqrt();
        let alpha = self.epsilon2.max(vector::norm(p) / size) * rate.min(1.0 / t.sqrt());
        let decay = decay_of(kind, self.decay);
        if decay != 0.0 {
            let shrink = T::of(1.0 - rate * decay);
            each!(p = shrink * p);
        }
        let new = T::of(t.powf(self.beta2_decay));
        let smallest = T::of(epsilon1 * epsilon1);
        match matrices(parameter) {
            Some([_, rows, columns]) => {
                for (u, state) in
                    u.chunks_exact_mut(rows * columns).zip(extra.chunks_exact_mut(rows + columns))
                {
                    let (r, c) = state.split_at_mut(rows);
                    let of_columns = T::of(1.0 / rows as f64);
                    each!(c = c - new * c);
                    for (u, r) in u.chunks_exact(columns).zip(&mut *r) {
                        let mean = T::of(vector::sum_squares(u) / columns as f64);
                        *r += new * (mean - *r);
                        let part = new * of_columns;
                        each!(c = |u| c + part * (u * u));
                    }
                    let mean = r.iter().map(|r| r.as_f64()).sum::<f64>() / rows as f64;
                    let mean = T::of(mean.max(epsilon1));
                    for (u, &r) in u.chunks_exact_mut(columns).zip(&*r) {
                        let c = &*c;
                        each!(
                            u = |c| {
                                let v = r * c / mean;
                                u / (if v < smallest { smallest } else { v }).sqrt()
                            }
                        );
                    }
                }
            }
            None => {
                let v = extra;
                let weights = &*p;
                each!(
                    [u, v] = |p: weights| {
                        let _ = p;
                        let v = v + new * (u * u - v);
                        [u / (if v < smallest { smallest } else { v }).sqrt(), v]
                    }
                );
            }
        }
        let rms = vector::norm(u) / size;
        let scale = T::of(alpha / (rms / self.threshold).max(1.0));
        let u = &*u;
        each!(p = |u| p - scale * u);
    }
}
