//! Loops over many numbers, compiled for the CPU at hand (see [`isa`](crate::isa)).
//!
//! Each function but those with a name for their arithmetic takes it as a closure on single numbers, and runs it on many at a time. Mark
//! the closure `#[inline(always)]`, or a long one will be called once per number; and let it `move` what it
//! takes from around it, or that will be read from memory once per number:
//!
//! ```
//! use chainrule_tensor::vector;
//! use ndarray::array;
//! let x = array![[-1.0f32, 2.0], [3.0, -4.0]];
//! let mut y = x.clone();
//! vector::map(x.view(), y.view_mut(), #[inline(always)] |x| x.max(0.0));
//! assert_eq!(y, array![[0.0, 2.0], [3.0, 0.0]]);
//! ```
//!
//! Views may be strided; rows whose columns lie side by side are fast. Sums add 16 or 32 interleaved parts in a
//! fixed order, so that a result is the same on every CPU.

mod adam;
mod bytes;
mod channels;
mod each;
mod gates;
mod macros;
mod map;
mod random;
mod reduce;
mod rows;
mod softmax;
mod update;

#[cfg(target_arch = "x86_64")]
pub(crate) use adam::fast as fast_adam;
pub use adam::{AdamStep, adam_kernel};
pub use bytes::from_u8;
pub use channels::{map_channels, sum_channels};
pub use each::each;
pub use gates::gates;
pub use map::{accumulate, add, apply, apply_slice, apply2, map, map_views, map2, map3};
pub use random::map_random;
pub use reduce::{max, sum, sum_chunks, sum_squares, sums};
pub use rows::{add_to_rows, sum_rows};
pub use softmax::{exponentials, log_softmax, log_softmax_gradient, softmax, softmax_gradient};
pub use update::update;

/// How many parts a sum is kept in: one AVX-512 register of `f32`.
const LANES: usize = 16;

/// Random numbers to test with.
#[cfg(test)]
fn matrix(rows: usize, columns: usize) -> ndarray::Array2<f64> {
    let mut rng = crate::Seed(5).rng();
    ndarray::Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}
