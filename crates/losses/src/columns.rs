//! Losses that are sums over the columns.

use chainrule_tensor::{Real, Target, each, vector};
use ndarray::s;

use crate::{Criterion, Domain, LossPass};

/// The number of values that are computed at once: they stay in the first cache.
const TILE: usize = 256;

/// Below this number of values, a chain of sums is faster than lanes.
const SHORT: usize = 16;

/// A loss that is the mean over the n columns of a function of output and target: `L = 1/n Σⱼ f(yⱼ, tⱼ)`.
///
/// Both methods should be `#[inline(always)]` and free of branches and calls, so that the compiler vectorizes the loop over
/// them: [`Real`] has such functions as [`fast_exp`](Real::fast_exp), and an `if` that chooses between two values compiles to a
/// selection. With its name in [`column_loss!`](crate::column_loss!), such a type is a [`Loss`](crate::Loss) for both
/// precisions and all targets, computed in double precision.
///
/// ```
/// use chainrule_losses::{ColumnLoss, Criterion, Domain, Loss, column_loss, gradcheck};
/// use chainrule_tensor::Outputs;
///
/// /// The logarithm of the hyperbolic cosine, `ln cosh(y - t)`.
/// #[derive(Clone, Copy, Debug)]
/// struct LogCosh;
///
/// impl Criterion for LogCosh {
///     fn outputs(&self) -> Outputs {
///         Outputs::Values
///     }
///     fn domain(&self) -> Domain {
///         Domain::finite("LogCosh")
///     }
/// }
///
/// impl ColumnLoss for LogCosh {
///     #[inline(always)]
///     fn value(&self, y: f64, t: f64) -> f64 {
///         (y - t).cosh().ln()
///     }
///     #[inline(always)]
///     fn derivative(&self, y: f64, t: f64) -> f64 {
///         (y - t).tanh()
///     }
/// }
/// column_loss!(LogCosh);
///
/// let y = ndarray::array![[0.5, -1.0], [2.0, 0.0]];
/// gradcheck::gradient(&LogCosh, y.view(), &[[0.0, 1.0], [1.0, 1.0]])?;
/// # Ok::<(), gradcheck::GradientError>(())
/// ```
pub trait ColumnLoss: Criterion {
    /// `f(y, t)`.
    fn value(&self, y: f64, t: f64) -> f64;

    /// `∂f/∂y`.
    fn derivative(&self, y: f64, t: f64) -> f64;
}

/// Makes a [`Loss`](crate::Loss) of a type that is a [`ColumnLoss`].
#[macro_export]
macro_rules! column_loss {
    ($loss:ty) => {
        impl $crate::RowLoss for $loss {
            fn compute<T: $crate::Real, Y: $crate::Target<T>>(&self, pass: $crate::LossPass<'_, T, Y>) {
                $crate::mean_of_columns(self, pass);
            }
        }

        $crate::row_loss!($loss);
    };
}

/// Computes a [`ColumnLoss`]: for [`column_loss!`](crate::column_loss!).
#[doc(hidden)]
pub fn mean_of_columns<T: Real, Y: Target<T>>(loss: &impl ColumnLoss, pass: LossPass<'_, T, Y>) {
    let columns = pass.y.ncols() as f64;
    sum_columns(loss.domain(), pass, columns, &|tile| compute(loss, tile));
}

/// A function of its own that does not depend on the types of outputs and targets, so that its loops are compiled once for all.
fn compute(loss: &impl ColumnLoss, Tile { y, t, values, slopes }: Tile<'_>) {
    match slopes {
        None => each!(values = |y, t| loss.value(y, t)),
        Some(slopes) => each!([values, slopes] = |y, t| [loss.value(y, t), loss.derivative(y, t)]),
    }
}

/// Outputs and target values of some columns, and where their losses and derivatives go.
pub(crate) struct Tile<'a> {
    pub(crate) y: &'a [f64],
    pub(crate) t: &'a [f64],
    pub(crate) values: &'a mut [f64],
    pub(crate) slopes: Option<&'a mut [f64]>,
}

/// The sum of the losses of the columns, divided by `divisor`, where `compute` computes those of a tile.
pub(crate) fn sum_columns<T: Real, Y: Target<T>>(
    domain: Domain,
    pass: LossPass<'_, T, Y>,
    divisor: f64,
    compute: &dyn Fn(Tile<'_>),
) {
    let LossPass { y, targets, scale, mut dy, losses, .. } = pass;
    let (rows, columns) = y.dim();
    let factor = scale / divisor;
    losses.fill(0.0);
    let [mut outputs, mut wanted, mut values, mut slopes] = [[0.0; TILE]; 4];
    // Many short rows at once, or a part of a long one.
    let height = (TILE / columns.max(1)).max(1);
    for first in (0..rows).step_by(height) {
        let rows = first..rows.min(first + height);
        for start in (0..columns).step_by(TILE) {
            let part = start..columns.min(start + TILE);
            let width = part.len();
            let count = rows.len() * width;
            let y = y.slice(s![rows.clone(), part.clone()]);
            match y.to_slice() {
                Some(y) => outputs.iter_mut().zip(y).for_each(|(to, y)| *to = y.as_f64()),
                None => outputs.iter_mut().zip(y).for_each(|(to, y)| *to = y.as_f64()),
            }
            for (to, target) in wanted.chunks_exact_mut(width).zip(&targets[rows.clone()]) {
                domain.read(target.view(), start, columns, to);
            }
            let values = &mut values[..count];
            let wants = dy.is_some().then_some(&mut slopes[..count]);
            compute(Tile { y: &outputs[..count], t: &wanted[..count], values, slopes: wants });
            for (loss, values) in losses[rows.clone()].iter_mut().zip(values.chunks_exact(width)) {
                *loss += if width < SHORT { values.iter().sum() } else { vector::sum(values) };
            }
            if let Some(dy) = &mut dy {
                let mut dy = dy.slice_mut(s![rows.clone(), part]);
                let gradient = |slope: &f64| T::of(factor * *slope);
                match dy.as_slice_mut() {
                    Some(dy) => dy.iter_mut().zip(&slopes).for_each(|(dy, slope)| *dy = gradient(slope)),
                    None => dy.iter_mut().zip(&slopes).for_each(|(dy, slope)| *dy = gradient(slope)),
                }
            }
        }
    }
    losses.iter_mut().for_each(|loss| *loss /= divisor);
}
