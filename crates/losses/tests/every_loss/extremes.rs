//! Outputs at the ends of their ranges: infinities, zeros, batches of one class, and long sequences.

use chainrule_losses::{
    BceLoss, BinaryFocal, BinarySparsemax, CategoricalFocal, CategoricalGeneralizedCrossEntropy,
    CategoricalHinge, Circle, Contrastive, CosineEmbedding, CosineSimilarity, CrossEntropy, Ctc, Dice,
    GaussianNll, Hinge, Huber, KlDivergence, LogCosh, Loss, MeanAbsoluteError, MultiMargin, MulticlassHinge,
    Nll, NtXent, Poisson, PoissonNll, PolyCrossEntropy, Quantile, RankingSoftmax, SmoothL1, SoftMargin,
    TripletMargin, Tversky,
};
use ndarray::{Array2, array};

const INF: f64 = f64::INFINITY;

/// The loss of one row and its gradient.
fn of<Y>(loss: &dyn Loss<f64, Y>, y: &[f64], target: Y) -> (f64, Vec<f64>) {
    let y = Array2::from_shape_vec((1, y.len()), y.to_vec()).unwrap();
    let mut dy = Array2::from_elem(y.dim(), f64::NAN);
    let value = loss.reduced(y.view(), &[target], Some(dy.view_mut())).unwrap();
    (value, dy.into_iter().collect())
}

/// Checks a loss and its gradient.
#[track_caller]
fn is<Y>(loss: &dyn Loss<f64, Y>, y: &[f64], target: Y, right: f64, gradient: &[f64]) {
    let (value, slopes) = of(loss, y, target);
    assert!(
        value == right || (value - right).abs() < 1e-9 * right.abs().max(1.0),
        "{loss:?}: {value}, not {right}"
    );
    for (found, right) in slopes.iter().zip(gradient) {
        assert!(
            (found - right).abs() < 1e-9 * right.abs().max(1.0),
            "{loss:?}: {slopes:?}, not {gradient:?}"
        );
    }
}

#[test]
fn infinite_logits() {
    let focal = CategoricalFocal { alpha: 1.0, ..CategoricalFocal::default() };
    is(&focal, &[INF, 0.0], 0u8, 0.0, &[0.0, 0.0]);
    is(&focal, &[INF, 0.0], 1u8, INF, &[1.0, -1.0]);
    is(&focal, &[-INF, 0.0, 0.0], 1u8, 0.25 * 2f64.ln(), &[0.0]);
    is(&BinaryFocal::default(), &[INF, -INF], [1.0, 0.0], 0.0, &[0.0, 0.0]);
    is(&BinaryFocal::default(), &[INF], [0.0], INF, &[1.0]);
    is(&CategoricalGeneralizedCrossEntropy::default(), &[-INF, 0.0], 0u8, 2.0, &[0.0, 0.0]);
    is(&CategoricalGeneralizedCrossEntropy::default(), &[-INF, 0.0], 1u8, 0.0, &[0.0, 0.0]);
    is(&PolyCrossEntropy::default(), &[-INF, 0.0], 1u8, 0.0, &[0.0, 0.0]);
    is(&PolyCrossEntropy::default(), &[-INF, 0.0], 0u8, INF, &[-1.0, 1.0]);
    is(&CrossEntropy.class_weights([0.0, 2.0]), &[-INF, 0.0], [0.5, 0.5], 0.0, &[0.0, 0.0]);
    is(&Nll::default(), &[-INF, 0.0], 1u8, 0.0, &[0.0, -1.0]);
    is(&RankingSoftmax, &[-INF, 0.0, 0.0], [0.0, 2.0, 0.0], 2.0 * 2f64.ln(), &[0.0, -1.0, 1.0]);
    is(&KlDivergence::default(), &[-INF, 0.0], [0.0, 1.0], 0.0, &[0.0, -1.0]);
    is(&BinarySparsemax, &[INF, -INF], [1.0, 0.0], 0.0, &[0.0, 0.0]);
    is(&Hinge, &[INF, -INF], [1.0, -1.0], 0.0, &[0.0, 0.0]);
    is(&SoftMargin, &[INF, -INF], [1.0, -1.0], 0.0, &[0.0, 0.0]);
    is(&CategoricalHinge, &[-INF, 2.0], 1u8, 0.0, &[0.0, 0.0]);
    is(&MulticlassHinge::default(), &[-INF, 2.0], 1u8, 0.0, &[0.0, 0.0]);
    is(&MultiMargin::default(), &[-INF, 2.0], 1u8, 0.0, &[0.0, 0.0]);
    // An infinite value is infinitely wrong, with the slope of large errors.
    is(&MeanAbsoluteError, &[INF], [0.0], INF, &[1.0]);
    is(&Huber::default(), &[-INF], [0.0], INF, &[-1.0]);
    is(&SmoothL1::default(), &[INF], [0.0], INF, &[1.0]);
    is(&LogCosh, &[-INF], [0.0], INF, &[-1.0]);
    is(&Quantile { quantile: 1.0 }, &[INF], [0.0], 0.0, &[0.0]);
    // What grows faster wins: the mean of a count beside its logarithm.
    is(&PoissonNll, &[INF], [2.0], INF, &[]);
    is(&Poisson, &[INF], [2.0], INF, &[1.0]);
}

