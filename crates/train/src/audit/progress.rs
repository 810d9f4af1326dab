//! How the losses and the parameters of a training move in its first steps.

use chainrule_core::{ParamKind, Plan};
use chainrule_tensor::Real;

/// How many values of each parameter are followed.
const VALUES: usize = 64;

/// For how many steps the change of each is measured.
const SINGLE: usize = 10;

/// The number of the last losses whose mean is where the loss is.
const LAST: usize = 20;

/// Some values of the weights that are trained.
#[derive(Clone, Debug)]
struct Followed {
    /// Their indices in the flat parameters.
    indices: Vec<usize>,
    /// Before the first step.
    first: Vec<f64>,
    /// After the last one that was measured.
    last: Vec<f64>,
}

/// The losses and changes of a training so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    weights: Vec<Followed>,
    /// The loss before the first step, over some samples.
    pub(crate) initial: Option<f64>,
    losses: Vec<f64>,
    /// By how much a weight changed in one of the first steps at most, relative to its size: the median over the weights.
    pub(crate) largest_change: f64,
    /// The rates of the steps.
    rates: Vec<f64>,
}

impl Progress {
    /// Begins, before the first step. Weights that are 0 throughout are not followed.
    pub(crate) fn new<T: Real>(plan: &Plan, parameters: &[T]) -> Self {
        let weights = plan.entries().iter().filter(|entry| entry.kind == ParamKind::Weight);
        let followed = weights.filter_map(|entry| {
            let step = entry.range.len().div_ceil(VALUES).max(1);
            let indices: Vec<usize> = entry.range.clone().step_by(step).collect();
            let first = read(parameters, &indices);
            let is_zero = first.iter().all(|&value| value == 0.0);
            (!is_zero).then(|| Followed { indices, last: first.clone(), first })
        });
        Self { weights: followed.collect(), ..Self::default() }
    }

    /// A step was taken, of a batch with this loss.
    pub(crate) fn step<T: Real>(&mut self, parameters: &[T], loss: f64, rate: Option<f64>) {
        self.losses.push(loss);
        self.rates.extend(rate);
        if self.losses.len() > SINGLE {
            return;
        }
        let changes = self.weights.iter_mut().map(|weight| {
            let now = read(parameters, &weight.indices);
            let change = distance(&now, &weight.last) / norm(&weight.last).max(f64::MIN_POSITIVE);
            weight.last = now;
            change
        });
        self.largest_change = self.largest_change.max(median(changes.collect()));
    }

    /// How far the weights have come since the beginning, relative to their size: the maximum over the weights. `None` where none is
    /// followed.
    pub(crate) fn distance<T: Real>(&self, parameters: &[T]) -> Option<f64> {
        let distances = self
            .weights
            .iter()
            .map(|weight| distance(&read(parameters, &weight.indices), &weight.first) / norm(&weight.first));
        distances.reduce(f64::max)
    }

    /// The number of steps.
    pub(crate) fn steps(&self) -> usize {
        self.losses.len()
    }

    /// The mean of the last losses.
    pub(crate) fn loss(&self) -> Option<f64> {
        let last = &self.losses[self.losses.len().saturating_sub(LAST)..];
        (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64)
    }

    /// The sum of the rates of all steps; `None` if the optimizer has no rate.
    pub(crate) fn rates(&self) -> Option<f64> {
        (!self.rates.is_empty()).then(|| self.rates.iter().sum())
    }
}

fn read<T: Real>(parameters: &[T], indices: &[usize]) -> Vec<f64> {
    indices.iter().map(|&index| parameters[index].as_f64()).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// The lower median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}
