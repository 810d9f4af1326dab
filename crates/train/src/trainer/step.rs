//! One step: the shards' forward and backward passes, and the descent.

use chainrule_core::{Layer, Mode};
use chainrule_data::Dataset;
use chainrule_tensor::Real;

use super::{Run, Trainer, WORTH_A_FORK};
use crate::TrainError;
use crate::ahead::Ahead;
use crate::descent::{Descent, Part, Region};
use crate::lead::Lead;
use crate::pieces;
use crate::rows::Ground;
use crate::shard::{self, Pass};

/// Which samples a step takes.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    /// Its number in the epoch.
    pub(super) index: usize,
    /// Of the whole batch.
    pub(super) samples: &'a [u32],
    /// Of the batch after it, in training.
    pub(super) next: &'a [u32],
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// One step of training; the mean loss of the batch before it.
    pub(super) fn step<D>(&mut self, data: &D, batch: Batch<'_>) -> Result<T, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        let seed = self.seed.child(1).child(self.run.step);
        let threads = if self.step_flops(batch.samples.len()) < WORTH_A_FORK { 1 } else { self.run.threads };
        let mode = Mode::Train { seed, first_row: 0 };
        let loss = self.forward(data, batch, mode, threads)?;
        let (optimizer, slots) = (&*self.optimizer, self.optimizer.slots());
        let ask = |sample: u32, columns| data.prefetch(sample as usize, columns);
        let ahead = Ahead { ask: &ask, samples: batch.next, columns: (0, self.model.input().size()) };
        let Run { shards, lead, state, total, scratch, pieces, step, .. } = &mut self.run;
        let (params, pieces) = (&mut self.model.parameters, pieces.of_step(shards));
        let mut descend = |part, total: &mut [T], ahead| {
            let ground = Ground { step: *step, optimizer, slots, offset: 0, params, state };
            let all = Region { pieces, ground, total };
            Descent { part, shards, lead: lead.as_ref(), ahead }.run(all, scratch, threads);
        };
        if optimizer.needs_all_gradients() {
            descend(Part::Sum, total, Ahead { samples: &[], ..ahead });
            optimizer.transform_all(*step, total);
            descend(Part::Update, total, ahead);
        } else {
            descend(Part::Both, &mut [], ahead);
        }
        *step += 1;
        Ok(loss)
    }

    /// Runs the shards of a batch, and adds their outputs to the metrics; the mean loss of the batch.
    pub(super) fn forward<D>(
        &mut self,
        data: &D,
        batch: Batch<'_>,
        mode: Mode,
        threads: usize,
    ) -> Result<T, TrainError>
    where
        D: Dataset<T, Target = Y>,
    {
        let pass = Pass {
            layers: self.model.layers(),
            params: self.model.parameters(),
            loss: &*self.loss,
            data,
            samples: batch.samples,
            mode,
            deferred: pieces::defers(self.model.plan()),
            sparse: pieces::sparse(&*self.optimizer),
        };
        let columns = self.model.output().size();
        let Run { shards, lead, .. } = &mut self.run;
        let (count, samples) = (shards.len(), batch.samples.len());
        let mut lead = lead.as_mut().filter(|_| mode != Mode::Eval);
        if let Some(Lead { parts, units, .. }) = &mut lead {
            each(parts, shards, 0, threads, &|position, part, shard| {
                part.run(&pass, shard::rows(samples, position, count), &mut shard.targets, *units);
                None::<TrainError>
            });
        }
        let lead = lead.as_deref();
        let failed = each(shards, &mut vec![(); count], 0, threads, &|position, shard, ()| {
            let rows = shard::rows(samples, position, count);
            if lead.is_none() {
                shard.gather(&pass, rows.clone());
            }
            // What was gathered is checked here, so that layers and losses need not.
            let sample = |row: usize| batch.samples.get(row).map_or(row, |&sample| sample as usize);
            if let Err(source) = pass.loss.check(columns, &shard.targets) {
                let source = source.after(rows.start);
                let sample = sample(source.row());
                return Some(TrainError::Target { batch: batch.index, sample, columns, source });
            }
            if let (None, Err(source)) = (lead, pass.layers.check(shard.inputs())) {
                let source = source.after(rows.start);
                let sample = sample(source.row());
                return Some(TrainError::Value { batch: batch.index, sample, source });
            }
            shard.run(&pass, rows, lead);
            None
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let mut loss = T::zero();
        for shard in &self.run.shards {
            loss += shard.loss;
            for metric in &mut self.metrics {
                metric.update(shard.outputs(), &shard.targets);
            }
        }
        Ok(loss)
    }
}

/// Calls `work` for each pair of the two slices, on up to `threads` threads; the first error by position.
fn each<A: Send, B: Send, E: Send>(
    a: &mut [A],
    b: &mut [B],
    position: usize,
    threads: usize,
    work: &(impl Fn(usize, &mut A, &mut B) -> Option<E> + Sync),
) -> Option<E> {
    if threads < 2 || a.len() < 2 {
        let run = |(index, (a, b))| work(position + index, a, b);
        // All of them run, so that none keeps what an earlier batch left.
        return a.iter_mut().zip(b).enumerate().map(run).fold(None, Option::or);
    }
    let half = a.len().div_ceil(2);
    let ((a, a_rest), (b, b_rest)) = (a.split_at_mut(half), b.split_at_mut(half));
    let (first, second) = crate::threads::join(
        || each(a, b, position, threads.div_ceil(2), work),
        || each(a_rest, b_rest, position + half, threads / 2, work),
    );
    first.or(second)
}
