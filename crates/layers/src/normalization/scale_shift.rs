//! The scales and shifts that follow a normalisation, `y = x̂ w + b`.

use std::sync::Arc;

use chainrule_core::{Constant, Grads, Initializer, Params, Plan, ShapeError, Value};
use chainrule_tensor::{Buffer, Real, Shape};

use super::scratch::{scratch, zeroed};

/// Which of its scales and shifts, `weight` and `bias`, a normalisation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScaleShift {
    Full,
    WithoutBias,
    Without,
}

/// The number of scales and shifts, and from the first pass on what replaces those that a layer does not have, and their
/// gradients.
#[derive(Clone, Debug, Default)]
pub(super) struct ScaleShiftCache<T: Real> {
    pub(super) size: usize,
    pub(super) defaults: [Buffer<T>; 2],
    pub(super) unused_grads: [Buffer<T>; 2],
}

impl ScaleShift {
    /// Those that the settings `affine`, whether there are any, and `bias`, whether there are shifts, say.
    pub(super) fn of(affine: bool, bias: bool) -> Self {
        match [affine, bias] {
            [false, _] => Self::Without,
            [true, false] => Self::WithoutBias,
            [true, true] => Self::Full,
        }
    }

    /// The values of these settings.
    pub(super) fn values(self) -> [Value; 2] {
        [(self != Self::Without).into(), (self != Self::WithoutBias).into()]
    }

    /// Declares the parameters, in this shape: scales of 1 and shifts of 0. Neither is decayed.
    pub(super) fn plan<T: Real>(
        self,
        shape: impl Into<Shape>,
        plan: &mut Plan,
    ) -> Result<ScaleShiftCache<T>, ShapeError> {
        let shape = shape.into();
        let constant = |value| Arc::new(Constant(value)) as Arc<dyn Initializer>;
        if self != Self::Without {
            plan.bias("weight", shape, (1, 1), &constant(1.0))?;
        }
        if self == Self::Full {
            plan.bias("bias", shape, (1, 1), &constant(0.0))?;
        }
        Ok(ScaleShiftCache { size: plan.check_size(shape.size())?, ..ScaleShiftCache::default() })
    }

    /// The scales and shifts; ones and zeros, from `defaults`, for those that the layer does not have.
    pub(super) fn params<'a, T: Real>(
        self,
        size: usize,
        params: &mut Params<'a, T>,
        [ones, zeros]: &'a mut [Buffer<T>; 2],
    ) -> [&'a [T]; 2] {
        match self {
            Self::Full => [params.values(size), params.values(size)],
            Self::WithoutBias => [params.values(size), scratch(zeros, size)],
            Self::Without => {
                if ones.is_empty() {
                    scratch(ones, size).fill(T::one());
                }
                [ones, scratch(zeros, size)]
            }
        }
    }

    /// The gradients of scales and shifts, to be added to; scratch memory for those that the layer does not have.
    pub(super) fn grads<'a, T: Real>(
        self,
        size: usize,
        grads: &mut Grads<'a, T>,
        [weight, bias]: &'a mut [Buffer<T>; 2],
    ) -> [&'a mut [T]; 2] {
        match self {
            Self::Full => [grads.values(size), grads.values(size)],
            Self::WithoutBias => [grads.values(size), zeroed(bias, size)],
            Self::Without => [zeroed(weight, size), zeroed(bias, size)],
        }
    }
}
