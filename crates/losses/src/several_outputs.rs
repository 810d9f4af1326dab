//! Losses of several outputs.

use std::fmt;
use std::ops::Range;

use chainrule_core::{Description, SettingError, Value};
use chainrule_tensor::{Buffer, Outputs, Real, Steps, TargetError};
use ndarray::s;

use crate::domain::check_weight;
use crate::total::weighted;
use crate::{Criterion, Domain, Loss, LossPass, Reduction, Scope};

/// The losses of several outputs of a model, each with a target of its own and a weight: `L = Σ wₒ Lₒ` over the outputs, as Keras'
/// `loss_weights`.
///
/// The outputs are next to each other in a row, as a [`Graph`](https://docs.rs/chainrule-core) with several outputs has them, and each has
/// a number of columns. The target of a sample has one for each output: `Arc<[OutputTarget<T>]>`, or an array where all are of one type.
///
/// ```
/// use chainrule_losses::{CrossEntropy, Loss, MeanSquaredError, SeveralOutputs};
/// use chainrule_tensor::OutputTarget;
/// let loss = SeveralOutputs::new().output("price", 1, MeanSquaredError).weighted("kind", 3, 0.5, CrossEntropy);
/// assert_eq!(loss.columns("kind"), Some(1..4));
/// let y = ndarray::array![[2.0f32, 0.0, 0.0, 0.0]];
/// let targets = [[OutputTarget::values([1.0]), OutputTarget::Class(2)]];
/// let found = loss.reduced(y.view(), &targets, None)?;
/// assert!((found - (1.0 + 0.5 * 3.0f32.ln())).abs() < 1e-6);
/// # Ok::<(), chainrule_losses::TargetError>(())
/// ```
///
/// Each has a name of its own, and a loss that computes every row alone, without weights of samples or classes, and is reduced to the
/// mean. A sample may have a weight, [`Weighted`](chainrule_tensor::Weighted), which counts for all of its outputs.
pub struct SeveralOutputs<T: Real, P> {
    outputs: Vec<LossOfOutput<T, P>>,
}

/// The loss of one output.
struct LossOfOutput<T: Real, P> {
    name: String,
    columns: Range<usize>,
    weight: f64,
    loss: Box<dyn Loss<T, P>>,
}

impl<T: Real, P> fmt::Debug for SeveralOutputs<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SeveralOutputs").field(&self.outputs).finish()
    }
}

impl<T: Real, P> fmt::Debug for LossOfOutput<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, columns, weight, loss } = self;
        write!(f, "{name:?} ({columns:?}): {weight} {loss:?}")
    }
}

impl<T: Real, P> Default for SeveralOutputs<T, P> {
    fn default() -> Self {
        Self { outputs: Vec::new() }
    }
}

impl<T: Real, P> SeveralOutputs<T, P> {
    /// No outputs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next output, of so many columns, with this loss.
    #[must_use]
    pub fn output(self, name: impl Into<String>, columns: usize, loss: impl Loss<T, P> + 'static) -> Self {
        self.weighted(name, columns, 1.0, loss)
    }

    /// The next output, of so many columns, with this loss, which counts so much.
    #[must_use]
    pub fn weighted(
        mut self,
        name: impl Into<String>,
        columns: usize,
        weight: f64,
        loss: impl Loss<T, P> + 'static,
    ) -> Self {
        let first = self.width();
        let columns = first..first.saturating_add(columns);
        self.outputs.push(LossOfOutput { name: name.into(), columns, weight, loss: Box::new(loss) });
        self
    }

    /// The columns of the output with this name.
    pub fn columns(&self, name: &str) -> Option<Range<usize>> {
        self.outputs.iter().find(|output| output.name == name).map(|output| output.columns.clone())
    }

    /// The number of columns of all outputs.
    fn width(&self) -> usize {
        self.outputs.last().map_or(0, |output| output.columns.end)
    }
}

