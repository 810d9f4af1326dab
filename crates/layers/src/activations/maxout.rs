//! Maxout: the maximum of groups of values.

use chainrule_core::{Backward, Forward, Layer, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Buffer, Real, Shape};

use super::shorten;

/// The maximum of each group of neighbours along an axis (Goodfellow et al. 2013): `[units group]` becomes `[units]`, with
/// `yᵢ = maxⱼ xᵢⱼ`.
///
/// The axis is the last unless [`axis`](Self::axis) names another: 0 for images. After a linear layer this is a learned convex
/// activation. Backward, the maximum of each group gets the gradient, the first one in case of a tie.
#[derive(Clone, Copy, Debug)]
pub struct Maxout {
    group: usize,
    axis: Option<usize>,
}

describe! {
    /// The maximum of each group of values.
    Maxout = "maxout";
    formula "y = max of a group";
    source "Goodfellow et al. 2013";
    settings {
        /// The number of values in a group.
        group: required, Range::AT_LEAST_ONE;
        /// The axis of the groups, the last one by default.
        axis: none;
    }
}

impl Maxout {
    /// Groups of this many values.
    pub fn new(group: usize) -> Self {
        Self { group, axis: None }
    }

    /// Groups along this axis of a sample; 0 is the first, the channels of an image.
    #[must_use]
    pub fn axis(self, axis: usize) -> Self {
        Self { axis: Some(axis), ..self }
    }
}

/// The cache of a [`Maxout`]: the index of each output in its group.
#[derive(Clone, Debug, Default)]
pub struct MaxoutCache<T: Real> {
    /// The number of values per index of the axis.
    inner: usize,
    argmax: Buffer<T>,
}

impl<T: Real> Layer<T> for Maxout {
    type Cache = MaxoutCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, MaxoutCache<T>), ShapeError> {
        plan.at_least_one(self.group, "a group", input)?;
        let Some((output, inner)) = shorten(input, self.axis, self.group) else {
            let expected = format!("samples with a multiple of {} values along its axis", self.group);
            let help = "let the layer before return that number of values per output";
            return Err(plan.error(input, &expected, help));
        };
        plan.memory(output.size());
        Ok((output, MaxoutCache { inner, argmax: Buffer::default() }))
    }

    described!();

    fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, T, MaxoutCache<T>>) {
        let MaxoutCache { inner, argmax } = cache;
        let inner = *inner;
        let columns = y.ncols();
        argmax.reserve(y.len());
        let rows = x.rows().into_iter().zip(y.rows_mut()).zip(argmax.chunks_exact_mut(columns));
        for ((x, mut y), argmax) in rows {
            for (output, argmax) in argmax.iter_mut().enumerate() {
                let first = output / inner * inner * self.group + output % inner;
                let mut max = x[first];
                let mut index = 0;
                for other in 1..self.group {
                    let value = x[first + other * inner];
                    // NaN wins, and stays.
                    if value > max || value.is_nan() {
                        max = value;
                        index = other;
                    }
                }
                y[output] = max; //                                                 yᵢ = maxⱼ xᵢⱼ
                *argmax = T::of(index as f64);
            }
        }
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, MaxoutCache<T>>) {
        let Some(mut dx) = dx else { return };
        let MaxoutCache { inner, argmax } = cache;
        let inner = *inner;
        dx.fill(T::zero());
        let rows = dy.rows().into_iter().zip(dx.rows_mut()).zip(argmax.chunks_exact(dy.ncols()));
        for ((dy, mut dx), argmax) in rows {
            for (output, (&dy, &index)) in dy.iter().zip(argmax).enumerate() {
                let first = output / inner * inner * self.group + output % inner;
                dx[first + index.as_f64() as usize * inner] = dy;
            }
        }
    }
}
