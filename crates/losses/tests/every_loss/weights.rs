//! Means over weights: of samples, of classes, and without those that are ignored.

use chainrule_losses::{
    CrossEntropy, Loss, LossPass, MeanSquaredError, NtXent, PerStep, Reduced, Reduction, Scope, Weighted,
};
use chainrule_tensor::Buffer;
use ndarray::{Array2, ArrayView2, array, s};

use crate::cases::{Case, EVERY_LOSS, ROWS, registry};

const WEIGHTS: [f32; ROWS] = [2.0, 0.0, 0.25, 1.0, 3.5];

fn with_weights<Y: Clone>(targets: &[Y]) -> Vec<Weighted<Y>> {
    let weighted = |(target, &weight): (&Y, &f32)| Weighted { target: target.clone(), weight };
    targets.iter().zip(&WEIGHTS).map(weighted).collect()
}

/// The losses of the rows, the gradient of their sum, and their weights.
fn rows<Y>(
    loss: &dyn Loss<f64, Y>,
    y: ArrayView2<'_, f64>,
    targets: &[Y],
) -> (Vec<f64>, Array2<f64>, Vec<f64>) {
    let (mut losses, mut dy) = (vec![f64::NAN; y.nrows()], Array2::from_elem(y.dim(), f64::NAN));
    let scratch = &mut Buffer::default();
    loss.rows(LossPass { y, targets, scale: 1.0, dy: Some(dy.view_mut()), losses: &mut losses, scratch });
    let mut weights = vec![1.0; y.nrows()];
    if loss.scope() != Scope::Row {
        loss.weights(targets, &mut weights);
    }
    (losses, dy, weights)
}

/// `Σ w L / Σ w v`, with the weights v that classes have.
fn weighted_mean<Y: Clone + 'static>(case: &Case, targets: &[Y]) {
    let registry = registry::<f64>();
    let plain = case.build::<f64, Y>(&registry);
    let weighted = case.build::<f64, Weighted<Y>>(&registry);
    if plain.scope() == Scope::Batch || plain.reduction() != Reduction::Mean {
        return;
    }
    let y = case.outputs(ROWS);
    let (losses, slopes, weights) = rows(&*plain, y.view(), targets);
    let sum = |values: &[f64]| {
        values.iter().zip(WEIGHTS).map(|(value, weight)| value * f64::from(weight)).sum::<f64>()
    };
    let right = sum(&losses) / sum(&weights);
    let mut dy = Array2::from_elem(y.dim(), f64::NAN);
    let found = weighted.reduced(y.view(), &with_weights(targets), Some(dy.view_mut())).unwrap();
    assert!((found - right).abs() <= 1e-13 * right.abs(), "{}: {found} instead of {right}", case.text);
    for (row, weight) in WEIGHTS.iter().enumerate() {
        let factor = f64::from(*weight) / sum(&weights);
        for (found, slope) in dy.row(row).iter().zip(slopes.row(row)) {
            assert!((found - factor * slope).abs() <= 1e-13 * slope.abs().max(1.0), "{}", case.text);
        }
    }
}

#[test]
fn samples_with_weights() {
    for case in EVERY_LOSS {
        if let Some(targets) = case.vectors(ROWS) {
            weighted_mean(case, &targets);
        }
        if let Some(targets) = case.class_targets(ROWS) {
            weighted_mean(case, &targets);
        }
    }
}

/// A row of weight 0 is as if it were not there, also for losses of a whole batch that sum over it.
#[test]
fn masked_rows_are_left_out() {
    fn check<Y: Clone + 'static>(case: &Case, targets: &[Y]) {
        let loss = case.build::<f64, Weighted<Y>>(&registry::<f64>());
        // In these, each row is compared with all others, whatever they weigh.
        if ["nt_xent", "circle"].iter().any(|name| case.text.contains(name))
            || loss.reduction() != Reduction::Mean
        {
            return;
        }
        let y = case.outputs(ROWS);
        let mut targets = with_weights(targets);
        targets.rotate_left(2);
        let masked = targets.iter().position(|target| target.weight == 0.0).unwrap();
        assert_eq!(masked, ROWS - 1);
        let with = loss.reduced(y.view(), &targets, None).unwrap();
        let without = loss.reduced(y.slice(s![..masked, ..]), &targets[..masked], None).unwrap();
        assert!((with - without).abs() <= 1e-13 * without.abs(), "{}: {with} and {without}", case.text);
    }
    for case in EVERY_LOSS {
        if let Some(targets) = case.vectors(ROWS) {
            check(case, &targets);
        }
        if let Some(targets) = case.class_targets(ROWS) {
            check(case, &targets);
        }
    }
}

