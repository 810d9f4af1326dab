//! The inner loop of a recurrent layer: gates, inputs and states of each unit in one pass.

use super::lanes::LANES;
use super::operands::{lane, set_lane};
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

struct Gates<'a, T, const G: usize, const N: usize, const S: usize, F> {
    units: usize,
    gates: &'a mut [T],
    inputs: [&'a [T]; N],
    state: [&'a mut [T]; S],
    f: F,
}

impl<T: Real, const G: usize, const N: usize, const S: usize, F> Gates<'_, T, G, N, S, F>
where
    F: Fn([T; G], [T; N], [T; S]) -> ([T; G], [T; S]),
{
    /// Up to `LANES` units of a row, from `start` on.
    #[inline(always)]
    fn block(&mut self, row: usize, start: usize, count: usize) {
        let Self { units, gates, inputs, state, f } = self;
        let at = row * *units + start;
        let gate = |k: usize| G * row * *units + k * *units + start;
        // Local arrays do not overlap, which the compiler could not know of this many slices.
        let (mut g, mut n, mut s) =
            ([[T::zero(); LANES]; G], [[T::zero(); LANES]; N], [[T::zero(); LANES]; S]);
        for k in 0..G {
            g[k][..count].copy_from_slice(&gates[gate(k)..][..count]);
        }
        for k in 0..N {
            n[k][..count].copy_from_slice(&inputs[k][at..][..count]);
        }
        for k in 0..S {
            s[k][..count].copy_from_slice(&state[k][at..][..count]);
        }
        for i in 0..LANES {
            let (gate, slot) = f(lane(&g, i), lane(&n, i), lane(&s, i));
            set_lane(&mut g, i, gate);
            set_lane(&mut s, i, slot);
        }
        for k in 0..G {
            gates[gate(k)..][..count].copy_from_slice(&g[k][..count]);
        }
        for k in 0..S {
            state[k][at..][..count].copy_from_slice(&s[k][..count]);
        }
    }
}

impl<T: Real, const G: usize, const N: usize, const S: usize, F> Loop for Gates<'_, T, G, N, S, F>
where
    F: Fn([T; G], [T; N], [T; S]) -> ([T; G], [T; S]),
{
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let (units, rest) = (self.units, self.units % LANES);
        for row in 0..self.gates.len() / (G * units) {
            for start in (0..units - rest).step_by(LANES) {
                self.block(row, start, LANES);
            }
            if rest > 0 {
                self.block(row, units - rest, rest);
            }
        }
    }
}

/// `(g, s) = f(g, n, s)` for `G` gates, `N` inputs and `S` states of each unit, in one pass: the inner loop of a recurrent layer.
/// See [`gates!`](crate::gates!).
///
/// A row of `gates` has the first gate of all units, then the second and so on: `[rows, G * units]`. Each input and each state is
/// `[rows, units]`.
///
/// # Panics
///
/// If `units` is 0, or an input or a state has fewer rows than `gates`.
#[inline]
pub fn gates<T: Real, const G: usize, const N: usize, const S: usize>(
    units: usize,
    gates: &mut [T],
    inputs: [&[T]; N],
    state: [&mut [T]; S],
    f: impl Fn([T; G], [T; N], [T; S]) -> ([T; G], [T; S]),
) {
    run(Gates { units, gates, inputs, state, f });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_of_every_unit() {
        for units in [1, 5, 16, 37] {
            let (rows, mut rng) = (3, crate::seed::Seed(2).rng());
            let mut random = |n: usize| -> Vec<f64> { (0..n * rows * units).map(|_| rng.normal()).collect() };
            let (before, input, start) = (random(2), random(1), random(1));
            let (mut g, mut s, mut t) = (before.clone(), start.clone(), vec![f64::NAN; rows * units]);
            gates(units, &mut g, [&input], [&mut s, &mut t], |[a, b], [x], [s, _]| ([b, a + x], [s * x, a]));
            for (at, &x) in input.iter().enumerate() {
                let first = at + at / units * units;
                let (a, b) = (before[first], before[first + units]);
                assert_eq!((g[first], g[first + units]), (b, a + x));
                assert_eq!((s[at], t[at]), (start[at] * x, a));
            }
        }
    }
}
