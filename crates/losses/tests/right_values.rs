//! Values that losses must return where a sum is long, a logit infinite, a probability 0 or a target impossible.

use chainrule_losses::{
    BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError, PerStep, PoissonNll, Real, Target, TargetError,
};
use ndarray::{Array1, Array2, array, s};

/// The loss with and without its gradient, and the gradient.
fn both<T: Real, Y>(loss: &dyn Loss<T, Y>, y: &Array2<T>, targets: &[Y], scale: f64) -> (f64, Vec<f64>) {
    let mut dy = Array2::from_elem(y.dim(), T::nan());
    let scale = T::of(scale);
    let with = loss.loss(y.view(), targets, scale, Some(dy.view_mut())).as_f64();
    let without = loss.loss(y.view(), targets, scale, None).as_f64();
    let same = with.to_bits() == without.to_bits() || (with - without).abs() <= 1e-6 * without.abs();
    assert!(same, "{loss:?}: {with} with the gradient, {without} without");
    (without, dy.iter().map(|dy| dy.as_f64()).collect())
}

#[track_caller]
fn close(found: f64, right: f64, tolerance: f64) {
    assert!((found - right).abs() <= tolerance * right.abs() || found == right, "{found} instead of {right}");
}

fn outputs<T: Real>(y: &[f64]) -> Array2<T> {
    Array1::from_iter(y.iter().map(|&y| T::of(y))).insert_axis(ndarray::Axis(0))
}

fn values<T: Real>(t: &[f64]) -> Vec<T> {
    t.iter().map(|&t| T::of(t)).collect()
}

/// The loss of one row with a vector of values, in one precision.
#[track_caller]
fn row<T: Real>(loss: &dyn Loss<T, Vec<T>>, y: &[f64], t: &[f64], right: f64, gradient: &[f64])
where
    Vec<T>: Target<T>,
{
    let tolerance = if T::NAME == "f32" { 2e-6 } else { 1e-9 };
    let (found, dy) = both(loss, &outputs(y), &[values(t)], 1.0);
    close(found, right, tolerance);
    dy.iter().zip(gradient).for_each(|(&dy, &right)| {
        assert!((dy - right).abs() <= tolerance, "{dy} instead of {right}");
    });
}

const INF: f64 = f64::INFINITY;