/// A batch of which nothing counts has the loss 0 and no gradient, even where the outputs are infinite.
#[test]
fn nothing_counts() {
    let y = array![[f64::NEG_INFINITY, 1.0, 2.0], [0.0, f64::INFINITY, 1.0]];
    let mut dy = y.clone();
    let ignoring = CrossEntropy.ignore_class(255);
    assert_eq!(ignoring.reduced(y.view(), &[255u8, 255], Some(dy.view_mut())), Ok(0.0));
    assert!(dy.iter().all(|&slope| slope == 0.0));
    let masked = [Weighted::masked(0u8), Weighted::masked(2u8)];
    dy.fill(f64::NAN);
    assert_eq!(CrossEntropy.reduced(y.view(), &masked, Some(dy.view_mut())), Ok(0.0));
    assert!(dy.iter().all(|&slope| slope == 0.0));
    // No two embeddings have one label.
    let y = array![[0.0, 1.0], [1.0, 0.5]];
    let mut dy = y.clone();
    assert_eq!(NtXent::default().reduced(y.view(), &[0u8, 1], Some(dy.view_mut())), Ok(0.0));
    assert!(dy.iter().all(|&slope| slope == 0.0));
}

#[test]
fn an_ignored_class_is_left_out() {
    let y: Array2<f64> = array![[2.0, -0.5, 0.25], [-3.0, 0.1, 1.5], [0.3, 0.2, 4.0], [-1.0, 30.0, 2.0]];
    for loss in [CrossEntropy, CrossEntropy.label_smoothing(0.2), CrossEntropy.class_weights([1.0, 0.5, 3.0])]
    {
        let ignoring = loss.clone().ignore_class(1);
        let mut dy = Array2::from_elem((4, 3), f64::NAN);
        let found = ignoring.reduced(y.view(), &[1u8, 2, 0, 1], Some(dy.view_mut())).unwrap();
        let right = loss.reduced(y.slice(s![1..3, ..]), &[2u8, 0], None).unwrap();
        assert!((found - right).abs() < 1e-14, "{loss:?}: {found} and {right}");
        assert!(dy.row(0).iter().chain(dy.row(3)).all(|&slope| slope == 0.0), "{loss:?}");
    }
    // One that is no column.
    let padded = CrossEntropy.ignore_class(usize::from(u8::MAX));
    assert!(padded.reduced(y.view(), &[255u8, 2, 0, 255], None).is_ok());
    let single: f32 = padded.reduced(y.mapv(|y| y as f32).view(), &[255u8, 2, 0, 255], None).unwrap();
    assert!(single.is_finite());
    // And where rows are too long to be copied.
    let wide = Array2::from_shape_fn((2, 3000), |(i, j)| ((i + j) as f64).sin());
    let all = CrossEntropy.reduced(wide.slice(s![..1, ..]), &[7usize], None).unwrap();
    let ignoring = CrossEntropy.ignore_class(9999);
    let found = ignoring.reduced(wide.view(), &[7usize, 9999], None).unwrap();
    assert!((found - all).abs() < 1e-12);
}