#[test]
fn zeros() {
    for y in [[0.0, 0.0], [1e-200, -1e-200]] {
        let (value, slopes) = of(&CosineSimilarity, &y, [1.0, 1.0]);
        assert!(value.abs() < 1e-9 && slopes.iter().all(|slope| slope.is_finite()), "{value}, {slopes:?}");
    }
    let (value, slopes) = of(&CosineEmbedding::default(), &[0.0; 4], 1u8);
    assert!(value == 1.0 && slopes == [0.0; 4], "{value}, {slopes:?}");
    is(&Contrastive::default(), &[2.0, 1.0, 2.0, 1.0], 0u8, 1.0, &[0.0; 4]);
    let exact = TripletMargin { eps: 0.0, ..TripletMargin::default() };
    is(&exact, &[1.0, 1.0, 1.0], (), 1.0, &[0.0; 3]);
    // A variance of 0 is as small as they are.
    let ln = 0.5 * 1e-6f64.ln();
    is(&GaussianNll::default(), &[3.0, 0.0], [3.0], ln, &[0.0, 5e5]);
    // Nothing where nothing is wanted.
    for loss in [&Dice::default() as &dyn Loss<f64, [f64; 2]>, &Tversky::default()] {
        let (value, slopes) = of(loss, &[0.0, 0.0], [0.0, 0.0]);
        assert!(
            value == 1.0 && slopes.iter().all(|slope| slope.is_finite()),
            "{loss:?}: {value}, {slopes:?}"
        );
    }
    is(
        &KlDivergence { from_probabilities: true, ..KlDivergence::default() },
        &[0.0, 1.0],
        [0.0, 1.0],
        0.0,
        &[],
    );
}

#[test]
fn one_class() {
    let y: Array2<f64> = array![[3.0, 4.0], [1.0, 0.0], [3.0, 4.0], [-6e8, 1e8]];
    for loss in [&NtXent::default() as &dyn Loss<f64, u8>, &Circle::default()] {
        let mut dy = Array2::from_elem(y.dim(), f64::NAN);
        // All of one class, and all of their own.
        for classes in [[7, 7, 7, 7], [1, 2, 3, 4]] {
            assert_eq!(loss.reduced(y.view(), &classes, Some(dy.view_mut())), Ok(0.0), "{loss:?}");
            assert!(dy.iter().all(|&slope| slope == 0.0), "{loss:?}");
        }
        assert_eq!(loss.reduced(y.slice(ndarray::s![..1, ..]), &[1], None), Ok(0.0), "{loss:?}");
        let value = loss.reduced(y.view(), &[0, 1, 0, 1], Some(dy.view_mut())).unwrap();
        assert!(value.is_finite() && dy.iter().all(|slope| slope.is_finite()), "{loss:?}: {value}");
    }
}

/// With equal probabilities, all paths are equally likely, and they can be counted.
#[test]
fn long_sequences_of_labels() {
    let classes = 5;
    for steps in [1, 7, 3000] {
        let loss = Ctc { per_label: false, ..Ctc::new(classes) };
        let y = vec![2.5; steps * classes];
        let all = steps as f64 * (classes as f64).ln();
        is(&loss, &y, Vec::<u8>::new(), all, &[]);
        // One label: it begins and ends somewhere.
        let (begins, t) = (steps as f64, steps as f64);
        is(&loss, &y, vec![3u8], all - (begins * (t + 1.0) / 2.0).ln(), &[]);
    }
    let loss = Ctc::new(2);
    // The label has no chance: infinity, or nothing where that is chosen.
    is(&loss, &[0.0, -INF, 0.0, -INF], vec![1u8], INF, &[0.0; 4]);
    is(&Ctc { zero_infinity: true, ..loss }, &[0.0, -INF, 0.0, -INF], vec![1u8], 0.0, &[0.0; 4]);
    is(&loss, &[-1e4, 1e4, 1e4, -1e4], vec![1u8], 0.0, &[0.0; 4]);
}

