//! Arithmetic with random bits that depend on the position.

use super::lanes::LANES;
use super::operands::{array, at, lane, part};
use crate::real::Real;
use crate::seed::Seed;
use crate::simd::dispatch::{Loop, run};

struct MapRandom<'a, T, const N: usize, F> {
    seed: Seed,
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T, const N: usize, F> Loop for MapRandom<'_, T, N, F>
where
    T: Real,
    F: Fn([[T; N]; 2], u64) -> [T; 2],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { seed, inputs, output, f } = self;
        let (n, half) = (output.len(), output.len().div_ceil(2));
        let (lows, highs) = output.split_at_mut(half);
        let pairs = highs.len();
        let (low, high) = (part(inputs, 0..half), part(inputs, half..n));
        for i in 0..pairs {
            [lows[i], highs[i]] = f([at(&low, i), at(&high, i)], seed.bits(i as u64));
        }
        if half > pairs {
            let middle = at(&low, pairs);
            [lows[pairs], _] = f([middle, middle], seed.bits(pairs as u64));
        }
    }
}

/// `y = f([x₁, x₂, ...], random bits)`, two numbers at a time: the i-th of the first half and the i-th of the second half share the
/// [`bits(i)`](Seed::bits) of `seed`. `f` takes the inputs of both, and returns both. See [`map_random!`](crate::map_random!).
///
/// # Panics
///
/// If an input is shorter than the output.
#[inline]
pub fn map_random<T: Real, const N: usize>(
    seed: Seed,
    inputs: [&[T]; N],
    output: &mut [T],
    f: impl Fn([[T; N]; 2], u64) -> [T; 2],
) {
    run(MapRandom { seed, inputs, output, f });
}

struct MapRandomInterleaved<'a, T, const N: usize, F> {
    seeds: [Seed; LANES],
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T, const N: usize, F> Loop for MapRandomInterleaved<'_, T, N, F>
where
    T: Real,
    F: Fn([[T; N]; 2], u64) -> [T; 2],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { seeds, inputs, output, f } = self;
        let n = output.len() / LANES;
        let half = n.div_ceil(2);
        let (lows, highs) = output.split_at_mut(half * LANES);
        let (low, high) = (part(inputs, 0..half * LANES), part(inputs, half * LANES..n * LANES));
        let (lows, middle) = lows.split_at_mut(highs.len());
        for i in 0..highs.len() / LANES {
            let first = i * LANES;
            let of_low: &mut [T; LANES] = (&mut lows[first..first + LANES]).try_into().expect("as many");
            let of_high: &mut [T; LANES] = (&mut highs[first..first + LANES]).try_into().expect("as many");
            let (low, high) = (array::<T, LANES, N>(&low, first), array::<T, LANES, N>(&high, first));
            for l in 0..LANES {
                [of_low[l], of_high[l]] = f([lane(&low, l), lane(&high, l)], seeds[l].bits(i as u64));
            }
        }
        let first = highs.len();
        for (lane, middle) in middle.iter_mut().enumerate() {
            let input = at(&low, first + lane);
            [*middle, _] = f([input, input], seeds[lane].bits((first / LANES) as u64));
        }
    }
}

/// [`map_random`] for [interleaved](crate::interleaved) matrices, each with a seed of its own: with the numbers that it draws for each of
/// them alone.
///
/// # Panics
///
/// If an input is shorter than the output, or if that is not a number for each seed, several times.
#[inline]
pub fn map_random_interleaved<T: Real, const N: usize>(
    seeds: [Seed; LANES],
    inputs: [&[T]; N],
    output: &mut [T],
    f: impl Fn([[T; N]; 2], u64) -> [T; 2],
) {
    assert!(output.len().is_multiple_of(LANES), "a number for each matrix");
    run(MapRandomInterleaved { seeds, inputs, output, f });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_bits_are_those_of_each_matrix() {
        for n in [0usize, 1, 2, 7, 64] {
            let seeds = std::array::from_fn(|lane| Seed(lane as u64).child(3));
            let (x, mut y) = (vec![1.0; n * LANES], vec![f64::NAN; n * LANES]);
            let draw =
                |[[a], [b]]: [[f64; 1]; 2], bits: u64| [a * f64::from(bits as u32), b * (bits >> 32) as f64];
            map_random_interleaved(seeds, [&x], &mut y, draw);
            for (lane, seed) in seeds.into_iter().enumerate() {
                let mut one = vec![f64::NAN; n];
                map_random(seed, [&x[..n]], &mut one, draw);
                let found: Vec<f64> = y[lane.min(y.len())..].iter().step_by(LANES).copied().collect();
                assert_eq!(found, one);
            }
        }
    }

    #[test]
    fn random_bits_by_position() {
        for n in [0usize, 1, 2, 7, 64] {
            let (seed, x, mut y) = (Seed(7), vec![1.0; n], vec![f64::NAN; n]);
            map_random(seed, [&x], &mut y, |[[a], [b]], bits| {
                [a * f64::from(bits as u32), b * (bits >> 32) as f64]
            });
            for (i, &y) in y.iter().enumerate() {
                let half = n.div_ceil(2);
                let bits = seed.bits((i % half) as u64);
                assert_eq!(y, if i < half { f64::from(bits as u32) } else { (bits >> 32) as f64 });
            }
        }
    }
}
