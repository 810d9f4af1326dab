//! Properties that every loss has. A new loss adds its lines to the list.

use std::error::Error;

use chainrule_losses::gradcheck::{GradientError, gradient};
use chainrule_losses::{
    BinaryCrossEntropy, Criterion, CrossEntropy, Domain, Loss, LossPass, MeanSquaredError, Outputs, PerStep,
    PoissonNll, SettingError, TargetError,
};
use chainrule_tensor::Buffer;
use ndarray::{Array2, Axis, array, s};

fn logits() -> Array2<f64> {
    array![[2.0, -0.5, 0.25], [-3.0, 0.1, 1.5], [0.3, 0.2, 4.0], [-1.0, 30.0, 2.0]]
}

fn probabilities() -> Array2<f64> {
    array![[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.3, 0.3, 0.4], [0.6, 0.25, 0.15]]
}

const CLASSES: [u8; 4] = [0, 2, 1, 1];
const VALUES: [[f64; 3]; 4] = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.25, 0.75], [0.1, 0.8, 0.1]];

fn one_hot(class: u8) -> [f64; 3] {
    std::array::from_fn(|i| if i == usize::from(class) { 1.0 } else { 0.0 })
}

/// A loss for classes and for values, and outputs that suit it.
struct Case {
    of_classes: Box<dyn Loss<f64, u8>>,
    of_values: Box<dyn Loss<f64, [f64; 3]>>,
    in_single: Box<dyn Loss<f32, [f32; 3]>>,
    y: Array2<f64>,
}

fn case<L>(loss: L, y: Array2<f64>) -> Case
where
    L: Loss<f64, u8> + Loss<f64, [f64; 3]> + Loss<f32, [f32; 3]> + Copy + 'static,
{
    Case { of_classes: Box::new(loss), of_values: Box::new(loss), in_single: Box::new(loss), y }
}

fn every_loss() -> [Case; 8] {
    [
        case(MeanSquaredError, logits()),
        case(CrossEntropy::default(), logits()),
        case(CrossEntropy::default().label_smoothing(0.1), logits()),
        case(CrossEntropy::from_probabilities(), probabilities()),
        case(CrossEntropy::from_probabilities().label_smoothing(0.1), probabilities()),
        case(BinaryCrossEntropy::default(), logits()),
        case(BinaryCrossEntropy::from_probabilities(), probabilities()),
        case(PoissonNll, probabilities()),
    ]
}

#[test]
fn gradients() {
    for Case { of_classes, of_values, y, .. } in every_loss() {
        gradient(&of_classes, y.view(), &CLASSES).unwrap_or_else(|error| panic!("{of_classes:?}: {error}"));
        gradient(&of_values, y.view(), &VALUES).unwrap_or_else(|error| panic!("{of_values:?}: {error}"));
        assert_eq!(of_classes.validate(), Ok(()));
    }
}

#[test]
fn a_class_is_its_one_hot_vector() {
    for Case { of_classes, of_values, y, .. } in every_loss() {
        let (mut left, mut right) = (y.clone(), y.clone());
        let class = of_classes.loss(y.view(), &CLASSES, 0.25, Some(left.view_mut()));
        let vector = of_values.loss(y.view(), &CLASSES.map(one_hot), 0.25, Some(right.view_mut()));
        assert!((class - vector).abs() < 1e-12, "{of_classes:?}: {class} and {vector}");
        assert!((left - right).iter().all(|error| error.abs() < 1e-12), "{of_classes:?}");
    }
}

#[test]
fn a_batch_may_be_cut() {
    for Case { of_classes, y, .. } in every_loss() {
        let whole = of_classes.loss(y.view(), &CLASSES, 0.25, None);
        let (top, bottom) = y.view().split_at(ndarray::Axis(0), 1);
        let cut = of_classes.loss(top, &CLASSES[..1], 0.25, None)
            + of_classes.loss(bottom, &CLASSES[1..], 0.25, None);
        assert!((whole - cut).abs() < 1e-12, "{of_classes:?}");
        assert_eq!(of_classes.loss(y.slice(s![..0, ..]), &[], 0.25, None), 0.0, "{of_classes:?}");
    }
}

