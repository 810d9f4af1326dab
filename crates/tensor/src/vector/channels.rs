//! Arithmetic on values of shape `[outer, channels, inner]` and vectors `[channels]`, as in normalisations and in biases of channels.

use super::blocks::{BlockSums, CHAIN};
use super::lanes::LANES;
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
    fn run(self) {
        let Self { inner, inputs, vectors, output, f } = self;
        let channels = vectors[0].len();
        let vectors = vectors.map(|vector| &vector[..channels]);
        if inner == 1 {
            for start in (0..output.len()).step_by(channels.max(1)) {
                let rows = inputs.map(|input| &input[start..start + channels]);
                let output = &mut output[start..start + channels];
                for c in 0..channels {
                    output[c] = f(rows.map(|row| row[c]), vectors.map(|vector| vector[c]), output[c]);
                }
            }
            return;
        }
        for sample in (0..output.len()).step_by(channels.saturating_mul(inner).max(1)) {
            for c in 0..channels {
                let start = sample + c * inner;
                let constants = vectors.map(|vector| vector[c]);
                let runs = inputs.map(|input| &input[start..start + inner]);
                let output = &mut output[start..start + inner];
                for i in 0..inner {
                    output[i] = f(runs.map(|run| run[i]), constants, output[i]);
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

/// How many channels are summed at a time: their sums stay in registers or in the first cache.
const CHANNELS: usize = 2 * LANES;

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
    fn run(self) {
        let Self { inner, inputs, vectors, sums, f } = self;
        let (size, channels) = (inputs[0].len(), sums[0].len());
        let vectors = vectors.map(|vector| &vector[..channels]);
        let mut sums = sums.map(|sum| &mut sum[..channels]);
        let sample_len = channels * inner;
        for first in (0..channels).step_by(CHANNELS) {
            let channels = first..channels.min(first + CHANNELS);
            let vectors = vectors.map(|vector| &vector[channels.clone()]);
            let mut totals = [const { () }; K].map(|()| BlockSums::zeros());
            for start in (0..size).step_by((CHAIN * sample_len).max(1)) {
                let end = size.min(start + CHAIN * sample_len);
                let mut parts = [[T::zero(); CHANNELS]; K];
                for sample in (start..end).step_by(sample_len) {
                    let at = sample + first * inner..sample + channels.end * inner;
                    add_sample(inner, inputs.map(|input| &input[at.clone()]), vectors, &mut parts, &f);
                }
                for k in 0..K {
                    totals[k].add(parts[k]);
                }
            }
            for (sum, totals) in sums.iter_mut().zip(totals) {
                for (sum, total) in sum[channels.clone()].iter_mut().zip(totals.totals()) {
                    *sum += total;
                }
            }
        }
    }
}

/// Adds the terms of one sample's channels, no more than [`CHANNELS`], to their sums.
#[inline(always)]
fn add_sample<T: Real, const N: usize, const V: usize, const K: usize>(
    inner: usize,
    inputs: [&[T]; N],
    vectors: [&[T]; V],
    sums: &mut [[T; CHANNELS]; K],
    f: &impl Fn([T; N], [T; V]) -> [T; K],
) {
    let channels = inputs[0].len() / inner;
    let vectors = vectors.map(|vector| &vector[..channels]);
    if inner == 1 {
        let rows = inputs.map(|input| &input[..channels]);
        for c in 0..channels {
            let terms = f(rows.map(|row| row[c]), vectors.map(|vector| vector[c]));
            for k in 0..K {
                sums[k][c] += terms[k];
            }
        }
        return;
    }
    for c in 0..channels {
        let constants = vectors.map(|vector| vector[c]);
        let run = Sums::new(
            inputs.map(|input| &input[c * inner..(c + 1) * inner]),
            #[inline(always)]
            |x| f(x, constants),
        );
        for (sum, term) in sums.iter_mut().zip(run.run()) {
            sum[c] += term;
        }
    }
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
