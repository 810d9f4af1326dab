//! A loss of a user's own, and what the gradient check finds.

use chainrule_losses::gradcheck::{GradientError, gradient};
use chainrule_losses::{Criterion, Domain, Loss, LossPass, MeanSquaredError, Outputs, TargetError};
use ndarray::{Array2, array};

fn logits() -> Array2<f64> {
    array![[2.0, -0.5, 0.25], [-3.0, 0.1, 1.5], [0.3, 0.2, 4.0], [-1.0, 30.0, 2.0]]
}

const CLASSES: [u8; 4] = [0, 2, 1, 1];

/// The mean squared error with half its gradient.
#[derive(Debug)]
struct Half;

impl Criterion for Half {
    fn outputs(&self) -> Outputs {
        MeanSquaredError.outputs()
    }

    fn domain(&self) -> Domain {
        MeanSquaredError.domain()
    }
}

impl Loss<f64, u8> for Half {
    fn rows(&self, LossPass { y, targets, scale, mut dy, losses, scratch }: LossPass<'_, f64, u8>) {
        let gradient = dy.as_mut().map(|dy| dy.view_mut());
        MeanSquaredError.rows(LossPass { y, targets, scale, dy: gradient, losses, scratch });
        if let Some(mut dy) = dy {
            dy.mapv_inplace(|dy| dy / 2.0);
        }
    }

    fn check(&self, _: usize, _: &[u8]) -> Result<(), TargetError> {
        Ok(())
    }
}

#[test]
fn a_wrong_gradient_is_caught() {
    let error = gradient(&Half, logits().view(), &CLASSES).unwrap_err();
    assert!(matches!(error, GradientError::Wrong { row: 0, column: 0, .. }), "{error}");
}

#[test]
fn the_check_looks_at_the_targets() {
    let check = |targets: &[u8]| gradient(&MeanSquaredError, logits().view(), targets);
    assert_eq!(check(&[0, 1]), Err(GradientError::Rows { rows: 4, targets: 2 }));
    let class = TargetError::Class { row: 3, class: 9, columns: 3 };
    assert_eq!(check(&[0, 1, 2, 9]), Err(GradientError::Target(class)));
}
