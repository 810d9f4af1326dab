use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::{MAX_RANK, Shape, each};

use crate::setters::setters;
use crate::{Optimizer, Parameter, Real, Schedule, SettingError, Update, UpdateRule, vector};

/// SM3 (Anil et al. 2019, algorithm SM3-II): Adagrad that keeps a sum of squares for each row, each column and each index of further
/// axes instead of one for each value, which takes almost no memory.
///
/// ```text
/// a = g² + min over the axes of their sums          u = g / √(a + ε), or 0 where a is 0
/// sum of an index ← the largest a at that index
/// m ← μ m + (1 - μ) u
/// p ← p - η m
/// ```
///
/// Defaults are optax': momentum μ 0.9, ε 1e-8. A vector has a sum for each of its values, as in Adagrad. With the momentum there is one
/// slot of state, and the sums of the axes.
#[derive(Clone, Debug)]
pub struct Sm3 {
    rate: Arc<dyn Schedule>,
    momentum: f64,
    epsilon: f64,
}

describe! {
    /// SM3: Adagrad with sums of squares for rows and columns instead of single values.
    Sm3 = "sm3";
    formula "p ← p - η m, with the mean m of g / √(g² + min(row, column) + ε)";
    source "Anil et al. 2019, algorithm SM3-II";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.1;
        /// The momentum μ.
        momentum: 0.9, Range::FRACTION;
        /// The term ε that is added to the sum of squares.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
    }
}

/// SM3 with this learning rate; often 0.1.
pub fn sm3(rate: impl Schedule + 'static) -> Sm3 {
    Sm3 { rate: Arc::new(rate), momentum: 0.9, epsilon: 1e-8 }
}

setters! { Sm3;
    /// The momentum μ, in `[0, 1)`.
    momentum(momentum: f64) => momentum = momentum;
    /// The term ε that is added to the sum of squares.
    epsilon(epsilon: f64) => epsilon = epsilon;
}

/// The number of sums of a parameter: one for each index of each axis.
fn sums(shape: &Shape) -> usize {
    shape.iter().sum::<usize>().max(1)
}

/// The length of the last axis.
fn last_axis(shape: &Shape) -> usize {
    shape.last().copied().unwrap_or(1).max(1)
}

impl Optimizer for Sm3 {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        sums(&parameter.shape)
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        sums(&parameter.shape) + last_axis(&parameter.shape)
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Sm3 {
    fn update(&self, pass: Update<'_, T>) {
        let Update { step, parameter, params, grads, state, extra, scratch, .. } = pass;
        let zero = T::zero();
        let [rate, new, epsilon] = [self.rate.rate(step), 1.0 - self.momentum, self.epsilon].map(T::of);
        let shape = parameter.map_or(Shape::from(params.len()), |parameter| parameter.shape);
        let last = last_axis(&shape);
        let axes = &shape[..shape.len().saturating_sub(1)];
        let len = sums(&shape);
        let (rows, columns) = extra[..len].split_at(len - last);
        let (next, a) = scratch[..len + last].split_at_mut(len);
        next.fill(zero);
        let (next_rows, largest) = next.split_at_mut(len - last);
        let mut index = [0; MAX_RANK];
        for ((p, grads), m) in params.chunks_mut(last).zip(grads.chunks(last)).zip(state.chunks_mut(last)) {
            // The smallest sum of the axes before the last, and where those are.
            let mut least = T::infinity();
            let mut start = 0;
            for (&axis, &at) in axes.iter().zip(&index) {
                least = least.min(rows[start + at]);
                start += axis;
            }
            each!(
                [p, m, largest, a] = |g: grads, column: columns| {
                    let a = g * g + (if column < least { column } else { least });
                    let u = if a > zero { g / (a + epsilon).sqrt() } else { g };
                    let m = m + new * (u - m);
                    [p - rate * m, m, if largest > a { largest } else { a }, a]
                }
            );
            let of_row = vector::largest(a);
            let mut start = 0;
            for (&axis, &at) in axes.iter().zip(&index) {
                next_rows[start + at] = next_rows[start + at].max(of_row);
                start += axis;
            }
            for (&axis, at) in axes.iter().zip(&mut index).rev() {
                *at += 1;
                if *at < axis {
                    break;
                }
                *at = 0;
            }
        }
        extra[..len].copy_from_slice(next);
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Sm3").epsilon::<T>(self.epsilon)
    }
}
