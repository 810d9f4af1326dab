//! Logits and probabilities, labels, and targets without a class.

use chainrule_metrics::{
    Accuracy, ConfusionMatrix, Count, Mean, Measure, Metric, Outputs, PerStep, RunningMean, Tally,
    TargetError, Undefined,
};
use ndarray::{Array2, array};

fn counts<Y>(matrix: ConfusionMatrix, y: &Array2<f32>, targets: &[Y]) -> (Vec<u64>, u64)
where
    ConfusionMatrix: Count<f32, Y>,
{
    let mut matrix = Tally::new(matrix);
    matrix.update(y.view(), targets);
    (matrix.counts().cells().iter().map(|&count| count as u64).collect(), matrix.counts().uncounted() as u64)
}

fn accuracy<Y>(accuracy: Accuracy, y: &Array2<f32>, targets: &[Y]) -> f64
where
    Accuracy: Count<f32, Y>,
{
    let mut accuracy = Tally::new(accuracy);
    accuracy.update(y.view(), targets);
    accuracy.value().as_number().unwrap()
}

#[test]
fn a_threshold_fits_the_outputs() {
    let y = array![[0.2], [0.8]];
    let probabilities = ConfusionMatrix::from_probabilities;
    assert_eq!(counts(probabilities(), &y, &[0u8, 1]), (vec![1, 0, 0, 1], 0));
    assert_eq!(counts(probabilities(), &y, &[[0.0], [1.0]]), (vec![1, 0, 0, 1], 0));
    assert_eq!(counts(ConfusionMatrix::with_threshold(0.5), &y, &[0u8, 1]), (vec![1, 0, 0, 1], 0));
    assert_eq!(counts(ConfusionMatrix::with_threshold(0.9), &y, &[0u8, 1]), (vec![1, 0, 1, 0], 0));
    assert_eq!(counts(ConfusionMatrix, &array![[-0.2], [0.8]], &[0u8, 1]), (vec![1, 0, 0, 1], 0));
    assert_eq!(accuracy(Accuracy::from_probabilities(), &y, &[0u8, 1]), 1.0);
    assert_eq!(accuracy(Accuracy, &y, &[0u8, 1]), 0.5);
    // On the threshold itself it is a no.
    assert_eq!(accuracy(Accuracy::from_probabilities(), &array![[0.5]], &[0u8]), 1.0);
    assert_eq!(accuracy(Accuracy, &array![[0.0], [-0.0]], &[0u8, 0]), 1.0);
    // NaN is neither, and infinities are as sure as can be.
    assert_eq!(counts(probabilities(), &array![[f32::NAN]], &[1u8]), (vec![0; 4], 1));
    assert_eq!(accuracy(Accuracy, &array![[f32::INFINITY], [f32::NEG_INFINITY]], &[1u8, 0]), 1.0);
    // The maximum of several columns needs no threshold.
    let y = array![[-3.0, -2.0], [0.1, 0.2]];
    assert_eq!(accuracy(Accuracy, &y, &[1u8, 1]), accuracy(Accuracy::from_probabilities(), &y, &[1u8, 1]));
}

#[test]
fn a_metric_says_what_it_takes_outputs_for() {
    let of = |metric: &dyn Measure<f32, u8>, columns| metric.outputs(columns, &[0, 1]);
    assert_eq!(of(&Accuracy, 1), Some(Outputs::Logits));
    assert_eq!(of(&Accuracy::from_probabilities(), 1), Some(Outputs::Probabilities));
    assert_eq!(of(&Accuracy::with_threshold(0.5), 1), None);
    assert_eq!(of(&Accuracy, 10), None);
    assert_eq!(of(&Accuracy.labels(), 10), Some(Outputs::Logits));
    assert_eq!(of(&ConfusionMatrix::from_probabilities().labels(), 10), Some(Outputs::Probabilities));
    assert_eq!(of(&Mean, 1), None);
    let steps = |metric: &dyn Measure<f32, [u8; 3]>, columns| metric.outputs(columns, &[[0, 1, 0]]);
    assert_eq!(steps(&PerStep(Accuracy), 3), Some(Outputs::Logits));
    assert_eq!(steps(&PerStep(Accuracy), 6), None);
    assert_eq!(Measure::<f32, Vec<u8>>::outputs(&PerStep(Accuracy), 6, &[]), None);
    assert_eq!(Measure::<f32, Vec<u8>>::outputs(&PerStep(Accuracy), 6, &[vec![]]), None);
}

