//! The trait that every optimizer implements, and what one step is given.

use std::fmt::Debug;

use crate::schedule::{Schedule, check_rate};
use crate::{ParamKind, Real, SettingError, Step};

/// One step for one bucket of the parameters. All slices are in the same order.
#[derive(Debug)]
pub struct Update<'a, T> {
    /// The step.
    pub step: Step,
    /// The kind of these parameters: [`ParamKind::Weight`] is decayed, [`ParamKind::Bias`] is not. A
    /// [`ParamKind::Buffer`] is not trained, so it is never updated.
    pub kind: ParamKind,
    /// The parameters, to be changed.
    pub params: &'a mut [T],
    /// Their gradients. A stage may change them for the stages after it.
    pub grads: &'a mut [T],
    /// The optimizer's state: [`Optimizer::slots`] times `params.len()` values, one slot after the other. Zeros before
    /// step 0.
    pub state: &'a mut [T],
}

impl<'a, T> Update<'a, T> {
    /// The parameters, the gradients, and the slots of the state, each as a slice.
    ///
    /// Slots for which the state is too short are empty, and [`each!`](chainrule_tensor::each!) panics on them.
    #[inline]
    pub fn split<const N: usize>(self) -> (&'a mut [T], &'a [T], [&'a mut [T]; N]) {
        let mut slots = self.state.chunks_exact_mut(self.params.len().max(1));
        (self.params, self.grads, std::array::from_fn(|_| slots.next().unwrap_or_default()))
    }
}

/// Upper bounds of absolute values: of all parameters, of all their gradients, and of each slot of the state.
#[derive(Debug)]
pub struct Bounds<'a> {
    /// The step.
    pub step: Step,
    /// That of the parameters.
    pub params: &'a mut f64,
    /// That of the gradients. A stage changes it for the stages after it.
    pub grads: &'a mut f64,
    /// Those of the slots of the state, [`Optimizer::slots`] of them.
    pub state: &'a mut [f64],
}

/// What an optimizer, or a stage before one, needs. Its arithmetic is its [`UpdateRule`].
///
/// An optimizer is a description: immutable, shared between threads, without state. What it remembers of the
/// parameters, such as their momentum, is a slice that the caller passes in.
///
/// `(A, B)` is A, then B, and the slots of A are before those of B. References, boxes and `Arc`s of optimizers are
/// optimizers.
pub trait Optimizer: Send + Sync + Debug {
    /// The number of values of state per parameter.
    fn slots(&self) -> usize {
        0
    }

    /// Whether [`UpdateRule::transform_all`] does anything. If not, a trainer need not have all gradients before it
    /// updates the first bucket.
    fn needs_all_gradients(&self) -> bool {
        false
    }

    /// Whether [`UpdateRule::update`] reads [`Update::kind`]. If not, a trainer may pass weights and biases in one
    /// bucket.
    fn uses_kind(&self) -> bool {
        true
    }

    /// Passes each schedule that it follows to `visit`: a trainer checks their rates before it starts and before each step.
    /// The default passes none.
    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        let _ = visit;
    }
}

/// How an optimizer changes parameters of type `T` by their gradients, or (a stage) only the gradients.
///
/// One step is [`transform_all`](Self::transform_all), once, with all gradients, then [`update`](Self::update) for each
/// bucket of the parameters, in any order and on any thread.
pub trait UpdateRule<T: Real>: Optimizer {
    /// Transforms all gradients at once, before the first bucket is updated: clipping by the global norm needs that.
    /// The default does nothing.
    fn transform_all(&self, step: Step, grads: &mut [T]) {
        let _ = (step, grads);
    }

    /// Updates one bucket of the parameters. It allocates nothing.
    fn update(&self, pass: Update<'_, T>);

    /// Replaces bounds that hold before a step by bounds that hold after [`transform_all`](Self::transform_all) and
    /// [`update`](Self::update), in real numbers, and returns a bound of every number that these compute on the way.
    ///
    /// A trainer takes no step that would make the model infinite. Where this bound is within the range of `T` it need not
    /// look at each number. The default, infinity, says that no bound is known: the trainer then keeps a copy of the
    /// parameters and the state while it updates them, and looks at each of them afterwards, which takes memory and time.
    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        let _ = bounds;
        f64::INFINITY
    }

    /// Checks the settings before training starts, also for what the precision of `T` cannot represent.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn validate(&self) -> Result<(), SettingError> {
        Ok(())
    }

    /// Checks what its schedules give this step, by [`check_rate`]. A trainer calls it for all steps before the first, and
    /// before each step.
    ///
    /// # Errors
    ///
    /// [`SettingError::Rate`], naming the schedule, the step and the rate.
    fn check_step(&self, step: Step) -> Result<(), SettingError> {
        let mut result = Ok(());
        self.schedules(&mut |schedule| {
            if result.is_ok() {
                result = check_rate::<T>(schedule, step);
            }
        });
        result
    }
}

impl<A: Optimizer, B: Optimizer> Optimizer for (A, B) {
    fn slots(&self) -> usize {
        self.0.slots() + self.1.slots()
    }

    fn needs_all_gradients(&self) -> bool {
        self.0.needs_all_gradients() || self.1.needs_all_gradients()
    }

    fn uses_kind(&self) -> bool {
        self.0.uses_kind() || self.1.uses_kind()
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        self.0.schedules(visit);
        self.1.schedules(visit);
    }
}

impl<T: Real, A: UpdateRule<T>, B: UpdateRule<T>> UpdateRule<T> for (A, B) {
    fn transform_all(&self, step: Step, grads: &mut [T]) {
        self.0.transform_all(step, grads);
        self.1.transform_all(step, grads);
    }

    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, params, grads, state } = pass;
        let (first, second) = state.split_at_mut(self.0.slots() * params.len());
        self.0.update(Update { step, kind, params, grads, state: first });
        self.1.update(Update { step, kind, params, grads, state: second });
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        let Bounds { step, params, grads, state } = bounds;
        let Some((first, second)) = state.split_at_mut_checked(self.0.slots()) else { return f64::INFINITY };
        let bound = self.0.bound(Bounds { step, params, grads, state: first });
        bound.max(self.1.bound(Bounds { step, params, grads, state: second }))
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.0.validate()?;
        self.1.validate()
    }

    fn check_step(&self, step: Step) -> Result<(), SettingError> {
        self.0.check_step(step)?;
        self.1.check_step(step)
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<O: Optimizer + ?Sized> Optimizer for $pointer {
            fn slots(&self) -> usize {
                (**self).slots()
            }

            fn needs_all_gradients(&self) -> bool {
                (**self).needs_all_gradients()
            }

            fn uses_kind(&self) -> bool {
                (**self).uses_kind()
            }

            fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
                (**self).schedules(visit);
            }
        }

        impl<T: Real, O: UpdateRule<T> + ?Sized> UpdateRule<T> for $pointer {
            fn transform_all(&self, step: Step, grads: &mut [T]) {
                (**self).transform_all(step, grads);
            }

            fn update(&self, pass: Update<'_, T>) {
                (**self).update(pass);
            }

            fn bound(&self, bounds: Bounds<'_>) -> f64 {
                (**self).bound(bounds)
            }

            fn validate(&self) -> Result<(), SettingError> {
                (**self).validate()
            }

            fn check_step(&self, step: Step) -> Result<(), SettingError> {
                (**self).check_step(step)
            }
        }
    )*};
}
forward!(&O, Box<O>, std::sync::Arc<O>);
