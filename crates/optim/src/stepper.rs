//! An optimizer at work without a trainer.

use std::ops::Range;

use chainrule_tensor::{Buffer, Shape};

use crate::{Layout, ParamKind, Parameter, Part, Real, SettingError, Step, Update, UpdateRule, Whole};

/// Takes the steps of an optimizer, and keeps its state: for functions of your own, without a model.
///
/// ```
/// use chainrule_optim::{Stepper, adam};
///
/// let mut params = [3.0f64, -2.0];
/// let mut stepper = Stepper::new(adam(0.1), &params)?;
/// for _ in 0..500 {
///     let mut grads = params.map(|p| 2.0 * (p - 1.0)); // of Σ (p - 1)²
///     stepper.step(&mut params, &mut grads);
/// }
/// assert!(params.iter().all(|p| (p - 1.0).abs() < 1e-2));
/// # Ok::<(), chainrule_optim::SettingError>(())
/// ```
#[derive(Debug)]
pub struct Stepper<T: Real, O> {
    optimizer: O,
    parameters: Vec<Parameter>,
    parts: Vec<Part>,
    state: Buffer<T>,
    numbers: Vec<f64>,
    scratch: Buffer<T>,
    grads: Buffer<T>,
    step: u64,
}

impl<T: Real, O: UpdateRule<T>> Stepper<T, O> {
    /// For a single parameter, a weight without name.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if a setting of the optimizer is invalid, or it [needs factors](crate::Optimizer::needs_factors).
    pub fn new(optimizer: O, params: &[T]) -> Result<Self, SettingError> {
        let parameter = Parameter {
            name: String::new(),
            shape: Shape::from(params.len()),
            kind: ParamKind::Weight,
            product: false,
        };
        Self::with_parameters(optimizer, vec![parameter], params)
    }

    /// For several parameters, whose values follow each other in `params`.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if a setting of the optimizer is invalid or does not fit the parameters, or it
    /// [needs factors](crate::Optimizer::needs_factors).
    ///
    /// # Panics
    ///
    /// If `params` does not have as many values as the parameters.
    pub fn with_parameters(
        optimizer: O,
        parameters: Vec<Parameter>,
        params: &[T],
    ) -> Result<Self, SettingError> {
        optimizer.validate()?;
        if optimizer.needs_factors() {
            let conflict = "the optimizer needs the inputs of layers and the gradients of their outputs, which are not here: train a model with a `Trainer`, or choose another optimizer";
            return Err(SettingError::Conflict { owner: "Stepper", conflict });
        }
        optimizer.check_parameters(&parameters)?;
        let mut start = 0;
        let mut state = 0;
        let mut scratch = 0;
        let mut parts = Vec::with_capacity(parameters.len());
        for (index, parameter) in parameters.iter().enumerate() {
            let range = start..start + parameter.shape.size();
            start = range.end;
            scratch = optimizer.scratch(parameter).max(scratch);
            let len = optimizer.slots() * range.len() + optimizer.extra(parameter);
            parts.push(Part { range, kind: parameter.kind, parameter: Some(index), state });
            state += len;
        }
        assert_eq!(start, params.len(), "the number of values of all parameters");
        let numbers = vec![0.0; optimizer.numbers()];
        let [state, scratch] = [state, scratch].map(Buffer::zeros);
        let grads = Buffer::default();
        let mut stepper = Self { optimizer, parameters, parts, state, numbers, scratch, grads, step: 0 };
        let mut params = Buffer::from(params);
        stepper.for_each(&mut params, &mut [], |optimizer, pass| optimizer.start(pass));
        Ok(stepper)
    }

    /// The number of steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Takes a step, given the gradients at the parameters.
    pub fn step(&mut self, params: &mut [T], grads: &mut [T]) {
        self.advance(params, grads, f64::NAN, None);
    }

    /// Takes a step that minimises a function, which writes its gradients and returns its value. Returns the value before the
    /// step.
    pub fn minimize(&mut self, params: &mut [T], mut function: impl FnMut(&[T], &mut [T]) -> f64) -> f64 {
        let mut grads = std::mem::take(&mut self.grads);
        grads.reserve(params.len());
        let value = function(params, &mut grads);
        let mut evaluate = |params: &mut [T], grads: &mut [T]| function(params, grads);
        self.advance(params, &mut grads[..params.len()], value, Some(&mut evaluate));
        self.grads = grads;
        value
    }

    /// Writes over a copy of the parameters what is to be evaluated in place of them.
    pub fn average(&mut self, params: &mut [T]) {
        self.for_each(params, &mut [], |optimizer, pass| optimizer.average(pass));
    }

    fn advance<'a>(
        &'a mut self,
        params: &'a mut [T],
        grads: &'a mut [T],
        loss: f64,
        evaluate: Option<&'a mut crate::Evaluate<'a, T>>,
    ) {
        let Self { optimizer, parameters, parts, state, numbers, step, .. } = self;
        optimizer.advance(Step::from(*step), numbers);
        if optimizer.needs_all_gradients() {
            let extra = |parameter: &Parameter| optimizer.extra(parameter);
            let layout = Layout { parameters, parts };
            let whole = Whole::new(Step::from(*step), &mut *grads)
                .with_state(layout, &mut *params, state, optimizer.slots(), &extra)
                .with_numbers(numbers);
            match evaluate {
                Some(evaluate) => {
                    let mut evaluate = |params: &mut [T], grads: &mut [T]| evaluate(params, grads);
                    optimizer.transform_all(whole.with_loss(loss, &mut evaluate));
                }
                None => optimizer.transform_all(whole),
            }
        }
        self.for_each(params, grads, |optimizer, pass| optimizer.update(pass));
        self.step += 1;
    }

    /// Calls `work` for each trained parameter.
    fn for_each(&mut self, params: &mut [T], grads: &mut [T], work: impl Fn(&O, Update<'_, T>)) {
        let Self { optimizer, parameters, parts, state, numbers, scratch, step, .. } = self;
        for Part { range, kind, parameter, state: at } in parts.iter().filter(|part| part.kind.is_trained()) {
            let parameter = parameter.map(|index| &parameters[index]);
            let slots = *at + optimizer.slots() * range.len();
            let extra = parameter.map_or(0, |parameter| optimizer.extra(parameter));
            let (of_slots, of_extra) = state[*at..slots + extra].split_at_mut(slots - at);
            let of_grads: Range<usize> = if grads.is_empty() { 0..0 } else { range.clone() };
            let pass = Update {
                parameter,
                extra: of_extra,
                numbers,
                scratch,
                ..Update::new(
                    Step::from(*step),
                    *kind,
                    &mut params[range.clone()],
                    &mut grads[of_grads],
                    of_slots,
                )
            };
            work(optimizer, pass);
        }
    }
}
