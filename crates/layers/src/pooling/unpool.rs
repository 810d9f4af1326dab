//! The partial inverse of maximum pooling.

use chainrule_core::{
    Described, DescriptionError, Entry, Merge, MergeBackward, MergeForward, Plan, Settings, ShapeError,
    Value, described,
};
use chainrule_tensor::{Real, Shape};

use super::cache::PoolCache;
use super::max::Max;
use super::pool::Pool;
use super::pool_windows::PoolWindows;
use super::rule::PoolRule;
use crate::axes::entry_of_axes;

/// Puts each value where a maximum pooling took its value from, with zeros elsewhere (Zeiler and Fergus 2014).
///
/// A [`Merge`] of two inputs: the values, in the shape of the pooling's output, and the pooling's input, whose maxima
/// determine the positions. The output has the shape of the second. If windows overlap and two values have the same position, the
/// later one wins. The second input has no gradient, since a small change of it moves no maximum.
#[derive(Clone, Copy, Debug)]
pub struct MaxUnpool<const N: usize>(Pool<Max, N>);

impl<const N: usize> Described for MaxUnpool<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        Entry {
            summary: "Puts each value where a maximum pooling took its value from, with zeros elsewhere.",
            formula: "",
            source: "Zeiler and Fergus 2014",
            ..Max::ENTRY
        },
        &[
            ("MaxUnpool1d", "max_unpool1d", &[]),
            ("MaxUnpool2d", "max_unpool2d", &[]),
            ("MaxUnpool3d", "max_unpool3d", &[]),
        ],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Pool::from_settings(settings).map(Self)
    }

    fn setting_values(&self) -> Vec<Value> {
        self.0.setting_values()
    }
}

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

/// The cache of a [`MaxUnpool`]: its windows, and a buffer for the output that each position belongs to.
#[derive(Clone, Debug, Default)]
pub struct MaxUnpoolCache {
    windows: PoolWindows,
    owners: Vec<u32>,
}

impl<T: Real, const N: usize> Merge<T> for MaxUnpool<N> {
    type Cache = MaxUnpoolCache;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, MaxUnpoolCache), ShapeError> {
        let &[values, x] = inputs else {
            let found = inputs.first().copied().unwrap_or(Shape::from([0]));
            return Err(plan.error(found, "two inputs, values and the pooling's input,", "connect both"));
        };
        let windows = self.0.windows(x, plan)?;
        let (pooled, PoolCache { windows, .. }) = PoolCache::<T>::plan(Max, windows, N, (x, plan))?;
        if pooled != values {
            let help = "use the output of the pooling of the second input";
            return Err(plan.error(values, &format!("values of shape {pooled}"), help));
        }
        Ok((x, MaxUnpoolCache { windows, owners: Vec::new() }))
    }

    described!();

    fn forward(&self, pass: MergeForward<'_, T, MaxUnpoolCache>) {
        let MergeForward { xs, mut y, cache, .. } = pass;
        let [values, x] = xs else { unreachable!("it was planned for two inputs") };
        y.fill(T::zero());
        for ((x, values), mut y) in x.rows().into_iter().zip(values.rows()).zip(y.rows_mut()) {
            cache.windows.each_maximum(|input| x[input], |output, index, _| y[index] = values[output]);
        }
    }

    fn backward(&self, pass: MergeBackward<'_, T, MaxUnpoolCache>) {
        let MergeBackward { xs, dy, dxs, cache: MaxUnpoolCache { windows, owners }, .. } = pass;
        let ([_, x], [dvalues, dx]) = (xs, dxs) else { unreachable!("it was planned for two inputs") };
        if let Some(dx) = dx {
            dx.fill(T::zero());
        }
        let Some(dvalues) = dvalues else { return };
        owners.resize(x.ncols(), 0);
        for ((x, dy), mut dvalues) in x.rows().into_iter().zip(dy.rows()).zip(dvalues.rows_mut()) {
            windows.each_maximum(|input| x[input], |output, index, _| owners[index] = output as u32);
            windows.each_maximum(
                |input| x[input],
                |output, index, _| {
                    dvalues[output] = if owners[index] == output as u32 { dy[index] } else { T::zero() };
                },
            );
        }
    }
}
