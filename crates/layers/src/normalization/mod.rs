//! Layers that bring values to a mean and a spread, and wrappers that do so with weights.
//!
//! Formulas with a mean and a variance go through memory in few passes: one for the mean, one for the variance around it,
//! so that a great mean costs no precision, and one for the output; backward, one for two sums and one for all gradients.
//! A batch that is strided is copied first, so that its results are the same bits.

mod batch_norm;
mod group_norm;
mod instance_norm;
mod layer_norm;
mod local_response_norm;
mod reparametrized;
mod rms_norm;
mod spectral_norm;
mod unit_norm;
mod weight_norm;

pub use batch_norm::{BatchNorm, BatchStatistics};
pub use group_norm::{GroupNorm, GroupStatistics};
pub use instance_norm::InstanceNorm;
pub use layer_norm::{LayerNorm, RowStatistics};
pub use local_response_norm::{LocalResponse, LocalResponseNorm};
pub use reparametrized::Reparametrized;
pub use rms_norm::RmsNorm;
pub use spectral_norm::SpectralNorm;
pub use unit_norm::UnitNorm;
pub use weight_norm::WeightNorm;

use std::sync::Arc;

use chainrule_core::{Constant, Grads, Initializer, Params, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

/// Which of its scales and shifts, `weight` and `bias`, a normalisation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Affine {
    Full,
    WithoutBias,
    Without,
}

impl Affine {
    /// Declares what there is, in this shape: scales of 1 and shifts of 0. Neither is decayed.
    fn plan<T: Real>(self, shape: impl Into<Shape>, plan: &mut Plan) -> Result<Scales<T>, ShapeError> {
        let (shape, constant) = (shape.into(), |value| Arc::new(Constant(value)) as Arc<dyn Initializer>);
        if self != Self::Without {
            plan.bias("weight", shape, (1, 1), &constant(1.0))?;
        }
        if self == Self::Full {
            plan.bias("bias", shape, (1, 1), &constant(0.0))?;
        }
        Ok(Scales { size: plan.check_size(shape.size())?, ..Scales::default() })
    }

    /// The scales and shifts, or ones and zeros in the place of those that there are not.
    fn take<'a, T: Real>(
        self,
        size: usize,
        params: &mut Params<'a, T>,
        [ones, zeros]: &'a mut [Buffer<T>; 2],
    ) -> [&'a [T]; 2] {
        match self {
            Self::Full => [params.values(size), params.values(size)],
            Self::WithoutBias => [params.values(size), room(zeros, size)],
            Self::Without => {
                if ones.is_empty() {
                    room(ones, size).fill(T::one());
                }
                [ones, room(zeros, size)]
            }
        }
    }

    /// The gradients of scales and shifts, to be added to, or room for those that there are not.
    fn grads<'a, T: Real>(
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

/// How many scales and shifts there are, and from the first pass on what stands in for those that a layer has not, and
/// for their gradients.
#[derive(Clone, Debug, Default)]
struct Scales<T: Real> {
    size: usize,
    fixed: [Buffer<T>; 2],
    spare: [Buffer<T>; 2],
}

/// The axes that a layer normalises over.
#[derive(Clone, Copy, Debug)]
enum Over {
    /// So many, from the last.
    Last(usize),
    All,
}

impl Over {
    /// These axes of a sample.
    fn of(self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let first = match self {
            Self::All => Some(0),
            Self::Last(0) => None,
            Self::Last(count) => input.len().checked_sub(count),
        };
        let axes = first.and_then(|first| Shape::new(&input[first..]));
        match axes.filter(|axes| !axes.is_empty() && input.size() > 0) {
            Some(axes) => Ok(axes),
            None => {
                let expected = match self {
                    Self::Last(count) if count > 1 => format!("samples of at least {count} axes"),
                    _ => "samples of at least one axis".to_owned(),
                };
                let help = "normalise over at least one axis, of those that there are, and over some values";
                Err(plan.error(input, &expected, help))
            }
        }
    }
}

/// Checks what is added to a variance so that its root is above 0.
fn epsilon<T: Real>(epsilon: f64, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    // In the model's precision, where too small a number is 0.
    if T::of(epsilon) >= T::min_positive_value() && T::of(epsilon).is_finite() {
        return Ok(());
    }
    Err(plan.error(input, "any samples, with a positive epsilon,", "choose an epsilon such as 1e-5"))
}

/// The mean and the variance of the `n` values of each channel of `[outer, channels, inner]`.
///
/// The second pass corrects the mean of the first (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample
/// variance"), so that the variance of equal values is 0, however great they are.
fn moments<T: Real>(inner: usize, x: &[T], n: usize, mean: &mut [T], variance: &mut [T], rest: &mut [T]) {
    let n = T::of(n.max(1) as f64);
    mean.fill(T::zero());
    vector::sum_channels(
        inner,
        [x],
        [],
        [mean],
        #[inline(always)]
        |[x], []| [x],
    );
    mean.iter_mut().for_each(|mean| *mean /= n);
    variance.fill(T::zero());
    rest.fill(T::zero());
    vector::sum_channels(
        inner,
        [x],
        [mean],
        [variance, rest],
        #[inline(always)]
        |[x], [mean]| [(x - mean) * (x - mean), x - mean],
    );
    for ((mean, variance), &rest) in mean.iter_mut().zip(variance).zip(&*rest) {
        (*mean, *variance) = corrected(*mean, *variance, rest, n);
    }
}

/// Mean and variance of `n` values, from the mean as far as it is known, and from the sums of the squared distances to it
/// and of the distances.
fn corrected<T: Real>(mean: T, squares: T, rest: T, n: T) -> (T, T) {
    let rest = rest / n;
    (mean + rest, (squares / n - rest * rest).max(T::zero()))
}

/// The first `len` values of `buffer`, all 0.
fn zeroed<T: Real>(buffer: &mut Buffer<T>, len: usize) -> &mut [T] {
    let values = room(buffer, len);
    values.fill(T::zero());
    values
}

/// The first `len` values of `buffer`, whatever they are.
fn room<T: Real>(buffer: &mut Buffer<T>, len: usize) -> &mut [T] {
    buffer.reserve(len);
    &mut buffer[..len]
}
