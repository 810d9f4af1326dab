//! Stopping when nothing improves any more.

use std::ops::ControlFlow;

use chainrule_optim::schedule::Better;
use chainrule_tensor::Real;

use super::monitor::{Monitor, scores_of};
use crate::model::encoding::{decode, encode, encoded};
use crate::trainer::{Callback, Event, Snapshot, TrainerView};

/// Stops a training when a loss or a metric has not improved for some validations, as Keras' `EarlyStopping` does.
///
/// It looks at the validation where there is one, else at the training, after each epoch, and also at validations in the middle of one
/// ([`Fit::validate_every`](crate::Fit::validate_every)). A value has improved if it is better than the best so far by more than
/// `min_delta`; a value that is not a number, or undefined, has not. The training stops after `patience` validations in a row without an
/// improvement: with 0 as well as with 1, after the first.
///
/// With [`restore_best`](Self::restore_best), the weights of the best validation come back when the training ends, however it does: after
/// the last epoch, when this or another callback stops it, and on an error. So to go on where it was, resume a checkpoint:
/// [`Checkpoints`](super::Checkpoints) writes the last one before the weights come back.
///
/// A training that is resumed stops as one that was not interrupted, at once if it had stopped already. Another call of
/// [`fit`](crate::Trainer::fit) after the training was over begins anew.
#[derive(Debug)]
pub struct EarlyStopping<T: Real> {
    monitor: Monitor,
    min_delta: f64,
    patience: u64,
    baseline: Option<f64>,
    start_from: u64,
    restore_best: bool,
    seen: StoppingState,
    weights: Option<Snapshot<T>>,
    /// Whether the training is over, so that the next one is another.
    over: bool,
}

encoded! {
    /// What it has seen so far.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct StoppingState {
        /// The number of validations.
        count: u64,
        /// The best value.
        best: Option<f64>,
        /// The number of validations since then.
        wait: u64,
        /// Whether it has stopped the training.
        stopped: bool,
    }

    /// What a checkpoint holds of it.
    struct Saved {
        seen: StoppingState,
        weights: Option<Vec<u8>>,
    }
}

/// What to do after a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    /// Whether the weights are the best so far.
    keep: bool,
    stop: bool,
}

impl<T: Real> EarlyStopping<T> {
    /// Stops after this many validations in a row in which the loss has not improved.
    pub fn new(patience: u64) -> Self {
        Self {
            monitor: Monitor::loss(),
            min_delta: 0.0,
            patience,
            baseline: None,
            start_from: 0,
            restore_best: false,
            seen: StoppingState::default(),
            weights: None,
            over: false,
        }
    }

    /// Looks at this metric, of which a lower or a higher value is better; at the loss by default.
    #[must_use]
    pub fn monitor(self, metric: &str, better: Better) -> Self {
        Self { monitor: Monitor::new(metric, better), ..self }
    }

    /// By how much a value has to be better to count as an improvement; 0 by default. The sign does not matter.
    #[must_use]
    pub fn min_delta(self, min_delta: f64) -> Self {
        Self { min_delta: min_delta.abs(), ..self }
    }

    /// A value that has to be reached: improvements below it do not count. There is none by default.
    #[must_use]
    pub fn baseline(self, baseline: f64) -> Self {
        Self { baseline: Some(baseline), ..self }
    }

    /// The number of validations at the beginning that it does not look at; 0 by default.
    #[must_use]
    pub fn start_from(self, validations: u64) -> Self {
        Self { start_from: validations, ..self }
    }

    /// Brings the weights of the best validation back when the training ends. This takes memory for a copy of them.
    #[must_use]
    pub fn restore_best(self) -> Self {
        Self { restore_best: true, ..self }
    }

    fn decide(&mut self, value: f64) -> Decision {
        let Self { monitor, min_delta, patience, baseline, start_from, seen, weights, .. } = self;
        let index = seen.count;
        seen.count = seen.count.saturating_add(1);
        if index < *start_from {
            return Decision { keep: false, stop: false };
        }
        let improves = |than: Option<f64>| {
            than.map_or(!value.is_nan(), |than| monitor.is_better(value, than, *min_delta))
        };
        seen.wait = seen.wait.saturating_add(1);
        if improves(seen.best) {
            seen.best = Some(value);
            if improves(*baseline) {
                seen.wait = 0;
            }
            return Decision { keep: true, stop: false };
        }
        // Where none were the best, the first are as good as any.
        Decision { keep: weights.is_none(), stop: seen.wait >= *patience && index > 0 }
    }
}

impl<T: Real> Callback<T> for EarlyStopping<T> {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        match event {
            Event::Start { .. } => {
                self.monitor.check("EarlyStopping", training);
                if std::mem::take(&mut self.over) {
                    self.seen = StoppingState::default();
                    self.weights = None;
                }
                // It had stopped a training that was resumed from the checkpoint of its end.
                if self.seen.stopped {
                    return ControlFlow::Break(());
                }
            }
            Event::End { history, error } => {
                self.over = self.seen.stopped || error.is_none() && !history.stopped;
                if let Some(best) = &self.weights {
                    training.restore(best.clone());
                }
            }
            event => {
                let Some(scores) = scores_of(event) else { return ControlFlow::Continue(()) };
                let value = self.monitor.value(scores);
                let Decision { keep, stop } = self.decide(value);
                if keep && self.restore_best {
                    let weights = self.weights.get_or_insert_default();
                    if let Err(error) = training.snapshot(weights) {
                        training.fail(error);
                    }
                }
                if stop {
                    self.seen.stopped = true;
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn name(&self) -> &str {
        "early_stopping"
    }

    fn state(&self) -> Option<Vec<u8>> {
        let weights = self.weights.as_ref().map(Snapshot::to_bytes);
        Some(encode(&Saved { seen: self.seen.clone(), weights }))
    }

    fn restore(&mut self, state: &[u8]) -> Option<()> {
        let Saved { seen, weights } = decode(state).ok()?;
        self.weights = match weights {
            Some(bytes) if self.restore_best => Some(Snapshot::from_bytes(&bytes)?),
            _ => None,
        };
        self.seen = seen;
        Some(())
    }
}
