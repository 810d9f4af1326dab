//! A loss for every step of a sequence.

use chainrule_tensor::{Real, Steps};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::{Loss, SettingError, TargetError};

/// The mean of another loss over the steps of a sequence, for outputs `[steps, columns]` and one target per step, as
/// language models and taggers need it.
///
/// For `s` steps, `L = 1/s Σ Lₜ`. The targets determine the number of steps, which must divide the outputs.
///
/// ```
/// use chainrule_losses::{CrossEntropy, Loss, PerStep};
/// let logits = ndarray::array![[2.0f64, 0.0, 0.0, 1.0]]; // one sample, two steps, two classes
/// let both = PerStep(CrossEntropy::default()).loss(logits.view(), &[[0u8, 1]], 1.0, None);
/// let first = CrossEntropy::default().loss(ndarray::array![[2.0, 0.0]].view(), &[0u8], 1.0, None);
/// let second = CrossEntropy::default().loss(ndarray::array![[0.0, 1.0]].view(), &[1u8], 1.0, None);
/// assert!((both - (first + second) / 2.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PerStep<L>(
    /// The loss of one step.
    pub L,
);

impl<T: Real, S: Steps, L: Loss<T, S::Target>> Loss<T, S> for PerStep<L> {
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[S], scale: T, mut dy: Option<ArrayViewMut2<'_, T>>) -> T {
        let mut sum = T::zero();
        for (row, target) in targets.iter().enumerate() {
            let steps = target.steps();
            let shape = (steps.len(), y.ncols() / steps.len());
            let scale = scale / T::of(steps.len() as f64);
            // Rows that are not contiguous are copied; a trainer's are contiguous.
            let y = y.row(row);
            let y = y.to_shape(shape).expect("the targets have been checked");
            let mut dy = dy.as_mut().map(|dy| dy.row_mut(row));
            let packed = dy.as_mut().map(|dy| dy.view_mut().into_shape_with_order(shape));
            sum += match packed {
                None => self.0.loss(y.view(), steps, scale, None),
                Some(Ok(dy)) => self.0.loss(y.view(), steps, scale, Some(dy)),
                Some(Err(_)) => {
                    let mut copy = Array2::zeros(shape);
                    let loss = self.0.loss(y.view(), steps, scale, Some(copy.view_mut()));
                    dy.iter_mut().flatten().zip(copy).for_each(|(dy, value)| *dy = value);
                    loss
                }
            };
        }
        sum
    }

    fn check(&self, columns: usize, targets: &[S]) -> Result<(), TargetError> {
        targets.iter().enumerate().try_for_each(|(row, target)| {
            let steps = target.steps();
            if steps.is_empty() || !columns.is_multiple_of(steps.len()) {
                return Err(TargetError::Steps { row, steps: steps.len(), columns });
            }
            let inner = self.0.check(columns / steps.len(), steps);
            inner.map_err(|source| TargetError::Step { row, source: source.into() })
        })
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.0.validate()
    }
}
