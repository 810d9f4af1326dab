//! Losses that are a formula of a whole row.

use chainrule_tensor::{Real, Target, TargetView};

use crate::{Criterion, Domain, LossPass};

/// A loss that is a formula of a row of outputs and its target, with its slopes: `L = f(y, t)`.
///
/// Numbers are in double precision. With its name in [`vector_loss!`](crate::vector_loss!), such a type is a
/// [`Loss`](crate::Loss) for both precisions and all targets.
///
/// ```
/// use chainrule_losses::{Criterion, Domain, Row, VectorLoss, gradcheck, vector_loss};
/// use chainrule_tensor::Outputs;
///
/// /// The Euclidean distance of a row from its target.
/// #[derive(Clone, Copy, Debug)]
/// struct Distance;
///
/// impl Criterion for Distance {
///     fn outputs(&self) -> Outputs {
///         Outputs::Values
///     }
///     fn domain(&self) -> Domain {
///         Domain::finite("Distance")
///     }
/// }
///
/// impl VectorLoss for Distance {
///     fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
///         let distance = y.iter().zip(t).map(|(y, t)| (y - t) * (y - t)).sum::<f64>().sqrt();
///         for (slope, (y, t)) in slopes.iter_mut().zip(y.iter().zip(t)) {
///             *slope = (y - t) / distance;
///         }
///         distance
///     }
/// }
/// vector_loss!(Distance);
///
/// gradcheck::gradient(&Distance, ndarray::array![[0.5, -1.0]].view(), &[[0.0, 1.0]])?;
/// # Ok::<(), gradcheck::GradientError>(())
/// ```
pub trait VectorLoss: Criterion {
    /// The loss of a row; writes its derivative with respect to each output.
    fn row(&self, row: Row<'_>) -> f64;
}

/// A row of outputs with its target, and where the slopes go.
#[derive(Debug)]
pub struct Row<'a> {
    /// The outputs.
    pub y: &'a [f64],
    /// The target values; of a class, its one-hot vector, or what else the [`Domain`](crate::Domain) makes of it.
    pub t: &'a [f64],
    /// The class, where the target is one.
    pub class: Option<usize>,
    /// The derivative of the loss with respect to each output: zeros at first.
    pub slopes: &'a mut [f64],
}

/// Makes a [`Loss`](crate::Loss) of a type that is a [`VectorLoss`].
#[macro_export]
macro_rules! vector_loss {
    ($loss:ty) => {
        impl $crate::RowLoss for $loss {
            fn compute<T: $crate::Real, Y: $crate::Target<T>>(&self, pass: $crate::LossPass<'_, T, Y>) {
                $crate::each_row($crate::Criterion::domain(self), pass, &|row| {
                    $crate::VectorLoss::row(self, row)
                });
            }
        }

        $crate::row_loss!($loss);
    };
}

/// Computes each row for itself, by `compute`; rows of the class that is ignored have the loss 0. For
/// [`vector_loss!`](crate::vector_loss!).
#[doc(hidden)]
pub fn each_row<T: Real, Y: Target<T>>(
    domain: Domain,
    pass: LossPass<'_, T, Y>,
    compute: &dyn Fn(Row<'_>) -> f64,
) {
    let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
    let columns = y.ncols();
    let width = domain.width(columns);
    scratch.reserve(2 * columns + width);
    let (outputs, rest) = scratch.split_at_mut(columns);
    let (slopes, rest) = rest.split_at_mut(columns);
    let wanted = &mut rest[..width];
    for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
        let target = target.view();
        slopes.fill(0.0);
        if domain.ignores(target) {
            *loss = 0.0;
        } else {
            outputs.iter_mut().zip(y.row(row)).for_each(|(to, y)| *to = y.as_f64());
            domain.read(target, 0, width, wanted);
            let class = match target {
                TargetView::Class(class) => Some(class),
                TargetView::Values(_) => None,
            };
            *loss = compute(Row { y: outputs, t: wanted, class, slopes });
        }
        if let Some(dy) = &mut dy {
            let gradient = |slope: f64| T::of(scale * slope);
            dy.row_mut(row).iter_mut().zip(&*slopes).for_each(|(dy, &slope)| *dy = gradient(slope));
        }
    }
}

/// Sets the losses of rows of the class that is ignored to 0, and their gradient, where the loss has computed them.
pub(crate) fn forget_ignored<T: Real, Y: Target<T>>(loss: &impl Criterion, pass: LossPass<'_, T, Y>) {
    let LossPass { targets, mut dy, losses, .. } = pass;
    let domain = loss.domain();
    if !domain.has_ignored() {
        return;
    }
    for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
        if domain.ignores(target.view()) {
            *loss = 0.0;
            if let Some(dy) = &mut dy {
                dy.row_mut(row).fill(T::zero());
            }
        }
    }
}
