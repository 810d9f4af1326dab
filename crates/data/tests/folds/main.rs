//! Folds, parts and weights: those of scikit-learn, and what is asked of all of them.

use std::collections::HashSet;

use chainrule_data::split::{
    TrainTest, balanced_class_weights, balanced_weights, by_time, group_k_fold, grouped, k_fold, random,
    stratified, stratified_k_fold, targets,
};
use chainrule_data::{Dataset, Rows, SplitError};
use chainrule_tensor::Seed;
use ndarray::Array2;

/// What `reference.py` wrote.
const REFERENCE: &str = include_str!("reference.txt");

#[test]
fn folds_and_weights_are_those_of_scikit_learn() {
    let mut lines = 0;
    for line in REFERENCE.lines() {
        let [kind, count, labels, expected] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let count: usize = count.parse().unwrap();
        let labels: Vec<u32> = labels.split(',').map(|label| label.parse().unwrap()).collect();
        let expected: Vec<f64> = expected.split(',').map(|value| value.parse().unwrap()).collect();
        let folds = match kind {
            "k_fold" => k_fold(labels.len(), count, None),
            "stratified" => stratified_k_fold(&labels, count, None),
            "groups" => group_k_fold(&labels, count),
            _ => {
                assert_eq!(balanced_class_weights(&labels, count).unwrap(), expected);
                continue;
            }
        };
        let mut found = vec![f64::NAN; labels.len()];
        for (fold, TrainTest { train, test }) in folds.unwrap().iter().enumerate() {
            assert_eq!(train.len() + test.len(), labels.len());
            test.iter().for_each(|&sample| found[sample] = fold as f64);
        }
        assert_eq!(found, expected, "{line}");
        lines += 1;
    }
    assert_eq!(lines, 12);
}

/// That each sample is in one of the parts, and none is empty.
fn check(TrainTest { train, test }: &TrainTest, samples: usize) {
    let mut all = [&train[..], &test[..]].concat();
    all.sort_unstable();
    assert_eq!(all, (0..samples).collect::<Vec<_>>());
    assert!(!train.is_empty() && !test.is_empty());
}

#[test]
fn every_part_has_what_it_should() {
    let classes: Vec<u32> = (0..97).map(|sample| if sample % 19 == 0 { 2 } else { sample % 2 }).collect();
    let groups: Vec<String> = (0..97).map(|sample| format!("group {}", sample * sample % 11)).collect();
    let of = |part: &[usize], class| part.iter().filter(|&&sample| classes[sample] == class).count();
    for seed in 0..20 {
        let seed = Seed(seed);
        for share in [1e-9, 0.1, 0.25, 0.5, 0.9, 1.0 - 1e-12] {
            check(&random(97, share, seed).unwrap(), 97);
            let parts = stratified(&classes, share, seed).unwrap();
            check(&parts, 97);
            for class in 0..3 {
                let (test, all) = (of(&parts.test, class), of(&parts.test, class) + of(&parts.train, class));
                assert!(test >= 1 && test < all);
                assert!((test as f64 - share * all as f64).abs() <= 1.0);
            }
            let parts = grouped(&groups, share, seed).unwrap();
            check(&parts, 97);
            let of = |part: &[usize]| part.iter().map(|&sample| &groups[sample]).collect::<HashSet<_>>();
            assert!(of(&parts.train).is_disjoint(&of(&parts.test)));
        }
        for folds in [
            k_fold(97, 4, Some(seed)).unwrap(),
            stratified_k_fold(&classes, 5, Some(seed)).unwrap(),
            group_k_fold(&groups, 3).unwrap(),
        ] {
            folds.iter().for_each(|parts| check(parts, 97));
            let tested: usize = folds.iter().map(|parts| parts.test.len()).sum();
            assert_eq!(tested, 97);
        }
    }
    assert_ne!(stratified(&classes, 0.5, Seed(1)), stratified(&classes, 0.5, Seed(2)));
    assert_eq!(stratified(&classes, 0.5, Seed(1)), stratified(&classes, 0.5, Seed(1)));
    assert_ne!(k_fold(97, 4, Some(Seed(1))), k_fold(97, 4, None));
}

#[test]
fn a_test_set_is_later_than_the_training_set() {
    let parts = by_time(&[5.0, 1.0, 4.0, 2.0, 3.0], 0.4).unwrap();
    assert_eq!(parts, TrainTest { train: vec![1, 3, 4], test: vec![2, 0] });
    // Samples of one time stay together, at the nearest boundary.
    let parts = by_time(&[1.0, 2.0, 2.0, 2.0, 2.0], 0.4).unwrap();
    assert_eq!(parts, TrainTest { train: vec![0], test: vec![1, 2, 3, 4] });
    let parts = by_time(&[1.0, 1.0, 1.0, 1.0, 2.0], 0.4).unwrap();
    assert_eq!(parts.test, [4]);
    assert_eq!(by_time(&[1.0; 5], 0.4), Err(SplitError::OneTime));
    assert_eq!(by_time(&[1.0, f64::NAN], 0.4), Err(SplitError::Time { sample: 1 }));
}

#[test]
fn what_cannot_be_split_is_said() {
    let text = |error: SplitError| error.to_string();
    for share in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(matches!(random(9, share, Seed(0)), Err(SplitError::Share(_))), "{share}");
        assert!(matches!(grouped(&[1, 2], share, Seed(0)), Err(SplitError::Share(_))), "{share}");
    }
    assert_eq!(random(1, 0.5, Seed(0)), Err(SplitError::TooFew(1)));
    assert!(
        text(stratified(&["a", "b", "a"], 0.5, Seed(0)).unwrap_err())
            .contains("class of sample 1 is too rare (1)")
    );
    assert!(text(grouped(&[7; 9], 0.5, Seed(0)).unwrap_err()).contains("too few groups (1)"));
    assert!(text(k_fold(3, 4, None).unwrap_err()).contains("3 samples cannot be divided into 4 folds"));
    assert!(text(k_fold(3, 1, None).unwrap_err()).contains("from 2 folds"));
    assert!(text(stratified_k_fold(&[1, 1, 1, 0, 0], 3, None).unwrap_err()).contains("at least 3"));
    assert!(text(group_k_fold(&[1, 1, 1, 0, 0], 3).unwrap_err()).contains("takes at least 3"));
    assert!(text(balanced_class_weights(&[0, 2], 3).unwrap_err()).contains("no sample has the class 1 of 3"));
    assert!(text(balanced_class_weights(&[0, 3], 3).unwrap_err()).contains("sample 1 has the class 3"));
}

#[test]
fn parts_of_a_data_set() {
    let data = Rows::new(Array2::<f32>::zeros((6, 2)), vec![0u8, 1, 0, 1, 0, 0]).unwrap().with_classes(2);
    let labels = targets::<f32, _>(&data);
    assert_eq!(labels, data.targets());
    let (train, test) = stratified(&labels, 0.3, Seed(1)).unwrap().subsets(&data).unwrap();
    assert_eq!((train.len(), test.len(), test.classes()), (4, 2, Some(2)));
    assert_eq!(balanced_weights(&labels), [0.75, 1.5, 0.75, 1.5, 0.75, 0.75]);
    let small = Rows::new(Array2::<f32>::zeros((2, 2)), vec![0u8, 1]).unwrap();
    assert!(random(6, 0.5, Seed(1)).unwrap().subsets(&small).is_err());
}