fn masked_logits<T: Real>() {
    let ln_2 = std::f64::consts::LN_2;
    let plain: &dyn Loss<T, Vec<T>> = &CrossEntropy;
    row(plain, &[-INF, 0.0], &[0.0, 1.0], 0.0, &[0.0, 0.0]);
    row(plain, &[-INF, 0.0, 0.0], &[0.0, 0.5, 0.5], ln_2, &[0.0, 0.0, 0.0]);
    row(plain, &[-INF, 0.0], &[1.0, 0.0], INF, &[-1.0, 1.0]);
    row(plain, &[-INF, 0.0, 1.0], &[0.0, 0.0, 0.0], 0.0, &[0.0; 3]);
    row(plain, &[-INF, -INF], &[0.0, 1.0], INF, &[0.0, -1.0]);
    row(plain, &[INF, 0.0], &[1.0, 0.0], 0.0, &[0.0, 0.0]);
    row(plain, &[INF, 0.0], &[0.0, 1.0], INF, &[1.0, -1.0]);
    // A row longer than a tile, and one with more values than are masked.
    let mut long = vec![-INF; 3000];
    (long[7], long[2999]) = (2.0, 2.0);
    let mut wanted = vec![0.0; 3000];
    wanted[7] = 1.0;
    let mut gradient = vec![0.0; 3000];
    (gradient[7], gradient[2999]) = (-0.5, 0.5);
    row(plain, &long, &wanted, ln_2, &gradient);
    long[7] = -INF;
    gradient[7] = -1.0;
    gradient[2999] = 1.0;
    row(plain, &long, &wanted, INF, &gradient);
    // Smoothed over all columns, the masked one is wanted a little; where all is spread, the class itself is not.
    let smooth = CrossEntropy.label_smoothing(0.1);
    row::<T>(&smooth, &[-INF, 0.0], &[0.0, 1.0], INF, &[-0.05, 0.05]);
    row::<T>(&CrossEntropy.label_smoothing(1.0), &[-INF, 0.0], &[0.0, 1.0], INF, &[-0.5, 0.5]);
    row::<T>(&CrossEntropy.label_smoothing(1.0), &[0.0, 0.0], &[0.0, 1.0], ln_2, &[0.0, 0.0]);
    row::<T>(&CrossEntropy.label_smoothing(0.0), &[-INF, 0.0], &[0.0, 1.0], 0.0, &[0.0, 0.0]);

    let binary: &dyn Loss<T, Vec<T>> = &BinaryCrossEntropy;
    row(binary, &[-INF], &[0.0], 0.0, &[0.0]);
    row(binary, &[INF], &[1.0], 0.0, &[0.0]);
    row(binary, &[INF], &[0.0], INF, &[1.0]);
    row(binary, &[-INF], &[1.0], INF, &[-1.0]);
    row(binary, &[-INF, INF, 0.0, 0.0], &[0.0, 1.0, 0.5, 1.0], ln_2 / 2.0, &[0.0, 0.0, 0.0, -0.125]);
    row::<T>(&BinaryCrossEntropy::from_probabilities(), &[0.0, 1.0], &[0.0, 1.0], 1.000_000_05e-7, &[]);
    row::<T>(&PoissonNll, &[-INF, 0.0], &[0.0, 2.0], 0.5, &[0.0, -0.5]);
    row::<T>(&PoissonNll, &[-INF], &[1.0], INF, &[-1.0]);
    row::<T>(&CrossEntropy::from_probabilities(), &[0.0, 1.0], &[0.0, 1.0], 0.0, &[0.0, -1.0]);

    // Two steps, of which one has a masked logit.
    let steps: &dyn Loss<T, [Vec<T>; 2]> = &PerStep(CrossEntropy);
    let target = [values(&[0.0, 1.0]), values(&[1.0, 0.0])];
    let (found, dy) = both(steps, &outputs(&[-INF, 0.0, 3.0, 3.0]), &[target], 1.0);
    close(found, 0.346_573_590_3, 2e-7);
    assert_eq!(dy, [0.0, 0.0, -0.25, 0.25]);
}

#[test]
fn zero_times_infinity_is_zero() {
    masked_logits::<f32>();
    masked_logits::<f64>();
}

#[test]
fn a_class_and_its_vector_agree_at_infinity() {
    for class in [0usize, 1, 2] {
        let vector: [f64; 3] = std::array::from_fn(|i| f64::from(u8::from(i == class)));
        for y in [[-INF, 0.0, 1.0], [-INF, -INF, 1.0], [INF, 0.0, -INF], [-INF; 3]] {
            for loss in [CrossEntropy, CrossEntropy.label_smoothing(0.2)] {
                let y = outputs(&y);
                let of_class: &dyn Loss<f64, usize> = &loss;
                assert_eq!(both(of_class, &y, &[class], 0.5), both(&loss, &y, &[vector], 0.5), "{y}");
            }
        }
    }
}

#[test]
fn what_is_not_a_number_stays_so() {
    let losses: [&dyn Loss<f32, [f32; 2]>; 6] = [
        &PoissonNll,
        &MeanSquaredError,
        &CrossEntropy,
        &CrossEntropy::from_probabilities(),
        &BinaryCrossEntropy,
        &BinaryCrossEntropy::from_probabilities(),
    ];
    for loss in losses {
        for y in [[f32::NAN, 0.5], [0.5, f32::NAN], [f32::NAN, f32::NEG_INFINITY]] {
            for target in [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]] {
                let y = array![[y[0], y[1]]];
                assert!(loss.loss(y.view(), &[target], 1.0, None).is_nan(), "{loss:?} {y} {target:?}");
            }
        }
    }
    // The softmax of two infinities is not defined.
    assert!(CrossEntropy.loss(array![[f64::INFINITY; 2]].view(), &[0u8], 1.0, None).is_nan());
}

