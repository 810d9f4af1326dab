//! The first or the last step of a sequence.

use std::ops::Range;

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, describe, described, setting_words};
use chainrule_tensor::{Real, Shape};
use ndarray::s;

use super::sequences::sequence;

/// One step of a sequence: samples `[steps, features]` become `[features]`.
#[derive(Clone, Copy, Debug)]
pub struct OneStep {
    end: End,
}

describe! {
    /// The first or the last step of a sequence.
    OneStep = "one_step";
    settings {
        /// `first` or `last`.
        end as "step": last;
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    First,
    Last,
}

setting_words!(End { First = "first", Last = "last" });

impl OneStep {
    /// The first step, which [`ClassToken`](crate::ClassToken) prepends.
    pub fn first() -> Self {
        Self { end: End::First }
    }

    /// The last step, which attends to all others if attention is causal.
    pub fn last() -> Self {
        Self { end: End::Last }
    }

    /// The columns of the step.
    fn columns(self, all: usize, features: usize) -> Range<usize> {
        match self.end {
            End::First => 0..features,
            End::Last => all - features..all,
        }
    }
}

impl<T: Real> Layer<T> for OneStep {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let [_, features] = sequence(input, plan)?;
        Ok((Shape::from([features]), ()))
    }

    described!();

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
