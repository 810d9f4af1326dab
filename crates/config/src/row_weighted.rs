//! Samples that count more than others in the loss of a training, by their classes or by themselves.
//!
//! What a sample counts is part of its target: of a class it is [`ClassTarget::class_weight`](chainrule::tensor::ClassTarget::class_weight), of
//! numbers it is one more number. So such a training is compiled once with those whose samples count all alike.

use std::ops::Range;
use std::sync::Arc;

use chainrule::core::{Description, SettingError};
use chainrule::data::{Dataset, Samples};
use chainrule::losses::{Criterion, Domain, Loss, LossPass, Reduction, Scope};
use chainrule::tensor::{Outputs, Shape, TargetError};

use crate::load::SharedSamples;
use crate::targets::LearntTarget;

/// Another loss of single rows, each of which counts as much as its target says: the loss of a row is multiplied by that, and the mean
/// divides by the sum over the batch.
#[derive(Debug)]
pub(crate) struct RowWeighted<Y> {
    loss: Box<dyn Loss<f32, Y>>,
    /// The number of targets of a row.
    targets: usize,
}

impl<Y> RowWeighted<Y> {
    pub(crate) fn new(loss: Box<dyn Loss<f32, Y>>, targets: usize) -> Self {
        Self { loss, targets }
    }
}

impl<Y: LearntTarget> Criterion for RowWeighted<Y> {
    fn outputs(&self) -> Outputs {
        self.loss.outputs()
    }

    fn domain(&self) -> Domain {
        self.loss.domain()
    }

    fn description(&self) -> Description {
        self.loss.description()
    }

    fn reduction(&self) -> Reduction {
        self.loss.reduction()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.loss.validate()
    }
}

impl<Y: LearntTarget> Loss<f32, Y> for RowWeighted<Y> {
    fn rows(&self, pass: LossPass<'_, f32, Y>) {
        let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
        let plain = Y::plain(targets, self.targets);
        self.loss.rows(LossPass {
            y,
            targets: &plain[..],
            scale,
            dy: dy.as_mut().map(|dy| dy.view_mut()),
            losses: &mut *losses,
            scratch,
        });
        for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
            let weight = target.row_weight(self.targets);
            // 0 times what is not finite is 0, as for the weights of samples.
            let times = |value: f64| if weight == 0.0 { 0.0 } else { f64::from(weight) * value };
            *loss = times(*loss);
            if let Some(dy) = &mut dy {
                dy.row_mut(row).mapv_inplace(|dy| times(dy.into()) as f32);
            }
        }
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        self.loss.check(columns, &Y::plain(targets, self.targets))
    }

    fn scope(&self) -> Scope {
        match self.loss.scope() {
            Scope::Batch => Scope::Batch,
            Scope::Row | Scope::WeightedRow => Scope::WeightedRow,
        }
    }

    fn weights(&self, targets: &[Y], weights: &mut [f64]) {
        match self.loss.scope() {
            Scope::WeightedRow => self.loss.weights(&Y::plain(targets, self.targets), weights),
            Scope::Row | Scope::Batch => weights.fill(1.0),
        }
        let own = targets.iter().map(|target| f64::from(target.row_weight(self.targets)));
        weights.iter_mut().zip(own).for_each(|(weight, own)| *weight *= own);
    }
}

/// Samples each of which counts so much.
pub(crate) struct CountingSamples<Y> {
    pub(crate) samples: SharedSamples<Y>,
    /// One for each sample.
    pub(crate) weights: Arc<[f32]>,
}

impl<Y: LearntTarget> Dataset for CountingSamples<Y> {
    type Target = Y;

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn shape(&self) -> Shape {
        self.samples.shape()
    }

