//! Portable trainings have the same bits at every level of instructions that the machine has, and on any number of threads.

use std::process::Command;

use chainrule_core::{Residual, Sequential};
use chainrule_data::{Subset, digits};
use chainrule_layers::{
    BatchNorm, ClassToken, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool, LayerNorm, LearnedPositions, Lstm,
    MaxPool2d, OneStep, Patches, Relu, Reshape, TimeDistributed, TransformerEncoder,
};
use chainrule_losses::CrossEntropy;
use chainrule_optim::{ClipByGlobalNorm, adam};
use chainrule_tensor::Seed;
use chainrule_tensor::blas::Blas;
use chainrule_tensor::simd::{LEVEL_VARIABLE, Level, best_level};
use chainrule_train::{Model, Trainer};

/// The variable that makes this program print what the parent compares.
const CHILD: &str = "CHAINRULE_PORTABLE_THREADS";

fn networks() -> [(&'static str, Sequential<f32>); 5] {
    let image = || Sequential::new().then(Reshape::new([1, 28, 28]));
    let dense = Sequential::new().then(Flatten).then(Dense::new(64)).then(Relu).then(Dropout::new(0.2));
    let convolution = || Conv2d::new(6, 3).padding(1).without_bias();
    let residual = Sequential::new().then(convolution()).then(BatchNorm::new()).then(Relu);
    let tokens = image().then(Patches::new(7)).then(TimeDistributed(Dense::new(24))).then(ClassToken::new());
    [
        ("dense", dense.then(Dense::new(10))),
        (
            "convolutions",
            image()
                .then(Conv2d::new(6, 5).padding(2))
                .then(Relu)
                .then(MaxPool2d::new(2))
                .then(Conv2d::new(16, 5))
                .then(MaxPool2d::new(2))
                .then(Flatten)
                .then(Dense::new(10)),
        ),
        (
            "batch normalisation",
            image()
                .then(Conv2d::new(6, 3).stride(2))
                .then(Residual(residual))
                .then(GlobalAvgPool::new())
                .then(Dense::new(10)),
        ),
        ("recurrent", Sequential::new().then(Lstm::new(20)).then(Dense::new(10))),
        (
            "attention",
            tokens
                .then(LearnedPositions::new())
                .then(TransformerEncoder::new(4, 40).pre_norm())
                .then(LayerNorm::new())
                .then(OneStep::first())
                .then(Dense::new(10)),
        ),
    ]
}

/// A line for each network: its name, the hash of its parameters and the bits of its loss on the training's data.
fn train(threads: usize) -> String {
    let data = digits(40, Seed(1));
    let data = Subset::new(&data, (0..40).collect()).unwrap();
    let lines = networks().map(|(name, layers)| {
        let model = Model::new([28, 28], layers, Seed(2)).unwrap();
        let optimizer = (ClipByGlobalNorm(1.0), adam(1e-3));
        let mut trainer = Trainer::new(model, CrossEntropy::default(), optimizer)
            .batch_size(20)
            .shards(2)
            .threads(threads)
            .portable(true);
        trainer.fit(&data, 1).unwrap();
        let loss = trainer.evaluate(&data).unwrap().loss;
        format!("{name}: {} {:x}", trainer.model().parameters_sha256(), loss.to_bits())
    });
    lines.join("\n")
}

#[test]
fn the_same_bits_at_every_level_and_on_any_number_of_threads() {
    let right = train(1);
    for threads in [2, 3, 7] {
        assert_eq!(train(threads), right, "{threads} threads");
    }
    for level in Level::ALL.into_iter().filter(|&level| level <= best_level()) {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", "child", "--nocapture"]).env(LEVEL_VARIABLE, level.name());
        let output = child.env(CHILD, "2").output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout);
        assert!(output.contains(&right), "{level:?}: {output}\nwhere others have\n{right}");
    }
}

/// What the other test runs with other instructions.
#[test]
fn child() {
    if let Ok(threads) = std::env::var(CHILD) {
        println!("\n{}", train(threads.parse().unwrap()));
    }
}

/// Without it, another set of instructions gives other bits, so the test above sees what it should.
#[test]
fn the_fastest_products_differ() {
    let digits = digits(40, Seed(1));
    let hash = |portable| {
        let layers = Sequential::new().then(Flatten).then(Dense::new(256)).then(Relu).then(Dense::new(10));
        let model = Model::new([28, 28], layers, Seed(2)).unwrap();
        let mut trainer =
            Trainer::new(model, CrossEntropy::default(), adam(1e-3)).batch_size(40).portable(portable);
        trainer.fit(&digits, 1).unwrap();
        trainer.model().parameters_sha256()
    };
    assert_eq!(hash(true), hash(true));
    if Blas::current().name != "none" {
        assert_ne!(hash(false), hash(true), "BLAS adds in another order");
    }
}
