//! Parameters that get no gradient, and the layers that cut it.

use chainrule_core::{ParamEntry, Plan};
use chainrule_tensor::Real;

use super::finding::{AuditFinding, Fault};
use super::inputs::belongs;
use super::layers::{SeenLayers, called, info, is_within, name};

/// Which gradients of the trained parameters are 0, for each of which a bit is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ZeroGradients {
    /// For each parameter of the plan: whether all of its gradient is 0. `false` if it is not trained, or has no values.
    whole: Vec<bool>,
    /// For each parameter that has a value for each unit: whether the gradient of a unit is 0; else empty.
    units: Vec<Vec<bool>>,
}

impl ZeroGradients {
    /// Those among all gradients of a pass.
    pub(crate) fn of<T: Real>(plan: &Plan, grads: &[T]) -> Self {
        let is_zero = |value: &T| *value == T::zero();
        let mut found = Self { whole: Vec::new(), units: Vec::new() };
        for entry in plan.entries() {
            let grad = &grads[entry.range.clone()];
            let trained = entry.kind.is_trained() && !grad.is_empty();
            found.whole.push(trained && grad.iter().all(is_zero));
            found.units.push(if trained { units(entry, grad) } else { Vec::new() });
        }
        found
    }

    /// Keeps those that are 0 in another pass too.
    pub(crate) fn and(&mut self, other: &Self) {
        for (whole, other) in self.whole.iter_mut().zip(&other.whole) {
            *whole &= other;
        }
        for (units, other) in self.units.iter_mut().zip(&other.units) {
            units.iter_mut().zip(other).for_each(|(unit, other)| *unit &= other);
        }
    }
}

/// Which units have no gradient, by a parameter with one value for each: a bias, or a weight that multiplies.
fn units<T: Real>(entry: &ParamEntry, grad: &[T]) -> Vec<bool> {
    let own_name = entry.name.rsplit('.').next().unwrap_or_default();
    let shape = &*entry.shape;
    let count = match shape {
        [units] if own_name == "bias" => *units,
        [_, units] if entry.product => *units,
        _ => return Vec::new(),
    };
    (0..count).map(|unit| grad.iter().skip(unit).step_by(count).all(|value| *value == T::zero())).collect()
}

/// The findings for gradients that have been 0 in every pass, the last of which is `seen`.
pub(crate) fn missing(plan: &Plan, zero: &ZeroGradients, seen: &SeenLayers) -> Vec<AuditFinding> {
    let entries = plan.entries();
    let without: Vec<usize> = (0..entries.len()).filter(|&index| zero.whole[index]).collect();
    let mut findings: Vec<AuditFinding> = Vec::new();
    // What is cut by one layer is one finding.
    let mut groups: Vec<(Option<Cut>, Vec<&str>)> = Vec::new();
    for index in without {
        let name = entries[index].name.as_str();
        let cut = Cut::of(name, seen);
        match groups.iter_mut().find(|(other, _)| *other == cut) {
            Some((_, names)) => names.push(name),
            None => groups.push((cut, vec![name])),
        }
    }
    for (cut, names) in groups {
        let (names, verb) = match names.as_slice() {
            [name] => ((*name).to_owned(), "gets"),
            [first, second] => (format!("{first} and {second}"), "get"),
            [first, .., last] => (format!("{first} to {last} ({} parameters)", names.len()), "get"),
            [] => continue,
        };
        findings.push(cut.map_or_else(
            || {
                let text = format!(
                    "{names} {verb} no gradient: no layer whose output reaches the loss uses them; connect that part of the network, or remove it"
                );
                AuditFinding::new(Fault::NoGradient, text)
            },
            |cut| cut.finding(plan, &format!("{names} {verb} no gradient")),
        ));
    }
    findings
}

/// Where a gradient was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cut {
    /// This layer received a gradient, and handed none on.
    By(String),
    /// The layer with this path received one, and computed none for this parameter: since all of its inputs are 0, or not.
    Own { path: String, of_zeros: bool },
    /// The loss has no gradient.
    Loss,
}

impl Cut {
    /// Where the gradient of this parameter was lost; `None` if the pass never came to its layer.
    fn of(parameter: &str, seen: &SeenLayers) -> Option<Self> {
        let own = seen.gradients.iter().position(|gradient| belongs(parameter, &gradient.path))?;
        let of_layer = &seen.gradients[own];
        if of_layer.received {
            let path = of_layer.path.clone();
            let of_zeros = seen.outputs.iter().any(|output| output.path == path && output.of_zeros);
            return Some(Self::Own { path, of_zeros });
        }
        let before = seen.gradients[..own].iter().rev();
        let by = before.into_iter().find(|gradient| gradient.received && gradient.cuts);
        Some(by.map_or(Self::Loss, |gradient| Self::By(gradient.path.clone())))
    }

