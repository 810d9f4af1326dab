//! The time of a training step of one network, as a line of JSON: what `benches/peers/networks.py` sets next to other frameworks.
//!
//! A process trains one network, so that its peak of memory is that of the training.

use std::error::Error;
use std::process::ExitCode;

use chainrule::core::Description;
use chainrule::prelude::*;
use chainrule::tensor::{Shape, blas};
use chainrule_cli::{benchmark, terminal};
use clap::Parser;
use ndarray::Array2;
use serde::Serialize;

/// Train a network on random samples: an output is a class, and a single one stands for two.
#[derive(Debug, Parser)]
#[command(name = "network")]
struct Arguments {
    /// The shape of a sample, such as 3,32,32.
    #[arg(value_delimiter = ',')]
    input: Vec<usize>,
    /// Its layers, such as `dense(64) then relu then dense(10)`.
    #[arg(long)]
    layers: Description,
    /// The number of samples of a step.
    #[arg(long, default_value = "64")]
    batch: usize,
    #[arg(long, default_value = "1")]
    threads: usize,
    /// The number of steps of an epoch.
    #[arg(long, default_value = "100")]
    steps: usize,
}

/// The first epoch warms up, and the best of the others counts, since other programs can only slow it down.
const EPOCHS: u64 = 4;

#[derive(Debug, Serialize)]
struct Figures {
    step_us: f64,
    /// Data included; `None` where the system does not report it.
    peak_mib: Option<f64>,
    version: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    benchmark::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { input, layers, batch, threads, steps } = arguments;
    let shape = Shape::new(input).ok_or("a sample has at most six axes")?;
    let model = Model::from_description(shape, layers, Seed(0))?;
    let outputs = model.output().size();
    let loss: Box<dyn Loss<f32, u8>> =
        if outputs == 1 { Box::new(BinaryCrossEntropy) } else { Box::new(CrossEntropy) };
    let mut trainer = Trainer::new(model, loss, adam(1e-4)).batch_size(*batch).threads(*threads);
    let history = trainer.fit(&samples(steps * batch, shape, outputs.max(2))?, EPOCHS)?;
    let seconds = history.epochs[1..].iter().map(|epoch| epoch.seconds).fold(f64::INFINITY, f64::min);
    let figures = Figures {
        step_us: 1e6 * seconds / *steps as f64,
        peak_mib: benchmark::peak_memory().map(|bytes| bytes / f64::from(1 << 20)),
        version: format!("{} with {}", env!("CARGO_PKG_VERSION"), blas::Blas::current()),
    };
    terminal::print(serde_json::to_string(&figures)?)?;
    Ok(())
}

/// Uniform inputs of variance 1, whose first one decides the class.
fn samples(count: usize, shape: Shape, classes: usize) -> Result<Rows<f32, u8>, Box<dyn Error>> {
    let mut rng = Seed(1).rng();
    let bound = 3f64.sqrt();
    let x =
        Array2::from_shape_simple_fn((count, shape.size()), || (bound * (2.0 * rng.uniform() - 1.0)) as f32);
    let last = (classes - 1) as f64;
    let class = |x: &f32| (classes as f64 * (f64::from(*x) / bound + 1.0) / 2.0).clamp(0.0, last) as u8;
    let targets = x.column(0).iter().map(class).collect();
    Ok(Rows::new(x, targets)?.with_shape(shape)?)
}
