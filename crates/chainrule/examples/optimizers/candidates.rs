//! The optimizers that are compared, from the registry: adding one adds it here.

use chainrule::core::{Description, DescriptionError, Entry, Registry, Value, same_name};
use chainrule::optim::Stepper;
use chainrule::prelude::*;

/// The name of the setting that is the learning rate.
const RATE: &str = "lr";

/// Learning rates that are customary where the default of PyTorch is another: its default for SGD is so small that three epochs
/// are too few.
const CUSTOMARY: [(&str, f64); 1] = [("sgd", 0.1)];

/// Optimizers that are made of others, and stages that are methods of their own with an optimizer that is customary after them.
const MADE_OF_OTHERS: [&str; 4] =
    ["mechanic(adam)", "sam then sgd(lr=0.1)", "lookahead then adam", "ema(decay=0.99) then adam"];

/// An optimizer at its customary rate.
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) description: Description,
}

/// Every optimizer that is registered. Stages that do not move parameters alone, such as clipping, are none.
pub(crate) fn candidates(registry: &Registry) -> Result<Vec<Candidate>, DescriptionError> {
    let mut found = Vec::new();
    for entry in registry.entries::<Box<dyn UpdateRule<f32>>>() {
        if entry.settings.iter().any(|setting| setting.default.is_none()) {
            continue; // it is made of others: see `MADE_OF_OTHERS`
        }
        let names = std::iter::once(entry.name.to_owned());
        let presets = entry.presets.iter().map(|preset| format!("{}.{}", entry.name, preset.name));
        for name in names.chain(presets.filter(|name| !is_convention(name))) {
            let description = customary(entry, Description::new(name.clone()));
            if moves(registry, &description)? {
                found.push(Candidate { name, description });
            }
        }
    }
    for text in MADE_OF_OTHERS {
        found.push(Candidate { name: text.to_owned(), description: text.parse()? });
    }
    Ok(found)
}

/// Whether a preset is another library's set of defaults, rather than another method.
fn is_convention(name: &str) -> bool {
    ["keras", "pytorch", "optax"].iter().any(|library| name.ends_with(&format!(".{library}")))
}

/// With its customary rate.
fn customary(entry: &Entry, description: Description) -> Description {
    match CUSTOMARY.iter().find(|(name, _)| same_name(name, entry.name)) {
        Some(&(_, rate)) => description.with(RATE, rate),
        None => description,
    }
}

/// Whether it moves a parameter without another optimizer after it.
fn moves(registry: &Registry, description: &Description) -> Result<bool, DescriptionError> {
    let optimizer = registry.build::<Box<dyn UpdateRule<f32>>>(description)?;
    if optimizer.needs_factors() {
        return Ok(true); // of layers, which there are none of here
    }
    // No constraint changes these: they are above 0, below 1, and of length 1.
    let mut params = [0.6f32, 0.8];
    let before = params;
    let mut stepper = Stepper::new(optimizer, &params)?;
    for _ in 0..100 {
        stepper.minimize(&mut params, |params, grads| {
            grads.copy_from_slice(params);
            0.5 * params.iter().map(|&p| f64::from(p * p)).sum::<f64>()
        });
    }
    Ok(params.iter().zip(before).any(|(p, before)| (p - before).abs() > 1e-4))
}

/// The learning rate of a description, if it has one that is a number.
pub(crate) fn rate(registry: &Registry, description: &Description) -> Option<f64> {
    if let Some(rate) = description.get(RATE) {
        return rate.as_f64();
    }
    let name = description.name.split('.').next()?;
    let entry = registry.entry::<Box<dyn UpdateRule<f32>>>(name).ok()?;
    let setting = entry.settings.iter().find(|setting| setting.is_named(RATE))?;
    setting.default?.parse::<Value>().ok()?.as_f64()
}

/// The same with another learning rate.
pub(crate) fn with_rate(description: &Description, rate: f64) -> Description {
    let mut description = description.clone();
    description.settings.retain(|(name, _)| !same_name(name, RATE));
    description.with(RATE, rate)
}