#[test]
fn views_may_be_strided() {
    for Case { of_values, y, .. } in every_loss() {
        let mut plain = Array2::from_elem(y.dim(), f64::NAN);
        let right = of_values.loss(y.view(), &VALUES, 0.25, Some(plain.view_mut()));
        let wide = Array2::from_shape_fn((4, 6), |(i, j)| y[[i, j / 2]]);
        let mut memory = Array2::from_elem((3, 4), f64::NAN);
        let strided = wide.slice(s![.., ..;2]);
        let found = of_values.loss(strided, &VALUES, 0.25, Some(memory.view_mut().reversed_axes()));
        assert!((found - right).abs() < 1e-12, "{of_values:?}");
        assert!((memory.t().to_owned() - plain).iter().all(|error| error.abs() < 1e-12), "{of_values:?}");
        assert!((of_values.loss(strided, &VALUES, 0.25, None) - right).abs() < 1e-12, "{of_values:?}");
    }
}

#[test]
fn a_single_nan_does_not_vanish() {
    for Case { of_classes, y, .. } in every_loss() {
        for position in 0..y.len() {
            let mut broken = y.clone();
            broken[[position / 3, position % 3]] = f64::NAN;
            let mut dy = y.clone();
            let with = of_classes.loss(broken.view(), &CLASSES, 0.25, Some(dy.view_mut()));
            let without = of_classes.loss(broken.view(), &CLASSES, 0.25, None);
            assert!(with.is_nan() && without.is_nan(), "{of_classes:?} at {position}: {with}, {without}");
        }
    }
}

#[test]
fn single_precision_is_near_double() {
    for Case { of_values, in_single, y, .. } in every_loss() {
        let right = of_values.loss(y.view(), &VALUES, 0.25, None);
        let values = VALUES.map(|target| target.map(|t| t as f32));
        let found = in_single.loss(y.mapv(|y| y as f32).view(), &values, 0.25, None);
        assert!((f64::from(found) - right).abs() <= 1e-6 * right.abs(), "{in_single:?}: {found} for {right}");
    }
}

#[test]
fn many_rows_are_as_exact_as_one() {
    for Case { of_values, in_single, y, .. } in every_loss() {
        let count = 1 << 14;
        let single = y.mapv(|y| y as f32);
        let row = single.row(0);
        let target = VALUES[0].map(|t| t as f32);
        let right = of_values.loss(
            row.mapv(f64::from).insert_axis(Axis(0)).view(),
            &[target.map(f64::from)],
            1.0,
            None,
        );
        let many = row.broadcast((count, 3)).unwrap();
        let mut dy = Array2::zeros((count, 3));
        for dy in [None, Some(dy.view_mut())] {
            let found = in_single.loss(many, &vec![target; count], 1.0 / count as f32, dy);
            assert!(
                (f64::from(found) - right).abs() <= 2e-6 * right.abs(),
                "{in_single:?}: {found} for {right}"
            );
        }
    }
}

/// The rows' losses and gradients have the same bits however a batch is cut, so that shards are no part of a mean.
#[test]
fn rows_know_nothing_of_each_other() {
    for Case { of_values, y, .. } in every_loss() {
        let count = 300;
        let y = Array2::from_shape_fn((count, 3), |(i, j)| y[[i % 4, j]] * (1.0 - 1e-4 * i as f64));
        let targets: Vec<[f64; 3]> = (0..count).map(|i| VALUES[i % 4]).collect();
        let run = |parts: &[usize]| {
            let (mut losses, mut dy) = (vec![f64::NAN; count], Array2::from_elem((count, 3), f64::NAN));
            for ends in parts.windows(2) {
                let rows = ends[0]..ends[1];
                let gradient = dy.slice_mut(s![rows.clone(), ..]);
                of_values.rows(LossPass {
                    y: y.slice(s![rows.clone(), ..]),
                    targets: &targets[rows.clone()],
                    scale: 1.0 / count as f64,
                    dy: Some(gradient),
                    losses: &mut losses[rows],
                    scratch: &mut Buffer::default(),
                });
            }
            (losses, dy)
        };
        let whole = run(&[0, count]);
        assert_eq!(run(&[0, 1, 130, 299, count]), whole, "{of_values:?}");
        let mean = chainrule_losses::total(whole.0) / count as f64;
        let found = of_values.loss(y.view(), &targets, 1.0 / count as f64, None);
        assert!((mean - found).abs() <= 1e-14 * mean.abs(), "{of_values:?}: {mean} and {found}");
    }
}

