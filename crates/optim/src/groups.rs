//! Optimizers for some of the parameters, chosen by name.

use chainrule_core::{
    Described, DescriptionError, Entry, Place, SettingValue, Settings, Value, described, entry,
};

use crate::{
    Before, Bounds, Optimizer, Parameter, Real, Schedule, SettingError, Step, Update, UpdateRule, Whole,
};

/// Optimizers for groups of parameters, by patterns of their names; see [`groups`].
///
/// The first pattern that matches the name of a parameter, such as `"2.residual.0.weight"`, decides: `*` stands for any
/// characters, `?` for one. A pattern that matches no parameter of a model is an error, which the training begins with.
#[derive(Debug)]
pub struct Groups<T: Real> {
    rest: Box<dyn UpdateRule<T>>,
    groups: Vec<Group<T>>,
}

/// The largest number of slots for which bounds are computed.
const MAX_SLOTS: usize = 16;

#[derive(Debug)]
struct Group<T: Real> {
    pattern: String,
    optimizer: Box<dyn UpdateRule<T>>,
}

/// This optimizer for all parameters that are in no group.
///
/// ```
/// use chainrule_optim::{UpdateRule, adamw, groups, sgd};
/// let optimizer: &dyn UpdateRule<f32> = &groups(adamw(1e-3))
///     .on("*.bias", adamw(1e-3).weight_decay(0.0))
///     .on("9.*", sgd(0.1))
///     .freeze("0.*");
/// assert_eq!(optimizer.slots(), 2);
/// ```
pub fn groups<T: Real>(rest: impl UpdateRule<T> + 'static) -> Groups<T> {
    Groups { rest: Box::new(rest), groups: Vec::new() }
}

impl<T: Real> Groups<T> {
    /// Another optimizer for the parameters whose names match this pattern and none before.
    #[must_use]
    pub fn on(mut self, pattern: impl Into<String>, optimizer: impl UpdateRule<T> + 'static) -> Self {
        self.groups.push(Group { pattern: pattern.into(), optimizer: Box::new(optimizer) });
        self
    }

    /// The parameters whose names match this pattern, and none before, stay as they are.
    #[must_use]
    pub fn freeze(self, pattern: impl Into<String>) -> Self {
        self.on(pattern, FrozenParameters)
    }

    /// All optimizers: those of the groups, then that of the rest.
    fn all(&self) -> impl Iterator<Item = &dyn UpdateRule<T>> {
        self.groups.iter().map(|group| &*group.optimizer).chain([&*self.rest])
    }

    /// The index of the group of a parameter; that of the rest comes after them.
    fn index_of(&self, name: &str) -> usize {
        let found = self.groups.iter().position(|group| matches(&group.pattern, name));
        found.unwrap_or(self.groups.len())
    }

    /// The optimizer of a parameter, and where its numbers begin.
    fn optimizer_of(&self, parameter: &Parameter) -> (&dyn UpdateRule<T>, usize) {
        let index = self.index_of(&parameter.name);
        let numbers = self.all().take(index).map(|optimizer| optimizer.numbers()).sum();
        let optimizer = self.groups.get(index).map_or(&*self.rest, |group| &*group.optimizer);
        (optimizer, numbers)
    }

    /// An update by the optimizer of its parameter.
    fn dispatch(&self, pass: Update<'_, T>, work: impl FnOnce(&dyn UpdateRule<T>, Update<'_, T>)) {
        let Some(parameter) = pass.parameter else { return work(&*self.rest, pass) };
        let (optimizer, numbers) = self.optimizer_of(parameter);
        let state = &mut pass.state[..optimizer.slots() * pass.params.len()];
        let numbers = &pass.numbers[numbers..numbers + optimizer.numbers()];
        work(optimizer, Update { state, numbers, ..pass });
    }
}

impl<T: Real> Optimizer for Groups<T> {
    described!(check_settings);

    fn slots(&self) -> usize {
        self.all().map(|optimizer| optimizer.slots()).max().unwrap_or(0)
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        self.optimizer_of(parameter).0.extra(parameter)
    }

    fn numbers(&self) -> usize {
        self.all().map(|optimizer| optimizer.numbers()).sum()
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        self.optimizer_of(parameter).0.scratch(parameter)
    }

    fn needs_all_gradients(&self) -> bool {
        self.all().any(|optimizer| optimizer.needs_all_gradients())
    }

    fn factor_scratch(&self, parameter: &Parameter) -> usize {
        self.optimizer_of(parameter).0.factor_scratch(parameter)
    }

    fn needs_factors(&self) -> bool {
        self.all().any(|optimizer| optimizer.needs_factors())
    }

    fn needs_whole_parameters(&self) -> bool {
        self.all().any(|optimizer| optimizer.needs_whole_parameters())
    }

    fn uses_parameter(&self) -> bool {
        true
    }

    fn evaluates_again(&self) -> bool {
        self.all().any(|optimizer| optimizer.evaluates_again())
    }

    fn averages(&self) -> bool {
        self.all().any(|optimizer| optimizer.averages())
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        self.all().for_each(|optimizer| optimizer.schedules(visit));
    }

    fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), SettingError> {
        for (index, optimizer) in self.all().enumerate() {
            let own = parameters.iter().filter(|parameter| self.index_of(&parameter.name) == index);
            optimizer.check_parameters(&own.cloned().collect::<Vec<_>>())?;
        }
        for Group { pattern, .. } in &self.groups {
            if !parameters.iter().any(|parameter| matches(pattern, &parameter.name)) {
                let names = parameters.iter().map(|parameter| parameter.name.clone()).collect();
                return Err(SettingError::Pattern { owner: "Groups", pattern: pattern.clone(), names });
            }
        }
        Ok(())
    }
}