#[test]
fn reductions() {
    let y: Array2<f64> = array![[2.0, -0.5], [-3.0, 0.1], [0.3, 0.2]];
    let targets = [0u8, 1, 1].map(|target| Weighted { target, weight: 0.5 });
    let reduced = |reduction| {
        let loss = Reduced { loss: CrossEntropy, reduction };
        let mut dy = Array2::<f64>::zeros((3, 2));
        (loss.reduced(y.view(), &targets, Some(dy.view_mut())).unwrap(), dy)
    };
    let (mean, slope) = reduced(Reduction::Mean);
    let (sum, slope_of_sum) = reduced(Reduction::Sum);
    let (mean_of_rows, slope_of_rows) = reduced(Reduction::MeanOfRows);
    assert!((sum / 1.5 - mean).abs() < 1e-14 && (sum / 3.0 - mean_of_rows).abs() < 1e-14);
    assert!((slope_of_sum.clone() / 1.5 - slope).iter().all(|error| error.abs() < 1e-14));
    assert!((slope_of_sum / 3.0 - slope_of_rows).iter().all(|error| error.abs() < 1e-14));
}

/// Steps that do not count are no part of the mean over a batch of sequences.
#[test]
fn steps_with_weights() {
    let y: Array2<f64> = array![[2.0, -0.5, 0.25, 1.0, 0.3, 0.2], [-3.0, 0.1, 1.5, -1.0, 4.0, 0.5]];
    let steps = y.to_shape((6, 2)).unwrap().to_owned();
    let classes = [[0u8, 1, 9], [9, 9, 1]];
    let loss = CrossEntropy.ignore_class(9);
    let right = loss.reduced(steps.view(), &classes.concat(), None).unwrap();
    let found = PerStep(loss).reduced(y.view(), &classes, None).unwrap();
    assert!((found - right).abs() < 1e-14, "{found} and {right}");
    let masked = classes.map(|steps| {
        steps.map(|class| if class == 9 { Weighted::masked(0u8) } else { Weighted::whole(class) })
    });
    let found = PerStep(CrossEntropy).reduced(y.view(), &masked, None).unwrap();
    assert!((found - right).abs() < 1e-14, "{found} and {right}");
    // A whole sequence may have a weight as well.
    let single = [
        Weighted { target: vec![[0.5], [1.0]], weight: 3.0 },
        Weighted { target: vec![[2.0], [0.0]], weight: 1.0 },
    ];
    let y: Array2<f64> = array![[1.0, 2.0], [3.0, 4.0]];
    let right = (3.0 * (0.25 + 1.0) / 2.0 + (1.0 + 16.0) / 2.0) / 4.0;
    let mut dy = Array2::<f64>::zeros((2, 2));
    let found = PerStep(MeanSquaredError).reduced(y.view(), &single, Some(dy.view_mut())).unwrap();
    assert!((found - right).abs() < 1e-14, "{found} and {right}");
    assert!((dy[[0, 1]] - 3.0 * 2.0 * 1.0 / 2.0 / 4.0).abs() < 1e-14);
}

/// The steps of a sequence are the batch of a loss over one.
#[test]
fn steps_that_are_compared_with_each_other() {
    for steps in [6, 100] {
        let y = Array2::from_shape_fn((2, steps * 2), |(i, j)| ((3 * i + j) as f64).sin());
        let labels: Vec<Vec<u8>> = vec![(0..steps).map(|step| (step % 3) as u8).collect(); 2];
        let loss = NtXent { temperature: 0.5 };
        let mut dy = Array2::zeros(y.dim());
        let found = PerStep(loss).reduced(y.view(), &labels, Some(dy.view_mut())).unwrap();
        let of_row = |row: usize| {
            let y = y.row(row).to_shape((steps, 2)).unwrap().to_owned();
            let mut dy = Array2::zeros(y.dim());
            let value = loss.reduced(y.view(), &labels[row], Some(dy.view_mut())).unwrap();
            (value, dy.into_iter().collect::<Vec<f64>>())
        };
        let (first, second) = (of_row(0), of_row(1));
        assert!((found - (first.0 + second.0) / 2.0).abs() < 1e-12);
        let right = first.1.iter().chain(&second.1);
        assert!(dy.iter().zip(right).all(|(found, right)| (found - right / 2.0).abs() < 1e-12));
    }
}
