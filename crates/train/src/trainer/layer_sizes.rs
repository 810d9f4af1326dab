//! The size of the weights of a training, and of their gradients, at some of its steps, and the time of its layers.

use std::cell::RefCell;
use std::rc::Rc;

use chainrule_core::ParamEntry;
use chainrule_core::watch::{self, LayerPass};
use chainrule_data::Samples;
use chainrule_optim::ParamKind;
use chainrule_tensor::Real;

use super::Trainer;
use super::audit::samples_spread;
use super::size_record::{LayerTime, SizeRecord, WeightSizes};
use crate::audit::layers::LookFor;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Records the size of each weight and of its gradient at about so many steps of the training: see
    /// [`weight_sizes`](Self::weight_sizes).
    ///
    /// The gradient is that of the mean loss of 16 to 64 samples, by a pass of its own between two steps, as the
    /// [audit](Self::audit)'s. So it changes no bit of the training.
    #[must_use]
    pub fn record_sizes(mut self, points: u64) -> Self {
        self.sizes = Some(SizeRecord { points, ..SizeRecord::default() });
        self
    }

    /// What was recorded: see [`record_sizes`](Self::record_sizes). It is no part of checkpoints.
    pub fn weight_sizes(&self) -> &[WeightSizes] {
        self.sizes.as_ref().map_or(&[], |record| &record.sizes)
    }

    /// How long the passes of each layer take for a sample, on one thread and alone: measured where sizes are
    /// [recorded](Self::record_sizes), by passes of their own. It is no part of checkpoints.
    pub fn layer_times(&self) -> &[LayerTime] {
        self.sizes.as_ref().map_or(&[], |record| &record.times)
    }

    /// Records the sizes, if it is time.
    #[inline]
    pub(super) fn size_step(&mut self, data: &dyn Samples<T, Target = Y>) {
        let Some(record) = &self.sizes else { return };
        let planned = self.state.run.steps.unwrap_or(self.state.step);
        if record.points > 0 && self.state.step.is_multiple_of(planned.div_ceil(record.points).max(1)) {
            self.record_sizes_now(data);
        }
    }

    fn record_sizes_now(&mut self, data: &dyn Samples<T, Target = Y>) {
        let Some(mut record) = self.sizes.take() else { return };
        let step = self.state.step;
        let samples = samples_spread(data.len(), self.rows_of_look(data.len()), step);
        let mode = self.mode_of_step(0);
        let seen = self.watched(data, &samples, mode, LookFor::default());
        let grads = seen.and(self.state.shard_aside()).map(|shard| &*shard.grads);
        let is_weight = |entry: &&ParamEntry| entry.kind == ParamKind::Weight;
        let weights: Vec<&ParamEntry> = self.model.plan().entries().iter().filter(is_weight).collect();
        if record.sizes.is_empty() {
            let empty = |entry: &&ParamEntry| WeightSizes {
                name: entry.name.clone(),
                weight: Vec::new(),
                gradient: Vec::new(),
            };
            record.sizes = weights.iter().map(empty).collect();
        }
        for (sizes, entry) in record.sizes.iter_mut().zip(weights) {
            sizes.weight.push((step, root_mean_square(&self.model.parameters()[entry.range.clone()])));
            let gradient = grads.map(|grads| (step, root_mean_square(&grads[entry.range.clone()])));
            sizes.gradient.extend(gradient);
        }
        record.times = self.timed(data, &samples, record.times);
        self.sizes = Some(record);
    }

    /// The shortest times of the layers, of those so far and a pass over these samples.
    fn timed(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        samples: &[u32],
        times: Vec<LayerTime>,
    ) -> Vec<LayerTime> {
        let times = Rc::new(RefCell::new(times));
        let shared = Rc::clone(&times);
        let count = samples.len().max(1) as u32;
        let see = move |pass: &LayerPass<'_, T>| SizeRecord::add_time(&mut shared.borrow_mut(), pass, count);
        let mode = self.mode_of_step(0);
        // A pass that cannot be run has shown what there was.
        let _ = self.pass_aside(data, samples, mode, |pass| watch::layers(see, pass));
        times.take()
    }
}

/// `sqrt(1/n Σ x²)`.
fn root_mean_square<T: Real>(values: &[T]) -> f64 {
    let squares = values.iter().map(|value| value.as_f64().powi(2)).sum::<f64>();
    (squares / values.len().max(1) as f64).sqrt()
}
