//! `(A, B)` is A, then B; and whatever points to an optimizer is one.

use chainrule_core::Description;

use crate::{
    Before, Bounds, Optimizer, Parameter, Real, Schedule, SettingError, Step, Update, UpdateRule, Whole,
};

impl<A: Optimizer, B: Optimizer> Optimizer for (A, B) {
    fn description(&self) -> Description {
        let parts = [self.0.description(), self.1.description()];
        Description::chain(parts.iter().flat_map(Description::parts))
    }

    fn slots(&self) -> usize {
        self.0.slots() + self.1.slots()
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        self.0.extra(parameter) + self.1.extra(parameter)
    }

    fn numbers(&self) -> usize {
        self.0.numbers() + self.1.numbers()
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        self.0.scratch(parameter).max(self.1.scratch(parameter))
    }

    fn needs_all_gradients(&self) -> bool {
        self.0.needs_all_gradients() || self.1.needs_all_gradients()
    }

    fn factor_scratch(&self, parameter: &Parameter) -> usize {
        self.0.factor_scratch(parameter).max(self.1.factor_scratch(parameter))
    }

    fn needs_factors(&self) -> bool {
        self.0.needs_factors() || self.1.needs_factors()
    }

    fn needs_whole_parameters(&self) -> bool {
        self.0.needs_whole_parameters() || self.1.needs_whole_parameters()
    }

    fn uses_parameter(&self) -> bool {
        self.0.uses_parameter() || self.1.uses_parameter()
    }

    fn uses_kind(&self) -> bool {
        self.0.uses_kind() || self.1.uses_kind()
    }

    fn evaluates_again(&self) -> bool {
        self.0.evaluates_again() || self.1.evaluates_again()
    }

    fn averages(&self) -> bool {
        self.0.averages() || self.1.averages()
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        self.0.schedules(visit);
        self.1.schedules(visit);
    }

    fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), SettingError> {
        self.0.check_parameters(parameters)?;
        self.1.check_parameters(parameters)
    }
}

/// The updates of two stages, one after the other.
fn in_turn<T: Real, A: Optimizer, B: Optimizer>(
    (a, b): &(A, B),
    mut pass: Update<'_, T>,
    first: impl FnOnce(&A, Update<'_, T>),
    second: impl FnOnce(&B, Update<'_, T>),
) {
    let Update { step, kind, parameter, numbers, .. } = pass;
    let pass = pass.reborrow();
    let (state_a, state_b) = pass.state.split_at_mut(a.slots() * pass.params.len());
    let (extra_a, extra_b) = pass.extra.split_at_mut(parameter.map_or(0, |parameter| a.extra(parameter)));
    let (numbers_a, numbers_b) = numbers.split_at(a.numbers());
    let Update { params, grads, factors, scratch, .. } = pass;
    let mut update = Update {
        step,
        kind,
        parameter,
        params,
        grads,
        state: state_a,
        extra: extra_a,
        numbers: numbers_a,
        factors,
        scratch,
    };
    first(a, update.reborrow());
    second(b, Update { state: state_b, extra: extra_b, numbers: numbers_b, ..update });
}

impl<T: Real, A: UpdateRule<T>, B: UpdateRule<T>> UpdateRule<T> for (A, B) {
    fn start(&self, pass: Update<'_, T>) {
        in_turn(self, pass, A::start, B::start);
    }

    fn advance(&self, step: Step, numbers: &mut [f64]) {
        let (numbers_a, numbers_b) = numbers.split_at_mut(self.0.numbers());
        self.0.advance(step, numbers_a);
        self.1.advance(step, numbers_b);
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let (a, b) = self;
        let extra = |parameter: &Parameter| a.extra(parameter);
        let before = Before { slots: a.slots(), numbers: a.numbers(), extra: &extra };
        whole.stage(a, Before::NOTHING, |whole| a.transform_all(whole));
        whole.stage(b, before, |whole| b.transform_all(whole));
    }

    fn update(&self, pass: Update<'_, T>) {
        in_turn(self, pass, A::update, B::update);
    }

    fn average(&self, pass: Update<'_, T>) {
        in_turn(self, pass, A::average, B::average);
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
            fn check_settings(&self) -> Result<(), SettingError> {
                (**self).check_settings()
            }

            fn description(&self) -> Description {
                (**self).description()
            }

            fn slots(&self) -> usize {
                (**self).slots()
            }

            fn extra(&self, parameter: &Parameter) -> usize {
                (**self).extra(parameter)
            }

            fn numbers(&self) -> usize {
                (**self).numbers()
            }

            fn scratch(&self, parameter: &Parameter) -> usize {
                (**self).scratch(parameter)
            }

            fn needs_all_gradients(&self) -> bool {
                (**self).needs_all_gradients()
            }

            fn factor_scratch(&self, parameter: &Parameter) -> usize {
                (**self).factor_scratch(parameter)
            }

            fn needs_factors(&self) -> bool {
                (**self).needs_factors()
            }

            fn needs_whole_parameters(&self) -> bool {
                (**self).needs_whole_parameters()
            }

            fn uses_parameter(&self) -> bool {
                (**self).uses_parameter()
            }

            fn uses_kind(&self) -> bool {
                (**self).uses_kind()
            }

            fn evaluates_again(&self) -> bool {
                (**self).evaluates_again()
            }

            fn averages(&self) -> bool {
                (**self).averages()
            }

            fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
                (**self).schedules(visit);
            }

            fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), SettingError> {
                (**self).check_parameters(parameters)
            }
        }

        impl<T: Real, O: UpdateRule<T> + ?Sized> UpdateRule<T> for $pointer {
            fn start(&self, pass: Update<'_, T>) {
                (**self).start(pass);
            }

            fn advance(&self, step: Step, numbers: &mut [f64]) {
                (**self).advance(step, numbers);
            }

            fn transform_all(&self, whole: Whole<'_, T>) {
                (**self).transform_all(whole);
            }

            fn update(&self, pass: Update<'_, T>) {
                (**self).update(pass);
            }

            fn average(&self, pass: Update<'_, T>) {
                (**self).average(pass);
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