    fn finding(&self, plan: &Plan, what: &str) -> AuditFinding {
        match self {
            Self::By(path) => {
                let has_parameters = info(plan, path).is_some_and(|info| info.parameters > 0);
                let why = if has_parameters {
                    "all that it multiplies the gradient with is 0: give it random initial weights"
                } else if name(plan, path) == "Lambda" {
                    "its derivative is 0 for all samples: use a function that has one, or correct it"
                } else {
                    "its derivative is 0 for all samples: if its units are dead, lower the learning rate, scale the inputs, begin with smaller weights and biases, or use LeakyRelu; else correct its backward pass"
                };
                let text = format!("{what}: {} cuts it, {why}", called(plan, path));
                AuditFinding::new(Fault::NoGradient, text).of_layer(path)
            }
            Self::Own { path, of_zeros: true } => {
                let text = format!(
                    "{what}: {} is given 0 for all samples; look at the layers before it, and at the inputs",
                    called(plan, path)
                );
                AuditFinding::new(Fault::ZeroInputs, text).of_layer(path)
            }
            Self::Own { path, of_zeros: false } => {
                let text = format!(
                    "{what}: {} receives one, but its backward pass adds nothing to that of the parameter; test a layer of your own with `gradcheck`, and remove what has no use",
                    called(plan, path)
                );
                AuditFinding::new(Fault::NoGradient, text).of_layer(path)
            }
            Self::Loss => AuditFinding::new(
                Fault::NoGradient,
                format!(
                    "{what}: the loss has none for any sample; look at the outputs and at the targets, or choose another loss"
                ),
            ),
        }
    }
}

/// Whether more of these units are dead than by chance. Where samples vary little, what a unit is given has one sign for all of them,
/// which initial weights make negative as likely as positive: half of the units are dead then, give or take. Two standard deviations of
/// that number, `√count`, are left to chance.
fn are_mostly_dead(dead: usize, count: usize) -> bool {
    dead as f64 > 0.5 * count as f64 + (count as f64).sqrt()
}

/// The layers of which more units than by chance have had no gradient in every pass, but for those whose parameters have none at all. Of fewer
/// than five units chance explains all.
pub(crate) fn dead_units(plan: &Plan, zero: &ZeroGradients, seen: &SeenLayers) -> Vec<AuditFinding> {
    let mut findings: Vec<AuditFinding> = Vec::new();
    for ((entry, units), &whole) in plan.entries().iter().zip(&zero.units).zip(&zero.whole) {
        let count = units.len();
        let dead = units.iter().filter(|unit| **unit).count();
        let path = entry.name.rsplit_once('.').map_or("", |(path, _)| path);
        let known = findings.iter().any(|finding| finding.layer.as_deref() == Some(path));
        if whole || known || !are_mostly_dead(dead, count) {
            continue;
        }
        let after = seen.leaves().skip_while(|leaf| !is_within(path, &leaf.path)).nth(1);
        let by = after.map_or(String::new(), |leaf| {
            format!(", since {} is flat where they are", called(plan, &leaf.path))
        });
        let text = format!(
            "{dead} of {count} units of {} are dead: they get no gradient from any sample{by}; lower the learning rate, scale the inputs, begin with smaller weights and biases, or use LeakyRelu",
            called(plan, path)
        );
        findings.push(AuditFinding::new(Fault::DeadUnits, text).of_layer(path));
    }
    findings
}

/// The layer that turned something finite into something that is not, in the forward pass or else in the backward pass.
pub(crate) fn spoiled(plan: &Plan, seen: &SeenLayers) -> Option<AuditFinding> {
    let output = seen.outputs.iter().find(|output| output.spoils);
    let (path, what) = match output {
        Some(output) => (&output.path, "returns a value that is not finite, of finite inputs"),
        None => {
            let gradient = seen.gradients.iter().find(|gradient| gradient.spoils)?;
            (&gradient.path, "makes a gradient that is not finite of a finite one")
        }
    };
    let text = format!(
        "{} {what}: look for a logarithm, a root or a quotient at 0, and for an exponential of large values; keep its inputs away from there, or lower the learning rate if that came with the training",
        called(plan, path)
    );
    Some(AuditFinding::new(Fault::NotFinite, text).of_layer(path))
}
