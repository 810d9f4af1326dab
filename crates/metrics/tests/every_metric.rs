//! What every metric of the list promises: it may be cut into batches, shards and processes, is kept in files, says what is undefined,
//! survives unusual numbers, and describes itself.

use chainrule_core::{Description, Registry};
use chainrule_metrics::{Counter, Measure, MetricValue, Real, Target, TargetError, register};
use chainrule_tensor::{Seed, Weighted};
use ndarray::{Array2, ArrayView2, Axis, s};

type Metrics<T, Y> = Vec<(String, Box<dyn Measure<T, Y>>)>;

fn every<T: Real, Y: Target<T> + 'static>() -> Metrics<T, Y> {
    let mut registry = Registry::new();
    register::<T, Y>(&mut registry);
    let mut texts: Vec<String> =
        registry.entries::<Box<dyn Measure<T, Y>>>().map(|entry| entry.name.to_owned()).collect();
    // Settings by which something else is counted.
    texts.extend(
        [
            "accuracy(top_k=2)",
            "auroc(thresholds=5)",
            "average_precision(thresholds=9)",
            "roc_curve(thresholds=4)",
            "confusion_matrix(classes=6, normalize=all)",
            "precision(average=per_class)",
            "recall(average=weighted, zero_division=1)",
            "f_beta(beta=2, average=micro)",
            "cohen_kappa(weights=quadratic)",
            "calibration_error(bins=3, norm=max)",
            "tweedie_deviance(power=1.5)",
            "r2(multioutput=raw_values)",
            "kendall_correlation(variant=c)",
        ]
        .map(str::to_owned),
    );
    let build = |text: String| {
        let description: Description = text.parse().unwrap();
        (text, registry.build::<Box<dyn Measure<T, Y>>>(&description).unwrap())
    };
    texts.into_iter().map(build).collect()
}

/// Sums are rounded in another order.
fn assert_close(found: &MetricValue, right: &MetricValue, what: &str) {
    let close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs()));
    let same = match (found, right) {
        (MetricValue::Number(a), MetricValue::Number(b)) => close(*a, *b),
        (MetricValue::Vector(a), MetricValue::Vector(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|pair| match pair {
                    (Ok(a), Ok(b)) => close(*a, *b),
                    (a, b) => a == b,
                })
        }
        (MetricValue::Table(a), MetricValue::Table(b)) => {
            a.rows().len() == b.rows().len()
                && a.rows().iter().flatten().zip(b.rows().iter().flatten()).all(|(a, b)| close(*a, *b))
                && a.notes() == b.notes()
        }
        (a, b) => a == b,
    };
    assert!(same, "{what}: {found:?} is not {right:?}");
}

fn counted<T: Real, Y>(
    metric: &dyn Measure<T, Y>,
    y: ArrayView2<'_, T>,
    targets: &[Y],
) -> Box<dyn Counter<T, Y>> {
    let mut tally = metric.start();
    tally.update(y, targets);
    tally
}

/// Whatever the cut into batches and shards, and wherever what was counted is kept meanwhile.
fn may_be_cut<T: Real, Y: Target<T> + 'static>(y: &Array2<T>, targets: &[Y]) {
    for (name, metric) in every::<T, Y>() {
        if let Err(refused) = metric.check(y.ncols(), targets) {
            // To a metric of values, a class is a one-hot vector, also of a single column.
            assert!(matches!(refused, TargetError::Class { columns: 1, .. }), "{name}: {refused}");
            continue;
        }
        metric.validate().unwrap();
        let whole = counted(&*metric, y.view(), targets);
        let rows = y.nrows();
        for cut in [1, rows / 3, rows - 1] {
            let (top, bottom) = y.view().split_at(Axis(0), cut);
            let (first, second) = targets.split_at(cut);
            let mut streamed = metric.start();
            streamed.update(top, first);
            streamed.update(y.slice(s![..0, ..]), &targets[..0]);
            streamed.update(bottom, second);
            assert_close(&streamed.value(), &whole.value(), &name);
            let mut merged = counted(&*metric, top, first);
            merged.merge(&*metric.start());
            merged.merge(&*counted(&*metric, bottom, second));
            assert_close(&merged.value(), &whole.value(), &name);
            let mut late = metric.start();
            late.merge(&*merged);
            assert_eq!(late.value(), merged.value(), "{name}");
            // In a file, in the middle.
            let mut kept = metric.start();
            assert_eq!(kept.restore(&counted(&*metric, top, first).numbers()), Some(()), "{name}");
            kept.update(bottom, second);
            assert_eq!(kept.value(), streamed.value(), "{name}");
        }
        let mut again = counted(&*metric, y.view(), targets);
        again.reset();
        assert_eq!(again.value(), metric.start().value(), "{name}");
        again.update(y.view(), targets);
        assert_eq!(again.value(), whole.value(), "{name}");
    }
}

fn outputs<T: Real>(rows: usize, columns: usize) -> Array2<T> {
    let mut rng = Seed(rows as u64).rng();
    Array2::from_shape_simple_fn((rows, columns), || T::of((rng.below(31) as f64 + 1.0) / 32.0))
}

