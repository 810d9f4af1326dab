//! A loss in which samples count as much as their classes.

use chainrule::core::{Description, SettingError};
use chainrule::losses::{Criterion, Domain, Loss, LossPass, Reduction, Scope};
use chainrule::tensor::{ClassTarget, Outputs, TargetError};

/// Another loss of single rows, each of which counts as much as its class: the loss of a row is multiplied by that, and the mean divides by
/// the sum over the batch.
#[derive(Debug)]
pub(crate) struct ClassWeighted(pub(crate) Box<dyn Loss<f32, ClassTarget<f32>>>);

impl Criterion for ClassWeighted {
    fn outputs(&self) -> Outputs {
        self.0.outputs()
    }

    fn domain(&self) -> Domain {
        self.0.domain()
    }

    fn description(&self) -> Description {
        self.0.description()
    }

    fn reduction(&self) -> Reduction {
        self.0.reduction()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.0.validate()
    }
}

impl Loss<f32, ClassTarget<f32>> for ClassWeighted {
    fn rows(&self, mut pass: LossPass<'_, f32, ClassTarget<f32>>) {
        self.0.rows(pass.reborrow());
        let LossPass { targets, mut dy, losses, .. } = pass;
        for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
            let weight = target.class_weight();
            // 0 times what is not finite is 0, as for the weights of samples.
            let times = |value: f64| if weight == 0.0 { 0.0 } else { f64::from(weight) * value };
            *loss = times(*loss);
            if let Some(dy) = &mut dy {
                dy.row_mut(row).mapv_inplace(|dy| times(dy.into()) as f32);
            }
        }
    }

    fn check(&self, columns: usize, targets: &[ClassTarget<f32>]) -> Result<(), TargetError> {
        self.0.check(columns, targets)
    }

    fn scope(&self) -> Scope {
        match self.0.scope() {
            Scope::Batch => Scope::Batch,
            Scope::Row | Scope::WeightedRow => Scope::WeightedRow,
        }
    }

    fn weights(&self, targets: &[ClassTarget<f32>], weights: &mut [f64]) {
        match self.0.scope() {
            Scope::WeightedRow => self.0.weights(targets, weights),
            Scope::Row | Scope::Batch => weights.fill(1.0),
        }
        weights
            .iter_mut()
            .zip(targets)
            .for_each(|(weight, target)| *weight *= f64::from(target.class_weight()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule::losses::CrossEntropy;
    use chainrule::tensor::Weighted;
    use ndarray::{Array2, array};

    #[test]
    fn a_class_counts_as_samples_with_weights_do() {
        let y = array![[0.5f32, -1.0, 2.0], [1.5, 0.25, -0.5], [f32::INFINITY, 0.0, 0.0]];
        let counts = [(2u8, 3.0f32), (1, 0.5), (0, 0.0)];
        let of_classes = counts.map(|(class, count)| ClassTarget::from(class).counting(count));
        let of_samples = counts.map(|(target, weight)| Weighted { target, weight });
        let [mut by_class, mut by_sample] = [0; 2].map(|_| Array2::zeros((3, 3)));
        let weighted = ClassWeighted(Box::new(CrossEntropy));
        let found = weighted.reduced(y.view(), &of_classes, Some(by_class.view_mut())).unwrap();
        let right = CrossEntropy.reduced(y.view(), &of_samples, Some(by_sample.view_mut())).unwrap();
        assert!(found == right && found.is_finite(), "{found} {right}");
        assert_eq!(by_class, by_sample);
        // On top of the weights that the loss itself has.
        let own = ClassWeighted(Box::new(CrossEntropy.class_weights([1.0, 4.0, 2.0])));
        let mut weights = [0.0; 3];
        own.weights(&of_classes, &mut weights);
        assert_eq!(weights, [6.0, 2.0, 0.0]);
        assert_eq!(own.scope(), Scope::WeightedRow);
    }
}