#[test]
fn probabilities_at_the_border_in_single_precision() {
    let loss: &dyn Loss<f32, [f32; 1]> = &BinaryCrossEntropy::from_probabilities();
    let of = |p: f32, t: f32| f64::from(loss.loss(array![[p]].view(), &[[t]], 1.0, None));
    for (p, right) in
        [(0.0, 16.118_095_65), (1e-8, 16.118_095_65), (1.1e-7, 16.022_785_47), (0.25, 1.386_294_361)]
    {
        close(of(p, 1.0), right, 2e-6);
        let class: &dyn Loss<f32, u8> = &CrossEntropy::from_probabilities();
        close(f64::from(class.loss(array![[1.0, p]].view(), &[1u8], 1.0, None)), right, 2e-6);
    }
    // The numbers next to 1 are 2⁻²⁴ apart.
    close(of(1.0, 0.0), 16.118_095_65, 2e-6);
    close(of(1.0 - f32::EPSILON / 2.0, 0.0), 16.118_095_65, 2e-6);
    close(of(1.0 - f32::EPSILON, 0.0), 23.0 * std::f64::consts::LN_2, 2e-6);
}

/// Every loss over many equal values is that of one.
#[test]
fn long_sums() {
    let columns = 12_288;
    let (all, few) = (64, 4);
    let y = Array2::from_elem((all, columns), 0.1f32);
    let zeros = vec![vec![0.0f32; columns]; all];
    let right = f64::from(0.1f32).powi(2);
    let (found, dy) = both(&MeanSquaredError, &y, &zeros, 1.0 / all as f64);
    close(found, right, 2e-7);
    close(dy[777], 2.0 * f64::from(0.1f32) / (all * columns) as f64, 2e-6);
    let from_probabilities = BinaryCrossEntropy::from_probabilities();
    close(mean(&from_probabilities, &y, &zeros), 0.105_360_517_3, 2e-7);

    let y = y.slice_move(s![..few, ..]);
    close(mean(&BinaryCrossEntropy, &y, &zeros[..few]), 0.744_396_660_8, 2e-7);
    close(mean(&PoissonNll, &y, &zeros[..few]), f64::from(0.1f32).exp(), 2e-7);
    // One class for each row, and the even distribution over all columns.
    let classes = vec![5u16; few];
    let even = vec![vec![1.0 / columns as f32; columns]; few];
    let ln = (columns as f64).ln();
    close(mean(&CrossEntropy, &y, &classes), ln, 2e-6);
    close(mean(&CrossEntropy, &y, &even), ln, 2e-6);
    close(mean(&CrossEntropy.label_smoothing(0.3), &y, &classes), ln, 2e-6);
    let from_probabilities = CrossEntropy::from_probabilities();
    close(mean(&from_probabilities, &y, &even), -f64::from(0.1f32).ln(), 2e-6);
    // 12,288 steps of one column.
    let steps: &dyn Loss<f32, Vec<[f32; 1]>> = &PerStep(MeanSquaredError);
    close(mean(steps, &y, &vec![vec![[0.0]; columns]; few]), right, 2e-7);
    // A batch of many rows.
    let rows = 1 << 18;
    let y = Array2::from_elem((rows, 1), 0.1f32);
    close(mean(&MeanSquaredError, &y, &vec![[0.0f32]; rows]), right, 2e-7);
}

/// The mean loss of the rows.
fn mean<Y>(loss: &dyn Loss<f32, Y>, y: &Array2<f32>, targets: &[Y]) -> f64 {
    both(loss, y, targets, 1.0 / y.nrows() as f64).0
}

