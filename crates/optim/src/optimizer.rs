//! The traits that every optimizer implements.

use std::fmt::Debug;

use chainrule_core::Description;

use crate::schedule::{Schedule, check_rate};
use crate::{Bounds, Parameter, Real, SettingError, Step, Update, Whole};

/// What an optimizer, or a stage before one, needs. Its arithmetic is its [`UpdateRule`].
///
/// An optimizer is a description: immutable, shared between threads, without state. What it remembers of the
/// parameters, such as their momentum, is memory that the caller passes in.
///
/// `(A, B)` is A, then B, and the slots of A are before those of B. References, boxes and `Arc`s of optimizers are
/// optimizers.
pub trait Optimizer: Send + Sync + Debug {
    /// What this is: that of its entry, if it has one (see [`describe!`](chainrule_core::describe!)).
    fn description(&self) -> Description {
        Description::of_debug(self)
    }

    /// Checks the settings against the ranges of the entry: `described!(check_settings)` does. By default there are none.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn check_settings(&self) -> Result<(), SettingError> {
        Ok(())
    }

    /// The number of values of state for each value of a parameter.
    fn slots(&self) -> usize {
        0
    }

    /// The number of values of state for a parameter as a whole, beside its slots. Only for optimizers that
    /// [need whole parameters](Self::needs_whole_parameters).
    fn extra(&self, parameter: &Parameter) -> usize {
        let _ = parameter;
        0
    }

    /// The number of values of state for the whole training, in double precision.
    fn numbers(&self) -> usize {
        0
    }

    /// The number of values that an update of this parameter computes in, if it is given the whole parameter.
    fn scratch(&self, parameter: &Parameter) -> usize {
        let _ = parameter;
        0
    }

    /// Whether [`UpdateRule::transform_all`] does anything. If not, a trainer need not have all gradients before it
    /// updates the first bucket.
    fn needs_all_gradients(&self) -> bool {
        self.needs_whole_parameters()
    }

    /// Whether [`UpdateRule::update`] needs a parameter as a whole, as those do that take its norm or multiply it as a matrix. A
    /// bucket is then one parameter. Such an optimizer also [needs all gradients](Self::needs_all_gradients).
    fn needs_whole_parameters(&self) -> bool {
        false
    }

    /// Whether [`UpdateRule::transform_all`] reads [`Update::factors`], which a trainer then computes of each batch; if the batch is
    /// evaluated again, they are those of the first time. Such an optimizer also
    /// [needs whole parameters](Self::needs_whole_parameters).
    fn needs_factors(&self) -> bool {
        false
    }

    /// The number of values in double precision, [`Whole::scratch`], that [`UpdateRule::transform_all`] computes in for a parameter
    /// with factors.
    fn factor_scratch(&self, parameter: &Parameter) -> usize {
        let _ = parameter;
        0
    }

    /// Whether [`UpdateRule::update`] reads [`Update::parameter`]. A bucket then belongs to one parameter.
    fn uses_parameter(&self) -> bool {
        self.needs_whole_parameters()
    }

    /// Whether [`UpdateRule::update`] reads [`Update::kind`]. If not, a trainer may pass weights and biases in one
    /// bucket.
    fn uses_kind(&self) -> bool {
        true
    }

    /// Whether [`UpdateRule::transform_all`] calls [`Whole::evaluate`].
    fn evaluates_again(&self) -> bool {
        false
    }

    /// Whether [`UpdateRule::average`] gives other weights than the trained ones.
    fn averages(&self) -> bool {
        false
    }

    /// Passes each schedule that it follows to `visit`: a trainer checks their rates before it starts and before each step.
    /// The default passes none.
    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        let _ = visit;
    }

    /// Checks that the optimizer fits the parameters of a model.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if a pattern of a group matches no name, for example.
    fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), SettingError> {
        let _ = parameters;
        Ok(())
    }
}

/// How an optimizer changes parameters of type `T` by their gradients, or (a stage) only the gradients.
///
/// Before the first step, [`start`](Self::start) is called for each bucket. One step is [`advance`](Self::advance), then
/// [`transform_all`](Self::transform_all) with all parameters if it
/// [needs all gradients](Optimizer::needs_all_gradients), then [`update`](Self::update) for each bucket of the parameters, in
/// any order and on any thread. [`Stepper`](crate::Stepper) does all of it.
pub trait UpdateRule<T: Real>: Optimizer {
    /// Writes the state that the first step begins with; until then it is zeros. There are no gradients yet. The default leaves
    /// it as it is.
    fn start(&self, pass: Update<'_, T>) {
        let _ = pass;
    }

    /// Moves the numbers of the whole training on, at the beginning of a step; at step 0 they are zeros before. The default
    /// leaves them as they are.
    fn advance(&self, step: Step, numbers: &mut [f64]) {
        let _ = (step, numbers);
    }

    /// Transforms all gradients at once, before the first bucket is updated: clipping by the global norm needs that. It may
    /// also change the parameters and the state, and evaluate the batch again. The default does nothing.
    fn transform_all(&self, whole: Whole<'_, T>) {
        let _ = whole;
    }

    /// Updates one bucket of the parameters. It allocates nothing.
    fn update(&self, pass: Update<'_, T>);

    /// Writes over a copy of the parameters what is to be evaluated in place of them, such as their mean over the last steps.
    /// There are no gradients. The default leaves them as they are.
    fn average(&self, pass: Update<'_, T>) {
        let _ = pass;
    }

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

    /// Checks the settings before training starts: those of the schedules, the ranges of the entry, then
    /// [`check_rest`](Self::check_rest).
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn validate(&self) -> Result<(), SettingError> {
        let mut schedules = Ok(());
        self.schedules(&mut |schedule| {
            if schedules.is_ok() {
                schedules = schedule.validate();
            }
        });
        schedules?;
        self.check_settings()?;
        self.check_rest()
    }

    /// Checks what the ranges of the entry cannot say: settings that exclude each other, and numbers that `T` does not have.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    fn check_rest(&self) -> Result<(), SettingError> {
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
