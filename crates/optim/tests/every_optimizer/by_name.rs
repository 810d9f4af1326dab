//! Every optimizer is built by its name, and described by what it was built from.

use std::sync::Arc;

use chainrule_core::{Description, DescriptionError, Registry, Value};
use chainrule_optim::schedule::register_schedules;
use chainrule_optim::{Real, Stepper, UpdateRule, register_optimizers};

use crate::cases::{every_case, every_reference};

fn registry<T: Real>() -> Registry {
    let mut registry = Registry::new();
    register_schedules(&mut registry);
    register_optimizers::<T>(&mut registry);
    registry
}

fn build<T: Real>(registry: &Registry, text: &str) -> Result<Box<dyn UpdateRule<T>>, DescriptionError> {
    registry.build(&text.parse::<Description>()?)
}

/// The bits of the parameters after some steps.
fn steps(optimizer: Box<dyn UpdateRule<f64>>) -> Vec<u64> {
    let mut params = [1.0, -2.0, 0.5, 30.0];
    let mut stepper = Stepper::new(optimizer, &params).unwrap();
    for step in 0..20 {
        let mut grads = params.map(|p: f64| (p * f64::from(step)).sin());
        stepper.step(&mut params, &mut grads);
    }
    params.map(f64::to_bits).to_vec()
}

#[test]
fn descriptions_are_read_as_they_are_written() {
    let registry = registry::<f64>();
    let of_cases = every_case().into_iter().map(|case| (case.make)(Arc::new(0.01)));
    for optimizer in of_cases.chain(every_reference().into_iter().map(|(_, optimizer)| optimizer)) {
        let description = optimizer.description();
        let text = description.to_string();
        if text.contains("lr=function(") {
            continue; // a rate that is a closure
        }
        let built: Box<dyn UpdateRule<f64>> =
            build(&registry, &text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(built.description(), description);
        assert_eq!(steps(built), steps(optimizer), "{text}");
    }
}

/// Defaults, presets, ranges: of every entry.
#[test]
fn entries_are_right() {
    let registry = registry::<f32>();
    let mut names: Vec<&str> = Vec::new();
    for entry in registry.entries::<Box<dyn UpdateRule<f32>>>() {
        names.extend([entry.name].iter().chain(entry.aliases));
        assert!(
            !entry.summary.is_empty() && !entry.settings.iter().any(|setting| setting.summary.is_empty())
        );
        let whole: Vec<String> =
            entry.presets.iter().map(|preset| format!("{}.{}", entry.name, preset.name)).collect();
        if entry.settings.iter().any(|setting| setting.default.is_none()) {
            continue; // it is made of others
        }
        for text in whole.iter().map(String::as_str).chain([entry.name]) {
            let optimizer: Box<dyn UpdateRule<f32>> =
                build(&registry, text).unwrap_or_else(|error| panic!("{text}: {error}"));
            optimizer.validate().unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for setting in entry.settings {
            let default = setting.default.map_or(Value::None, |text| text.parse().unwrap());
            if matches!(default, Value::Bool(_)) {
                continue;
            }
            let text = format!("{}({}=nan)", entry.name, setting.name);
            assert!(build::<f32>(&registry, &text).is_err(), "{text}");
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name for each");
}

#[test]
fn presets_are_those_of_the_methods() {
    use chainrule_optim::{adadelta, adagrad, adam, adamax, adamw, amsgrad, nadam, rmsprop, sgd};
    let registry = registry::<f64>();
    let presets: Vec<(&str, Box<dyn UpdateRule<f64>>)> = vec![
        ("sgd", Box::new(sgd(0.01).keras())),
        ("adam", Box::new(adam(0.001).keras())),
        ("adamw", Box::new(adamw(0.001).keras())),
        ("rmsprop", Box::new(rmsprop(0.001).keras())),
        ("adadelta", Box::new(adadelta(0.001).keras())),
        ("adagrad", Box::new(adagrad(0.001).keras())),
        ("adamax", Box::new(adamax(0.001).keras())),
        ("amsgrad", Box::new(amsgrad(0.001).keras())),
        ("nadam", Box::new(nadam(0.001).keras())),
    ];
    for (name, optimizer) in presets {
        let built = build::<f64>(&registry, &format!("{name}.keras")).unwrap();
        assert_eq!(built.description(), optimizer.description());
    }
}

#[test]
fn names_and_settings_that_others_use() {
    let registry = registry::<f64>();
    for (text, right) in [
        ("Adam(learning_rate=0.5, epsilon=1e-3)", "adam(lr=0.5, eps=0.001)"),
        ("RMSprop(rho=0.5)", "rmsprop(alpha=0.5)"),
        ("SignSGD", "sign_sgd"),
        ("ada-grad:lr=0.2", "adagrad(lr=0.2)"),
        ("NAdam", "nadam"),
        ("AdEMAMix", "ademamix"),
        ("Ftrl(l1=0.1)", "ftrl(l1_regularization_strength=0.1)"),
    ] {
        let [found, right] = [text, right].map(|text| build::<f64>(&registry, text).unwrap().description());
        assert_eq!(found, right, "{text}");
    }
    for (text, error) in [
        ("lyon", "there is no optimizer named `lyon`; the nearest name is `lion`"),
        ("lion(beta=0.5)", "lion has no setting named `beta`; it has lr, betas, weight_decay"),
        ("lion(betas=[0.5, 1])", "lion.betas is [0.5, 1], but must be at least 0 and below 1"),
        ("lion.keras", "lion has no preset named `keras`, only optax"),
    ] {
        assert_eq!(build::<f64>(&registry, text).unwrap_err().to_string(), error);
    }
}