    fn classes(&self) -> Option<usize> {
        self.samples.classes()
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        self.samples.prefetch(index, columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.samples.enter_epoch(epoch);
    }

    fn announce(&self, order: &[u32], batch: usize) {
        self.samples.announce(order, batch);
    }

    fn failure(&self) -> Option<String> {
        self.samples.failure()
    }
}

impl<Y: LearntTarget> Samples<f32> for CountingSamples<Y> {
    fn read(&self, index: usize, row: &mut [f32]) -> Y {
        self.samples.read(index, row).counting(self.weights[index])
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [f32], row: &mut [f32]) -> Y {
        self.samples.read_part(index, columns, part, row).counting(self.weights[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viewed_metric::{ViewedMetric, WithoutWeights};
    use chainrule::losses::{CrossEntropy, MeanSquaredError};
    use chainrule::metrics::{MeanAbsoluteError, Measure, MetricValue};
    use chainrule::tensor::{ClassTarget, Weighted};
    use ndarray::{Array2, array};

    #[test]
    fn a_class_counts_as_samples_with_weights_do() {
        let y = array![[0.5f32, -1.0, 2.0], [1.5, 0.25, -0.5], [f32::INFINITY, 0.0, 0.0]];
        let counts = [(2u8, 3.0f32), (1, 0.5), (0, 0.0)];
        let of_classes = counts.map(|(class, count)| ClassTarget::from(class).counting(count));
        let of_samples = counts.map(|(target, weight)| Weighted { target, weight });
        let [mut by_class, mut by_sample] = [0; 2].map(|_| Array2::zeros((3, 3)));
        let weighted = RowWeighted::<ClassTarget<f32>>::new(Box::new(CrossEntropy), 1);
        let found = weighted.reduced(y.view(), &of_classes, Some(by_class.view_mut())).unwrap();
        let right = CrossEntropy.reduced(y.view(), &of_samples, Some(by_sample.view_mut())).unwrap();
        assert!(found == right && found.is_finite(), "{found} {right}");
        assert_eq!(by_class, by_sample);
        // On top of the weights that the loss itself has.
        let loss = CrossEntropy.class_weights([1.0, 4.0, 2.0]);
        let own = RowWeighted::<ClassTarget<f32>>::new(Box::new(loss), 1);
        let mut weights = [0.0; 3];
        own.weights(&of_classes, &mut weights);
        assert_eq!(weights, [6.0, 2.0, 0.0]);
        assert_eq!(own.scope(), Scope::WeightedRow);
    }

    #[test]
    fn numbers_count_as_samples_with_weights_do() {
        let y = array![[0.5f32, -1.0], [1.5, 0.25], [f32::INFINITY, 0.0]];
        let counts = [([1.0f32, 2.0], 3.0f32), ([0.0, 0.0], 0.5), ([1.0, 1.0], 0.0)];
        let numbers = counts.map(|(target, count)| target.to_vec().counting(count));
        let samples = counts.map(|(target, weight)| Weighted { target: target.to_vec(), weight });
        let [mut by_number, mut by_sample] = [0; 2].map(|_| Array2::zeros((3, 2)));
        let weighted = RowWeighted::<Vec<f32>>::new(Box::new(MeanSquaredError), 2);
        let found = weighted.reduced(y.view(), &numbers, Some(by_number.view_mut())).unwrap();
        let right = MeanSquaredError.reduced(y.view(), &samples, Some(by_sample.view_mut())).unwrap();
        assert!(found == right && found.is_finite(), "{found} {right}");
        assert_eq!(by_number, by_sample);
        // Without a weight, as samples that are validated on are, each counts 1.
        let plain = counts.map(|(target, _)| target.to_vec());
        let one = weighted.reduced(y.slice(ndarray::s![..1, ..]), &plain[..1], None).unwrap();
        assert_eq!(one, MeanSquaredError.reduced(y.slice(ndarray::s![..1, ..]), &plain[..1], None).unwrap());
        assert!(weighted.check(2, &[vec![1.0]]).is_err());
        let metric = ViewedMetric { metric: Box::new(MeanAbsoluteError), view: WithoutWeights(2) };
        metric.check(2, &numbers).unwrap();
        let mut counter = metric.start();
        counter.update(y.slice(ndarray::s![..2, ..]), &numbers[..2]);
        assert_eq!(counter.value(), MetricValue::Number((0.5 + 3.0 + 1.5 + 0.25) / 4.0));
    }
}
