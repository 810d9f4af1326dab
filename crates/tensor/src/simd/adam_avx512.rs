//! The update step of Adam, for AVX-512 in single precision.
//!
//! See [`adam_kernel`](crate::vector::adam_kernel) for the formula and for what this gains.

use std::arch::x86_64::*;

use crate::simd::avx512::{LANES, mask};
use crate::simd::level::{Level, level};
use crate::simd::operands::AdamStep;

/// One step for slices of one length, if the CPU has AVX-512; otherwise `false`, and nothing is done.
pub(crate) fn step(
    numbers: AdamStep<f32>,
    params: &mut [f32],
    grads: &[f32],
    means: [&mut [f32]; 2],
) -> bool {
    if level() < Level::Avx512 {
        return false;
    }
    // SAFETY: the CPU has AVX-512, and the slices have one length.
    unsafe {
        if numbers.shrink == 1.0 {
            update::<false>(numbers, params, grads, means);
        } else {
            update::<true>(numbers, params, grads, means);
        }
    }
    true
}

/// # Safety
///
/// The CPU has AVX-512, and no slice is shorter than the parameters.
#[target_feature(enable = "avx512f")]
unsafe fn update<const SHRINKS: bool>(
    numbers: AdamStep<f32>,
    params: &mut [f32],
    grads: &[f32],
    [m, v]: [&mut [f32]; 2],
) {
    let AdamStep { one_minus_betas, rate, epsilon, shrink } = numbers;
    let [new_m, new_v] = one_minus_betas.map(|number| _mm512_set1_ps(number));
    let [rate, epsilon, shrink] = [rate, epsilon, shrink].map(|number| _mm512_set1_ps(number));
    let [one, largest] = [1.0, f32::MAX].map(|number| _mm512_set1_ps(number));
    // The parameters and means after the step, in one vector.
    let new_values = |p, g, m, v| {
        let m = _mm512_fmadd_ps(new_m, _mm512_sub_ps(g, m), m);
        let v = _mm512_fmadd_ps(new_v, _mm512_fmsub_ps(g, g, v), v);
        // NaN stays NaN: if an operand is one, the instruction returns the second.
        let v = _mm512_min_ps(largest, v);
        let root = _mm512_add_ps(_mm512_sqrt_ps(v), epsilon);
        // Newton: if q ≈ 1 / root with an error of e = 1 - q root, then m q (1 + e) has one of e².
        let q = _mm512_rcp14_ps(root);
        let e = _mm512_fnmadd_ps(root, q, one);
        let d = _mm512_mul_ps(m, q);
        let d = _mm512_fmadd_ps(e, d, d);
        let p = if SHRINKS { _mm512_mul_ps(shrink, p) } else { p };
        [_mm512_fnmadd_ps(rate, d, p), m, v]
    };
    let len = params.len();
    let (params, grads, means, squares) =
        (params.as_mut_ptr(), grads.as_ptr(), m.as_mut_ptr(), v.as_mut_ptr());
    // With masks, a step over more memory than the caches hold takes twice as long (Zen 5).
    let whole = len - len % LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: so many values from `at` on are within all four slices.
        unsafe {
            let g = _mm512_loadu_ps(grads.add(at));
            let [m, v] = [_mm512_loadu_ps(means.add(at)), _mm512_loadu_ps(squares.add(at))];
            let [p, m, v] = new_values(_mm512_loadu_ps(params.add(at)), g, m, v);
            _mm512_storeu_ps(params.add(at), p);
            _mm512_storeu_ps(means.add(at), m);
            _mm512_storeu_ps(squares.add(at), v);
        }
    }
    if whole < len {
        let lanes = mask(len - whole);
        // SAFETY: the lanes of the mask are within all four slices, and a masked access touches no others.
        unsafe {
            let load = |from: *const f32| _mm512_maskz_loadu_ps(lanes, from.add(whole));
            let store = |to: *mut f32, values| _mm512_mask_storeu_ps(to.add(whole), lanes, values);
            let [p, m, v] = new_values(load(params), load(grads), load(means), load(squares));
            store(params, p);
            store(means, m);
            store(squares, v);
        }
    }
}
