//! Trainings without a fault.

use std::sync::Arc;

use chainrule_core::{Branches, Frozen, Graph, New, Residual, Sequential};
use chainrule_data::{Rows, Samples};
use chainrule_layers::activations::*;
use chainrule_layers::attention::{ClassToken, LearnedPositions, OneStep, Patches, TransformerEncoder};
use chainrule_layers::convolution::{Conv1d, Conv2d};
use chainrule_layers::embedding::Embedding;
use chainrule_layers::init::{Normal, Zeros};
use chainrule_layers::merge::{Add, Concat};
use chainrule_layers::normalization::{BatchNorm, LayerNorm};
use chainrule_layers::pooling::{GlobalAvgPool, MaxPool2d};
use chainrule_layers::recurrent::{Gru, Lstm, TimeDistributed};
use chainrule_layers::regularization::Dropout;
use chainrule_layers::shape::Reshape;
use chainrule_layers::{Dense, Flatten};
use chainrule_losses::{
    BinaryCrossEntropy, CrossEntropy, Hinge, Huber, MeanAbsoluteError, MeanSquaredError, Nll, NtXent, PerStep,
};
use chainrule_optim::schedule::{Cosine, WarmUp};
use chainrule_optim::*;
use chainrule_tensor::{Seed, Target};
use chainrule_train::{Audit, Fit, Model, TrainWarning, Trainer};
use ndarray::Array2;

use crate::data::{
    Value, classes, line, pictures, pictures_of, read, values, with_samples, with_targets, yes_or_no,
};
use crate::parts::{hidden, mlp};
use crate::{said, said_of, trainer};

/// Pictures that are their own targets.
fn copies(samples: usize) -> Rows<f32, Arc<[f32]>> {
    let (x, _) = read(&pictures(samples));
    let targets = x.rows().into_iter().map(|row| row.to_vec().into()).collect();
    Rows::new(x, targets).unwrap()
}

/// Parts of a text of few words, with the next letter of each.
fn letters(samples: usize) -> Rows<f32, [u8; 8]> {
    let words = ["a dog ", "the cat ", "runs ", "sleeps ", "and "];
    let mut rng = Seed(11).rng();
    let mut text = String::new();
    while text.len() < samples + 9 {
        text += words[rng.below(words.len())];
    }
    let id = |position: usize| match text.as_bytes()[position] {
        b' ' => 26,
        letter => letter - b'a',
    };
    let x = Array2::from_shape_fn((samples, 8), |(row, step)| f32::from(id(row + step)));
    let targets = (0..samples).map(|row| std::array::from_fn(|step| id(row + step + 1))).collect();
    Rows::new(x, targets).unwrap()
}

/// Dark and bright pictures whose pixels are all the same, so that a unit that is dead for one of them is dead for most.
fn uniform(samples: usize) -> Rows<f32, u8> {
    let mut rng = Seed(12).rng();
    let bright: Vec<u8> = (0..samples).map(|_| rng.below(2) as u8).collect();
    let values: Vec<f32> =
        bright.iter().map(|&bright| (0.2 + 0.6 * f64::from(bright) + 0.05 * rng.normal()) as f32).collect();
    Rows::new(Array2::from_shape_fn((samples, 196), |(row, _)| values[row]), bright).unwrap()
}

fn convolutions() -> Sequential<f32> {
    Sequential::new()
        .then(Reshape::new([1, 14, 14]))
        .then(Conv2d::new(8, 3))
        .then(Relu)
        .then(MaxPool2d::new(2))
        .then(Conv2d::new(8, 3))
        .then(Relu)
        .then(GlobalAvgPool::new())
        .then(Dense::new(8))
        .then(Relu)
        .then(Dense::new(2))
}

fn deep() -> Sequential<f32> {
    (0..6)
        .fold(Sequential::new().then(Flatten), |layers, _| layers.then(Dense::new(16)).then(Relu))
        .then(Dense::new(2))
}

/// Two exclusive bits among four samples.
fn exclusive_or() -> Rows<f32, Value> {
    let x = ndarray::array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    Rows::new(x, vec![[0.0], [1.0], [1.0], [0.0]]).unwrap()
}

