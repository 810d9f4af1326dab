//! The audit of a training: what it looks at, and when.
//!
//! It runs passes of its own over a few samples, in the memory of the first shard and between two steps, where nothing of the last step
//! is needed any more. So it changes no bit of the training.

use chainrule_core::Mode;
use chainrule_data::{Batches, Samples};
use chainrule_losses::{LossPass, Scope};
use chainrule_optim::Step;
use chainrule_tensor::{Buffer, Real};
use ndarray::{Array2, Axis};

use super::error::TrainError;
use super::fit::Fit;
use super::forward::{Forward, Passes};
use super::overlap::{TrainedSamples, fingerprint};
use super::view::Watchable;
use super::warning::TrainWarning;
use super::{State, Trainer, address};
use crate::audit::auditor::Auditor;
use crate::audit::gradients::{self, ZeroGradients};
use crate::audit::inputs::{self, sized_layer};
use crate::audit::layers::{LookFor, SeenLayers, is_constant};
use crate::audit::outputs;
use crate::audit::progress::Progress;
use crate::audit::rate::{self, Outcome};
use crate::audit::{Audit, AuditFinding, Fault, relation, targets};
use crate::engine::pass::Batch;
use crate::engine::shard::Shard;
use crate::model::model::Model;

/// The most samples of a look at the layers, and the least if there are so many.
const ROWS: [usize; 2] = [16, 64];

/// The number of samples whose targets are looked at.
const TARGETS: usize = 256;

/// At most so many values are read to compare a training with its validation before it begins.
const COMPARED: usize = 1 << 24;

/// The number of columns of samples, and of what a loss knows of targets, that are looked at for a relation.
const COLUMNS: [usize; 2] = [512, 64];

/// The number of steps after which it can be said that the targets have nothing to do with the inputs.
const ENOUGH_STEPS: usize = 10;

