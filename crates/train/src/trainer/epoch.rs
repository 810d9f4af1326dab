//! An epoch of training, and an evaluation: batch after batch.
//!
//! Where a training is within its epoch is part of its state ([`EpochPosition`]): each step moves it on, and nothing else does.
//! So a training that stopped, whyever, goes on with the next batch.

use std::ops::ControlFlow;
use std::time::Instant;

use chainrule_core::Mode;
use chainrule_data::{Batches, Samples};
use chainrule_metrics::MetricValue;
use chainrule_tensor::{Real, vector};

use super::callback::Event;
use super::error::{TrainError, if_readable};
use super::fit::Fit;
use super::history::{EpochReport, History, Scores};
use super::overlap::{Comparison, fingerprint, sparse_fingerprint};
use super::tallies::{Counted, RunningMetrics, Tallies, Values};
use super::warning::TrainWarning;
use super::{State, Trainer, address};
use crate::engine::pass::Batch;
use crate::model::file::EpochPosition;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Trains on what is left of the current epoch, then validates. Breaks if a callback stops the training.
    pub(super) fn epoch(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        fit: &Fit<'_, T, Y>,
        batches: &mut Batches,
        history: &mut History,
    ) -> Result<ControlFlow<()>, TrainError> {
        let epoch = self.state.epoch;
        batches.epoch(epoch);
        data.enter_epoch(epoch);
        let flow = match self.enter_epoch(data.len())? {
            ControlFlow::Continue(()) => {
                self.state.entered = Some(Instant::now());
                if self.state.members.is_none() {
                    // Of several processes each reads some samples of every batch only.
                    data.announce(batches.order(self.samples_done()), self.batch_size);
                }
                let flow = self.steps(data, fit, batches, history);
                self.state.position.seconds = self.seconds();
                self.state.entered = None;
                flow?
            }
            stop => stop,
        };

        self.share_counts()?;
        let EpochPosition { samples, of, loss, seconds, .. } = self.state.position;
        let train = Scores { loss: loss / self.state.epoch_weight, metrics: self.metric_values() };
        let samples_done = samples as usize;
        let mut report = EpochReport { epoch, train, validation: None, seconds, samples: samples_done };
        if samples < of {
            history.unfinished = (samples > 0).then_some(report);
            return Ok(flow);
        }
        self.end_epoch();
        report.validation = fit
            .validation
            .map(|validation| {
                let scores = self.with_averaged(|this| this.validate(validation));
                if_readable(validation.failure(), scores)
            })
            .transpose()?;
        self.observe(&report)?;
        self.state.history.push(report.clone());
        let end = self.tell(&Event::EpochEnd(&report));
        history.epochs.push(report);
        let end = end?;
        Ok(if end.is_break() { end } else { flow })
    }

    /// Begins an epoch with `samples` samples, or goes on with one in which the training stopped.
    fn enter_epoch(&mut self, samples: usize) -> Result<ControlFlow<()>, TrainError> {
        let shards = self.state.shards.len();
        if self.state.position.samples > 0 {
            self.hand_out_carried_states();
            let State { position, tallies, .. } = &mut self.state;
            tallies.resize(&self.metrics, &self.metric_names, shards);
            tallies.restore(&self.metrics, &std::mem::take(&mut position.metrics));
            return Ok(ControlFlow::Continue(()));
        }
        self.state.position = EpochPosition { of: samples as u64, ..EpochPosition::default() };
        self.state.epoch_weight = 0.0;
        self.reset_states();
        self.state.tallies.begin(&self.metrics, &self.metric_names, shards);
        self.tell(&Event::Epoch { epoch: self.state.epoch })
    }

    /// Takes the steps that are left of the epoch, until a callback stops the training.
    fn steps(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        fit: &Fit<'_, T, Y>,
        batches: &Batches,
        history: &mut History,
    ) -> Result<ControlFlow<()>, TrainError> {
        let epoch = self.state.epoch;
        let mut rest = batches.rest(self.samples_done()).peekable();
        while let Some(samples) = rest.next() {
            let index = self.state.position.batches as usize;
            let next = rest.peek().copied().unwrap_or_default();
            self.optimizer.check_step(self.state.at())?;
            if self.tell_batch(&Event::Batch { epoch, batch: index })?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let loss = match self.step(data, Batch { index, samples, next }) {
                Ok(Some(loss)) => loss,
                Ok(None) => return Ok(ControlFlow::Break(())),
                Err(error) if data.failure().is_none() && self.may_skip(&error) => {
                    history.skipped += 1;
                    if self.skip(samples.len(), &error)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    continue;
                }
                Err(error) => {
                    self.audit_failure(data, Batch { index, samples, next: &[] }, &error);
                    return Err(error);
                }
            };
            self.state.skipped_in_a_row = 0;
            let State { tallies, shards, threads, epoch_weight, .. } = &mut self.state;
            tallies.count(shards, *threads);
            *epoch_weight += loss.weight;
            let position = &mut self.state.position;
            position.loss += loss.mean * loss.weight;
            position.samples += samples.len() as u64;
            position.batches += 1;
            if history.epochs.is_empty() && self.state.members.is_none() {
                self.remember();
            }
            let batch_loss = loss.mean;
            let scores = self.validate_within_epoch(fit)?;
            let told = self.tell_of(|this, tell| {
                let EpochPosition { samples, loss, .. } = this.state.position;
                let loss = loss / this.state.epoch_weight;
                let samples = samples as usize;
                let counted = Counted { metrics: &this.metrics, tallies: &this.state.tallies };
                let metrics = RunningMetrics::new(&counted);
                let validation = scores.as_ref();
                tell(&Event::Step { epoch, batch: index, samples, loss, batch_loss, metrics, validation });
            });
            if told?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.audit_step(data, batches, batch_loss);
            self.size_step(data);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether a step that was refused with this error may be left out.
    fn may_skip(&self, error: &TrainError) -> bool {
        let not_finite = matches!(error, TrainError::Diverged { .. } | TrainError::NotFinite { .. });
        not_finite && self.state.skipped_in_a_row < self.skip_nonfinite
    }

    /// Goes on after a step that was left out, unless a callback stops the training.
    fn skip(&mut self, samples: usize, error: &TrainError) -> Result<ControlFlow<()>, TrainError> {
        self.state.skipped_in_a_row += 1;
        self.state.skipped += 1;
        let position = &mut self.state.position;
        position.samples += samples as u64;
        position.batches += 1;
        self.tell(&Event::Skipped { error })
    }

    /// Validates the model after the last step, if it is time in the middle of this epoch.
    fn validate_within_epoch(&mut self, fit: &Fit<'_, T, Y>) -> Result<Option<Scores>, TrainError> {
        let EpochPosition { samples, batches, of, .. } = self.state.position;
        let Some(validation) = fit.validation else { return Ok(None) };
        if fit.validate_every == 0 || !batches.is_multiple_of(fit.validate_every) || samples >= of {
            return Ok(None);
        }
        let before = Instant::now();
        let kept = if self.model.plan().is_stateful() {
            let shards = self.state.shards.iter_mut();
            shards.map(|shard| shard.exchange_cache(self.model.cache())).collect()
        } else {
            Vec::new()
        };
        let scores = self.with_averaged(|this| this.validate(validation));
        for (shard, cache) in self.state.shards.iter_mut().zip(kept) {
            shard.exchange_cache(cache);
        }
        self.state.position.seconds -= before.elapsed().as_secs_f64();
        if_readable(validation.failure(), scores).map(Some)
    }

    /// How long the training of this epoch has taken so far.
    pub(super) fn seconds(&self) -> f64 {
        let State { position, entered, .. } = &self.state;
        position.seconds + entered.map_or(0.0, |entered| entered.elapsed().as_secs_f64())
    }

    /// Evaluates the model in batches as those of a training.
    pub(super) fn scores_of_batches(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
    ) -> Result<Scores, TrainError> {
        let mut batches = Batches::new(data.len(), self.batch_size, None)?;
        batches.epoch(0);
        self.reset_states();
        self.state.is_finite_in_evaluation = vector::largest(&self.model.parameters).is_finite();
        let mut tallies = Tallies::default();
        tallies.begin(&self.metrics, &self.metric_names, self.state.shards.len());
        let mut comparison = self.state.trained.compare(data.len(), address(data));
        let mut sum = 0.0;
        let mut weight = 0.0;
        for (index, samples) in batches.iter().enumerate() {
            let batch = Batch { index, samples, next: &[] };
            let loss = self.forward(data, batch, Mode::Eval, self.state.threads)?;
            tallies.count(&mut self.state.shards, self.state.threads);
            if let Some(comparison) = &mut comparison {
                self.compare(comparison, samples);
            }
            sum += loss.mean * loss.weight;
            weight += loss.weight;
        }
        self.warn_of_seen_samples(comparison, data.len());
        let metrics = Counted { metrics: &self.metrics, tallies: &tallies }.values();
        Ok(Scores { loss: sum / weight, metrics })
    }

    /// Runs an evaluation without a trace in the epoch in which the training stopped, if it did.
    pub(super) fn aside<R>(&mut self, evaluation: impl FnOnce(&mut Self) -> R) -> R {
        if self.samples_done() == 0 {
            return evaluation(self);
        }
        // The states that layers carry are in the shards.
        let stateful = self.model.plan().is_stateful();
        let shards = if stateful { std::mem::take(&mut self.state.shards) } else { Vec::new() };
        let result = evaluation(self);
        if stateful {
            self.state.shards = shards;
        }
        result
    }

    /// Resets the states that layers carry from batch to batch.
    pub(super) fn reset_states(&mut self) {
        if self.model.plan().is_stateful() {
            self.state.shards.iter_mut().for_each(|shard| shard.reset(self.model.cache()));
        }
    }

    /// Remembers some samples of the batch that was just trained on.
    fn remember(&mut self) {
        let done = self.samples_done();
        let State { shards, split_k, trained, .. } = &mut self.state;
        let batch = shards.iter().map(|shard| shard.inputs().nrows()).sum();
        let wanted = trained.wanted(batch, done);
        if wanted.is_empty() {
            return;
        }
        let mut row = 0;
        for shard in shards {
            let sparse = shard.sparse_samples();
            for (index, x) in shard.inputs().rows().into_iter().enumerate() {
                if wanted.contains(row) {
                    trained.remember(match (split_k.as_ref(), sparse) {
                        (_, Some((x, _))) => sparse_fingerprint(x.row(index)),
                        (Some(split_k), None) => fingerprint(split_k.sample(row)),
                        (None, None) => fingerprint(x.to_slice()),
                    });
                }
                row += 1;
            }
        }
    }

    /// Compares some of these samples, which were just evaluated.
    fn compare(&self, comparison: &mut Comparison, mut samples: &[u32]) {
        let State { shards, trained, .. } = &self.state;
        let mut found = Vec::new();
        for shard in shards {
            let (own, others) = samples.split_at(shard.inputs().nrows().min(samples.len()));
            comparison.fingerprints(shard, own, &mut found);
            samples = others;
        }
        found.into_iter().for_each(|fingerprint| comparison.add(fingerprint, trained));
    }

    /// Warns if that many samples of an evaluation, as far as they were compared, are those of the training.
    pub(super) fn warn_of_seen_samples(&mut self, comparison: Option<Comparison>, evaluated: usize) {
        if comparison.is_some_and(|comparison| comparison.overlaps(&self.state.trained)) {
            let trained = self.state.trained.len();
            self.warn(TrainWarning::SeenSamples { trained, evaluated });
        }
    }

    /// The name and the value of each metric in this epoch.
    pub(super) fn metric_values(&self) -> Vec<(String, MetricValue)> {
        Counted { metrics: &self.metrics, tallies: &self.state.tallies }.values()
    }

    /// What the metrics have counted in this epoch, by name.
    pub(super) fn metric_numbers(&self) -> Vec<(String, Vec<f64>)> {
        let State { position, tallies, .. } = &self.state;
        if position.metrics.is_empty() { tallies.numbers() } else { position.metrics.clone() }
    }
}