fn lenet() -> Sequential<f32> {
    Sequential::new()
        .then(Reshape::new([1, 14, 14]))
        .then(Conv2d::new(4, 5).padding(2))
        .then(Relu)
        .then(MaxPool2d::new(2))
        .then(Conv2d::new(8, 3))
        .then(Relu)
        .then(MaxPool2d::new(2))
        .then(Flatten)
        .then(Dense::new(32))
        .then(Relu)
        .then(Dense::new(10))
}

fn resnet() -> Sequential<f32> {
    let conv = |stride| {
        let conv = Conv2d::new(4, 3).padding(1).stride(stride).without_bias();
        Sequential::new().then(conv).then(BatchNorm::new())
    };
    Sequential::new()
        .then(Reshape::new([1, 14, 14]))
        .then(conv(4))
        .then(Relu)
        .then(Residual(conv(1).then(Relu).then(conv(1))))
        .then(Relu)
        .then(Branches::new(Add).branch(conv(2)).branch(conv(2).then(Relu).then(conv(1))))
        .then(Relu)
        .then(GlobalAvgPool::new())
        .then(Dense::new(10))
}

fn vit() -> Sequential<f32> {
    Sequential::new()
        .then(Reshape::new([1, 14, 14]))
        .then(Patches::new(7))
        .then(TimeDistributed(Dense::new(16)))
        .then(ClassToken::new())
        .then(LearnedPositions::new())
        .then(TransformerEncoder::new(2, 16).pre_norm())
        .then(LayerNorm::new())
        .then(OneStep::first())
        .then(Dense::new(10))
}

/// Dense layers of this activation.
fn dense(activation: impl chainrule_core::Layer<f32>, outputs: usize) -> Sequential<f32> {
    Sequential::new().then(Dense::new(24)).then(activation).then(Dense::new(outputs))
}

/// A classification with this optimizer.
fn with(optimizer: impl UpdateRule<f32> + 'static) -> Vec<TrainWarning> {
    said(&classes(400), mlp(3), CrossEntropy, optimizer)
}

