//! Loops over many numbers, compiled for this CPU's vector instructions (see [`simd`](crate::simd)).
//!
//! Most functions take the arithmetic as a closure on single numbers, and run it on many at a time. There is a macro for each of
//! them, with which the formula fits on one line:
//!
//! ```
//! use chainrule_tensor::map;
//! use ndarray::array;
//! let x = array![[-1.0f32, 2.0], [3.0, -4.0]];
//! let mut y = x.clone();
//! let (input, output) = (x.view(), y.view_mut());
//! map!(output = |x: input| x.max(0.0));
//! assert_eq!(y, array![[0.0, 2.0], [3.0, 0.0]]);
//! ```
//!
//! The macros mark the closure `#[inline(always)]`, or a long one would be called once per number, and let it `move` what it
//! captures, or that would be read from memory once per number. Whoever calls a function directly has to do the same.
//!
//! | macro | function | operands |
//! |---|---|---|
//! | [`map!`](crate::map!) | [`map()`] | views, one output |
//! | [`apply!`](crate::apply!) | [`apply()`] | views, one output that the formula reads too |
//! | [`each!`](crate::each!) | [`each()`] | slices, one or several outputs, which the formula reads too |
//! | [`each_root!`](crate::each_root!) | [`each_root()`] | as `each!`, for formulas with roots |
//! | [`sums!`](crate::sums!) | [`sums()`] | slices, to one or several sums |
//! | [`map_channels!`](crate::map_channels!), [`sum_channels!`](crate::sum_channels!) | [`map_channels()`], [`sum_channels()`] | slices `[outer, channels, inner]` and vectors `[channels]` |
//! | [`gates!`](crate::gates!) | [`gates()`] | the gates and states of a recurrent layer |
//! | | [`map_rows()`], [`sums_of_rows()`], [`map_and_sum_rows()`] | slices `[rows, size]` and vectors `[rows]` and `[size]` |
//! | [`map_random!`](crate::map_random!) | [`map_random()`] | slices, and random bits for each number |
//!
//! Views may be strided; rows with contiguous columns are fast. Sums are kept in 16 or 32 interleaved parts that are added in a
//! fixed order, so that a result is the same on every CPU, and in blocks whose sums are added with what rounding takes from
//! them, so that it is as exact for millions of terms as for a thousand.

mod adam;
mod add_block;
mod blocks;
mod bytes;
mod channels;
mod columns;
mod each;
mod each_root;
mod gates;
mod lanes;
mod largest;
mod long_sum;
mod macros;
mod map;
#[expect(clippy::needless_range_loop, reason = "with iterators a test of the index stays in the loops")]
mod of_rows;
mod operands;
mod random;
#[cfg(test)]
mod random_matrix;
mod reduce;
mod rows;
mod softmax;
mod transpose;

pub use crate::simd::formula::{RootFormula, RootNumbers};
pub use crate::simd::operands::AdamStep;
pub use adam::adam_kernel;
pub use add_block::add_block;
pub use blocks::CHAIN;
pub(crate) use bytes::convert;
pub use bytes::from_u8;
pub use channels::{map_channels, sum_channels};
pub use each::each;
pub use each_root::each_root;
pub use gates::gates;
pub use largest::{larger_or_nan, largest};
pub use long_sum::LongSum;
pub use map::{accumulate, add, apply, map};
pub use of_rows::{RowInput, map_and_sum_rows, map_rows, sums_of_rows};
pub use random::{map_random, map_random_interleaved};
pub use reduce::{dot, max, norm, sum, sum_chunks, sum_iter, sum_squares, sums};
pub use rows::{add_to_rows, sum_rows};
pub use softmax::{
    SHORT_ROW, exponentials, log_softmax, log_softmax_gradient, softmax, softmax_gradient,
    softmax_gradient_interleaved, softmax_interleaved,
};
pub(crate) use transpose::copy_squares;
pub use transpose::transpose;
