//! What single metrics count.

use chainrule_metrics::{
    Accuracy, CalibrationCurve, ConfusionMatrix, Count, Counts, LogCosh, Mean, Metric, MetricValue,
    OperatingPoint, PrecisionAtRecall, PrecisionRecallCurve, RocCurve, RunningMean, Statistic, Table, Tally,
    Undefined,
};
use ndarray::{Array2, Axis, array};

fn outputs() -> Array2<f32> {
    array![[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [-1.0, -2.0, -0.5], [f32::NAN, 9.0, 0.0]]
}

const CLASSES: [u8; 4] = [1, 1, 2, 1];

fn merges<M: Count<f32, u8> + PartialEq>(metric: M) -> Tally<M> {
    let (mut whole, mut first, mut second) = (metric.tally(), metric.tally(), metric.tally());
    let y = outputs();
    let (top, bottom) = y.view().split_at(Axis(0), 1);
    whole.update(y.view(), &CLASSES);
    first.update(top, &CLASSES[..1]);
    second.update(bottom, &CLASSES[1..]);
    first.merge(&second);
    assert_eq!(first, whole);
    // What was counted can be kept elsewhere.
    let numbers = whole.numbers();
    let mut kept = metric.tally();
    assert_eq!(kept.restore(&numbers), Some(()));
    assert_eq!(kept, whole);
    assert_eq!(kept.restore(&numbers[1..]), None);
    assert_eq!(kept, whole);
    whole.reset();
    assert_eq!(whole.value(), metric.tally().value());
    first
}

#[test]
fn tallies_of_parts_make_the_whole() {
    // The first of equal outputs wins, and NaN is wrong.
    assert_eq!(merges(Accuracy::default()).value(), MetricValue::Number(0.5));
    assert_eq!(merges(ConfusionMatrix::new(3)).counts().accuracy(), Ok(0.5));
    assert_eq!(Accuracy.tally().value(), MetricValue::Undefined(Undefined::NO_SAMPLE));
}

#[test]
fn distributions_and_single_columns() {
    let mut accuracy = Accuracy.tally();
    accuracy
        .update(outputs().view(), &[[0.0f32, 1.0, 0.0], [0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]);
    assert_eq!(accuracy.value(), MetricValue::Number(0.75));
    let mut logits = Accuracy.tally();
    logits.update(array![[0.4f32], [-0.4], [f32::NAN]].view(), &[1u8, 1, 0]);
    assert_eq!(logits.value(), MetricValue::Number(1.0 / 3.0));
    let mut probabilities = Accuracy::with_threshold(0.5).tally();
    probabilities.update(array![[0.4f32], [0.6]].view(), &[[0.0f32], [1.0]]);
    assert_eq!(probabilities.value(), MetricValue::Number(1.0));
}

#[test]
fn the_matrix_grows_and_prints() {
    let mut matrix = ConfusionMatrix.tally();
    matrix.update(outputs().view(), &CLASSES);
    assert_eq!(matrix.counts().cells(), array![[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    assert_eq!(matrix.counts().uncounted(), 1.0);
    let printed = matrix.counts().to_string();
    assert_eq!(printed.lines().nth(2), Some("               1 1 1 0"));
    let value = matrix.value();
    let table = value.as_table().unwrap();
    assert_eq!(table.column("1"), Some(vec![0.0, 1.0, 0.0]));
    assert_eq!(table.notes(), ["samples of no class: 1"]);
    assert_eq!(value.to_string(), "(3 x 3)");
    assert_eq!(format!("{value:#}").lines().nth(2), Some("               1 1 1 0"));
}

#[test]
fn a_matrix_of_too_many_classes_is_refused() {
    let y = array![[0.9f32, 0.1]];
    let largest = (usize::MAX, "1.8446744073709552e19");
    for (classes, text) in [largest, (1 << 32, "4294967296"), (1 << 31, "2147483648"), (1 << 24, "16777216")]
    {
        let huge = ConfusionMatrix::new(classes);
        let error = huge.validate().unwrap_err().to_string();
        assert!(error.starts_with(&format!("ConfusionMatrix: classes is {text}, ")), "{error}");
        let mut tally = huge.tally();
        tally.update(y.view(), &[0u8]);
        tally.merge(&tally.clone());
        let reason = "undefined, since a count for each pair of classes does not fit into memory";
        assert_eq!(tally.value().undefined().map(|reason| reason.to_string()).as_deref(), Some(reason));
        let mut small = ConfusionMatrix.tally();
        small.update(y.view(), &[0u8]);
        let mut counts = tally.counts().clone();
        counts.merge(small.counts());
        assert_eq!(huge.value(&counts).undefined(), tally.value().undefined());
    }
    assert!(ConfusionMatrix::new(1000).validate().is_ok());
}

#[test]
fn means_lose_nothing() {
    let mut kept = RunningMean::default();
    kept.push(0.1, 3.0);
    assert_eq!(RunningMean::from_numbers(&kept.numbers()), Some(kept));
    assert_eq!(RunningMean::from_numbers(&[1.0]), None);
    let (mut all, mut half) = (RunningMean::default(), RunningMean::default());
    assert_eq!(all.value(), Err(Undefined::NO_SAMPLE));
    for value in [1e16, 1.0, -1e16] {
        all.push(value, 1.0);
    }
    assert_eq!(all.value(), Ok(1.0 / 3.0));
    half.push(5.0, 3.0);
    all.merge(&half);
    assert_eq!(all.value(), Ok(16.0 / 6.0));
}

#[test]
fn the_mean_of_outputs() {
    let mut mean = Mean.tally();
    mean.update(array![[1.0f32, 2.0], [3.0, 6.0]].view(), &[0u8, 1]);
    assert_eq!(mean.value(), MetricValue::Number(3.0));
    mean.update(array![[f32::NAN]].view(), &[0u8]);
    assert_eq!(mean.value(), MetricValue::Undefined(Undefined::NAN));
    mean.reset();
    assert_eq!(mean.value(), MetricValue::Undefined(Undefined::NO_SAMPLE));
}

#[test]
fn small_errors_keep_their_digits() {
    for error in [1e-12, 1e-8, 1e-5, 9.9e-4, 1.1e-3, 0.05] {
        let mut metric = LogCosh::default().tally();
        metric.update(array![[error]].view(), &[[0.0]]);
        let MetricValue::Number(found) = metric.value() else { panic!("{error}") };
        // Of the series of ln cosh e, whose next term is e⁸ 17/2520.
        let square = error * error;
        let right = square / 2.0 * (1.0 - square / 6.0 + square * square * 2.0 / 45.0);
        assert!((found / right - 1.0).abs() < 1e-8, "{error}: {found} for {right}");
    }
}

#[test]
fn wild_labels_are_wrong_and_harmless() {
    let y = array![[0.9f32, 0.1], [0.2, 0.8], [0.2, 0.8]];
    for matrix in [ConfusionMatrix::default(), ConfusionMatrix::new(2)] {
        let mut matrix = matrix.tally();
        matrix.update(y.view(), &[0u32, u32::MAX, 1]);
        matrix.update(y.slice(ndarray::s![..1, ..]), &[usize::MAX]);
        assert_eq!(matrix.counts().cells(), array![[1.0, 0.0], [0.0, 1.0]]);
        assert_eq!(matrix.counts().uncounted(), 2.0);
        assert_eq!(matrix.counts().accuracy(), Ok(0.5));
    }
    let mut accuracy = Accuracy.tally();
    accuracy.update(y.view(), &[0u32, u32::MAX, 1]);
    accuracy.update(Array2::<f32>::zeros((1, 0)).view(), &[0u32]);
    assert_eq!(accuracy.value(), MetricValue::Number(0.5));
}

#[test]
fn an_infinite_value_has_an_infinite_mean() {
    let mut mean = RunningMean::default();
    mean.push(f64::INFINITY, 2.0);
    mean.push(1.0, 1.0);
    assert_eq!(mean.value(), Ok(f64::INFINITY));
    let mut other = RunningMean::default();
    other.push(1.0, 1.0);
    other.merge(&mean);
    assert_eq!(other.value(), Ok(f64::INFINITY));
    other.push(f64::NEG_INFINITY, 1.0);
    assert_eq!(other.value(), Err(Undefined::NAN));
}

#[test]
fn curves_are_drawn() {
    let mut roc = Tally::new(RocCurve);
    roc.update(array![[0.1], [0.4], [0.35], [0.8]].view(), &[0u8, 0, 1, 1]);
    let value = roc.value();
    let table = value.as_table().unwrap();
    assert_eq!(table.column("true_positive_rate").unwrap(), [0.0, 0.5, 0.5, 1.0, 1.0]);
    assert_eq!(table.column("false_positive_rate").unwrap(), [0.0, 0.0, 0.5, 0.5, 1.0]);
    let svg = table.svg().unwrap();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"));
    // The first point is at the lower left, the last at the upper right of the frame.
    assert!(svg.contains("points=\"60.0,430.0 60.0,230.0 260.0,230.0 260.0,30.0 460.0,30.0 \""), "{svg}");
    // A line for each class, with its name.
    let mut classes = Tally::new(PrecisionRecallCurve);
    classes.update(array![[2.0, 0.0, 1.0], [0.0, 1.0, 0.5], [0.0, 1.0, 3.0]].view(), &[0u8, 1, 2]);
    let svg = classes.value().as_table().unwrap().svg().unwrap();
    assert_eq!(svg.matches("<polyline").count(), 3);
    assert_eq!(svg.matches("fill=\"#").count(), 4);
    assert_eq!(Table::new("", ["a"]).svg(), None);
}

#[test]
fn calibration_is_counted_in_bins() {
    let y = array![[0.05], [0.05], [0.95], [1.0], [0.5]];
    let mut curve = Tally::new(CalibrationCurve::from_probabilities());
    curve.update(y.view(), &[0u8, 1, 1, 1, 0]);
    let value = curve.value();
    let table = value.as_table().unwrap();
    assert_eq!(table.column("fraction_right").unwrap(), [0.5, 0.0, 1.0]);
    assert_eq!(table.column("samples").unwrap(), [2.0, 1.0, 2.0]);
    assert_eq!(table.column("confidence").unwrap()[..2], [0.05, 0.5]);
    curve.update(array![[1.5]].view(), &[1u8]);
    assert_eq!(curve.value().undefined().unwrap().0, "a confidence is not a number from 0 to 1");
}

#[test]
fn the_best_threshold_is_said() {
    let mut tally = Tally::new(PrecisionAtRecall::new(0.5));
    tally.update(array![[0.1], [0.4], [0.35], [0.8]].view(), &[0u8, 0, 1, 1]);
    assert_eq!(tally.value(), MetricValue::Number(1.0));
    assert_eq!(tally.metric().points(tally.counts()), [Ok(OperatingPoint { value: 1.0, threshold: 0.8 })]);
}

#[test]
#[cfg(feature = "serde")]
fn values_are_written_as_json() {
    let json = |value: MetricValue| serde_json::to_string(&value).unwrap();
    assert_eq!(json(MetricValue::Number(0.5)), "0.5");
    let undefined = MetricValue::Undefined(Undefined("no sample is of the class"));
    assert_eq!(json(undefined), r#"{"undefined":"no sample is of the class"}"#);
    let vector = MetricValue::Vector(vec![Ok(1.0), Err(Undefined("a reason"))]);
    assert_eq!(json(vector), r#"[1.0,{"undefined":"a reason"}]"#);
    let mut table = Table::new("", ["a", "b"]);
    table.push(vec![1.0, f64::INFINITY]);
    table.note("class 3 has no curve");
    assert_eq!(
        json(table.into()),
        r#"{"columns":["a","b"],"rows":[[1.0,null]],"notes":["class 3 has no curve"]}"#
    );
}