impl<T: Real> UpdateRule<T> for Groups<T> {
    fn start(&self, pass: Update<'_, T>) {
        self.dispatch(pass, |optimizer, pass| optimizer.start(pass));
    }

    fn advance(&self, step: Step, numbers: &mut [f64]) {
        let mut rest = numbers;
        for optimizer in self.all() {
            let (own, others) = rest.split_at_mut(optimizer.numbers());
            optimizer.advance(step, own);
            rest = others;
        }
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let mut numbers = 0;
        for (index, optimizer) in self.all().enumerate() {
            if optimizer.needs_all_gradients() {
                let belongs = |parameter: &Parameter| self.index_of(&parameter.name) == index;
                let before = Before { numbers, ..Before::NOTHING };
                whole.group(&belongs, |mut whole| {
                    whole.stage(&optimizer, before, |whole| optimizer.transform_all(whole));
                });
            }
            numbers += optimizer.numbers();
        }
    }

    fn update(&self, pass: Update<'_, T>) {
        self.dispatch(pass, |optimizer, pass| optimizer.update(pass));
    }

    fn average(&self, pass: Update<'_, T>) {
        self.dispatch(pass, |optimizer, pass| optimizer.average(pass));
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        // The largest bounds of all groups, of which each begins with those of all parameters.
        let before = [*params, *grads];
        let mut state_before = [0.0; MAX_SLOTS];
        let Some(state_before) = state_before.get_mut(..state.len()) else { return f64::INFINITY };
        state_before.copy_from_slice(state);
        let mut all = 0.0f64;
        for optimizer in self.all() {
            let mut of_state = [0.0; MAX_SLOTS];
            let slots = optimizer.slots();
            let of_state = &mut of_state[..slots];
            of_state.copy_from_slice(&state_before[..slots]);
            let [mut of_params, mut of_grads] = before;
            let bounds = Bounds { step, params: &mut of_params, grads: &mut of_grads, state: of_state };
            all = all.max(optimizer.bound(bounds));
            *params = params.max(of_params);
            *grads = grads.max(of_grads);
            state.iter_mut().zip(of_state).for_each(|(all, own)| *all = all.max(*own));
        }
        all
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.all().try_for_each(|optimizer| optimizer.validate())
    }
}

impl<T: Real> Described for Groups<T> {
    const ENTRY: Entry = entry! {
        /// Optimizers for groups of parameters, by patterns of their names.
        Groups = "groups";
        aliases ["multi_optimizer", "partition", "multi_transform"];
        settings {
            /// The optimizer of the parameters that are in no group.
            rest as "optimizer": required;
            /// The patterns of the groups, of which the first that matches decides, such as `*.bias`.
            patterns: [];
            /// The optimizer of each group.
            optimizers: [];
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let patterns: Vec<String> = settings.get("patterns")?;
        let optimizers: Vec<Box<dyn UpdateRule<T>>> = settings.get("optimizers")?;
        let place: &Place<'_> = settings.place();
        if patterns.len() != optimizers.len() {
            let found = Value::from(patterns);
            return Err(place.wrong(&found, format!("as many patterns as optimizers, {}", optimizers.len())));
        }
        let groups = patterns.into_iter().zip(optimizers);
        let groups = groups.map(|(pattern, optimizer)| Group { pattern, optimizer }).collect();
        Ok(Self { rest: settings.get("optimizer")?, groups })
    }

    fn setting_values(&self) -> Vec<Value> {
        let patterns: Vec<String> = self.groups.iter().map(|group| group.pattern.clone()).collect();
        let optimizers = self.groups.iter().map(|group| group.optimizer.to_value()).collect();
        vec![self.rest.to_value(), patterns.to_value(), Value::List(optimizers)]
    }
}

/// Leaves parameters as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrozenParameters;

chainrule_core::describe! {
    /// Leaves the parameters as they are.
    FrozenParameters = "frozen";
    aliases ["freeze", "set_to_zero"];
    formula "p ← p";
}

impl Optimizer for FrozenParameters {
    described!(check_settings);

    fn uses_kind(&self) -> bool {
        false
    }
}

impl<T: Real> UpdateRule<T> for FrozenParameters {
    fn update(&self, _: Update<'_, T>) {}

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        *bounds.params
    }
}

/// Whether a name matches a pattern, in which `*` stands for any characters and `?` for one.
fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    // Where to go on if the last `*` has to stand for one more character.
    let mut after_star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let rest = (pattern.clone(), name.clone());
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                name = rest.1;
                after_star = Some((pattern.clone(), name.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => {
                let Some((after, mut from)) = after_star.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                pattern = after.clone();
                name = from.clone();
                after_star = Some((after, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, right) in [
            ("*", "", true),
            ("*.bias", "0.bias", true),
            ("*.bias", "0.bias.1", false),
            ("0.*", "0.residual.1.weight", true),
            ("0.*", "10.weight", false),
            ("?.weight", "7.weight", true),
            ("?.weight", "17.weight", false),
            ("*a*b*c", "xaybzabc", true),
            ("*a*b*c", "xaybzab", false),
            ("a**", "a", true),
            ("", "a", false),
            ("", "", true),
            ("größe*", "größe.1", true),
        ] {
            assert_eq!(matches(pattern, name), right, "{pattern} {name}");
        }
    }
}
