//! Targets that fit, and those that do not.

use std::error::Error;

use chainrule_core::Registry;
use chainrule_losses::gradcheck::gradient;
use chainrule_losses::{
    BinaryCrossEntropy, CosineEmbedding, Criterion, CrossEntropy, Ctc, GaussianNll, Loss, NtXent, Padded,
    PerStep, TargetError, Weighted,
};
use ndarray::{Array2, array};

use crate::cases::{COLUMNS, EVERY_LOSS, ROWS, TargetKind, registry};

/// A loss that took one would be NaN, or fall without end.
#[test]
fn no_loss_takes_a_target_that_is_no_number() {
    let registry: Registry = registry::<f64>();
    for case in EVERY_LOSS {
        let Some(targets) = case.vectors(ROWS) else { continue };
        let loss = case.build::<f64, Vec<f64>>(&registry);
        let columns = COLUMNS * case.parts;
        assert_eq!(loss.check(columns, &targets), Ok(()), "{loss:?}");
        if targets[0].is_empty() {
            continue;
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            if case.wanted == TargetKind::LogChances && bad == f64::NEG_INFINITY {
                continue;
            }
            let mut targets = targets.clone();
            targets[1][0] = bad;
            let error = loss.check(columns, &targets).unwrap_err();
            let TargetError::Value { row: 1, column: 0, value, owner, .. } = error else { panic!("{error}") };
            assert_eq!(value.to_bits(), bad.to_bits());
            assert!(format!("{loss:?}").contains(owner), "{owner} is not {loss:?}");
        }
        let mut targets = targets.clone();
        targets[2].push(0.0);
        let error = loss.check(columns, &targets).unwrap_err();
        assert_eq!(error.row(), 2, "{error}");
        assert!(matches!(error, TargetError::Length { .. } | TargetError::Values { .. }), "{error}");
    }
}

#[test]
fn no_loss_takes_a_class_that_is_no_column() {
    let registry: Registry = registry::<f64>();
    for case in EVERY_LOSS {
        let Some(targets) = case.class_targets(ROWS) else { continue };
        let loss = case.build::<f64, usize>(&registry);
        let columns = COLUMNS * case.parts;
        assert_eq!(loss.check(columns, &targets), Ok(()), "{loss:?}");
        let found = loss.check(columns, &[0, 1000]);
        if case.wanted == TargetKind::Group {
            assert_eq!(found, Ok(()), "{loss:?}");
        } else {
            assert!(
                matches!(found, Err(TargetError::Class { row: 1, class: 1000, .. })),
                "{loss:?}: {found:?}"
            );
        }
    }
}

fn text(error: Result<(), TargetError>) -> String {
    let error = error.unwrap_err();
    error.source().map_or(error.to_string(), |source| format!("{error}: {source}"))
}

#[test]
fn outputs_in_parts() {
    assert_eq!(
        text(GaussianNll::default().check(5, &[[0.0]])),
        "GaussianNll takes outputs in 2 equal parts, but there are 5: give the model a multiple of 2"
    );
    assert_eq!(GaussianNll::default().check(4, &[[0.0, 1.0], [1.0, 0.0]]), Ok(()));
    assert_eq!(
        text(GaussianNll::default().check(4, &[vec![0.0, 1.0], vec![0.0, 1.0, 2.0]])),
        "target 1 has 3 values, but GaussianNll takes 2 for the 4 outputs: change the target, or the number of outputs"
    );
    assert_eq!(CosineEmbedding::default().check(4, &[[1.0], [-1.0], [0.0]]), Ok(()));
    let text = text(CosineEmbedding::default().check(4, &[[1.0], [0.5]]));
    assert!(
        text.starts_with("target 1 has the value 0.5 at 0, but CosineEmbedding takes -1 and 1, and 0 for -1"),
        "{text}"
    );
}

#[test]
fn weights_of_columns() {
    let loss = CrossEntropy.class_weights([1.0, 2.0]);
    assert_eq!(loss.check(2, &[1u8]), Ok(()));
    let error = "CrossEntropy has 2 weights, but there are 3 outputs: give one weight for each";
    assert_eq!(text(loss.check(3, &[1u8])), error);
    let loss = BinaryCrossEntropy.positive_weights([1.0]);
    assert!(loss.check(2, &[[0.0, 1.0]]).is_err());
}

#[test]
fn a_label_is_a_class() {
    assert_eq!(NtXent::default().check(4, &[7u32, 7, 100_000]), Ok(()));
    assert_eq!(
        text(NtXent::default().check(4, &[[0.0; 4]])),
        "target 0 is a vector of values, but NtXent takes a class: give an integer such as a u8"
    );
}

#[test]
fn weights_that_cannot_be() {
    let of = |weight: f32| [Weighted::whole(1u8), Weighted { target: 0u8, weight }];
    assert_eq!(CrossEntropy.check(2, &of(0.0)), Ok(()));
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        let error = text(CrossEntropy.check(2, &of(bad)));
        assert!(
            error.starts_with(&format!("target 1 has the weight {bad}, but a weight is a finite number")),
            "{error}"
        );
        assert!(Loss::<f64, _>::check(&CrossEntropy, 2, &of(bad)).is_err());
    }
    let steps = [Weighted { target: vec![0u8, 1], weight: -1.0 }];
    let loss: &dyn Loss<f64, Weighted<Vec<u8>>> = &PerStep(CrossEntropy);
    assert!(matches!(loss.check(4, &steps), Err(TargetError::Weight { row: 0, weight: -1.0 })));
}

#[test]
fn labels_that_cannot_be_told() {
    let loss = Ctc::new(3);
    let check = |steps: usize, labels: &[u8]| {
        Loss::<f64, Vec<u8>>::check(&loss, 3 * steps, &[vec![1], labels.to_vec()])
    };
    assert_eq!(check(3, &[1, 1]), Ok(()));
    let error =
        "target 1 has 2 labels, which need 3 steps (one between two equal labels), but the outputs have 2";
    assert!(text(check(2, &[1, 1])).starts_with(error));
    assert!(text(check(4, &[1, 3])).ends_with("target 1 is class 3, but the outputs are for classes 0 to 2: give the model more outputs, or look for a wrong label"));
    assert!(
        text(check(4, &[2, 0]))
            .starts_with("target 1 has the value 0 at 1, but Ctc takes labels other than the blank")
    );
    assert!(
        text(Loss::<f64, Vec<u8>>::check(&loss, 7, &[vec![1]]))
            .starts_with("Ctc takes outputs in 3 equal parts")
    );
    let padded = Padded { labels: vec![1u8, 2], steps: 1 };
    assert!(matches!(
        Loss::<f64, _>::check(&loss, 9, &[padded]),
        Err(TargetError::Alignment { steps: 1, .. })
    ));
    let padded = Padded { labels: vec![1u8], steps: 4 };
    assert!(matches!(Loss::<f64, _>::check(&loss, 9, &[padded]), Err(TargetError::Steps { steps: 4, .. })));
    assert!(Loss::<f64, Vec<[f64; 1]>>::check(&loss, 9, &[vec![[1.0]]]).is_err());
    let lenient = Ctc { zero_infinity: true, ..loss };
    let mut dy = Array2::from_elem((1, 6), f64::NAN);
    let y = array![[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]];
    assert_eq!(lenient.reduced(y.view(), &[vec![1u8, 1]], Some(dy.view_mut())), Ok(0.0));
    assert!(dy.iter().all(|&slope| slope == 0.0));
    assert!(Ctc { blank: 3, ..loss }.validate().is_err());
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
