//! One or several outputs in one pass over slices.

use super::operands::{at, part, part_mut};
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

struct Each<'a, T, const N: usize, const M: usize, F> {
    inputs: [&'a [T]; N],
    outputs: [&'a mut [T]; M],
    f: F,
}

impl<T, const N: usize, const M: usize, F> Loop for Each<'_, T, N, M, F>
where
    T: Real,
    F: Fn([T; N], [T; M]) -> [T; M],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { inputs, outputs, f } = self;
        let n = outputs[0].len();
        let inputs = part(inputs, 0..n);
        let outputs = part_mut(outputs, n);
        for i in 0..n {
            let values = f(at(&inputs, i), at(&outputs, i));
            for k in 0..M {
                outputs[k][i] = values[k];
            }
        }
    }
}

/// `[y₁, y₂, ...] = f([x₁, x₂, ...], [y₁, y₂, ...])`, number by number: several outputs in one pass, which depend on the inputs and
/// on what the outputs held. See [`each!`](crate::each!).
///
/// # Panics
///
/// If a slice is shorter than the first output.
#[inline]
pub fn each<T: Real, const N: usize, const M: usize>(
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    f: impl Fn([T; N], [T; M]) -> [T; M],
) {
    const { assert!(M > 0, "there is an output") };
    run(Each { inputs, outputs, f });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_outputs_in_one_pass() {
        for n in [0, 1, 15, 16, 31, 32, 33, 48, 100] {
            let x: Vec<f64> = (0..n).map(f64::from).collect();
            let (mut y, mut z) = (vec![f64::NAN; x.len()], vec![1.0; x.len()]);
            each([&x, &x], [&mut y, &mut z], |[a, b], [_, z]| [a * b, z + a]);
            assert!((0..x.len()).all(|i| y[i] == x[i] * x[i] && z[i] == 1.0 + x[i]));
        }
    }
}
