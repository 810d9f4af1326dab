//! The mean and the variance of values that may be far from 0 and close to each other.
//!
//! A mean is kept as two numbers, `μ = base + offset`: a mean of 10,000 rounded to one `f32` may be off by more than half of the
//! spread of values between 10,000 and 10,000.002. The `base` is that rounded mean, so close to the values that `x - base` is exact
//! where it matters, and `offset` is the mean of these differences. Everything else, forward and backward, is computed from
//! `x - base - offset`, never from the difference of two large numbers.

use std::ops::Range;

use chainrule_core::{Plan, ShapeError, batch_group};
use chainrule_tensor::vector::{RowInput, sums_of_rows};
use chainrule_tensor::{Buffer, Real, Shape, each, sum_channels};

use super::wide::wide_moments;

/// About how many values are read several times in turn: they stay in the first cache, and the rows that they belong to do not wait
/// for each other's divisions.
const CACHED: usize = 2048;

/// Cuts these rows of `size` values into blocks of about so many values as the first cache holds.
pub(super) fn blocks_of(rows: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let len = CACHED.div_ceil(size);
    rows.clone().step_by(len).map(move |first| first..rows.end.min(first + len))
}

/// Checks the `ε` that is added to a variance so that its root is above 0.
pub(super) fn check_epsilon<T: Real>(epsilon: f64, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    // In the model's precision, in which a very small number is 0.
    if T::of(epsilon) >= T::min_positive_value() && T::of(epsilon).is_finite() {
        return Ok(());
    }
    Err(plan.setting_error(input, "a positive epsilon", "choose an epsilon such as 1e-5"))
}

/// Checks that `count` values, which are normalised together, are at least two: a single one is its own mean.
pub(super) fn check_count(count: usize, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    if count >= 2 {
        return Ok(());
    }
    let help = "there is nothing to normalise: a single value is its own mean, so the output would be the same for every \
                sample; normalise over more values, or leave the layer out";
    Err(plan.error(input, "samples in which at least two values are normalised together", help))
}

/// The `offset` and the variance of `n` values with these sums of `(x - base)²` and `x - base` (Chan, Golub and LeVeque 1983,
/// "Algorithms for computing the sample variance"). Since `base` is the rounded mean, little is subtracted.
#[inline]
fn around_base<T: Real>(squares: T, rest: T, n: T) -> [T; 2] {
    let offset = rest / n;
    let variance = squares / n - offset * offset;
    // `max` would make 0 of NaN.
    [offset, if variance < T::zero() { T::zero() } else { variance }]
}

/// The mean `base + offset` and the variance of each channel, as three vectors.
#[derive(Debug)]
pub(super) struct ChannelMoments<'a, T> {
    pub(super) base: &'a mut [T],
    pub(super) offset: &'a mut [T],
    pub(super) variance: &'a mut [T],
}

impl<T: Real> ChannelMoments<'_, T> {
    /// Overwrites them with those of the `n` values of each channel of `[outer, channels, inner]`; without values, with zeros.
    pub(super) fn overwrite(self, inner: usize, x: &[T], n: usize) {
        let Self { base, offset, variance } = self;
        let n = T::of(n.max(1) as f64);
        offset.fill(T::zero());
        variance.fill(T::zero());
        if x.is_empty() {
            return base.fill(T::zero());
        }
        base.iter_mut().zip(x.iter().step_by(inner)).for_each(|(base, &first)| *base = first);
        sum_channels!(inner, [offset] += |[x], [base]| [x - base]); //      μ ≈ x₀ + Σ (x - x₀) / n
        each!([base, offset] = [base + offset / n, T::zero()]);
        sum_channels!(inner, [variance, offset] += |[x], [base]| [(x - base) * (x - base), x - base]);
        each!([offset, variance] = around_base(variance, offset, n));
    }

    /// Overwrites them with those of each row of `size` values, and the variance with `1 / √(σ² + ε)`.
    pub(super) fn overwrite_for_rows(self, size: usize, x: &[T], epsilon: T) {
        let Self { base, offset, variance: inverse } = self;
        let n = T::of(size as f64);
        base.iter_mut().zip(x.iter().step_by(size)).for_each(|(base, &first)| *base = first);
        let of_x = [RowInput::Matrix(x)];
        sums_of_rows(
            size,
            of_x,
            [&*base],
            [&mut *offset],
            #[inline(always)]
            |[x], [base]| [x - base],
        );
        each!(base = |offset| base + offset / n); //                        μ ≈ x₀ + Σ (x - x₀) / n
        sums_of_rows(
            size,
            of_x,
            [&*base],
            [&mut *inverse, &mut *offset],
            #[inline(always)]
            |[x], [base]| [(x - base) * (x - base), x - base],
        );
        each!([offset, inverse] = around_base(inverse, offset, n));
        for (row, inverse) in inverse.iter_mut().enumerate() {
            if inverse.is_finite() {
                *inverse = (*inverse + epsilon).sqrt().recip();
                continue;
            }
            [base[row], offset[row], *inverse] = wide_moments(&x[row * size..][..size], epsilon);
        }
    }

    /// Overwrites them with those of each channel of the whole batch, of which this pass has `n` values of `[outer, channels,
    /// inner]`; without values, with zeros. Returns the number of values of a channel in the batch.
    pub(super) fn overwrite_over_batch(
        self,
        inner: usize,
        x: &[T],
        n: usize,
        exchange: &mut Buffer<f64>,
    ) -> f64 {
        if batch_group::is_alone() {
            self.overwrite(inner, x, n);
            return n as f64;
        }
        let Self { base, offset, variance } = self;
        let channels = base.len();
        exchange.reserve(2 * channels + 1);
        let n = n as f64;
        // μ ≈ Σ (n x₀ + Σ (x - x₀)) / Σ n over the passes, each with an x₀ of its own
        offset.fill(T::zero());
        base.fill(T::zero());
        base.iter_mut().zip(x.iter().step_by(inner)).for_each(|(base, &first)| *base = first);
        sum_channels!(inner, [offset] += |[x], [base]| [x - base]);
        let sums = &mut exchange[..channels + 1];
        for ((sum, base), offset) in sums.iter_mut().zip(&*base).zip(&*offset) {
            *sum = n * base.as_f64() + offset.as_f64();
        }
        sums[channels] = n;
        batch_group::sum(sums);
        let count = sums[channels];
        let share = count.max(1.0).recip();
        base.iter_mut().zip(sums).for_each(|(base, sum)| *base = T::of(*sum * share));
        variance.fill(T::zero());
        offset.fill(T::zero());
        sum_channels!(inner, [variance, offset] += |[x], [base]| [(x - base) * (x - base), x - base]);
        let sums = &mut exchange[..2 * channels];
        let (squares, rests) = sums.split_at_mut(channels);
        squares.iter_mut().zip(&*variance).for_each(|(sum, value)| *sum = value.as_f64());
        rests.iter_mut().zip(&*offset).for_each(|(sum, value)| *sum = value.as_f64());
        batch_group::sum(sums);
        let (squares, rests) = sums.split_at(channels);
        let moments = offset.iter_mut().zip(variance);
        for ((offset, variance), (square, rest)) in moments.zip(squares.iter().zip(rests)) {
            let rest = rest * share;
            let square = square * share - rest * rest;
            *offset = T::of(rest);
            // NaN stays NaN.
            *variance = T::of(if square < 0.0 { 0.0 } else { square });
        }
        count
    }
}
