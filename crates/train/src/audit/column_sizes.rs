//! How large the values of samples are, column by column.

use chainrule_tensor::Real;
use ndarray::{ArrayView2, Axis};

/// How large the values of the columns are, over some samples.
#[derive(Clone, Debug)]
pub(crate) struct ColumnSizes {
    /// The root mean square of each.
    pub(super) rms: Vec<f64>,
    /// The mean of each.
    pub(super) mean: Vec<f64>,
}

impl ColumnSizes {
    pub(crate) fn of<T: Real>(x: ArrayView2<'_, T>) -> Self {
        let rows = x.nrows().max(1) as f64;
        let (mut rms, mut mean) = (vec![0.0; x.ncols()], vec![0.0; x.ncols()]);
        for row in x.axis_iter(Axis(0)) {
            for ((rms, mean), value) in rms.iter_mut().zip(&mut mean).zip(row) {
                let value = value.as_f64();
                *rms += value * value / rows;
                *mean += value / rows;
            }
        }
        rms.iter_mut().for_each(|rms| *rms = rms.sqrt());
        Self { rms, mean }
    }

    /// The standard deviation of a column.
    pub(super) fn deviation(&self, column: usize) -> f64 {
        let [rms, mean] = [&self.rms, &self.mean].map(|values| values[column]);
        (rms * rms - mean * mean).max(0.0).sqrt()
    }
}