#[test]
fn long_rows() {
    // Debug builds would take a minute for all of it.
    let count = if cfg!(debug_assertions) { 1 << 21 } else { 1 << 25 };
    let y = Array2::from_elem((1, count), 0.1f32);
    let zeros = [vec![0.0f32; count]];
    let right = f64::from(0.1f32).powi(2);
    close(f64::from(MeanSquaredError.loss(y.view(), &zeros, 1.0, None)), right, 2e-7);
    let mut dy = Array2::zeros((1, count));
    close(f64::from(MeanSquaredError.loss(y.view(), &zeros, 1.0, Some(dy.view_mut()))), right, 2e-7);
    close(f64::from(dy[[0, count - 1]]), 0.2 / count as f64, 2e-6);
    for dy in [None, Some(dy.view_mut())] {
        let even = f64::from(CrossEntropy.loss(y.view(), &[0u8], 1.0, dy));
        close(even, (count as f64).ln(), 2e-6);
    }
}

#[test]
fn impossible_targets_are_refused_by_row_and_value() {
    let nan = f64::NAN;
    let unit = "numbers from 0 to 1";
    for bad in [-1.0, 2.0, 1.001, -1e-300, INF, nan] {
        let targets = [[0.0, 1.0], [0.5, bad]];
        let errors = [
            BinaryCrossEntropy.check(2, &targets),
            BinaryCrossEntropy::from_probabilities().check(2, &targets),
            CrossEntropy.check(2, &targets),
            CrossEntropy::from_probabilities().label_smoothing(0.1).check(2, &targets),
        ];
        for error in errors.map(Result::unwrap_err) {
            let TargetError::Value { row: 1, column: 1, value, allowed, .. } = error else {
                panic!("{error}")
            };
            assert_eq!((value.to_bits(), allowed), (bad.to_bits(), unit));
        }
    }
    let text = BinaryCrossEntropy.check(1, &[[0.0f32], [1.5]]).unwrap_err().to_string();
    assert!(
        text.starts_with("target 1 has the value 1.5 at 0, but BinaryCrossEntropy takes numbers from 0 to 1")
    );
    for bad in [nan, INF, -INF] {
        assert!(MeanSquaredError.check(1, &[[1e300], [bad]]).is_err(), "{bad}");
        assert!(MeanSquaredError.check(1, &[[1.0], [bad as f32]]).is_err(), "{bad}");
    }
    assert_eq!(MeanSquaredError.check(2, &[[-1e300, 0.0]]), Ok(()));
    for bad in [-1.0, nan, INF] {
        let text = PoissonNll.check(1, &[[3.0], [7.5], [bad]]).unwrap_err().to_string();
        assert!(text.starts_with(&format!("target 2 has the value {bad} at 0, but PoissonNll")), "{text}");
    }
    let wrong = PerStep(BinaryCrossEntropy).check(2, &[[[0.0], [1.0]], [[1.0], [-1.0]]]).unwrap_err();
    let TargetError::Step { row: 1, source } = wrong else { panic!("{wrong}") };
    assert!(matches!(*source, TargetError::Value { row: 1, value: -1.0, .. }), "{source}");
    // The trait's check is the same.
    assert!(Loss::<f32, [f32; 1]>::check(&BinaryCrossEntropy, 1, &[[-1.0]]).is_err());
}

/// Neither the precision nor the default has to be named.
#[test]
fn losses_are_values() {
    assert_eq!(CrossEntropy, CrossEntropy::default());
    assert_eq!(BinaryCrossEntropy, BinaryCrossEntropy::default());
    assert_eq!(CrossEntropy.check(3, &[0u8, 2]), Ok(()));
    assert!(CrossEntropy.check(3, &[0u8, 3]).is_err());
    assert_eq!(BinaryCrossEntropy.check(1, &[0u8, 1]), Ok(()));
    assert!(BinaryCrossEntropy.check(1, &[2u8]).is_err());
    assert_eq!(PerStep(CrossEntropy).check(4, &[[0u8, 1]]), Ok(()));
    assert!(PerStep(CrossEntropy).check(5, &[[0u8, 1]]).is_err());
    assert_eq!(MeanSquaredError.check(2, &[[0.5f32, 3.0]]), Ok(()));
}
