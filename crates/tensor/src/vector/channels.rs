//! Arithmetic on values of shape `[outer, channels, inner]` and vectors `[channels]`, as in normalisations and in biases of channels.

use std::ops::Range;

use super::blocks::{BlockSums, CHAIN};
use super::columns::{ColumnBlock, for_each_block};
use super::lanes::LANES;
use super::operands::{add_to_lane, array, at, lane, part};
use super::reduce::Sums;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

struct MapChannels<'a, T, const N: usize, const V: usize, F> {
    inner: usize,
    inputs: [&'a [T]; N],
    vectors: [&'a [T]; V],
    output: &'a mut [T],
    f: F,
}

impl<T, const N: usize, const V: usize, F> Loop for MapChannels<'_, T, N, V, F>
where
    T: Real,
    F: Fn([T; N], [T; V], T) -> T,
{
    type Output = ();
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "with an iterator a test of the index stays in the loop, which then ends number by number"
    )]
    fn run(self) {
        let Self { inner, inputs, vectors, output, f } = self;
        let channels = vectors[0].len();
        let vectors = part(vectors, 0..channels);
        if inner == 1 {
            for start in (0..output.len()).step_by(channels.max(1)) {
                let rows = part(inputs, start..start + channels);
                let output = &mut output[start..start + channels];
                for c in 0..channels {
                    output[c] = f(at(&rows, c), at(&vectors, c), output[c]);
                }
            }
            return;
        }
        for sample in (0..output.len()).step_by(channels.saturating_mul(inner).max(1)) {
            for c in 0..channels {
                let start = sample + c * inner;
                let constants = at(&vectors, c);
                let runs = part(inputs, start..start + inner);
                let output = &mut output[start..start + inner];
                for i in 0..inner {
                    output[i] = f(at(&runs, i), constants, output[i]);
                }
            }
        }
    }
}

/// `y = f([x₁, x₂, ...], [v₁, v₂, ...], y)`, number by number, for inputs and an output of shape `[outer, channels, inner]` and
/// vectors `[channels]`, whose values apply to all of their channel. See [`map_channels!`](crate::map_channels!).
///
/// # Panics
///
/// If the size of the output is not a multiple of `channels * inner`, or if a slice is too short.
#[inline]
pub fn map_channels<T: Real, const N: usize, const V: usize>(
    inner: usize,
    inputs: [&[T]; N],
    vectors: [&[T]; V],
    output: &mut [T],
    f: impl Fn([T; N], [T; V], T) -> T,
) {
    const { assert!(V > 0, "there is a vector") };
    whole_channels(output.len(), vectors[0].len(), inner);
    run(MapChannels { inner, inputs, vectors, output, f });
}

