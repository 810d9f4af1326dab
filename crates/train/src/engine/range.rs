//! The proof that a step stays within the range of its numbers.
//!
//! A step that would make a parameter infinite or NaN is refused, so before the first parameter is updated it must be known that
//! all of them can be. To look at every number takes time: in a fused step no gradient exists as a whole, and what the update
//! writes would have to be read again. Bounds need a few numbers only. Each shard states the largest gradient that it can
//! contribute: of a weight, `|dW| ≤ rows · max |X| · max |dZ|`. The optimizer tells how far a step can then take parameters and
//! state ([`UpdateRule::bound`]). These bounds grow from step to step, mostly faster than the numbers do. When they leave the
//! range, the numbers are measured, and the bounds start from there. Only where that is no proof either is the step taken
//! [carefully](super::careful).

use chainrule_optim::{Bounds, Step, UpdateRule};
use chainrule_tensor::Real;

/// What bounds are multiplied by in each step, for the rounding of the numbers, which the bounds leave out.
const ROUNDING: f64 = 1.0 + 1e-6;

/// The largest gradient that an optimizer may square.
pub(crate) fn largest_gradient<T: Real>() -> T {
    T::max_value().sqrt()
}

/// Upper bounds of all parameters and of the optimizer's state.
#[derive(Debug, Default)]
pub(crate) struct RangeProof {
    /// Whether they hold for the current numbers.
    known: bool,
    params: f64,
    /// For each slot.
    state: Vec<f64>,
    /// Those after the step.
    next: Vec<f64>,
}

impl RangeProof {
    /// Whether the optimizer states bounds at all: whether a step with ordinary numbers is proved. If not, no step is.
    pub(crate) fn exists<T: Real>(optimizer: &dyn UpdateRule<T>) -> bool {
        let mut proof = Self::default();
        proof.reset(optimizer.slots());
        proof.admits(optimizer, Step::default(), 1.0, |params, _| *params = 1.0)
    }

    /// Makes room for this number of slots, and forgets the bounds.
    pub(crate) fn reset(&mut self, slots: usize) {
        self.known = false;
        self.state.resize(slots, 0.0);
        self.next.resize(slots, 0.0);
    }

    /// The numbers have changed without these bounds.
    pub(crate) fn forget(&mut self) {
        self.known = false;
    }

    /// Whether all parameters are finite for certain.
    pub(crate) fn has_finite_params(&self) -> bool {
        self.known && self.params.is_finite()
    }

    /// Whether a step with gradients of up to `grads` (perhaps NaN) stays within the range of `T`. If so, the bounds are then
    /// those after the step. `measure` writes the largest parameter, and the largest value of each slot.
    pub(crate) fn admits<T: Real>(
        &mut self,
        optimizer: &dyn UpdateRule<T>,
        step: Step,
        grads: f64,
        measure: impl FnOnce(&mut f64, &mut [f64]),
    ) -> bool {
        // The sum of the shards' gradients is rounded: half of the range is enough for that.
        let small = grads <= 0.5 * largest_gradient::<T>().as_f64();
        if !small {
            return false;
        }
        if self.known && self.advance(optimizer, step, grads) {
            return true;
        }
        measure(&mut self.params, &mut self.state);
        self.known = true;
        self.advance(optimizer, step, grads)
    }

    fn advance<T: Real>(&mut self, optimizer: &dyn UpdateRule<T>, step: Step, grads: f64) -> bool {
        let Self { state, next, .. } = self;
        let mut params = self.params;
        let mut transformed = grads;
        next.copy_from_slice(state);
        let bounds = Bounds { step, params: &mut params, grads: &mut transformed, state: next };
        let all = optimizer.bound(bounds);
        let limit = 0.25 * T::max_value().as_f64();
        let within = |bound: f64| bound <= limit;
        let square = 0.5 * largest_gradient::<T>().as_f64();
        let admitted =
            within(all) && within(params) && transformed <= square && next.iter().copied().all(within);
        if admitted {
            // What a running statistic is next comes as its gradient.
            self.params = ROUNDING * params.max(grads);
            state.iter_mut().zip(next).for_each(|(state, next)| *state = ROUNDING * *next);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use chainrule_optim::{adam, sgd};

    fn admits(optimizer: &dyn UpdateRule<f32>, params: f64, grads: f64) -> bool {
        let mut range = RangeProof::default();
        range.reset(optimizer.slots());
        range.admits(optimizer, Step::default(), grads, |largest, state| {
            *largest = params;
            state.fill(0.0);
        })
    }

    #[test]
    fn usual_steps_are_proved_and_wild_ones_are_not() {
        for optimizer in [&sgd(0.1) as &dyn UpdateRule<f32>, &sgd(0.1).momentum(0.9), &adam(1e-3)] {
            assert!(admits(optimizer, 1.0, 100.0), "{optimizer:?}");
            assert!(admits(optimizer, 1e30, 1e15), "{optimizer:?}");
            for grads in [1e30, f64::INFINITY, f64::NAN] {
                assert!(!admits(optimizer, 1.0, grads), "{optimizer:?}: {grads}");
            }
            for params in [3e38, f64::INFINITY, f64::NAN] {
                assert!(!admits(optimizer, params, 1.0), "{optimizer:?}: {params}");
            }
        }
        assert!(!admits(&sgd(1e30), 1.0, 1e9));
        assert!(!admits(&adam(1e38), 1.0, 1e9));
    }

    #[test]
    fn bounds_that_have_grown_are_measured_again() {
        let optimizer: &dyn UpdateRule<f32> = &sgd(1.0).weight_decay(1.0);
        let mut range = RangeProof::default();
        range.reset(0);
        let mut measured = 0;
        for step in (0..1000).map(Step::from) {
            let admitted = range.admits(optimizer, step, 1.0, |params, _| {
                measured += 1;
                *params = 1.0;
            });
            assert!(admitted);
        }
        // They double in each step, from 1 to 2¹²⁶.
        assert!((7..10).contains(&measured), "{measured}");
    }
}
