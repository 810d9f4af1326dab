//! An optimizer with a schedule.

use std::sync::Arc;

use chainrule::core::{Description, DescriptionError, Entry, Kind, Registry, Value};
use chainrule::optim::{Schedule, UpdateRule};

/// The name of the setting of an optimizer that is its learning rate.
const RATE: &str = "lr";

/// A learning rate or a schedule for an optimizer.
#[derive(Clone, Debug, Default)]
pub struct Rate<'a> {
    /// Instead of that of the optimizer.
    pub rate: Option<f64>,
    /// How it changes.
    pub schedule: Option<&'a Description>,
    /// How it changes if neither the optimizer nor `schedule` says.
    pub default: &'a str,
    /// What gives the two in the program, for errors, such as `--lr and --schedule`.
    pub names: &'a str,
}

/// The optimizer that is described, with another learning rate or a schedule. A schedule that leaves out its rate takes that of the
/// optimizer.
///
/// # Errors
///
/// If there is no such optimizer or schedule, or the optimizer has no learning rate to be changed.
pub fn scheduled_optimizer(
    registry: &Registry,
    description: &Description,
    rate: Rate<'_>,
) -> Result<Box<dyn UpdateRule<f32>>, String> {
    let description = with_rate(registry, description, rate)?;
    registry.build(&description).map_err(|error| error.to_string())
}

/// The description of [`scheduled_optimizer`].
///
/// # Errors
///
/// As there.
pub fn with_rate(
    registry: &Registry,
    description: &Description,
    Rate { rate, schedule, default, names }: Rate<'_>,
) -> Result<Description, String> {
    let text = |error: DescriptionError| error.to_string();
    let mut parts = description.parts();
    let entry = |part: &Description| {
        registry.entry::<Box<dyn UpdateRule<f32>>>(part.name.split('.').next().unwrap_or_default())
    };
    let entries: Vec<&Entry> = parts.iter().map(entry).collect::<Result<_, _>>().map_err(text)?;
    // Stages before the optimizer have no rate; the last part that has one moves the parameters.
    let last = parts.iter_mut().zip(entries).rev().find(|(_, entry)| entry.setting(RATE).is_some());
    let Some((part, entry)) = last else {
        return match (rate, schedule) {
            (None, None) => Ok(description.clone()),
            _ => Err(format!("{description} has no learning rate: leave out {names}")),
        };
    };
    let given = given(part, entry);
    let own = given.map(|given| part.settings[given].1.clone());
    let is_scheduled = own.as_ref().is_some_and(|own| own.as_f64().is_none());
    if let (Some(own), true) = (&own, is_scheduled && (rate.is_some() || schedule.is_some())) {
        return Err(format!("the learning rate of {description} is {own} already: leave out {names}"));
    }
    if !is_scheduled {
        let default: Description = default.parse().map_err(text)?;
        let built: Arc<dyn Schedule> = registry.build(schedule.unwrap_or(&default)).map_err(text)?;
        let value = match rate.map(Value::from).or(own) {
            Some(rate) => built.completed_by(&rate).to_plain(),
            None => built.to_plain(),
        };
        match given {
            Some(given) => part.settings[given].1 = value,
            None => part.settings.push((RATE.to_owned(), value)),
        }
    }
    Ok(Description::chain(parts))
}

/// The index of the learning rate that is given, by name or by position.
fn given(description: &Description, entry: &Entry) -> Option<usize> {
    let names = description.settings.iter().enumerate();
    let mut settings =
        names.map(|(position, (name, _))| if name.is_empty() { Some(position) } else { entry.setting(name) });
    let rate = entry.setting(RATE);
    settings.position(|setting| setting == rate)
}
