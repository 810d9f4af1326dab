//! Trainings with a fault.

use chainrule_core::{Branches, Constant, Frozen, Residual, Sequential};
use chainrule_data::Rows;
use chainrule_layers::activations::{HardSigmoid, Relu, Sigmoid, Softmax, Tanh};
use chainrule_layers::convolution::Conv2d;
use chainrule_layers::init::{Normal, Zeros};
use chainrule_layers::merge::Concat;
use chainrule_layers::pooling::MaxPool2d;
use chainrule_layers::shape::Reshape;
use chainrule_layers::{Dense, Flatten};
use chainrule_losses::{BinaryCrossEntropy, CrossEntropy, MeanSquaredError};
use chainrule_optim::{adam, sgd};
use chainrule_train::{Audit, Fault, Fit, TrainWarning};
use ndarray::Array2;

use crate::data::{
    classes, line, pictures, read, scaled, shuffled, values, with_samples, with_targets, yes_or_no,
};
use crate::parts::{Forgetful, biased, detach, hidden, logarithm, mlp, nothing, root, rounded, sign};
use crate::{said, said_of, trainer};

/// What should be said: this fault, of the layer with this path if it has one; or that samples were seen.
#[derive(Clone, Copy, Debug)]
enum Right {
    Fault(Fault),
    InLayer(Fault, &'static str),
    Overlap,
}

use Right::{InLayer, Overlap};

impl Right {
    fn is_in(self, said: &[TrainWarning]) -> bool {
        said.iter().any(|warning| match (self, warning) {
            (Overlap, TrainWarning::SeenSamples { .. }) => true,
            (Right::Fault(fault), TrainWarning::Audit(finding)) => finding.fault == fault,
            (InLayer(fault, layer), TrainWarning::Audit(finding)) => {
                finding.fault == fault
                    && finding.layer.as_deref() == Some(layer)
                    && finding.text.contains(&format!("layer {layer} ("))
            }
            _ => false,
        })
    }
}

/// A training with a fault: its name, what should be said, and what is said.
type Case = (&'static str, Right, fn() -> Vec<TrainWarning>);

const CASES: [Case; 36] = [
    ("a layer that hands no gradient on", InLayer(Fault::NoGradient, "2"), || {
        said(&classes(300), hidden_and(detach()), CrossEntropy, adam(0.01))
    }),
    ("a step function", InLayer(Fault::NoGradient, "1"), || {
        let layers = Sequential::new().then(Dense::new(16)).then(sign()).then(Dense::new(3));
        said(&classes(300), layers, CrossEntropy, adam(0.01))
    }),
    ("a backward pass that forgets a weight", InLayer(Fault::NoGradient, "0"), || {
        let layers = Sequential::new().then(Forgetful(16)).then(Tanh).then(Dense::new(3));
        said(&classes(300), layers, CrossEntropy, adam(0.01))
    }),
    ("no gradient within a residual layer", InLayer(Fault::NoGradient, "1.residual.1"), || {
        let inner = Sequential::new().then(Dense::new(8)).then(detach()).then(Dense::new(8));
        let layers = Sequential::new().then(Dense::new(8)).then(Residual(inner)).then(Dense::new(3));
        said(&classes(300), layers, CrossEntropy, adam(0.01))
    }),
    ("no gradient in one of two branches", InLayer(Fault::NoGradient, "0.1.1"), || {
        let dead = Sequential::new().then(Dense::new(8)).then(nothing());
        let branches = Branches::new(Concat::axis(0)).branch(Dense::new(8)).branch(dead);
        said(&classes(300), Sequential::new().then(branches).then(Dense::new(3)), CrossEntropy, adam(0.01))
    }),
    ("everything is frozen", Right::Fault(Fault::NothingTrained), || {
        said(&classes(300), Sequential::new().then(Frozen(Dense::new(3))), CrossEntropy, adam(0.01))
    }),
    ("the derivative of a root at 0", InLayer(Fault::NotFinite, "1"), || {
        let layers = Sequential::new().then(Dense::new(8)).then(root()).then(Dense::new(1));
        said(&line(300), layers, MeanSquaredError, adam(0.01))
    }),
    ("a logarithm of negative numbers", InLayer(Fault::NotFinite, "1"), || {
        let layers = Sequential::new().then(Dense::new(8)).then(logarithm()).then(Dense::new(1));
        said(&line(300), layers, MeanSquaredError, adam(0.01))
    }),
    ("all units are dead", InLayer(Fault::NoGradient, "2"), || {
        let layers = hidden(biased(32, -20.0)).then(Dense::new(3));
        said(&classes(300), layers, CrossEntropy, adam(0.01))
    }),
    ("most units are dead", InLayer(Fault::DeadUnits, "1"), || {
        let dense = Dense::new(32).weight_init(Normal::new(0.0, 0.4)).bias_init(Normal::new(-5.0, 3.5));
        said(&classes(300), hidden(dense).then(Dense::new(3)), CrossEntropy, adam(0.001))
    }),
    ("all channels are dead", InLayer(Fault::NoGradient, "2"), || {
        let conv = Conv2d::new(4, 3).bias_init(Constant(-10.0));
        let layers = Sequential::new()
            .then(Reshape::new([1, 14, 14]))
            .then(conv)
            .then(Relu)
            .then(MaxPool2d::new(4))
            .then(Flatten)
            .then(Dense::new(10));
        said(&pictures(300), layers, CrossEntropy, adam(0.01))
    }),
    ("saturated activations", InLayer(Fault::NoGradient, "1"), || {
        let dense = Dense::new(16).weight_init(Normal::new(0.0, 1e6));
        said(
            &classes(300),
            Sequential::new().then(dense).then(HardSigmoid).then(Dense::new(3)),
            CrossEntropy,
            adam(0.01),
        )
    }),
    ("a layer that returns 0", InLayer(Fault::ConstantOutput, "0"), || {
        said(&classes(300), Sequential::new().then(nothing()).then(Dense::new(3)), CrossEntropy, adam(0.01))
    }),
    ("all weights begin at 0", InLayer(Fault::ConstantOutput, "0"), || {
        let dense = |units| Dense::new(units).weight_init(Zeros).bias_init(Zeros);
        let layers = Sequential::new().then(dense(16)).then(Relu).then(dense(3));
        said(&classes(300), layers, CrossEntropy, adam(0.01))
    }),
    ("a layer that rounds everything to 0", InLayer(Fault::ConstantOutput, "0"), || {
        let layers = Sequential::new().then(rounded()).then(Dense::new(8)).then(Tanh).then(Dense::new(1));
        said(&line(300), layers, MeanSquaredError, adam(0.01))
    }),
    ("one sample read again and again", Right::Fault(Fault::SameInputs), || {
        let (x, classes) = read(&classes(300));
        let same = Array2::from_shape_fn(x.dim(), |(_, column)| x[[0, column]]);
        said(&Rows::new(same, classes).unwrap(), mlp(3), CrossEntropy, adam(0.01))
    }),
    ("softmax twice", InLayer(Fault::SecondActivation, "4"), || {
        said(&pictures(300), mlp(10).then(Softmax), CrossEntropy, adam(0.001))
    }),
    ("a sigmoid before a loss from logits", InLayer(Fault::SecondActivation, "4"), || {
        said(&yes_or_no(300), mlp(1).then(Sigmoid), BinaryCrossEntropy, adam(0.01))
    }),
    ("ReLU before a loss from logits", InLayer(Fault::SecondActivation, "4"), || {
        said(&classes(300), mlp(3).then(Relu), CrossEntropy, adam(0.01))
    }),
    ("no softmax before a loss from probabilities", InLayer(Fault::NoProbabilities, "3"), || {
        said(&classes(300), mlp(3), CrossEntropy::from_probabilities(), adam(0.01))
    }),
    ("no sigmoid before a loss from probabilities", InLayer(Fault::NoProbabilities, "3"), || {
        said(&yes_or_no(300), mlp(1), BinaryCrossEntropy::from_probabilities(), adam(0.01))
    }),
    ("one class", Right::Fault(Fault::ConstantTargets), || {
        let data = with_targets(&classes(300), |classes| vec![1u8; classes.len()]);
        said(&data, mlp(3), CrossEntropy, adam(0.01))
    }),
    ("one value", Right::Fault(Fault::ConstantTargets), || {
        said(&values(300, |_| 3.0), mlp(1), MeanSquaredError, adam(0.01))
    }),
    ("classes in another order than samples", Right::Fault(Fault::UnrelatedTargets), || {
        let data = with_targets(&classes(2000), shuffled);
        said(&data, mlp(3), CrossEntropy, adam(0.01))
    }),
    ("digits in another order than pictures", Right::Fault(Fault::UnrelatedTargets), || {
        let data = with_targets(&pictures(2000), shuffled);
        said(&data, mlp(10), CrossEntropy, adam(0.001))
    }),
    ("values in another order than samples", Right::Fault(Fault::UnrelatedTargets), || {
        said(&with_targets(&line(2000), shuffled), mlp(1), MeanSquaredError, adam(0.01))
    }),
    ("few samples, which are learnt by heart", Right::Fault(Fault::UnrelatedTargets), || {
        said(&with_targets(&classes(160), shuffled), mlp(3), CrossEntropy, adam(0.01))
    }),
    ("bytes", InLayer(Fault::UnscaledInputs, "1"), || {
        said(&with_samples(&pictures(300), |value| 255.0 * value), mlp(10), CrossEntropy, adam(0.001))
    }),
    ("an income in dollars", InLayer(Fault::UnscaledInputs, "1"), || {
        let data = scaled(300, [1.0, 2.0, 20_000.0, 1.0, 1.0], [0.0, 0.0, 50_000.0, 0.0, 0.0], |row| {
            row[0] + row[2]
        });
        said(&data, mlp(1), MeanSquaredError, adam(0.001))
    }),
    ("years in thousands", InLayer(Fault::UnscaledInputs, "1"), || {
        let data = scaled(300, [1.0, 1.0, 1.0, 0.01, 1.0], [0.0, 0.0, 0.0, 1.99, 0.0], |row| row[0] + row[3]);
        said(&data, mlp(1), MeanSquaredError, adam(0.001))
    }),
    ("metres instead of micrometres", InLayer(Fault::UnscaledInputs, "1"), || {
        said(&with_samples(&classes(300), |x| 1e-6 * x), mlp(3), CrossEntropy, adam(0.001))
    }),
    ("Adam with a rate of 3", Right::Fault(Fault::RateTooHigh), || {
        said(&pictures(600), mlp(10), CrossEntropy, adam(3.0))
    }),
    ("SGD with a rate of 300", Right::Fault(Fault::RateTooHigh), || {
        said(&line(300), mlp(1), MeanSquaredError, sgd(300.0))
    }),
    ("SGD with a rate of 1e-7", Right::Fault(Fault::RateTooLow), || {
        said(&classes(300), mlp(3), CrossEntropy, sgd(1e-7))
    }),
    ("a rate of 0", Right::Fault(Fault::RateTooLow), || said(&classes(300), mlp(3), CrossEntropy, sgd(0.0))),
    ("validation with samples of the training", Overlap, || {
        let (train, validation) = (pictures(400), chainrule_data::Subset::first(pictures(400), 80));
        let mut trainer = trainer(&train, mlp(10), CrossEntropy, adam(0.001)).audit(Audit::steps(5));
        let stop = |event: &chainrule_train::Event<'_>| match event {
            // Before the first validation.
            chainrule_train::Event::Step { batch: 2, .. } => std::ops::ControlFlow::Break(()),
            _ => std::ops::ControlFlow::Continue(()),
        };
        trainer = trainer.callback(stop);
        trainer.fit(&train, Fit::epochs(1).validation(&validation)).unwrap();
        trainer.warnings().to_vec()
    }),
];

/// A dense layer with ReLU, this layer, and another dense one.
fn hidden_and(layer: impl chainrule_core::Layer<f32>) -> Sequential<f32> {
    Sequential::new().then(Dense::new(16)).then(Relu).then(layer).then(Dense::new(3))
}

#[test]
fn faults_are_named_with_their_layer() {
    let missed: Vec<String> = CASES
        .iter()
        .filter_map(|(name, right, run)| {
            let said = run();
            let texts: Vec<String> = said.iter().map(|warning| format!("    {warning}")).collect();
            (!right.is_in(&said)).then(|| format!("{name}, {right:?}:\n{}", texts.join("\n")))
        })
        .collect();
    let report = format!("{} of {} faults were not named:\n{}", missed.len(), CASES.len(), missed.join("\n"));
    println!("{report}");
    assert!(10 * missed.len() <= CASES.len(), "{report}");
}

#[test]
fn a_training_by_parts_is_audited_once() {
    let data = classes(300);
    let trainer = trainer(&data, mlp(3).then(Softmax), CrossEntropy, adam(0.01));
    assert_eq!(said_of(&data, trainer).len(), 1);
}