fn classes(rows: usize, count: usize) -> Vec<usize> {
    let mut rng = Seed(7).rng();
    (0..rows).map(|_| rng.below(count)).collect()
}

#[test]
fn every_metric_may_be_cut() {
    for rows in [4, 29] {
        may_be_cut::<f64, _>(&outputs(rows, 1), &classes(rows, 2));
        may_be_cut::<f32, _>(&outputs(rows, 4), &classes(rows, 4));
        may_be_cut::<f64, [f64; 1]>(
            &outputs(rows, 1),
            &classes(rows, 2).iter().map(|&class| [class as f64]).collect::<Vec<_>>(),
        );
        let weights = [0.0, 0.5, 1.0, 3.0];
        let weighted = |(row, target): (usize, usize)| Weighted { target, weight: weights[row % 4] as f32 };
        let targets: Vec<_> = classes(rows, 4).into_iter().enumerate().map(weighted).collect();
        let order = ["spearman_correlation", "kendall_correlation"];
        for (name, metric) in every::<f64, Weighted<usize>>() {
            let y = outputs(rows, 4);
            let refused = order.iter().any(|order| name.starts_with(order));
            assert_eq!(metric.check(4, &targets).is_err(), refused, "{name}");
            // A weight is how often a sample counts, and with none it does not.
            let doubled: Vec<_> =
                targets.iter().map(|target| Weighted { weight: 2.0 * target.weight, ..*target }).collect();
            let mut twice = counted(&*metric, y.view(), &targets);
            twice.merge(&*counted(&*metric, y.view(), &targets));
            if !refused {
                assert_close(&counted(&*metric, y.view(), &doubled).value(), &twice.value(), &name);
            }
            let none = [Weighted::masked(0), Weighted::masked(1), Weighted::masked(2)];
            let masked = counted(&*metric, y.slice(s![..3, ..]), &none).value();
            assert_eq!(masked, metric.start().value(), "{name}");
        }
    }
}

#[test]
fn nothing_is_undefined_and_not_zero() {
    for (name, metric) in every::<f64, usize>() {
        let nothing = metric.start().value();
        match name.as_str() {
            "sum" => assert_eq!(nothing, MetricValue::Number(0.0)),
            _ => assert_eq!(nothing.undefined().map(|reason| reason.0), Some("there is no sample"), "{name}"),
        }
    }
}

#[test]
fn unusual_numbers_give_a_value_or_a_reason() {
    let unusual =
        [0.0, -0.0, 1e4, -1e4, f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324];
    for &a in &unusual {
        for &b in &unusual {
            for columns in [1, 3] {
                let y = Array2::from_shape_fn(
                    (4, columns),
                    |(row, column)| if (row + column) % 2 == 0 { a } else { b },
                );
                for (name, metric) in every::<f64, usize>() {
                    for targets in [[0, 0, 0, 0], [1, 0, 1, 0]] {
                        let value = counted(&*metric, y.view(), &targets).value();
                        if let MetricValue::Number(number) = value {
                            assert!(!number.is_nan(), "{name} of {a} and {b}");
                        }
                        let all_nan = a.is_nan() && b.is_nan();
                        if all_nan && value.as_number().is_some_and(|number| number > 0.0) {
                            // What counts mistakes.
                            let counts_them = name == "hamming_distance" || name.contains("zero_division");
                            assert!(counts_them, "{name} of NaN is {value}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_metric_says_what_it_is() {
    let mut registry = Registry::new();
    register::<f32, u8>(&mut registry);
    for (text, metric) in every::<f32, u8>() {
        let description = metric.description();
        assert!(text.starts_with(metric.name()), "{text}");
        assert_eq!(description.name, metric.name());
        let written: Description = description.to_string().parse().unwrap();
        let again = registry.build::<Box<dyn Measure<f32, u8>>>(&written).unwrap();
        assert_eq!(again.description(), description);
        assert_eq!(format!("{again:?}"), format!("{metric:?}"));
    }
    for entry in registry.entries::<Box<dyn Measure<f32, u8>>>() {
        assert!(!entry.formula.is_empty() && !entry.source.is_empty(), "{}", entry.name);
        let plain: Box<dyn Measure<f32, u8>> = registry.build(&Description::new(entry.title)).unwrap();
        assert_eq!(plain.name(), entry.name);
    }
}

#[test]
fn counts_of_something_else_are_refused() {
    for (name, metric) in every::<f64, usize>() {
        let mut tally = counted(&*metric, outputs(5, 3).view(), &classes(5, 3));
        let numbers = tally.numbers();
        let before = tally.value();
        let longer: Vec<f64> =
            numbers.iter().copied().chain([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.0]).collect();
        for wrong in [&[7.0, 1e300, 3.0][..], &longer] {
            let wrong_numbers = tally.restore(wrong);
            if wrong_numbers.is_none() {
                assert_eq!(tally.value(), before, "{name}");
            }
            tally.restore(&numbers).unwrap();
        }
    }
}
