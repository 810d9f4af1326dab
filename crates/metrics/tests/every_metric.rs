//! What metrics count, and that a batch may be cut.

use chainrule_metrics::{Accuracy, ConfusionMatrix, Mean, Measure, Mergeable, Metric};
use ndarray::{Array2, Axis, array};

fn outputs() -> Array2<f32> {
    array![[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [-1.0, -2.0, -0.5], [f32::NAN, 9.0, 0.0]]
}

const CLASSES: [u8; 4] = [1, 1, 2, 1];

fn merges<M: Measure<f32, u8> + Mergeable + Clone + PartialEq + std::fmt::Debug>(empty: M) -> f64 {
    let (mut whole, mut first, mut second) = (empty.clone(), empty.clone(), empty.clone());
    let y = outputs();
    let (top, bottom) = y.view().split_at(Axis(0), 1);
    whole.update(y.view(), &CLASSES);
    first.update(top, &CLASSES[..1]);
    second.update(bottom, &CLASSES[1..]);
    first.merge(&second);
    assert_eq!(first, whole);
    // What was counted can be kept elsewhere.
    let counts = whole.counts().unwrap();
    let mut kept = empty.clone();
    assert_eq!(kept.restore(&counts), Some(()));
    assert_eq!(kept, whole);
    assert_eq!(kept.restore(&counts[1..]), None);
    assert_eq!(kept, whole);
    assert!(empty.value().is_nan());
    let value = whole.value();
    whole.reset();
    assert!(whole.value().is_nan());
    value
}

#[test]
fn tallies_of_parts_make_the_whole() {
    // The first of equal outputs wins, and NaN is wrong.
    assert_eq!(merges(Accuracy::default()), 0.5);
    assert_eq!(merges(ConfusionMatrix::new(3)), 0.5);
    assert_eq!(merges(ConfusionMatrix::default()), 0.5);
}

#[test]
fn distributions_and_single_columns() {
    let mut accuracy = Accuracy::default();
    accuracy
        .update(outputs().view(), &[[0.0f32, 1.0, 0.0], [0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]);
    assert_eq!(accuracy.value(), 0.75);
    let mut logits = Accuracy::default();
    logits.update(array![[0.4f32], [-0.4], [f32::NAN]].view(), &[1u8, 1, 0]);
    assert_eq!(logits.value(), 1.0 / 3.0);
    let mut probabilities = Accuracy::with_threshold(0.5);
    probabilities.update(array![[0.4f32], [0.6]].view(), &[[0.0f32], [1.0]]);
    assert_eq!(probabilities.value(), 1.0);
}

#[test]
fn the_matrix_grows_and_prints() {
    let mut matrix = ConfusionMatrix::default();
    matrix.update(outputs().view(), &CLASSES);
    assert_eq!(matrix.counts(), array![[0, 0, 0], [1, 1, 0], [0, 0, 1]]);
    assert_eq!(matrix.uncounted(), 1);
    let table = matrix.to_string();
    assert_eq!(table.lines().nth(2), Some("               1 1 1 0"));
}

#[test]
fn means_lose_nothing() {
    let mut kept = Mean::default();
    kept.push(0.1, 3.0);
    let counts = Metric::counts(&kept).unwrap();
    let mut restored = Mean::default();
    assert_eq!(restored.restore(&counts), Some(()));
    assert_eq!(restored, kept);
    assert_eq!(restored.restore(&[1.0]), None);
    let (mut all, mut half) = (Mean::default(), Mean::default());
    assert!(all.value().is_nan());
    for value in [1e16, 1.0, -1e16] {
        all.push(value, 1.0);
    }
    assert_eq!(all.value(), 1.0 / 3.0);
    half.push(5.0, 3.0);
    all.merge(&half);
    assert_eq!(all.value(), 16.0 / 6.0);
}

#[test]
fn the_mean_of_outputs() {
    let mut mean = Mean::default();
    mean.update(array![[1.0f32, 2.0], [3.0, 6.0]].view(), &[0u8, 1]);
    assert_eq!(mean.value(), 3.0);
    mean.reset();
    assert!(mean.value().is_nan());
}

#[test]
fn wild_labels_are_wrong_and_harmless() {
    let y = array![[0.9f32, 0.1], [0.2, 0.8], [0.2, 0.8]];
    for mut matrix in [ConfusionMatrix::default(), ConfusionMatrix::new(2)] {
        matrix.update(y.view(), &[0u32, u32::MAX, 1]);
        matrix.update(y.slice(ndarray::s![..1, ..]), &[usize::MAX]);
        assert_eq!(matrix.counts(), array![[1, 0], [0, 1]]);
        assert_eq!(matrix.uncounted(), 2);
        assert_eq!(matrix.value(), 0.5);
    }
    let mut accuracy = Accuracy::default();
    accuracy.update(y.view(), &[0u32, u32::MAX, 1]);
    accuracy.update(Array2::<f32>::zeros((1, 0)).view(), &[0u32]);
    assert_eq!(accuracy.value(), 0.5);
}

#[test]
fn an_infinite_value_has_an_infinite_mean() {
    let mut mean = Mean::default();
    mean.push(f64::INFINITY, 2.0);
    mean.push(1.0, 1.0);
    assert_eq!(mean.value(), f64::INFINITY);
    let mut other = Mean::default();
    other.push(1.0, 1.0);
    other.merge(&mean);
    assert_eq!(other.value(), f64::INFINITY);
    other.push(f64::NEG_INFINITY, 1.0);
    assert!(other.value().is_nan());
}
