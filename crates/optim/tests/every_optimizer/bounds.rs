//! What optimizers say of the largest numbers of a step holds.

use chainrule_optim::{Bounds, ClipByGlobalNorm, ParamKind, Real, Step, Update, UpdateRule, Whole, vector};
use chainrule_tensor::Seed;

use crate::cases::{every_optimizer, every_reference};

fn check<T: Real>(optimizer: &dyn UpdateRule<T>, scale: f64) {
    let mut rng = Seed(3).rng();
    let mut p: Vec<T> = (0..20).map(|_| T::of(rng.normal())).collect();
    let mut state = vec![T::zero(); optimizer.slots() * p.len()];
    let mut bound_of_params = vector::largest(&p).as_f64();
    let mut bounds_of_state = vec![0.0; optimizer.slots()];
    for step in (0..60).map(Step::from) {
        let mut grads: Vec<T> = p.iter().map(|_| T::of(scale * rng.normal())).collect();
        let mut largest = vector::largest(&grads).as_f64();
        let bounds =
            Bounds { step, params: &mut bound_of_params, grads: &mut largest, state: &mut bounds_of_state };
        let all = optimizer.bound(bounds);
        assert!(all.is_finite(), "{optimizer:?}: {all}");
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
    }
}

#[test]
fn bounds_hold() {
    for scale in [1e-6, 1.0, 1e3, 1e12] {
        for optimizer in every_optimizer::<f32>() {
            check(&*optimizer, scale);
        }
        for (_, optimizer) in every_reference::<f32>() {
            check(&*optimizer, scale);
        }
        for optimizer in every_optimizer::<f64>() {
            check(&*optimizer, scale);
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