type Case = (&'static str, fn() -> Vec<TrainWarning>);

const CASES: [Case; 51] = [
    ("the network of the tutorial", || {
        let layers =
            Sequential::new().then(Flatten).then(Dense::new(64)).then(Relu).then(Dense::new(64)).then(Relu);
        said(&pictures(600), layers.then(Dense::new(10)), CrossEntropy, adam(1e-3))
    }),
    ("LeNet", || said(&pictures(300), lenet(), CrossEntropy, adam(0.003))),
    ("a residual network", || said(&pictures(300), resnet(), CrossEntropy, adam(0.003))),
    ("an LSTM over the rows of pictures", || {
        said(
            &pictures(300),
            Sequential::new().then(Reshape::new([14, 14])).then(Lstm::new(16)).then(Dense::new(10)),
            CrossEntropy,
            adam(0.003),
        )
    }),
    ("a vision transformer", || said(&pictures(300), vit(), CrossEntropy, adam(0.003))),
    ("characters", || {
        let layers = Sequential::new()
            .then(Embedding::new(27, 8))
            .then(Lstm::new(16).sequences())
            .then(TimeDistributed(Dense::new(27)));
        said(&letters(600), layers, PerStep(CrossEntropy), adam(0.003))
    }),
    ("exclusive or", || said(&exclusive_or(), dense(Tanh, 1), BinaryCrossEntropy, adam(0.05))),
    ("exclusive or with plain steps and a squared error", || {
        said(&exclusive_or(), dense(Tanh, 1).then(Sigmoid), MeanSquaredError, sgd(0.5))
    }),
    ("a line", || said(&line(300), mlp(1), MeanSquaredError, adam(0.01))),
    ("a line in large numbers", || {
        said(&values(300, |row| 200.0 + 50.0 * row[0]), mlp(1), MeanSquaredError, adam(0.01))
    }),
    ("an absolute error", || said(&line(300), dense(Elu::default(), 1), MeanAbsoluteError, adam(0.01))),
    ("a Huber loss", || said(&line(300), dense(Gelu, 1), Huber::default(), adam(0.01))),
    ("yes or no from logits", || said(&yes_or_no(300), dense(Relu, 1), BinaryCrossEntropy, adam(0.01))),
    ("yes or no from probabilities", || {
        said(
            &yes_or_no(300),
            dense(Relu, 1).then(Sigmoid),
            BinaryCrossEntropy::from_probabilities(),
            adam(0.01),
        )
    }),
    ("softmax and a loss from probabilities", || {
        said(&classes(300), mlp(3).then(Softmax), CrossEntropy::from_probabilities(), adam(0.01))
    }),
    ("logarithms of probabilities", || {
        said(&classes(300), mlp(3).then(LogSoftmax), Nll::default(), adam(0.01))
    }),
    ("a margin", || {
        let data =
            with_targets(&yes_or_no(300), |targets| targets.into_iter().map(|[t]| [2.0 * t - 1.0]).collect());
        said(&data, dense(Relu, 1).then(Tanh), Hinge, adam(0.01))
    }),
    ("an autoencoder", || {
        let layers = Sequential::new().then(Flatten).then(Dense::new(24)).then(Relu).then(Dense::new(196));
        said(&copies(300), layers.then(Sigmoid), MeanSquaredError, adam(0.003))
    }),
    ("embeddings that are compared", || said(&classes(300), mlp(4), NtXent::default(), adam(0.003))),
    ("few of one class", || {
        let data = with_targets(&classes(600), |classes| {
            let rare = |(index, class): (usize, u8)| u8::from(class == 1 && index % 12 == 0);
            classes.into_iter().enumerate().map(rare).collect::<Vec<u8>>()
        });
        said(&data, mlp(2), CrossEntropy, adam(0.01))
    }),
    ("weights of samples", || {
        let data = with_targets(&classes(300), |classes| {
            let weighted =
                |class: u8| chainrule_tensor::Weighted { target: class, weight: 1.0 + f32::from(class) };
            classes.into_iter().map(weighted).collect()
        });
        said(&data, mlp(3), CrossEntropy, adam(0.01))
    }),
    ("noise in half of the classes", || {
        let data = with_targets(&classes(1000), |mut classes| {
            let mut rng = Seed(3).rng();
            classes.iter_mut().step_by(2).for_each(|class| *class = rng.below(3) as u8);
            classes
        });
        said(&data, mlp(3), CrossEntropy, adam(0.01))
    }),
    ("dropout and batch normalisation", || {
        let layers =
            Sequential::new().then(Dense::new(32)).then(BatchNorm::new()).then(Relu).then(Dropout::new(0.5));
        said(&classes(300), layers.then(Dense::new(3)), CrossEntropy, adam(0.01))
    }),
    ("batch normalisation of bytes", || {
        let data = with_samples(&pictures(300), |value| 255.0 * value);
        let layers =
            Sequential::new().then(BatchNorm::new()).then(Dense::new(32)).then(Relu).then(Dense::new(10));
        said(&data, layers, CrossEntropy, adam(0.003))
    }),
    ("an output layer that begins at 0", || {
        let layers = Sequential::new().then(Dense::new(24)).then(Relu);
        let last = Dense::new(3).weight_init(Zeros).bias_init(Zeros);
        said(&classes(300), layers.then(last), CrossEntropy, adam(0.01))
    }),
    ("a frozen layer", || {
        let layers = Sequential::new().then(Frozen(Dense::new(32))).then(Relu).then(Dense::new(3));
        said(&classes(300), layers, CrossEntropy, adam(0.01))
    }),
    ("two inputs", || {
        let graph = Graph::new()
            .input("a", [2])
            .input("b", [4])
            .layer("left", Dense::new(8), "a")
            .layer("right", Dense::new(8), "b")
            .merge("both", Concat::axis(0), ["left", "right"])
            .outputs(["both"]);
        said(
            &classes(300),
            Sequential::new().then(graph).then(Relu).then(Dense::new(3)),
            CrossEntropy,
            adam(0.01),
        )
    }),
    ("convolutions over series", || {
        let layers =
            Sequential::new().then(Reshape::new([1, 6])).then(Conv1d::new(8, 3)).then(Silu).then(Flatten);
        said(&classes(300), layers.then(Dense::new(3)), CrossEntropy, adam(0.01))
    }),
    ("a GRU", || {
        let layers = Sequential::new().then(Reshape::new([6, 1])).then(Gru::new(12)).then(Dense::new(3));
        said(&classes(300), layers, CrossEntropy, adam(0.01))
    }),
    ("a deep network", || {
        let block = || Residual(Sequential::new().then(Dense::new(16)).then(Relu).then(Dense::new(16)));
        let first = Sequential::new().then(Dense::new(16));
        let layers = (0..8).fold(first, |layers, _| layers.then(block()));
        said(&classes(300), layers.then(LayerNorm::new()).then(Dense::new(3)), CrossEntropy, adam(0.003))
    }),
    ("leaky units", || said(&classes(300), dense(LeakyRelu::default(), 3), CrossEntropy, adam(0.01))),
    ("learnt slopes", || said(&classes(300), dense(Prelu::new(), 3), CrossEntropy, adam(0.01))),
    ("SELU", || said(&classes(300), dense(Selu, 3), CrossEntropy, sgd(0.05))),
    ("softplus", || said(&classes(300), dense(Softplus::default(), 3), CrossEntropy, sgd(0.1))),
    ("plain steps", || with(sgd(0.1))),
    ("momentum", || with(sgd(0.05).momentum(0.9).nesterov())),
    ("a schedule with a warm-up", || with(adamw(WarmUp::new(500).then(Cosine::new(0.01))))),
    ("RMSprop", || with(rmsprop(0.003))),
    ("AdaGrad", || with(adagrad(0.05))),
    ("Lion", || with(lion(0.001))),
    ("clipped gradients", || with((ClipByGlobalNorm(0.1), sgd(0.5)))),
    ("Prodigy", || with(prodigy(1.0))),
    ("a small rate that is enough", || said(&classes(1000), mlp(3), CrossEntropy, adam(1e-4))),
    ("pictures of one brightness", || said(&uniform(300), convolutions(), CrossEntropy, adam(0.01))),
    ("pictures of one brightness, and dense layers", || {
        said(&uniform(300), deep(), CrossEntropy, adam(0.01))
    }),
    ("most units are dead, and the others are enough", || {
        let dense = Dense::new(64).weight_init(Normal::new(0.0, 0.4)).bias_init(Normal::new(-5.0, 3.5));
        said(&classes(300), hidden(dense).then(Dense::new(3)), CrossEntropy, adam(0.03))
    }),
    ("a batch of one sample", || {
        said_of(&classes(60), trainer(&classes(60), mlp(3), CrossEntropy, adam(0.003)).batch_size(1))
    }),
    ("two shards", || {
        said_of(&classes(300), trainer(&classes(300), mlp(3), CrossEntropy, adam(0.01)).shards(2))
    }),
    ("a validation with other samples", || {
        let (train, validation) = (pictures(300), pictures_of(&chainrule_data::digits(100, Seed(9))));
        let mut trainer = trainer(&train, mlp(10), CrossEntropy, adam(0.003)).audit(Audit::default());
        trainer.fit(&train, Fit::epochs(6).validation(&validation)).unwrap();
        trainer.warnings().to_vec()
    }),
    ("double precision", || {
        let (x, targets) = read(&classes(300));
        let data = Rows::new(x.mapv(f64::from), targets).unwrap();
        let layers = Sequential::<f64>::new().then(Dense::new(16)).then(Tanh).then(Dense::new(3));
        let model = Model::new([6], layers, 1).unwrap();
        let mut trainer = Trainer::new(model, CrossEntropy, adam(0.01)).audit(Audit::default());
        trainer.fit(&data, 12).unwrap();
        trainer.warnings().to_vec()
    }),
    ("a training of three steps", || {
        said_of(&classes(96), trainer(&classes(96), mlp(3), CrossEntropy, adam(0.01)))
    }),
];

#[test]
fn nothing_is_said_of_sound_trainings() {
    let false_alarms: Vec<String> = CASES
        .iter()
        .filter_map(|(name, run)| {
            let texts: Vec<String> = run().iter().map(|warning| format!("    {warning}")).collect();
            (!texts.is_empty()).then(|| format!("{name}:\n{}", texts.join("\n")))
        })
        .collect();
    assert!(false_alarms.is_empty(), "{} false alarms:\n{}", false_alarms.len(), false_alarms.join("\n"));
}

/// That the targets of a test say what it means.
#[test]
fn the_letters_follow_each_other() {
    let data = letters(50);
    let mut row = [0.0; 8];
    let next: [u8; 8] = data.read(3, &mut row);
    assert_eq!(f32::from(next[0]), row[1]);
    assert!(matches!(Target::<f32>::view(&next[0]), chainrule_tensor::TargetView::Class(_)));
}
