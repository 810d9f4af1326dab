//! The inner loop of an optimizer: parameters, their gradients and slots of state in one pass.

use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

struct Update<'a, T, const N: usize, F> {
    params: &'a mut [T],
    grads: &'a [T],
    state: [&'a mut [T]; N],
    f: F,
}

impl<T: Real, const N: usize, F: Fn(T, T, [T; N]) -> (T, [T; N])> Loop for Update<'_, T, N, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { params, grads, state, f } = self;
        let n = params.len();
        let grads = &grads[..n];
        let mut state = state.map(|slot| &mut slot[..n]);
        for i in 0..n {
            let (value, slots) = f(params[i], grads[i], state.each_ref().map(|slot| slot[i]));
            params[i] = value;
            for (slot, value) in state.iter_mut().zip(slots) {
                slot[i] = value;
            }
        }
    }
}

/// `(p, s₁, s₂, ...) = f(p, g, [s₁, s₂, ...])` for every parameter `p` with its gradient `g` and its `N`
/// slots of state, in one pass: the inner loop of an optimizer.
///
/// # Panics
///
/// If the gradients or a slot are shorter than the parameters.
#[inline]
pub fn update<T: Real, const N: usize>(
    params: &mut [T],
    grads: &[T],
    state: [&mut [T]; N],
    f: impl Fn(T, T, [T; N]) -> (T, [T; N]),
) {
    run(Update { params, grads, state, f });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_every_value_once() {
        for n in [0, 3, 16, 37] {
            let g: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let (mut p, mut s, mut t) = (vec![1.0f32; n], vec![2.0f32; n], vec![3.0f32; n]);
            update(&mut p, &g, [&mut s, &mut t], |p, g, [s, t]| (p + g, [s * g, t - g]));
            for i in 0..n {
                assert_eq!((p[i], s[i], t[i]), (1.0 + g[i], 2.0 * g[i], 3.0 - g[i]));
            }
        }
    }
}