/// The number of samples from which it can be said whether a model predicts them.
const PREDICTED: usize = 16;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Looks for what keeps the training from learning, before its first step and during the first 100, or as many as [`Audit::steps`]
    /// says: `trainer.audit(Audit::default())`.
    ///
    /// What it finds is a [warning](TrainWarning::Audit) that names the fault, the layer if it is one, and the remedy, and also in
    /// [`findings`](Self::findings):
    ///
    /// - parameters without a gradient, and the layer that cut it; values and gradients that are not finite, and where they came from
    /// - layers most of whose units are dead, and an output that does not depend on the input
    /// - a last layer such as a softmax before a loss from logits, and outputs that are no probabilities before a loss that takes them
    /// - targets that are all the same, or have nothing to do with the inputs, as far as can be known
    /// - samples that are all the same, or whose values are much too large, too small or far from 0
    /// - a learning rate that is far too high or far too low
    /// - validation samples that are trained on ([`TrainWarning::SeenSamples`])
    ///
    /// It changes no bit of the training. In a training that was not begun by this trainer it does nothing.
    #[must_use]
    pub fn audit(self, audit: Audit) -> Self {
        Self { auditor: Some(Box::new(Auditor::new(audit))), ..self }
    }

    /// What the audit has found.
    pub fn findings(&self) -> impl Iterator<Item = &AuditFinding> {
        self.warnings().iter().filter_map(|warning| match warning {
            TrainWarning::Audit(finding) => Some(finding),
            _ => None,
        })
    }

    fn find(&mut self, finding: impl IntoIterator<Item = AuditFinding>) {
        finding.into_iter().for_each(|finding| self.warn(TrainWarning::Audit(finding)));
    }

    /// Looks at everything before the first step.
    pub(super) fn begin_audit(&mut self, data: &dyn Samples<T, Target = Y>, fit: &Fit<'_, T, Y>) {
        let fresh = self.state.step == 0 && self.state.position.samples == 0;
        let Some(mut auditor) = self.auditor.take_if(|auditor| auditor.is_waiting() && fresh) else { return };
        let plan = self.model.plan();
        auditor.begin(Progress::new(plan, self.model.parameters()));
        if !plan.entries().iter().any(|entry| entry.kind.is_trained()) {
            let text = "the model has no parameter that is trained: add a layer that has some, or take Frozen away from one";
            self.find([AuditFinding::new(Fault::NothingTrained, text)]);
        }
        auditor.targets_differ = self.look_at_targets(data);
        if let Some(validation) = fit.validation {
            self.compare_before(data, validation);
        }
        self.look(data, &mut auditor);
        self.auditor = Some(auditor);
    }

    /// Takes part in a step that was taken, with this loss.
    #[inline]
    pub(super) fn audit_step(&mut self, data: &dyn Samples<T, Target = Y>, batches: &Batches, loss: f64) {
        if self.auditor.as_ref().is_some_and(|auditor| auditor.is_running()) {
            self.audit_running_step(data, batches, loss);
        }
    }

    fn audit_running_step(&mut self, data: &dyn Samples<T, Target = Y>, batches: &Batches, loss: f64) {
        let Some(mut auditor) = self.auditor.take() else { return };
        let rate = self.rate();
        auditor.progress.step(self.model.parameters(), loss, rate);
        if auditor.wants_look() {
            self.look(data, &mut auditor);
        }
        // In the first epoch, the samples of the batches to come are new to the model.
        let rest = batches.rest(self.samples_done());
        if self.state.epoch == 0 && (auditor.is_complete() || rest.len() == 1) {
            let rows: Vec<u32> = rest.flatten().copied().take(ROWS[1]).collect();
            auditor.predicts = self.predicts(data, &rows);
        }
        if auditor.is_complete() {
            self.conclude(data, &mut auditor);
        }
        self.auditor = Some(auditor);
    }

    /// The training ends.
    pub(super) fn end_audit(&mut self, data: &dyn Samples<T, Target = Y>) {
        let Some(mut auditor) = self.auditor.take_if(|auditor| auditor.is_running()) else { return };
        if !auditor.has_looked() {
            self.look(data, &mut auditor);
        }
        self.conclude(data, &mut auditor);
        self.auditor = Some(auditor);
    }

    /// A step was not taken because of this error, which ends the training.
    pub(super) fn audit_failure(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
        error: &TrainError,
    ) {
        let (TrainError::Diverged { suspects, .. } | TrainError::NotFinite { suspects, .. }) = error else {
            return;
        };
        let Some(mut auditor) = self.auditor.take_if(|auditor| auditor.is_running()) else { return };
        // Samples that are to blame are named by the error.
        if suspects.samples.is_empty()
            || suspects.reason.contains("gradient")
            || suspects.reason.contains("loss")
        {
            let outcome = Outcome { diverged: true, ..self.outcome(&auditor) };
            match rate::wrong(&auditor.progress, outcome) {
                Some(finding) => self.find([finding]),
                None => {
                    let finding = self.spoiled(data, batch);
                    self.find(finding);
                }
            }
        }
        auditor.end();
        self.auditor = Some(auditor);
    }

    /// Says what was found, and ends the audit.
    fn conclude(&mut self, data: &dyn Samples<T, Target = Y>, auditor: &mut Auditor) {
        let mut findings = auditor.findings(self.model.plan(), self.outcome(auditor));
        // Where samples vary little, most units are dead without being missed.
        let is_dead = |finding: &AuditFinding| finding.fault == Fault::DeadUnits;
        if findings.iter().any(is_dead) && self.has_learnt(data) {
            findings.retain(|finding| !is_dead(finding));
        }
        let steps = auditor.progress.steps();
        // A model that cannot learn says nothing of its targets.
        let unknown = auditor.differ && auditor.targets_differ && auditor.predicts != Some(true);
        if findings.is_empty() && unknown && steps >= ENOUGH_STEPS {
            let finding = self.unrelated(data);
            self.find(finding);
        }
        self.find(findings);
        auditor.end();
    }

    /// What is known of the rates of the whole training.
    fn outcome(&self, auditor: &Auditor) -> Outcome {
        /// At how many steps the schedule is looked at.
        const POINTS: u64 = 64;
        let run = self.state.run;
        let planned = run.steps.unwrap_or(self.state.step).max(1);
        let points: Vec<u64> = (0..POINTS).map(|point| planned * point / POINTS).collect();
        let mut rates: Option<Vec<f64>> = None;
        self.optimizer.schedules(&mut |schedule| {
            let rate = |&index| schedule.rate(Step { index, run });
            rates.get_or_insert_with(|| points.iter().map(rate).collect());
        });
        let steps = auditor.progress.steps().max(1) as f64;
        let times = match (&rates, auditor.progress.rates()) {
            (Some(rates), Some(so_far)) if so_far > 0.0 => {
                rates.iter().sum::<f64>() / POINTS as f64 * planned as f64 / so_far
            }
            _ => planned as f64 / steps,
        };
        let highest = rates.map(|rates| rates.into_iter().fold(0.0, f64::max));
        let distance = auditor.progress.distance(self.model.parameters());
        Outcome { collapsed: false, diverged: false, distance, times, planned, highest }
    }

    /// Whether the targets differ, as far as the loss sees them; says so if not. `false` also if that cannot be known.
    fn look_at_targets(&mut self, data: &dyn Samples<T, Target = Y>) -> bool {
        if size_of::<Y>() == 0 || self.loss.scope() == Scope::Batch || data.len() < 2 {
            return false;
        }
        let columns = self.model.output().size();
        let mut row = vec![T::zero(); self.model.input().size()];
        let mut seen_of = |samples: &[usize]| {
            let targets: Vec<Y> = samples.iter().map(|&sample| data.read(sample, &mut row)).collect();
            targets::seen_by(&*self.loss, columns, &targets)
        };
        let Some(seen) = seen_of(&spread(data.len(), TARGETS, 0.0)) else { return false };
        if !targets::are_constant(&seen) {
            return true;
        }
        // One that is rare may be among the others.
        let all: Vec<usize> = (0..data.len()).collect();
        let first = seen.row(0).to_owned();
        let same = |samples: &[usize]| {
            seen_of(samples).is_none_or(|seen| targets::are_constant(&seen) && seen.row(0) == first)
        };
        if !all.chunks(TARGETS).all(same) {
            return true;
        }
        self.find([targets::constant(data.len())]);
        false
    }

    /// Compares training and validation samples, before the first step.
    fn compare_before(&mut self, data: &dyn Samples<T, Target = Y>, validation: &dyn Samples<T, Target = Y>) {
        let mut row = vec![T::zero(); self.model.input().size()];
        let few = |len: usize| len.min(1024.max(4 * len.isqrt()));
        if (few(data.len()) + few(validation.len())).saturating_mul(row.len()) > COMPARED {
            return;
        }
        let mut trained = TrainedSamples::default();
        trained.start(data.len(), address(data));
        let wanted = trained.wanted(data.len(), data.len());
        for sample in (0..data.len()).filter(|&sample| wanted.contains(sample)) {
            data.read(sample, &mut row);
            trained.remember(fingerprint([&row[..]]));
        }
        self.compare_samples(validation, &mut trained);
    }

    /// Warns if these samples were trained on, as an evaluation by this trainer does, where another one evaluates them.
    ///
    /// It compares some of them, and says nothing before a training, of the training data itself, or where several processes train.
    pub fn warn_if_seen(&mut self, data: &dyn Samples<T, Target = Y>) {
        if self.state.members.is_some() || self.model.input() != data.shape() {
            return;
        }
        let mut trained = std::mem::take(&mut self.state.trained);
        self.compare_samples(data, &mut trained);
        self.state.trained = trained;
    }

    /// Warns if these samples are among those that were trained on.
    fn compare_samples(&mut self, data: &dyn Samples<T, Target = Y>, trained: &mut TrainedSamples) {
        let Some(mut comparison) = trained.compare(data.len(), address(data)) else { return };
        let mut row = vec![T::zero(); self.model.input().size()];
        for sample in 0..data.len() {
            if comparison.wants(sample) {
                data.read(sample, &mut row);
                comparison.add(fingerprint([&row[..]]), trained);
            }
        }
        if comparison.overlaps(trained) {
            self.warn(TrainWarning::SeenSamples { trained: trained.len(), evaluated: data.len() });
        }
    }

    /// Looks at what the layers compute for some samples, and before the first step at the samples and outputs as well.
    fn look(&mut self, data: &dyn Samples<T, Target = Y>, auditor: &mut Auditor) {
        let steps = auditor.progress.steps();
        let rows = self.rows_of_look(data.len());
        if rows < 2 {
            return;
        }
        let samples = samples_spread(data.len(), rows, steps as u64);
        let sized = if steps == 0 { sized_layer(self.model.plan()) } else { None };
        let wanted = LookFor { sized: sized.clone(), finite: false };
        let Some((evaluation, loss)) = self.watched(data, &samples, Mode::Eval, wanted) else { return };
        if steps == 0 {
            auditor.progress.initial = Some(loss);
            let [shard, ..] = &*self.state.shards else { return };
            let plan = self.model.plan();
            auditor.differ = !is_constant(shard.inputs());
            let mut found = Vec::new();
            found.extend((!auditor.differ).then(|| inputs::all_the_same(rows)));
            let inputs = self.model.input().size();
            let sizes = sized.zip(evaluation.sizes.as_ref());
            found.extend(sizes.and_then(|(path, sizes)| inputs::unscaled(plan, &path, sizes, inputs)));
            found.extend(outputs::unsuited(plan, &evaluation, self.loss.outputs(), shard.outputs()));
            self.find(found);
        }
        let mode = self.mode_of_step(0);
        let training = self.watched(data, &samples, mode, LookFor::default()).and_then(|(seen, _)| {
            let shard = self.state.shards.first()?;
            Some((seen, ZeroGradients::of(self.model.plan(), &shard.grads)))
        });
        auditor.look(&evaluation, training);
    }

    /// How many samples a look takes: no more than a shard has in the training, unless those are very few.
    pub(super) fn rows_of_look(&self, samples: usize) -> usize {
        let of_shard = self.rows_of_pass().div_ceil(self.state.shards.len().max(1));
        of_shard.clamp(ROWS[0], ROWS[1]).min(samples)
    }

    /// Runs a pass over these samples in the first shard; returns what its layers computed, and its loss. `None` if it cannot be run,
    /// of which the training itself will say why.
    pub(super) fn watched(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        samples: &[u32],
        mode: Mode,
        wanted: LookFor,
    ) -> Option<(SeenLayers, f64)> {
        let (seen, loss) =
            self.pass_aside(data, samples, mode, |pass| SeenLayers::watch::<T, _>(wanted, pass))?;
        Some((seen, loss?))
    }

    /// Runs a pass over these samples in the [shard for that](State::shard_aside) as `run` does; returns what that returns of the loss, which is
    /// `None` if the pass cannot be run.
    pub(super) fn pass_aside<R>(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        samples: &[u32],
        mode: Mode,
        run: impl FnOnce(&mut dyn FnMut() -> Option<f64>) -> R,
    ) -> Option<R> {
        let stateful = self.model.plan().is_stateful();
        if self.state.members.is_some() && self.state.aside.is_empty() {
            let Model { input, output, parameters, .. } = &self.model;
            let grads = Buffer::try_zeros(parameters.len())?;
            let shard = Shard::new(self.model.cache(), grads, input.size(), output.size());
            self.state.aside.push(shard);
        }
        let State { shards, aside, buckets, whole_batch, of_group, .. } = &mut self.state;
        let shards = if aside.is_empty() { shards } else { aside }.get_mut(..1)?;
        let kept = stateful.then(|| shards[0].exchange_cache(self.model.cache()));
        let forward = Forward {
            layers: &self.model.layers,
            loss: &*self.loss,
            metrics: &[],
            columns: self.model.output.size(),
            deferred: false,
            sparse: false,
            sparse_samples: false,
            finite: false,
            data,
            batch: Batch { index: 0, samples, next: &[] },
            mode,
            threads: 1,
            members: None,
        };
        let shards = &mut *shards;
        let passes = Passes { shards, split_k: &mut None, buckets, exchanges: None, whole_batch, of_group };
        let parameters = &self.model.parameters;
        let mut pass = Some((forward, passes));
        let result = run(&mut || {
            let (forward, passes) = pass.take()?;
            Some(forward.run(parameters, passes).ok()?.objective)
        });
        if let Some(kept) = kept {
            shards[0].exchange_cache(kept);
        }
        Some(result)
    }

    /// The layer in which the samples of a batch first lead to something that is not finite.
    fn spoiled(&mut self, data: &dyn Samples<T, Target = Y>, batch: Batch<'_>) -> Option<AuditFinding> {
        let rows = self.rows_of_look(batch.samples.len()).max(1);
        let mode = self.mode_of_step(0);
        batch.samples.chunks(rows).find_map(|samples| {
            let wanted = LookFor { sized: None, finite: true };
            let (seen, _) = self.watched(data, samples, mode, wanted)?;
            gradients::spoiled(self.model.plan(), &seen)
        })
    }

    /// Whether the outputs for these samples suit their own targets better than those of others; `None` if they are too few.
    fn predicts(&mut self, data: &dyn Samples<T, Target = Y>, samples: &[u32]) -> Option<bool> {
        let (own, others) = self.own_and_other_losses(data, samples)?;
        let gains: Vec<f64> = own.iter().zip(&others).map(|(own, others)| others - own).collect();
        let count = gains.len() as f64;
        let mean = gains.iter().sum::<f64>() / count;
        let variance = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Some(mean > 3.0 * (variance / count).sqrt())
    }

    /// Whether the inputs already tell the model most of what the loss asks for: of the loss that its outputs have with the targets of
    /// other samples, more than half is gone with their own. Of a mean squared error that is an R² above 1/3. `false` if that cannot be
    /// known.
    fn has_learnt(&mut self, data: &dyn Samples<T, Target = Y>) -> bool {
        if data.len() < 2 {
            return false;
        }
        // At random, since samples may be in the order of their targets.
        let mut rng = self.seed.child(2).rng();
        let samples: Vec<u32> = (0..ROWS[1]).map(|_| rng.below(data.len()) as u32).collect();
        let Some((own, others)) = self.own_and_other_losses(data, &samples) else { return false };
        let [own, others] = [own, others].map(|losses| losses.iter().sum::<f64>());
        // A loss that can be negative has no share that is gone.
        own >= 0.0 && own < 0.5 * others
    }

    /// The losses of the outputs for these samples with their own targets, and with those of others, as a mean; `None` if they are too
    /// few.
    fn own_and_other_losses(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        samples: &[u32],
    ) -> Option<(Vec<f64>, Vec<f64>)> {
        if samples.len() < PREDICTED || self.loss.scope() == Scope::Batch {
            return None;
        }
        self.watched(data, samples, Mode::Eval, LookFor::default())?;
        let shard = self.state.shards.first()?;
        let mut targets = shard.targets.clone();
        let mut scratch = Buffer::default();
        let mut losses_of = |targets: &[Y]| {
            let mut losses = vec![0.0; targets.len()];
            let y = shard.outputs();
            self.loss.rows(LossPass {
                y,
                targets,
                scale: 1.0,
                dy: None,
                losses: &mut losses,
                scratch: &mut scratch,
            });
            losses
        };
        let own = losses_of(&targets);
        let mut others = vec![0.0; own.len()];
        /// With how many other targets each output is compared.
        const OTHERS: usize = 7;
        for _ in 0..OTHERS {
            targets.rotate_left(2);
            for (mean, loss) in others.iter_mut().zip(losses_of(&targets)) {
                *mean += loss / OTHERS as f64;
            }
        }
        Some((own, others))
    }

    /// Whether the targets have nothing to do with the inputs, as far as can be known.
    fn unrelated(&self, data: &dyn Samples<T, Target = Y>) -> Option<AuditFinding> {
        if data.len() < relation::ENOUGH || inputs::are_ids(self.model.plan()) {
            return None;
        }
        let samples = spread(data.len(), TARGETS, 0.0);
        let mut row = vec![T::zero(); self.model.input().size()];
        let columns = strided(row.len(), COLUMNS[0]);
        let mut x = Array2::zeros((samples.len(), columns.len()));
        let mut of_samples = Vec::with_capacity(samples.len());
        for (&sample, mut to) in samples.iter().zip(x.rows_mut()) {
            of_samples.push(data.read(sample, &mut row));
            to.iter_mut().zip(&columns).for_each(|(to, &column)| *to = row[column].as_f64());
        }
        let seen = targets::seen_by(&*self.loss, self.model.output().size(), &of_samples)?;
        (!relation::are_related(x, some_columns(&seen))).then(|| targets::unrelated(samples.len()))
    }
}

/// So many samples for a look after this step, other ones each time.
pub(super) fn samples_spread(len: usize, rows: usize, step: u64) -> Vec<u32> {
    let offset = (step % 97) as f64 / 97.0;
    spread(len, rows, offset).into_iter().map(|sample| sample as u32).collect()
}

/// Up to `count` of `len` indices, spread over all of them, from a part of the distance between two on.
fn spread(len: usize, count: usize, offset: f64) -> Vec<usize> {
    let count = count.min(len);
    let index = |position: usize| ((position as f64 + offset) * len as f64 / count as f64) as usize;
    (0..count).map(|position| index(position).min(len - 1)).collect()
}

/// Some of the columns, at even distances.
fn some_columns(seen: &Array2<f64>) -> Array2<f64> {
    seen.select(Axis(1), &strided(seen.ncols(), COLUMNS[1]))
}

/// At most `most` of `len` columns, at even distances.
fn strided(len: usize, most: usize) -> Vec<usize> {
    (0..len).step_by(len.div_ceil(most).max(1)).collect()
}
