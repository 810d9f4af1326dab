//! Properties that every loss has. A new loss adds its lines to the list.

use chainrule_losses::check::{GradientError, gradient};
use chainrule_losses::{BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError, TargetError};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, array};

fn logits() -> Array2<f64> {
    array![[2.0, -0.5, 0.25], [-3.0, 0.1, 1.5], [0.3, 0.2, 4.0], [-1.0, 30.0, 2.0]]
}

fn probabilities() -> Array2<f64> {
    array![[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.3, 0.3, 0.4], [0.6, 0.25, 0.15]]
}

/// A loss for classes and for values, and outputs that suit it.
type Case = (&'static str, Box<dyn Loss<f64, u8>>, Box<dyn Loss<f64, [f64; 3]>>, Array2<f64>);

#[test]
fn gradients() {
    let classes = [0u8, 2, 1, 1];
    let values = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.25, 0.75], [0.1, 0.8, 0.1]];
    let losses: [Case; 5] = [
        ("mse", Box::new(MeanSquaredError), Box::new(MeanSquaredError), logits()),
        ("ce", Box::new(CrossEntropy::default()), Box::new(CrossEntropy::default()), logits()),
        (
            "ce of p",
            Box::new(CrossEntropy::from_probabilities()),
            Box::new(CrossEntropy::from_probabilities()),
            probabilities(),
        ),
        ("bce", Box::new(BinaryCrossEntropy::default()), Box::new(BinaryCrossEntropy::default()), logits()),
        (
            "bce of p",
            Box::new(BinaryCrossEntropy::from_probabilities()),
            Box::new(BinaryCrossEntropy::from_probabilities()),
            probabilities(),
        ),
    ];
    for (name, of_classes, of_values, y) in losses {
        gradient(&of_classes, y.view(), &classes).unwrap_or_else(|error| panic!("{name}: {error}"));
        gradient(&of_values, y.view(), &values).unwrap_or_else(|error| panic!("{name}: {error}"));
        // A class is its one-hot vector, and a batch may be cut.
        let one_hot = classes.map(|class| std::array::from_fn(|i| f64::from(u8::from(i == class as usize))));
        let whole = of_classes.loss(y.view(), &classes, 0.25, None);
        assert!((whole - of_values.loss(y.view(), &one_hot, 0.25, None)).abs() < 1e-12, "{name}");
        let (top, bottom) = y.view().split_at(ndarray::Axis(0), 1);
        let cut = of_classes.loss(top, &classes[..1], 0.25, None)
            + of_classes.loss(bottom, &classes[1..], 0.25, None);
        assert!((whole - cut).abs() < 1e-12, "{name}");
        // A value that is not a number does not vanish.
        let mut broken = y.clone();
        broken.fill(f64::NAN);
        let mut dy = broken.clone();
        assert!(of_classes.loss(broken.view(), &classes, 0.25, Some(dy.view_mut())).is_nan(), "{name}");
        assert!(of_classes.loss(broken.view(), &classes, 0.25, None).is_nan(), "{name}");
    }
}

#[test]
fn one_column_is_a_yes_or_no() {
    let y: Array2<f64> = array![[0.5], [-2.0]];
    let loss = BinaryCrossEntropy::default();
    gradient(&loss, y.view(), &[1u8, 0]).unwrap();
    let of_classes = loss.loss(y.view(), &[1u8, 0], 1.0, None);
    assert_eq!(of_classes, loss.loss(y.view(), &[[1.0], [0.0]], 1.0, None));
    assert!((of_classes - (0.474_076_984_f64 + 0.126_928_011)).abs() < 1e-8);
}

#[test]
fn nothing_overflows() {
    let y: Array2<f64> = array![[1e4, -1e4, 0.0]];
    let mut dy = y.clone();
    for class in [0u8, 1] {
        let loss = CrossEntropy::default().loss(y.view(), &[class], 1.0, Some(dy.view_mut()));
        assert_eq!(loss, if class == 0 { 0.0 } else { 2e4 });
        assert!(dy.iter().all(|dy| dy.is_finite()));
        assert!(BinaryCrossEntropy::default().loss(y.view(), &[class], 1.0, Some(dy.view_mut())).is_finite());
    }
    let certain: Array2<f64> = array![[1.0, 0.0, 0.0]];
    let loss = CrossEntropy::from_probabilities().loss(certain.view(), &[1u8], 1.0, None);
    assert!((loss - 16.118_095_65).abs() < 1e-6, "{loss}");
}

#[test]
fn targets_that_do_not_fit() {
    let check = |class: u8| Loss::<f64, u8>::check(&CrossEntropy::default(), 3, &[0, class]);
    assert_eq!(check(2), Ok(()));
    assert_eq!(check(3), Err(TargetError::Class { row: 1, class: 3, columns: 3 }));
    let error = Loss::<f64, [f64; 2]>::check(&MeanSquaredError, 3, &[[0.0, 1.0]]).unwrap_err();
    assert_eq!(error, TargetError::Length { row: 0, found: 2, columns: 3 });
    assert_eq!(Loss::<f64, u8>::check(&BinaryCrossEntropy::default(), 1, &[0, 1]), Ok(()));
    assert!(Loss::<f64, u8>::check(&BinaryCrossEntropy::default(), 1, &[2]).is_err());
}

/// The mean squared error with half its gradient.
#[derive(Debug)]
struct Half;

impl Loss<f64, u8> for Half {
    fn loss(&self, y: ArrayView2<'_, f64>, t: &[u8], scale: f64, dy: Option<ArrayViewMut2<'_, f64>>) -> f64 {
        let Some(mut dy) = dy else { return MeanSquaredError.loss(y, t, scale, None) };
        let loss = MeanSquaredError.loss(y, t, scale, Some(dy.view_mut()));
        dy.mapv_inplace(|dy| dy / 2.0);
        loss
    }

    fn check(&self, _: usize, _: &[u8]) -> Result<(), TargetError> {
        Ok(())
    }
}

#[test]
fn a_wrong_gradient_is_caught() {
    let error = gradient(&Half, logits().view(), &[0u8, 2, 1, 1]).unwrap_err();
    assert!(matches!(error, GradientError::Wrong { row: 0, column: 0, .. }), "{error}");
}