struct SumChannels<'a, T, const N: usize, const V: usize, const K: usize, F> {
    inner: usize,
    inputs: [&'a [T]; N],
    vectors: [&'a [T]; V],
    sums: [&'a mut [T]; K],
    f: F,
}

impl<T, const N: usize, const V: usize, const K: usize, F> Loop for SumChannels<'_, T, N, V, K, F>
where
    T: Real,
    F: Fn([T; N], [T; V]) -> [T; K],
{
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let channels = self.sums[0].len();
        if self.inner == 1 {
            return for_each_block(channels, self);
        }
        for first in (0..channels).step_by(LANES) {
            self.long_channels(first..channels.min(first + LANES));
        }
    }
}

impl<T, const N: usize, const V: usize, const K: usize, F> SumChannels<'_, T, N, V, K, F>
where
    T: Real,
    F: Fn([T; N], [T; V]) -> [T; K],
{
    /// Up to `LANES` channels of more than one value.
    #[inline(always)]
    fn long_channels(&mut self, channels: Range<usize>) {
        let Self { inner, inputs, vectors, sums, f } = self;
        let (size, inner) = (inputs[0].len(), *inner);
        let sample_len = sums[0].len() * inner;
        let mut totals = BlockSums::<T, LANES>::zeros_of::<K>();
        for block in (0..size).step_by((CHAIN * sample_len).max(1)) {
            let mut parts = [[T::zero(); LANES]; K];
            for sample in (block..size.min(block + CHAIN * sample_len)).step_by(sample_len) {
                for (lane, channel) in channels.clone().enumerate() {
                    let start = sample + channel * inner;
                    let constants = at(vectors, channel);
                    let run = Sums::new(
                        part(*inputs, start..start + inner),
                        #[inline(always)]
                        |x| f(x, constants),
                    );
                    add_to_lane(&mut parts, lane, run.run());
                }
            }
            for k in 0..K {
                totals[k].add(parts[k]);
            }
        }
        for k in 0..K {
            add_to(&mut sums[k][channels.clone()], totals[k].totals());
        }
    }
}

impl<T, const N: usize, const V: usize, const K: usize, F> ColumnBlock for SumChannels<'_, T, N, V, K, F>
where
    T: Real,
    F: Fn([T; N], [T; V]) -> [T; K],
{
    // Two chains of additions in turn, with room for the values of several vectors in the registers.
    const WIDEST: usize = 2 * LANES;

    /// `W` channels of one value.
    #[inline(always)]
    fn run<const W: usize>(&mut self, first: usize) {
        let Self { inputs, vectors, sums, f, .. } = self;
        let (size, channels) = (inputs[0].len(), sums[0].len());
        let constants = array::<T, W, V>(vectors, first);
        let mut totals = BlockSums::<T, W>::zeros_of::<K>();
        for block in (0..size).step_by(CHAIN * channels) {
            let mut parts = [[T::zero(); W]; K];
            for row in (block..size.min(block + CHAIN * channels)).step_by(channels) {
                let rows = array::<T, W, N>(inputs, row + first);
                for c in 0..W {
                    add_to_lane(&mut parts, c, f(lane(&rows, c), lane(&constants, c)));
                }
            }
            for k in 0..K {
                totals[k].add(parts[k]);
            }
        }
        for k in 0..K {
            add_to(&mut sums[k][first..first + W], totals[k].totals());
        }
    }
}

#[inline(always)]
fn add_to<T: Real, const W: usize>(sums: &mut [T], terms: [T; W]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

/// Adds `f([x₁, x₂, ...], [v₁, v₂, ...])` of each channel's numbers to the sums of that channel, for inputs of shape
/// `[outer, channels, inner]`, and vectors and sums `[channels]`. See [`sum_channels!`](crate::sum_channels!).
///
/// # Panics
///
/// If the size of the first input is not a multiple of `channels * inner`, or if a slice is too short.
#[inline]
pub fn sum_channels<T: Real, const N: usize, const V: usize, const K: usize>(
    inner: usize,
    inputs: [&[T]; N],
    vectors: [&[T]; V],
    sums: [&mut [T]; K],
    f: impl Fn([T; N], [T; V]) -> [T; K],
) {
    const { assert!(N > 0 && K > 0, "there is an input and a sum") };
    whole_channels(inputs[0].len(), sums[0].len(), inner);
    run(SumChannels { inner, inputs, vectors, sums, f });
}

fn whole_channels(size: usize, channels: usize, inner: usize) {
    let sample = channels.saturating_mul(inner);
    assert!(
        size == 0 || size.checked_rem(sample) == Some(0),
        "{size} values are not a multiple of [{channels}, {inner}]"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::random_matrix::random_matrix as matrix;

    #[test]
    fn channels() {
        for (outer, channels, inner) in [(1, 1, 1), (3, 5, 1), (2, 33, 1), (2, 3, 7), (3, 2, 40), (0, 2, 3)] {
            let size = outer * channels * inner;
            let x = matrix(1, size).into_raw_vec_and_offset().0;
            let v = matrix(1, channels).into_raw_vec_and_offset().0;
            let channel = |i: usize| i / inner % channels;
            let mut y = vec![1.0; size];
            map_channels(inner, [&x], [&v], &mut y, |[x], [v], y| x * v + y);
            assert!((0..size).all(|i| y[i] == x[i] * v[channel(i)] + 1.0));
            let (mut sum, mut product) = (vec![1.0; channels], vec![0.0; channels]);
            sum_channels(inner, [&x, &y], [&v], [&mut sum, &mut product], |[x, y], [v]| [v, x * y]);
            for c in 0..channels {
                let of_channel = (0..size).filter(|&i| channel(i) == c);
                let right = of_channel.fold([1.0, 0.0], |[a, b], i| [a + v[c], b + x[i] * y[i]]);
                assert!((sum[c] - right[0]).abs() < 1e-9 && (product[c] - right[1]).abs() < 1e-9);
            }
        }
    }

    #[test]
    #[should_panic(expected = "5 values are not a multiple of [2, 2]")]
    fn broken_channels() {
        map_channels(2, [&[0.0; 5]], [&[0.0; 2]], &mut [0.0; 5], |[x], [v], _| x * v);
    }
}
