//! The trait that every optimizer implements, and what one step is given.

use std::fmt::Debug;

use crate::{ParamKind, Real, SettingError};

/// One step for one piece of the parameters. All slices are in the same order.
#[derive(Debug)]
pub struct Update<'a, T> {
    /// The number of steps before this one: 0 for the first.
    pub step: u64,
    /// What these parameters are: [`ParamKind::Weight`] is trained and decayed, [`ParamKind::Bias`] is trained and not
    /// decayed. [`ParamKind::Buffer`] is not trained and never comes here.
    pub kind: ParamKind,
    /// The parameters, to be changed.
    pub params: &'a mut [T],
    /// Their gradients. A stage may change them for the stages behind it.
    pub grads: &'a mut [T],
    /// What the optimizer remembers: [`Optimizer::slots`] times `params.len()` values, one slot behind the
    /// other. Zeros before step 0.
    pub state: &'a mut [T],
}

impl<'a, T> Update<'a, T> {
    /// The parameters, the gradients, and each slot of the state by itself.
    ///
    /// Slots that the state is too short for come out empty, and [`vector::update`](crate::vector::update)
    /// panics on them.
    #[inline]
    pub fn split<const N: usize>(self) -> (&'a mut [T], &'a [T], [&'a mut [T]; N]) {
        let mut slots = self.state.chunks_exact_mut(self.params.len().max(1));
        (self.params, self.grads, std::array::from_fn(|_| slots.next().unwrap_or_default()))
    }
}

/// A rule that changes parameters by their gradients, or (a stage) only the gradients.
///
/// An optimizer is a description: immutable, shared between threads, without state. What it remembers of
/// the parameters, such as their momentum, is a slice that is handed to it. One step is [`transform_all`], once,
/// with all gradients, then [`update`] for each piece, in any order and on any thread.
///
/// `(A, B)` is A, then B, and the slots of A are before those of B. References and boxes of optimizers are
/// optimizers.
///
/// [`transform_all`]: Self::transform_all
/// [`update`]: Self::update
pub trait Optimizer<T: Real>: Send + Sync + Debug {
    /// How many values of state each parameter needs.
    fn slots(&self) -> usize {
        0
    }

    /// Looks at all gradients at once, and may change them, before the pieces are updated: what clipping by
    /// the global norm needs. The default does nothing.
    fn transform_all(&self, step: u64, grads: &mut [T]) {
        let _ = (step, grads);
    }

    /// Whether [`transform_all`](Self::transform_all) does anything. Where it does not, a trainer need not have all
    /// gradients before it updates the first piece.
    fn needs_all_gradients(&self) -> bool {
        false
    }

    /// Whether [`update`](Self::update) looks at [`Update::kind`]. Where it does not, a trainer may hand over weights
    /// and biases in one piece.
    fn uses_kind(&self) -> bool {
        true
    }

    /// Updates one piece of the parameters. It allocates nothing.
    fn update(&self, pass: Update<'_, T>);

    /// Looks for a setting that cannot work, before training starts.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn validate(&self) -> Result<(), SettingError> {
        Ok(())
    }
}

impl<T: Real, A: Optimizer<T>, B: Optimizer<T>> Optimizer<T> for (A, B) {
    fn slots(&self) -> usize {
        self.0.slots() + self.1.slots()
    }

    fn transform_all(&self, step: u64, grads: &mut [T]) {
        self.0.transform_all(step, grads);
        self.1.transform_all(step, grads);
    }

    fn needs_all_gradients(&self) -> bool {
        self.0.needs_all_gradients() || self.1.needs_all_gradients()
    }

    fn uses_kind(&self) -> bool {
        self.0.uses_kind() || self.1.uses_kind()
    }

    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, params, grads, state } = pass;
        let (first, second) = state.split_at_mut(self.0.slots() * params.len());
        self.0.update(Update { step, kind, params, grads, state: first });
        self.1.update(Update { step, kind, params, grads, state: second });
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.0.validate()?;
        self.1.validate()
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Real, O: Optimizer<T> + ?Sized> Optimizer<T> for $pointer {
            fn slots(&self) -> usize {
                (**self).slots()
            }

            fn transform_all(&self, step: u64, grads: &mut [T]) {
                (**self).transform_all(step, grads);
            }

            fn needs_all_gradients(&self) -> bool {
                (**self).needs_all_gradients()
            }

            fn uses_kind(&self) -> bool {
                (**self).uses_kind()
            }

            fn update(&self, pass: Update<'_, T>) {
                (**self).update(pass);
            }

            fn validate(&self) -> Result<(), SettingError> {
                (**self).validate()
            }
        }
    )*};
}
forward!(&O, Box<O>, std::sync::Arc<O>);
