//! Arithmetic with random bits that depend on the position.

use super::operands::{at, part};
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

#[cfg(test)]
mod tests {
    use super::*;

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
