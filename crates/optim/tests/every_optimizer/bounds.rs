//! What optimizers say of the largest numbers of a step holds.

use chainrule_optim::{Bounds, ClipByGlobalNorm, ParamKind, Real, Step, Update, UpdateRule, Whole, vector};
use chainrule_tensor::Seed;

use crate::cases::{every_case, every_reference};

fn check<T: Real>(optimizer: &dyn UpdateRule<T>, scale: f64) {
    let mut rng = Seed(3).rng();
    let mut p: Vec<T> = (0..20).map(|_| T::of(rng.normal())).collect();
    let mut state = vec![T::zero(); optimizer.slots() * p.len()];
    optimizer.start(Update::new(Step::default(), ParamKind::Weight, &mut p, &mut [], &mut state));
    let mut known = None;
    for step in (0..60).map(Step::from) {
        let mut grads: Vec<T> = p.iter().map(|_| T::of(scale * rng.normal())).collect();
        let mut largest = vector::largest(&grads).as_f64();
        let bound = |of_params: &mut f64, of_grads: &mut f64, of_state: &mut [f64]| {
            optimizer.bound(Bounds { step, params: of_params, grads: of_grads, state: of_state })
        };
        // As a trainer does: where the bounds have grown out of the range, they start from the numbers again.
        let grown = known.take().and_then(|(mut of_params, mut of_state): (f64, Vec<f64>)| {
            let mut of_grads = largest;
            let all = bound(&mut of_params, &mut of_grads, &mut of_state);
            (all <= 0.25 * T::max_value().as_f64()).then_some((all, of_params, of_grads, of_state))
        });
        let (all, bound_of_params, largest, bounds_of_state) = grown.unwrap_or_else(|| {
            let mut of_params = vector::largest(&p).as_f64();
            let mut of_state: Vec<f64> =
                state.chunks(p.len()).map(|slot| vector::largest(slot).as_f64()).collect();
            let all = bound(&mut of_params, &mut largest, &mut of_state);
            (all, of_params, largest, of_state)
        });
        assert!(all <= 0.25 * T::max_value().as_f64(), "{optimizer:?}: {all}");
        optimizer.transform_all(Whole::new(step, &mut grads));
        assert!(vector::largest(&grads).as_f64() <= 1.001 * largest, "{optimizer:?}");
        let kind = if step.index % 2 == 0 { ParamKind::Weight } else { ParamKind::Bias };
        let (params, gradients, old) = (&mut p, &mut grads, &mut state);
        optimizer.update(Update::new(step, kind, params, gradients, old));
        // The formulas are in real numbers; these are rounded.
        let found = vector::largest(&p).as_f64();
        assert!(found <= 1.001 * bound_of_params, "{optimizer:?}: {found} {bound_of_params}");
        assert!(bound_of_params <= 1.001 * all, "{optimizer:?}: {all} is not that of all numbers");
        for (slot, bound) in state.chunks(p.len()).zip(&bounds_of_state) {
            let found = vector::largest(slot).as_f64();
            assert!(found <= 1.001 * bound, "{optimizer:?}: {found} {bound} in the state");
            assert!(*bound <= 1.001 * all, "{optimizer:?}: {all} is not that of all numbers");
        }
        known = Some((bound_of_params, bounds_of_state));
    }
}

#[test]
fn bounds_hold() {
    for scale in [1e-6, 1.0, 1e3, 1e12] {
        for case in every_case::<f32>() {
            check(&*case.with_rate(case.rates[0]), scale);
        }
        for (_, optimizer) in every_reference::<f32>() {
            check(&*optimizer, scale);
        }
        for case in every_case::<f64>() {
            check(&*case.with_rate(case.rates[0]), scale);
        }
    }
}

fn clipped<T: Real>(max: f64, grads: &[f64]) -> Vec<f64> {
    let mut grads: Vec<T> = grads.iter().map(|&g| T::of(g)).collect();
    ClipByGlobalNorm(max).transform_all(Whole::new(Step::default(), &mut grads));
    grads.into_iter().map(T::as_f64).collect()
}

#[test]
fn norms_whose_squares_overflow() {
    assert_eq!(clipped::<f64>(2.0, &[1e200; 4]), [1.0; 4]);
    assert_eq!(clipped::<f64>(5.0, &[3e300, 0.0, -4e300]), [3.0, 0.0, -4.0]);
    assert_eq!(clipped::<f64>(1e300, &[1e308; 4]), [5e299; 4]);
    assert_eq!(clipped::<f64>(f64::INFINITY, &[1e300; 4]), [1e300; 4]);
    // A scale that single precision does not have.
    for (found, right) in clipped::<f32>(1e-5, &[3e35, -4e35]).iter().zip([6e-6, -8e-6]) {
        assert!((found - right).abs() < 1e-12, "{found}");
    }
    // Small ones are not scaled up.
    assert_eq!(clipped::<f64>(1.0, &[1e-200; 4]), [1e-200; 4]);
    assert_eq!(clipped::<f64>(1.0, &[]), [0.0; 0]);
}

#[test]
fn what_is_not_finite_stays_visible() {
    for bad in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        for found in [clipped::<f64>(1.0, &[bad, 1.0]), clipped::<f32>(1.0, &[bad, 1.0])] {
            assert_eq!((found[0].to_bits(), found[1]), (bad.to_bits(), 1.0));
        }
    }
}
