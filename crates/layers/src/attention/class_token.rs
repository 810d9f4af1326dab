//! A learned step before the others, and the choice of one.

use std::sync::Arc;

use chainrule_core::{Backward, Forward, Initializer, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};
use ndarray::{Axis, s};

use super::steps::sequence;
use crate::init::Normal;

/// A learned step before the others (Devlin et al. 2019, "BERT"; Dosovitskiy et al. 2021, "ViT"): samples
/// `[steps, features]` become `[steps + 1, features]`.
///
/// Attention gathers in it what is to be known of the whole sequence; [`OneStep`] takes it out again. It starts normal
/// with standard deviation 0.02, so that it is no padding.
#[derive(Clone, Debug)]
pub struct ClassToken {
    token: Arc<dyn Initializer>,
}

impl ClassToken {
    /// A step for each sequence, the same for all.
    pub fn new() -> Self {
        Self { token: Arc::new(Normal::new(0.0, 0.02)) }
    }

    /// Another rule for its first values.
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
            return Err(plan.error(input, "a sequence that can be counted", "choose a shorter one"));
        };
        plan.bias("token", [features], (1, features), &self.token)?;
        Ok((output, ()))
    }

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

/// One step of a sequence: samples `[steps, features]` become `[features]`.
#[derive(Clone, Copy, Debug)]
pub struct OneStep {
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    First,
    Last,
}

impl OneStep {
    /// The first step, where [`ClassToken`] puts its own.
    pub fn first() -> Self {
        Self { place: Place::First }
    }

    /// The last step, which has seen all others where attention is causal.
    pub fn last() -> Self {
        Self { place: Place::Last }
    }

    /// Where the step lies among the columns.
    fn columns(self, all: usize, features: usize) -> std::ops::Range<usize> {
        match self.place {
            Place::First => 0..features,
            Place::Last => all - features..all,
        }
    }
}

impl<T: Real> Layer<T> for OneStep {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let [_, features] = sequence(input, plan)?;
        Ok((Shape::from([features]), ()))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, T>) {
        let columns = self.columns(x.ncols(), y.ncols());
        y.assign(&x.slice(s![.., columns]));
    }

    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, T>) {
        let Some(mut dx) = dx else { return };
        let columns = self.columns(dx.ncols(), dy.ncols());
        dx.fill(T::zero());
        dx.slice_mut(s![.., columns]).assign(&dy);
    }
}