#[test]
fn several_labels_at_once() {
    let logits = array![[1.0, -1.0, 2.0], [-1.0, -2.0, -3.0]];
    let targets = [[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]];
    assert_eq!(accuracy(Accuracy.labels(), &logits, &targets), 5.0 / 6.0);
    assert_eq!(counts(ConfusionMatrix.labels(), &logits, &targets), (vec![3, 0, 1, 2], 0));
    // A class is the label of its column.
    assert_eq!(counts(ConfusionMatrix.labels(), &logits, &[0u8, 2]), (vec![3, 1, 1, 1], 0));
    let probabilities = logits.mapv(|z| 1.0 / (1.0 + f32::exp(-z)));
    assert_eq!(accuracy(Accuracy::from_probabilities().labels(), &probabilities, &targets), 5.0 / 6.0);
    // To a metric that was not told, they are no classes.
    for matrix in [ConfusionMatrix, ConfusionMatrix::new(3)] {
        let check = Measure::<f32, [f32; 3]>::check(&matrix, 3, &targets).unwrap_err();
        assert_eq!(check, TargetError::NoClass { row: 0, labels: 2, owner: "confusion_matrix" });
        assert!(check.to_string().contains("`labels()`"), "{check}");
        assert_eq!(counts(matrix, &logits, &targets).1, 1);
    }
    let none = Measure::<f32, [f32; 3]>::check(&Accuracy, 3, &[[0.0; 3]]).unwrap_err();
    assert!(matches!(none, TargetError::NoClass { row: 0, labels: 0, .. }), "{none}");
    for fine in [[0.2, 0.3, 0.5], [-1.0, 1.0, -1.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]] {
        assert_eq!(Measure::<f32, [f32; 3]>::check(&Accuracy, 3, &[fine]), Ok(()));
    }
}

#[test]
fn labels_that_are_neither_yes_nor_no() {
    let y = array![[3.0], [3.0], [-3.0], [-3.0]];
    let targets = [[1.0], [2.0], [0.0], [-1.0]];
    // 1 and 2 are not no and yes, but -1 and 1 are.
    assert_eq!(counts(ConfusionMatrix, &y, &targets), (vec![2, 0, 0, 1], 1));
    assert_eq!(accuracy(Accuracy, &y, &targets), 0.75);
    assert_eq!(counts(ConfusionMatrix, &y, &[1u8, 2, 0, 2]), (vec![1, 0, 0, 1], 2));
    let check = |target: f32| Measure::<f32, [f32; 1]>::check(&Accuracy, 1, &[[0.0], [target]]);
    for fine in [-1.0, 0.0, 0.3, 1.0] {
        assert_eq!(check(fine), Ok(()));
    }
    for bad in [2.0, 1.001, -0.5, f32::NAN, f32::INFINITY] {
        let error = check(bad).unwrap_err();
        assert!(matches!(error, TargetError::Value { row: 1, column: 0, owner: "accuracy", .. }), "{error}");
    }
    let class = |class: u8| Measure::<f32, u8>::check(&Accuracy, 1, &[class]);
    assert_eq!((class(0), class(1)), (Ok(()), Ok(())));
    assert_eq!(class(2), Err(TargetError::Class { row: 0, class: 2, columns: 2 }));
    assert!(Measure::<f32, u8>::check(&Accuracy, 3, &[3]).is_err());
    assert!(Measure::<f32, [f32; 2]>::check(&Accuracy, 3, &[[1.0, 0.0]]).is_err());
    let steps: &dyn Measure<f32, [[f32; 1]; 2]> = &PerStep(Accuracy);
    let error = steps.check(2, &[[[1.0], [0.0]], [[0.0], [7.0]]]).unwrap_err();
    let TargetError::Step { row: 1, source } = error else { panic!("{error}") };
    assert!(matches!(*source, TargetError::Value { row: 1, value: 7.0, .. }));
}

#[test]
fn settings_and_values() {
    assert_eq!(Accuracy, Accuracy::default());
    assert_eq!(ConfusionMatrix, ConfusionMatrix::default());
    assert!(Accuracy.validate().is_ok() && Accuracy::with_threshold(-3.0).validate().is_ok());
    assert!(Accuracy::with_threshold(f64::NAN).validate().is_err());
    assert!(PerStep(ConfusionMatrix::with_threshold(f64::NAN)).validate().is_err());
    // What is merged counts with the same threshold.
    let mut all = Tally::new(ConfusionMatrix::from_probabilities());
    all.update(array![[0.2]].view(), &[0u8]);
    let mut other = Tally::new(ConfusionMatrix::from_probabilities());
    other.update(array![[0.8]].view(), &[1u8]);
    all.merge(&other);
    assert_eq!(all.counts().cells(), array![[1.0, 0.0], [0.0, 1.0]]);
}

#[test]
fn an_infinite_value_without_a_weight_does_not_count() {
    let mut mean = RunningMean::default();
    mean.push(2.0, 1.0);
    mean.push(f64::INFINITY, 0.0);
    assert_eq!(mean.value(), Ok(2.0));
    mean.push(f64::NAN, 0.0);
    assert_eq!(mean.value(), Err(Undefined::NAN));
}
