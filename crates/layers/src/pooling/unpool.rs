//! The inverse of maximum pooling, as far as there is one.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::max::Max;
use super::pool::{Pool, Pooled};
use super::windows::Windows;

/// Puts each value where a maximum pooling took its value from, and zeros elsewhere (Zeiler and Fergus 2014).
///
/// A [`Merge`] of two inputs: the values, in the shape of the pooling's output, and the pooling's input, whose greatest values
/// tell the places. The output has the shape of the second. Where windows overlap and two values have one place, the later one
/// stays. The second input has no gradient, since moving it a little moves no place.
#[derive(Clone, Copy, Debug)]
pub struct MaxUnpool<const N: usize>(Pool<Max, N>);

/// The inverse of a [`MaxPool1d`](super::MaxPool1d).
pub type MaxUnpool1d = MaxUnpool<1>;
/// The inverse of a [`MaxPool2d`](super::MaxPool2d).
pub type MaxUnpool2d = MaxUnpool<2>;
/// The inverse of a [`MaxPool3d`](super::MaxPool3d).
pub type MaxUnpool3d = MaxUnpool<3>;

impl<const N: usize> MaxUnpool<N> {
    /// The inverse of this pooling.
    pub fn new(pooling: Pool<Max, N>) -> Self {
        Self(pooling)
    }
}

/// What a [`MaxUnpool`] remembers: its windows, and room for the outputs that have a place of their own.
#[derive(Clone, Debug, Default)]
pub struct Places {
    windows: Windows,
    owners: Vec<u32>,
}

impl<T: Real, const N: usize> Merge<T> for MaxUnpool<N> {
    type Cache = Places;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, Places), ShapeError> {
        let &[values, x] = inputs else {
            let found = inputs.first().copied().unwrap_or(Shape::from([0]));
            return Err(plan.error(found, "two inputs, values and the pooling's input,", "give it both"));
        };
        let windows = self.0.windows(x, plan)?;
        let (pooled, Pooled { windows, .. }) = Pooled::<T>::plan(Max, windows, N, (x, plan))?;
        if pooled != values {
            let help = "unpool what the pooling of the second input gives";
            return Err(plan.error(values, &format!("values of shape {pooled}"), help));
        }
        Ok((x, Places { windows, owners: Vec::new() }))
    }

    fn forward(&self, pass: MergeForward<'_, T, Places>) {
        let MergeForward { xs, mut y, cache, .. } = pass;
        let [values, x] = xs else { unreachable!("it was planned for two inputs") };
        y.fill(T::zero());
        for ((x, values), mut y) in x.rows().into_iter().zip(values.rows()).zip(y.rows_mut()) {
            cache.windows.each_greatest(x, |output, place| y[place] = values[output]);
        }
    }

    fn backward(&self, pass: MergeBackward<'_, T, Places>) {
        let MergeBackward { xs, dy, dxs, cache: Places { windows, owners }, .. } = pass;
        let ([_, x], [dvalues, dx]) = (xs, dxs) else { unreachable!("it was planned for two inputs") };
        if let Some(dx) = dx {
            dx.fill(T::zero());
        }
        let Some(dvalues) = dvalues else { return };
        owners.resize(x.ncols(), 0);
        for ((x, dy), mut dvalues) in x.rows().into_iter().zip(dy.rows()).zip(dvalues.rows_mut()) {
            windows.each_greatest(x, |output, place| owners[place] = output as u32);
            windows.each_greatest(x, |output, place| {
                dvalues[output] = if owners[place] == output as u32 { dy[place] } else { T::zero() };
            });
        }
    }
}
