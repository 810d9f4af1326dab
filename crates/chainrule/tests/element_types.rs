//! A program in the manner of the README, in both element types, with nothing but the prelude.

use chainrule::prelude::*;

#[test]
fn a_new_sequential_is_single_precision_unless_a_program_says_otherwise() {
    let train = digits(64, Seed(1));
    let layers = Sequential::new().then(Flatten).then(Dense::new(10));
    let model = Model::new([28, 28], layers, Seed(0)).unwrap();
    let mut single = Trainer::new(model, CrossEntropy::default(), sgd(0.1));
    single.fit(&train, 1).unwrap();
    let singles: &[f32] = single.model().parameters();

    let layers = Sequential::<f64>::new().then(Flatten).then(Dense::new(10));
    let model = Model::new([28, 28], layers, Seed(0)).unwrap();
    let mut double = Trainer::new(model, CrossEntropy::default(), sgd(0.1));
    double.fit(&train, 1).unwrap();
    let doubles: &[f64] = double.model().parameters();

    // The same seed and the same steps, so the same parameters but for rounding.
    assert_eq!(singles.len(), doubles.len());
    let distance = |(&single, &double): (&f32, &f64)| (f64::from(single) - double).abs();
    let distances: Vec<f64> = singles.iter().zip(doubles).map(distance).collect();
    assert!(distances.iter().all(|&distance| distance < 1e-5), "{distances:?}");
    assert!(distances.iter().any(|&distance| distance > 0.0));
}

#[test]
fn graphs_too() {
    let single = Graph::new().layer("dense", Dense::new(2), "input").outputs(["dense"]);
    let double = Graph::<f64>::new().layer("dense", Dense::new(2), "input").outputs(["dense"]);
    let text = "Graph[dense = Dense";
    assert!(format!("{single:?}").starts_with(text) && format!("{double:?}").starts_with(text));
}