impl<T: Real, P> Criterion for SeveralOutputs<T, P> {
    /// Values, since outputs may be different things: so no metric of all columns is taken for one of classes.
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("SeveralOutputs")
    }

    fn description(&self) -> Description {
        let names = self.outputs.iter().map(|LossOfOutput { name, loss, weight, .. }| {
            Description::new(name.as_str()).with("loss", loss.description()).with("weight", *weight)
        });
        names.enumerate().fold(Description::new("several_outputs"), |all, (index, output)| {
            all.with(format!("output_{index}").as_str(), Value::from(output))
        })
    }

    fn validate(&self) -> Result<(), SettingError> {
        const OWNER: &str = "SeveralOutputs";
        let range = |setting, value, allowed| SettingError::Range { owner: OWNER, setting, value, allowed };
        if self.outputs.is_empty() {
            return Err(range("outputs", 0.0, "at least one, with a loss"));
        }
        for (index, LossOfOutput { name, columns, weight, loss }) in self.outputs.iter().enumerate() {
            loss.validate()?;
            if self.outputs[..index].iter().any(|other| other.name == *name) {
                let conflict = "two outputs have one name, and the columns of one of them cannot be asked for: give each another name";
                return Err(SettingError::Conflict { owner: OWNER, conflict });
            }
            if columns.is_empty() {
                return Err(range("columns", 0.0, "at least 1"));
            }
            if !(weight.is_finite() && *weight >= 0.0) {
                return Err(range("weight", *weight, "a finite number of at least 0"));
            }
            if loss.scope() != Scope::Row || loss.reduction() != Reduction::Mean {
                let conflict = "the loss of an output compares rows with each other, has weights, or is not reduced to the mean: give one that computes every row alone, without weights";
                return Err(SettingError::Conflict { owner: OWNER, conflict });
            }
        }
        Ok(())
    }
}

impl<T: Real, S: Steps> Loss<T, S> for SeveralOutputs<T, S::Target> {
    fn rows(&self, pass: LossPass<'_, T, S>) {
        let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
        for (row, (target, total)) in targets.iter().zip(losses).enumerate() {
            let of_sample = target.weight();
            let scale = scale * of_sample;
            let mut sum = 0.0;
            for (LossOfOutput { columns, weight, loss, .. }, target) in
                self.outputs.iter().zip(target.steps())
            {
                let mut own = [0.0];
                let scratch: &mut Buffer<f64> = &mut *scratch;
                loss.rows(LossPass {
                    y: y.slice(s![row..row + 1, columns.clone()]),
                    targets: std::slice::from_ref(target),
                    scale: scale * weight,
                    dy: dy.as_mut().map(|dy| dy.slice_mut(s![row..row + 1, columns.clone()])),
                    losses: &mut own,
                    scratch,
                });
                sum += weight * own[0];
            }
            *total = weighted(of_sample, sum);
        }
    }

    fn check(&self, columns: usize, targets: &[S]) -> Result<(), TargetError> {
        for (row, target) in targets.iter().enumerate() {
            let (steps, expected) = (target.steps(), self.outputs.len());
            check_weight(row, target.weight())?;
            if columns != self.width() {
                return Err(TargetError::Outputs {
                    row,
                    found: columns,
                    expected: self.width(),
                    what: "columns",
                });
            }
            if steps.len() != expected {
                return Err(TargetError::Outputs { row, found: steps.len(), expected, what: "targets" });
            }
            for (index, (LossOfOutput { columns, loss, .. }, target)) in
                self.outputs.iter().zip(steps).enumerate()
            {
                let checked = loss.check(columns.len(), std::slice::from_ref(target));
                checked.map_err(|source| TargetError::Step { row, source: Box::new(source.after(index)) })?;
            }
        }
        Ok(())
    }

    fn scope(&self) -> Scope {
        if S::WEIGHTED { Scope::WeightedRow } else { Scope::Row }
    }

    /// Those of the samples.
    fn weights(&self, targets: &[S], weights: &mut [f64]) {
        weights.iter_mut().zip(targets).for_each(|(weight, target)| *weight = target.weight());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BinaryCrossEntropy, CrossEntropy, MeanSquaredError, NtXent};
    use chainrule_tensor::{OutputTarget, Weighted};
    use ndarray::{Array2, array};

    fn loss() -> SeveralOutputs<f64, OutputTarget<f64>> {
        SeveralOutputs::new().output("price", 2, MeanSquaredError).weighted("kind", 3, 0.25, CrossEntropy)
    }

    fn targets() -> Vec<[OutputTarget<f64>; 2]> {
        vec![
            [OutputTarget::values([1.0, -1.0]), OutputTarget::Class(2)],
            [OutputTarget::values([0.5, 3.0]), OutputTarget::values([0.5, 0.5, 0.0])],
        ]
    }