/// Where nothing is counted and nothing expected, nothing is wrong, and the gradient is that beside it.
#[test]
fn a_mean_of_zero() {
    let exact = PoissonNll { log_input: false, eps: 0.0, ..PoissonNll };
    is(&exact, &[0.0], [0.0], 0.0, &[1.0]);
    is(&exact, &[0.0], [1.0], INF, &[]);
    is(&Poisson, &[-1e-7], [0.0], -1e-7, &[1.0]);
}

/// The slope of a root at 0 is infinite, and 0 times that is nothing.
#[test]
fn an_impossible_target() {
    let loss = CategoricalGeneralizedCrossEntropy { from_probabilities: true, q: 0.5 };
    is(&loss, &[0.0, 1.0], 0u8, 2.0, &[-(1e-7f64.powf(-0.5)), 0.0]);
    is(&loss, &[0.0, 1.0], 1u8, 0.0, &[0.0, -1.0]);
}

/// A class has the probability 1 and no logarithm.
#[test]
fn classes_beside_logarithms() {
    let loss = KlDivergence { log_target: true, ..KlDivergence::default() };
    let y = [0.25f64.ln(), 0.75f64.ln()];
    is(&loss, &y, 1u8, -y[1], &[0.0, -1.0]);
    is(&loss, &y, [-INF, 0.0], -y[1], &[0.0, -1.0]);
}

/// Squares and powers of numbers that have none, and powers of large degrees.
#[test]
fn lengths_of_any_size() {
    for size in [1e-3, 1.0, 1e80, 1e160, 1e300] {
        is(&CosineSimilarity, &[3.0 * size, 4.0 * size], [4.0, 3.0], -0.96, &[]);
        is(&CosineSimilarity, &[3.0, 4.0], [4.0 * size, 3.0 * size], -0.96, &[]);
        let pair = [3.0, 4.0, 4.0, 3.0].map(|y| y * size);
        let (loss, slopes) = of(&CosineEmbedding::default(), &pair, 1u8);
        assert!((loss - 0.04).abs() < 1e-6 && slopes.iter().all(|slope| slope.is_finite()), "{size}: {loss}");
        let exact = TripletMargin { eps: 0.0, ..TripletMargin::default() };
        is(&exact, &[0.0, 0.0, 3.0, 4.0, 0.0, 0.0].map(|y| y * size), (), 5.0 * size + 1.0, &[-0.6, -0.8]);
        let y =
            Array2::from_shape_fn((4, 2), |(row, column)| size * [1.0, 2.0, -1.0, 3.0][(row + column) % 4]);
        let of_batch = |y: &Array2<f64>| NtXent::default().reduced(y.view(), &[0u8, 1, 0, 1], None).unwrap();
        let (found, right) = (of_batch(&y), of_batch(&(&y / size)));
        assert!((found - right).abs() < 1e-9 * right, "{size}: {found} for {right}");
    }
    for p in [3.0, 400.0, 1e308, INF] {
        let loss = TripletMargin { p, eps: 0.0, ..TripletMargin::default() };
        is(&loss, &[0.0, 10.0, 0.0], (), 11.0, &[-1.0, 1.0, 0.0]);
    }
    is(&GaussianNll::default(), &[1e160, 1e160], [0.0], 0.5 * (160.0 * 10f64.ln() + 1e160), &[1.0, -0.5]);
}

/// With a single column there is nothing to choose between.
#[test]
fn one_column() {
    is(&CrossEntropy.class_weights([2.0]), &[-7.0], 0u8, 0.0, &[0.0]);
    is(&CategoricalFocal::default(), &[3.0], 0u8, 0.0, &[0.0]);
    is(&MultiMargin::default(), &[3.0], 0u8, 0.0, &[0.0]);
    is(&MulticlassHinge::default(), &[3.0], 0u8, 0.0, &[0.0]);
}

/// Of probabilities at the border, PyTorch's loss has logarithms of at least -100.
#[test]
fn certain_probabilities() {
    let loss = BceLoss::default();
    is(&loss, &[0.0, 1.0], [0.0, 1.0], 0.0, &[0.0, 0.0]);
    is(&loss, &[0.0, 1.0], [1.0, 0.0], 100.0, &[-5e11, 5e11]);
}
