//! The greatest value of each window.

use chainrule_tensor::Real;
use chainrule_tensor::quads::{self, Planes};

use super::pool::{Pool, Rule, Values};
use super::windows::Windows;
use crate::Axes;

/// `y = max x` over each window: the rule of [`MaxPool2d`] and its kin. Backward, all of `dy` goes to the input that was the
/// greatest, the first of equal ones, as in PyTorch. NaN counts as greater than any number.
#[derive(Clone, Copy, Debug)]
pub struct Max;

/// Maximum pooling of `[channels, length]`.
pub type MaxPool1d = Pool<Max, 1>;
/// Maximum pooling of `[channels, height, width]`.
///
/// ```
/// use chainrule_layer::{Layer, Plan};
/// use chainrule_layers::MaxPool2d;
/// let pooling = MaxPool2d::new(3).stride(2).padding(1);
/// let (output, _) = Layer::<f32>::plan(&pooling, [8, 28, 28].into(), &mut Plan::new())?;
/// assert_eq!(output, [8, 14, 14].into());
/// # Ok::<(), chainrule_layer::ShapeError>(())
/// ```
pub type MaxPool2d = Pool<Max, 2>;
/// Maximum pooling of `[channels, depth, height, width]`.
pub type MaxPool3d = Pool<Max, 3>;

impl<const N: usize> Pool<Max, N> {
    /// With windows of this size: one number for all axes, or one for each.
    pub fn new(kernel: impl Axes<N>) -> Self {
        Self::with(Max, kernel)
    }
}

impl Rule for Max {
    const INDEXED: bool = true;

    fn forward<T: Real>(self, windows: &Windows, x: &[T], y: &mut [T], indices: &mut [u32]) {
        if let Some([height, width]) = windows.squares() {
            // Which of the four it was is found again in the backward pass.
            return quads::fold(
                Planes { height, width },
                x,
                y,
                #[inline(always)]
                |[a, b, c, d]| greater(greater(a, b), greater(c, d)),
            );
        }
        let samples = x.chunks_exact(windows.inputs()).zip(y.chunks_exact_mut(windows.outputs()));
        for ((x, y), indices) in samples.zip(indices.chunks_exact_mut(windows.outputs())) {
            windows.each_greatest(x.into(), |output, place| {
                (y[output], indices[output]) = (x[place], place as u32);
            });
        }
    }

    fn backward<T: Real>(self, windows: &Windows, values: Values<'_, T>, indices: &[u32], dx: &mut [T]) {
        let Values { x, y, dy } = values;
        if let Some([height, width]) = windows.squares() {
            return quads::spread(
                Planes { height, width },
                x,
                [y, dy],
                dx,
                #[inline(always)]
                |[a, b, c, _], [y, dy]| {
                    let [a, b, c] = [a, b, c].map(|v| v == y || v.is_nan());
                    let to = |yes: bool| if yes { dy } else { T::zero() };
                    [to(a), to(!a & b), to(!a & !b & c), to(!a & !b & !c)]
                },
            );
        }
        dx.fill(T::zero());
        let samples = dx.chunks_exact_mut(windows.inputs()).zip(dy.chunks_exact(windows.outputs()));
        for ((dx, dy), indices) in samples.zip(indices.chunks_exact(windows.outputs())) {
            for (&index, &dy) in indices.iter().zip(dy) {
                dx[index as usize] += dy;
            }
        }
    }
}

/// The greater of two; NaN if one is.
#[inline(always)]
fn greater<T: Real>(a: T, b: T) -> T {
    if b > a || b.is_nan() { b } else { a }
}