    #[test]
    fn it_is_the_sum_of_the_losses_of_the_outputs() {
        let y = array![[0.5, 2.0, 1.0, -1.0, 0.5], [1.5, -2.0, 0.25, 2.0, 1.0]];
        let mut dy = Array2::zeros((2, 5));
        let found = loss().reduced(y.view(), &targets(), Some(dy.view_mut())).unwrap();
        let [prices, kinds] =
            [0, 1].map(|output| targets().into_iter().map(|t| t[output].clone()).collect::<Vec<_>>());
        let [mut of_prices, mut of_kinds] = [2, 3].map(|columns| Array2::zeros((2, columns)));
        let price =
            MeanSquaredError.reduced(y.slice(s![.., ..2]), &prices, Some(of_prices.view_mut())).unwrap();
        let kind = CrossEntropy.reduced(y.slice(s![.., 2..]), &kinds, Some(of_kinds.view_mut())).unwrap();
        assert!((found - price - 0.25 * kind).abs() < 1e-12, "{found} {price} {kind}");
        let right = ndarray::concatenate![ndarray::Axis(1), of_prices, 0.25 * of_kinds];
        assert!((&dy - &right).iter().all(|difference| difference.abs() < 1e-12), "{dy} {right}");
        assert_eq!(loss().columns("kind"), Some(2..5));
    }

    /// The mean is that of a batch with a sample as many times as its weight says.
    #[test]
    fn weights_of_samples_count() {
        let y = array![[0.5, 2.0, 1.0, -1.0, 0.5], [1.5, -2.0, 0.25, 2.0, 1.0]];
        let [first, second] = <[_; 2]>::try_from(targets()).unwrap();
        let of = |weights: [f32; 2]| {
            let weighted = [(first.clone(), weights[0]), (second.clone(), weights[1])]
                .map(|(target, weight)| Weighted { target, weight });
            let mut dy = Array2::zeros((2, 5));
            let found = loss().reduced(y.view(), &weighted, Some(dy.view_mut()));
            (found, dy)
        };
        let repeated = ndarray::stack![ndarray::Axis(0), y.row(0), y.row(1), y.row(1), y.row(1)];
        let all = [first.clone(), second.clone(), second.clone(), second.clone()];
        let mut right = Array2::zeros((4, 5));
        let expected = loss().reduced(repeated.view(), &all, Some(right.view_mut())).unwrap();
        let (found, dy) = of([1.0, 3.0]);
        assert!((found.unwrap() - expected).abs() < 1e-12);
        let right = ndarray::stack![ndarray::Axis(0), right.row(0), 3.0 * &right.row(1)];
        assert!((&dy - &right).iter().all(|difference| difference.abs() < 1e-12), "{dy} {right}");
        let (found, dy) = of([0.0, 2.0]);
        let alone = loss().reduced(y.slice(s![1.., ..]), std::slice::from_ref(&second), None).unwrap();
        assert!((found.unwrap() - alone).abs() < 1e-12);
        assert!(dy.row(0).iter().all(|&slope| slope == 0.0), "{dy}");
        assert!(of([1.0, f32::NAN]).0.is_err());
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let text = |columns, targets: &[Vec<OutputTarget<f64>>]| {
            loss().check(columns, targets).unwrap_err().to_string()
        };
        let good: Vec<Vec<_>> = targets().into_iter().map(|target| target.to_vec()).collect();
        assert!(loss().check(5, &good).is_ok());
        assert!(text(4, &good).contains("there are 4 columns, but the loss or the metric takes 5"));
        assert!(
            text(5, &[good[0].clone(), good[1][..1].to_vec()]).contains("at target 1 there are 1 targets")
        );
        let wrong = vec![vec![good[0][0].clone(), OutputTarget::Class(3)]];
        let error = loss().check(5, &wrong).unwrap_err();
        assert!(matches!(&error, TargetError::Step { row: 0, source } if source.row() == 1), "{error}");
        for (loss, part) in [
            (SeveralOutputs::new(), "at least one, with a loss"),
            (SeveralOutputs::new().output("a", 0, MeanSquaredError), "at least 1"),
            (SeveralOutputs::new().weighted("a", 1, -1.0, MeanSquaredError), "at least 0"),
            (SeveralOutputs::new().output("a", 1, CrossEntropy.class_weights([1.0, 2.0])), "without weights"),
            (SeveralOutputs::new().output("a", 4, NtXent::default()), "every row alone"),
            (
                SeveralOutputs::new().output("a", 1, MeanSquaredError).output("a", 1, MeanSquaredError),
                "another name",
            ),
        ] {
            let error = Criterion::validate(&loss as &SeveralOutputs<f64, OutputTarget<f64>>)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(
            format!("{}", SeveralOutputs::<f64, u8>::new().output("a", 1, BinaryCrossEntropy).description())
                .contains("a(")
        );
    }
}
