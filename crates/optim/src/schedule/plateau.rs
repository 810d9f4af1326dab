use chainrule_core::{Range, describe, setting_words};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Whether a lower or a higher value is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Lower, as of a loss.
    Min,
    /// Higher, as of an accuracy.
    Max,
}

setting_words! { Better { Min = "min", Max = "max" } }

/// What a threshold of an improvement is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// A part of the best value.
    Relative,
    /// The value's own unit.
    Absolute,
}

setting_words! { Threshold { Relative = "rel", Absolute = "abs" } }

/// The rate is multiplied by a factor when a quantity has not improved for some epochs (PyTorch's `ReduceLROnPlateau`).
///
/// The quantity is the loss or a metric, of the validation where there is one, else of the training; it is looked at after each epoch.
/// It has improved if it is below `best (1 - threshold)`, or above `best (1 + threshold)` for `max`; in the mode `abs` the threshold is
/// subtracted or added. After more than `patience` epochs without an improvement the rate is reduced, but not below `min_lr` and not by
/// less than `eps`, and for `cooldown` epochs nothing is counted.
///
/// How often it was reduced is part of the state of a training, and of its checkpoints: [`Plateau`].
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    factor: f64,
    patience: u64,
    mode: Better,
    monitor: String,
    threshold: f64,
    threshold_mode: Threshold,
    cooldown: u64,
    min_rate: f64,
    eps: f64,
    rate: Option<f64>,
}

describe! {
    /// The rate is multiplied by a factor when a loss or a metric has not improved for some epochs.
    ReduceOnPlateau = "reduce_on_plateau";
    aliases ["ReduceLROnPlateau", "plateau"];
    formula "η ← max(factor η, min_lr)";
    source "PyTorch's ReduceLROnPlateau";
    settings {
        /// The factor of a reduction.
        factor: 0.1, Range::FRACTION;
        /// The number of epochs without an improvement that are tolerated.
        patience: 10, Range::NOT_NEGATIVE;
        /// Whether a lower value is better, min, or a higher one, max.
        mode: min;
        /// What is looked at: loss, or the name of a metric of the trainer.
        monitor: loss;
        /// By how much a value has to be better to count as an improvement.
        threshold ("min_delta"): 0.0001, Range::NOT_NEGATIVE;
        /// Whether the threshold is a part of the best value, rel, or in its unit, abs.
        threshold_mode: rel;
        /// The number of epochs after a reduction in which nothing is counted.
        cooldown: 0, Range::NOT_NEGATIVE;
        /// The rate below which it is not reduced.
        min_rate as "min_lr": 0.0, Range::NOT_NEGATIVE;
        /// A reduction by less than this is not made.
        eps: 0.00000001, Range::NOT_NEGATIVE;
        /// The first rate; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr"): none, Range::NOT_NEGATIVE;
    }
    presets { keras { patience = 9, threshold_mode = abs, eps = 0.0 } }
}

setters! { ReduceOnPlateau;
    /// The factor of a reduction; 0.1 by default.
    factor(factor: f64) => factor = factor;
    /// The number of epochs without an improvement that are tolerated; 10 by default.
    patience(epochs: u64) => patience = epochs;
    /// Looks at this metric, of which a lower or a higher value is better; at the loss by default.
    monitor(metric: &str, better: Better) => monitor = metric.to_owned(), mode = better;
    /// By how much a value has to be better to count as an improvement; a part of 1e-4 of the best by default.
    threshold(threshold: f64, mode: Threshold) => threshold = threshold, threshold_mode = mode;
    /// The number of epochs after a reduction in which nothing is counted; 0 by default.
    cooldown(epochs: u64) => cooldown = epochs;
    /// The rate below which it is not reduced; 0 by default.
    min_rate(rate: f64) => min_rate = rate;
    /// The least reduction; 1e-8 by default.
    eps(eps: f64) => eps = eps;
}

impl ReduceOnPlateau {
    /// From this rate, or the optimizer's for `None`.
    pub fn new(rate: impl Into<Option<f64>>) -> Self {
        Self {
            factor: 0.1,
            patience: 10,
            mode: Better::Min,
            monitor: "loss".to_owned(),
            threshold: 1e-4,
            threshold_mode: Threshold::Relative,
            cooldown: 0,
            min_rate: 0.0,
            eps: 1e-8,
            rate: rate.into(),
        }
    }

    /// What it looks at: `"loss"`, or the name of a metric.
    pub fn monitored(&self) -> &str {
        &self.monitor
    }

    /// The same with the rate of an optimizer, whatever that is.
    #[must_use]
    pub fn without_rate(&self) -> Self {
        Self { rate: None, ..self.clone() }
    }

    /// Takes note of the value of an epoch.
    pub fn observe(&self, plateau: &mut Plateau, value: f64) {
        let worst = match self.mode {
            Better::Min => f64::INFINITY,
            Better::Max => f64::NEG_INFINITY,
        };
        if self.improves(value, plateau.best.unwrap_or(worst)) {
            plateau.best = Some(value);
            plateau.bad_epochs = 0;
        } else {
            plateau.bad_epochs += 1;
        }
        if plateau.cooldown > 0 {
            plateau.cooldown -= 1;
            plateau.bad_epochs = 0;
        }
        if plateau.bad_epochs > self.patience {
            plateau.reductions = plateau.reductions.saturating_add(1);
            plateau.cooldown = self.cooldown;
            plateau.bad_epochs = 0;
        }
    }

    fn improves(&self, value: f64, best: f64) -> bool {
        let threshold = self.threshold;
        match (self.mode, self.threshold_mode) {
            (Better::Min, Threshold::Relative) => value < best * (1.0 - threshold),
            (Better::Min, Threshold::Absolute) => value < best - threshold,
            (Better::Max, Threshold::Relative) => value > best * (1.0 + threshold),
            (Better::Max, Threshold::Absolute) => value > best + threshold,
        }
    }
}

/// What a training remembers for [`ReduceOnPlateau`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plateau {
    /// The best value so far.
    pub best: Option<f64>,
    /// The number of epochs since then, or since the last reduction.
    pub bad_epochs: u64,
    /// For how many more epochs nothing is counted.
    pub cooldown: u64,
    /// How often the rate was reduced.
    pub reductions: u32,
}

impl Schedule for ReduceOnPlateau {
    fn rate(&self, step: Step) -> f64 {
        let mut rate = self.rate.unwrap_or(f64::NAN);
        for _ in 0..step.run.reductions {
            let reduced = (rate * self.factor).max(self.min_rate);
            if rate - reduced > self.eps {
                rate = reduced;
            } else {
                break;
            }
        }
        rate
    }

    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        Some(self)
    }

    described_schedule!();
}
