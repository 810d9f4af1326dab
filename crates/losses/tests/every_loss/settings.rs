//! Settings of single losses.

use chainrule_core::{Described, Description};
use chainrule_losses::gradcheck::gradient;
use chainrule_losses::{
    BceLoss, BinaryCrossEntropy, BinaryFocal, CategoricalFocal, CategoricalGeneralizedCrossEntropy, Circle,
    Contrastive, CosineEmbedding, Criterion, CrossEntropy, Ctc, Dice, GaussianNll, HingeEmbedding, Huber,
    KlDivergence, Loss, MarginRanking, MeanSquaredError, MultiLabelSoftMargin, MultiMargin, MulticlassHinge,
    Nll, NtXent, PoissonNll, PolyCrossEntropy, Quantile, SettingError, SmoothL1, TargetError, TripletMargin,
    TripletMarginWithDistance, Tversky,
};
use ndarray::{Array2, array};

use crate::cases::registry;

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

/// `Default` in code and the defaults of the entry are the same.
#[test]
fn defaults_are_those_of_the_entry() {
    fn check<L: Described + Default>() {
        let built: Box<dyn Loss<f64, Vec<f64>>> =
            registry::<f64>().build(&Description::new(L::ENTRY.name)).unwrap();
        assert_eq!(built.description(), L::default().describe());
    }
    macro_rules! check {
        ($($loss:ty),* $(,)?) => {$(check::<$loss>();)*};
    }
    check!(
        BceLoss,
        BinaryCrossEntropy,
        BinaryFocal,
        CategoricalFocal,
        CategoricalGeneralizedCrossEntropy,
        Circle,
        Contrastive,
        CosineEmbedding,
        CrossEntropy,
        Dice,
        GaussianNll,
        HingeEmbedding,
        Huber,
        KlDivergence,
        MarginRanking,
        MultiLabelSoftMargin,
        MultiMargin,
        MulticlassHinge,
        Nll,
        NtXent,
        PoissonNll,
        PolyCrossEntropy,
        Quantile,
        SmoothL1,
        TripletMargin,
        TripletMarginWithDistance,
        Tversky,
    );
    let built: Box<dyn Loss<f64, Vec<usize>>> = registry::<f64>().build(&"ctc(5)".parse().unwrap()).unwrap();
    assert_eq!(built.description(), Ctc::new(5).describe());
}

/// The names that users of Keras, PyTorch and optax type.
#[test]
fn names_of_other_libraries() {
    let registry = registry::<f64>();
    for (name, ours) in [
        ("categorical_crossentropy", "cross_entropy"),
        ("SparseCategoricalCrossentropy", "cross_entropy"),
        ("CrossEntropyLoss", "cross_entropy"),
        ("NLLLoss", "nll"),
        ("BCEWithLogitsLoss", "binary_cross_entropy"),
        ("BCELoss", "bce_loss"),
        ("BinaryCrossentropy", "binary_cross_entropy"),
        ("BinaryFocalCrossentropy", "binary_focal"),
        ("focal:gamma=1.5", "categorical_focal"),
        ("MSELoss", "mean_squared_error"),
        ("L1Loss", "mean_absolute_error"),
        ("SmoothL1Loss", "smooth_l1"),
        ("KLDivLoss", "kl_divergence"),
        ("kl_divergence", "kl_divergence"),
        ("MultiLabelSoftMarginLoss", "multi_label_soft_margin"),
        ("TripletMarginWithDistanceLoss", "triplet_margin_with_distance"),
        ("poly_loss_cross_entropy", "poly_cross_entropy"),
        ("ntxent", "nt_xent"),
    ] {
        let loss: Box<dyn Loss<f64, usize>> = registry.build(&name.parse().unwrap()).unwrap();
        assert_eq!(loss.description().name, ours);
    }
}

#[test]
fn settings_out_of_range() {
    let registry = registry::<f64>();
    for text in [
        "huber(delta=0)",
        "quantile(1.5)",
        "nt_xent(temperature=-1)",
        "multi_margin(p=3)",
        "nll(weight=[1, -1])",
    ] {
        assert!(registry.build::<Box<dyn Loss<f64, usize>>>(&text.parse().unwrap()).is_err(), "{text}");
    }
    // And where they are written in code.
    assert!(Huber { delta: -1.0 }.validate().is_err());
    assert!(CrossEntropy.class_weights([1.0, f64::NAN]).validate().is_err());
    let uneven = BinaryCrossEntropy.column_weights([1.0]).positive_weights([1.0, 2.0]);
    assert!(matches!(uneven.validate(), Err(SettingError::Conflict { .. })));
}

#[test]
fn smoothing_is_a_smoother_target() {
    let share = 0.3;
    let smooth = |target: [f64; 3]| target.map(|t| (1.0 - share) * t + share / 3.0);
    for (plain, y) in
        [(CrossEntropy::default(), logits()), (CrossEntropy::from_probabilities(), probabilities())]
    {
        let smoothed = plain.clone().label_smoothing(share);
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
        assert_eq!((owner, setting, value.to_bits()), ("CrossEntropy", "label_smoothing", share.to_bits()));
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