/// A loss that took one would be NaN, or fall without end.
#[test]
fn no_loss_takes_a_target_that_is_no_number() {
    for Case { of_values, .. } in every_loss() {
        assert_eq!(of_values.check(3, &VALUES), Ok(()), "{of_values:?}");
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = of_values.check(3, &[VALUES[0], [0.0, bad, 0.0]]).unwrap_err();
            let TargetError::Value { row: 1, column: 1, value, owner, .. } = error else { panic!("{error}") };
            assert_eq!(value.to_bits(), bad.to_bits());
            assert!(format!("{of_values:?}").starts_with(owner), "{owner} is not {of_values:?}");
        }
        let length = of_values.check(2, &VALUES).unwrap_err();
        assert_eq!(length, TargetError::Length { row: 0, found: 3, columns: 2 }, "{of_values:?}");
    }
}

#[test]
fn smoothing_is_a_smoother_target() {
    let share = 0.3;
    let smooth = |target: [f64; 3]| target.map(|t| (1.0 - share) * t + share / 3.0);
    for (plain, y) in
        [(CrossEntropy::default(), logits()), (CrossEntropy::from_probabilities(), probabilities())]
    {
        let smoothed = plain.label_smoothing(share);
        let right = plain.loss(y.view(), &VALUES.map(smooth), 0.25, None);
        assert!((smoothed.loss(y.view(), &VALUES, 0.25, None) - right).abs() < 1e-12);
        let right = plain.loss(y.view(), &CLASSES.map(one_hot).map(smooth), 0.25, None);
        assert!((smoothed.loss(y.view(), &CLASSES, 0.25, None) - right).abs() < 1e-12);
    }
    // Equal logits cost ln 2 whatever the target is.
    let even = CrossEntropy::default().label_smoothing(0.5);
    assert!((even.loss(array![[3.0, 3.0]].view(), &[1u8], 1.0, None) - 2f64.ln()).abs() < 1e-12);
}

#[test]
fn settings_that_cannot_work() {
    for share in [-0.1, 1.1, f64::NAN] {
        let loss: Box<dyn Loss<f32, u8>> = Box::new(CrossEntropy::default().label_smoothing(share));
        let SettingError::Range { owner, setting, value, .. } = loss.validate().unwrap_err() else {
            panic!("{share} is out of range");
        };
        assert_eq!((owner, setting, value.to_bits()), ("CrossEntropy", "label smoothing", share.to_bits()));
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
    let cross_entropy: &dyn Loss<f64, u8> = &CrossEntropy::default();
    let check = |class: u8| cross_entropy.check(3, &[0, class]);
    assert_eq!(check(2), Ok(()));
    assert_eq!(check(3), Err(TargetError::Class { row: 1, class: 3, columns: 3 }));
    let squared: &dyn Loss<f64, [f64; 2]> = &MeanSquaredError;
    let error = squared.check(3, &[[0.0, 1.0]]).unwrap_err();
    assert_eq!(error, TargetError::Length { row: 0, found: 2, columns: 3 });
    let binary: &dyn Loss<f64, u8> = &BinaryCrossEntropy::default();
    assert_eq!(binary.check(1, &[0, 1]), Ok(()));
    assert!(binary.check(1, &[2]).is_err());
}

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

#[test]
fn a_loss_of_steps_is_the_mean_of_theirs() {
    let (y, loss) = (array![[2.0, -0.5, 0.25, 1.0], [0.3, 0.2, 4.0, -1.0]], PerStep(CrossEntropy::default()));
    let targets = [vec![0u8, 1], vec![1u8, 1]];
    gradient(&loss, y.view(), &targets).unwrap();
    let steps = y.to_shape((4, 2)).unwrap();
    let right = CrossEntropy::default().loss(steps.view(), &[0u8, 1, 1, 1], 0.25, None);
    assert!((loss.loss(y.view(), &targets, 0.5, None) - right).abs() < 1e-12);
    // Column by column in memory.
    let mut packed = Array2::zeros(y.dim());
    loss.loss(y.view(), &targets, 0.5, Some(packed.view_mut()));
    let (turned, mut dy) = (y.t().as_standard_layout().into_owned(), Array2::zeros((4, 2)));
    loss.loss(turned.t(), &targets, 0.5, Some(dy.view_mut().reversed_axes()));
    assert_eq!(dy.t(), packed);
    for (steps, shown) in [(vec![], "has 0 steps"), (vec![0, 0, 0], "has 3 steps"), (vec![2, 0], "class 2")] {
        let loss: &dyn Loss<f64, Vec<u8>> = &loss;
        let error = loss.check(4, &[vec![0, 1], steps]).unwrap_err();
        let text = error.source().map_or(error.to_string(), |source| format!("{error}: {source}"));
        assert!(text.contains(shown) && text.contains("target 1"), "{text}");
    }
}
