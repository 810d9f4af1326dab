//! Maxout.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};

use super::shorten;

/// The greatest of each `pieces` neighbours along an axis (Goodfellow et al. 2013): `[units pieces]` becomes `[units]`,
/// with `yᵢ = maxⱼ xᵢⱼ`.
///
/// The axis is the last, unless another [`axis`](Self::axis) is named, for images 0. After a linear layer this is a
/// learned convex activation. Backward, the greatest of each group gets the gradient, the first if there are several.
#[derive(Clone, Copy, Debug)]
pub struct Maxout {
    pieces: usize,
    axis: Option<usize>,
}

impl Maxout {
    /// Groups of this many values.
    pub fn new(pieces: usize) -> Self {
        Self { pieces, axis: None }
    }

    /// With groups along this axis of a sample: 0 is the first, the channels of an image.
    #[must_use]
    pub fn axis(self, axis: usize) -> Self {
        Self { axis: Some(axis), ..self }
    }
}

/// What a [`Maxout`] remembers: which of its group each output is.
#[derive(Clone, Debug, Default)]
pub struct Winners<T: Real> {
    /// How many values lie side by side at each place of the axis.
    inner: usize,
    winners: Buffer<T>,
}

impl<T: Real> Layer<T> for Maxout {
    type Cache = Winners<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Winners<T>), ShapeError> {
        let Some((output, inner)) = shorten(input, self.axis, self.pieces) else {
            let expected = format!("samples with a multiple of {} values along its axis", self.pieces);
            let help = "let the layer before give as many values for each that is wanted, at least one";
            return Err(plan.error(input, &expected, help));
        };
        plan.memory(output.size());
        Ok((output, Winners { inner, winners: Buffer::default() }))
    }

    fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, T, Winners<T>>) {
        let Winners { inner, winners } = cache;
        let (columns, inner) = (y.ncols(), *inner);
        winners.reserve(y.len());
        let rows = x.rows().into_iter().zip(y.rows_mut()).zip(winners.chunks_exact_mut(columns));
        for ((x, mut y), winners) in rows {
            for (place, winner) in winners.iter_mut().enumerate() {
                let first = place / inner * inner * self.pieces + place % inner;
                let (mut max, mut best) = (x[first], 0);
                for piece in 1..self.pieces {
                    let value = x[first + piece * inner];
                    // NaN passes, and stays.
                    if value > max || value.is_nan() {
                        (max, best) = (value, piece);
                    }
                }
                (y[place], *winner) = (max, T::of(best as f64));
            }
        }
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Winners<T>>) {
        let Some(mut dx) = dx else { return };
        let Winners { inner, winners } = cache;
        let inner = *inner;
        dx.fill(T::zero());
        let rows = dy.rows().into_iter().zip(dx.rows_mut()).zip(winners.chunks_exact(dy.ncols()));
        for ((dy, mut dx), winners) in rows {
            for (place, (&dy, &winner)) in dy.iter().zip(winners).enumerate() {
                let first = place / inner * inner * self.pieces + place % inner;
                dx[first + winner.as_f64() as usize * inner] = dy;
            }
        }
    }
}
