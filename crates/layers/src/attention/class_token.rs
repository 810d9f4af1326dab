//! A learned first step.

use std::sync::Arc;

use chainrule_core::{Backward, Forward, Initializer, Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape, vector};
use ndarray::Axis;

use super::sequences::sequence;
use crate::init::Normal;

/// Prepends a learned step (Devlin et al. 2019, "BERT"; Dosovitskiy et al. 2021, "ViT"): samples
/// `[steps, features]` become `[steps + 1, features]`.
///
/// Attention gathers information about the whole sequence in it; [`OneStep`](crate::OneStep) extracts it. It is initialised from a
/// normal distribution with standard deviation 0.02, so that it does not count as padding.
#[derive(Clone, Debug)]
pub struct ClassToken {
    token: Arc<dyn Initializer>,
}

describe! {
    /// A trained step before the others.
    ClassToken = "class_token";
    source "Dosovitskiy et al. 2020";
    settings {
        /// Its first values.
        token as "token_init": normal(0.0, 0.02);
    }
}

impl ClassToken {
    /// Prepends the same learned step to each sequence.
    pub fn new() -> Self {
        Self { token: Arc::new(Normal::new(0.0, 0.02)) }
    }

    /// Sets the initialiser of the step.
    #[must_use]
    pub fn token_init(self, init: impl Initializer + 'static) -> Self {
        Self { token: Arc::new(init) }
    }
}

impl Default for ClassToken {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for ClassToken {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let [steps, features] = sequence(input, plan)?;
        let Some(output) = steps.checked_add(1).and_then(|steps| Shape::new(&[steps, features])) else {
            return Err(plan.error(input, "a sequence that fits in memory", "choose a shorter one"));
        };
        plan.bias("token", [features], (1, features), &self.token)?;
        Ok((output, ()))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, .. }: Forward<'_, T>) {
        let features = y.ncols() - x.ncols();
        let (mut first, mut others) = y.split_at(Axis(1), features);
        first.assign(&params.take([features]));
        others.assign(&x);
    }

    fn backward(&self, Backward { mut grads, x, dy, dx, .. }: Backward<'_, T>) {
        let features = dy.ncols() - x.ncols();
        let (first, others) = dy.split_at(Axis(1), features);
        vector::sum_rows(first, grads.take([features]));
        if let Some(mut dx) = dx {
            dx.assign(&others);
        }
    }
}
