//! Why a step was not taken, and because of which samples.

use chainrule_core::Mode;
use chainrule_data::Samples;
use chainrule_tensor::{Buffer, Real, vector};

use super::error::TrainError;
use super::suspects::Suspects;
use super::{State, Trainer};
use crate::engine::careful::{Finding, Watched};
use crate::engine::pass::{Batch, Pass};
use crate::engine::range::largest_gradient;
use crate::engine::shard::Shard;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Checks the mean loss of a batch before anything is updated. The loss of each sample has to be finite, not only their
    /// mean.
    pub(super) fn check_loss(
        &self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
        loss: f64,
    ) -> Result<(), TrainError> {
        let mut losses = self.losses();
        if loss.is_finite() && losses.all(|&loss| is_loss_of::<T>(loss)) {
            return Ok(());
        }
        let mut suspects = self.samples_with_wild_inputs(data, batch);
        if suspects.samples.is_empty() {
            suspects = self.samples_with_wild_losses(batch);
        }
        let epoch = self.state.epoch;
        Err(TrainError::Diverged { epoch, batch: batch.index, loss, suspects })
    }

    /// The error of a batch whose step was undone.
    pub(super) fn refusal(
        &self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
        finding: Finding,
    ) -> TrainError {
        let Finding { watched, index, value } = finding;
        let mut suspects = self.samples_with_wild_inputs(data, batch);
        if suspects.samples.is_empty() && watched == Watched::Gradient {
            suspects = self.samples_with_wild_gradients(data, batch);
        }
        let entries = self.model.plan().entries();
        let parameter = entries.iter().find(|entry| entry.range.contains(&index));
        TrainError::NotFinite {
            epoch: self.state.epoch,
            batch: batch.index,
            quantity: watched.into(),
            parameter: parameter.map_or_else(String::new, |entry| entry.name.clone()),
            value,
            suspects,
        }
    }

    /// The loss of each row of the last pass, those of other processes included.
    fn losses(&self) -> impl Iterator<Item = &f64> {
        let State { shards, members, of_group, .. } = &self.state;
        let own = if members.is_none() { &shards[..] } else { &[] };
        let all = if members.is_some() { &of_group.losses[..] } else { &[] };
        own.iter().flat_map(|shard| shard.losses()).chain(all)
    }

    /// The samples with inputs that are not finite, or whose square is not.
    fn samples_with_wild_inputs(&self, data: &dyn Samples<T, Target = Y>, batch: Batch<'_>) -> Suspects {
        let mut row = vec![T::zero(); self.model.input().size()];
        Suspects::of(batch.samples, |_, sample| {
            data.read(sample, &mut row);
            let value = row.iter().find(|&&value| !within(value, largest_gradient()))?;
            Some(format!("an input of {value:e}"))
        })
    }

    /// The samples whose own loss is not finite.
    fn samples_with_wild_losses(&self, batch: Batch<'_>) -> Suspects {
        let mut losses = self.losses();
        Suspects::of(batch.samples, |_, _| {
            let loss = *losses.next()?;
            (!is_loss_of::<T>(loss)).then(|| format!("a loss of {loss:e}"))
        })
    }

    /// The samples whose own gradient is so large that, without it, the sum could be within its limit. Not for models whose
    /// samples depend on each other.
    fn samples_with_wild_gradients(&self, data: &dyn Samples<T, Target = Y>, batch: Batch<'_>) -> Suspects {
        let model = &self.model;
        let Some(grads) = Buffer::try_zeros(model.parameters().len()) else { return Suspects::default() };
        if model.plan().is_stateful() || model.plan().has_sums_over_batch() {
            return Suspects::default();
        }
        let pass = Pass {
            layers: model.layers(),
            params: model.parameters(),
            loss: &*self.loss,
            data,
            samples: batch.samples,
            mode: Mode::Train { seed: self.seed_of_step(), first_row: 0 },
            deferred: false,
            sparse: false,
            finite: false,
            of_shards: &[],
        };
        let mut alone = Shard::new(model.cache(), grads, model.input().size(), model.output().size());
        let limit = largest_gradient::<T>() / T::of(batch.samples.len() as f64);
        Suspects::of(batch.samples, |row, _| {
            alone.gather(&pass, row..row + 1);
            // The gradient as in a batch of this sample alone.
            alone.run(&pass, row..row + 1, 1.0 / batch.samples.len() as f64);
            let trained = model.plan().entries().iter().filter(|entry| entry.kind.is_trained());
            let mut largest = trained.map(|entry| vector::largest(&alone.grads[entry.range.clone()]));
            let largest = largest.find(|&largest| !within(largest, limit))?;
            Some(format!("a gradient of {largest:e}"))
        })
    }
}

/// Whether a number is one that a loss can have in the range of `T`.
fn is_loss_of<T: Real>(loss: f64) -> bool {
    T::of(loss).is_finite()
}

/// Whether a value is within a limit, which NaN is not.
fn within<T: Real>(value: T, limit: T) -> bool {
    value.abs() <= limit
}
