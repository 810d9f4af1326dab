//! The time of a prediction of one network, as a line of JSON: what `benches/peers/predict.py` sets next to ONNX Runtime and PyTorch.
//!
//! With `--evaluate` it is that of an evaluation: of samples gathered from bytes, forward passes, losses and a metric.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chainrule::interop::OnnxExport;
use chainrule::prelude::*;
use chainrule::tensor::{CountingAllocator, blas};
use chainrule_cli::models::ModelName;
use chainrule_cli::{benchmark, peak, terminal};
use clap::{Parser, ValueEnum};
use ndarray::Array2;
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Predict random pictures of 28 by 28 pixels on one thread, or evaluate the network with them.
#[derive(Debug, Parser)]
#[command(name = "predict")]
struct Arguments {
    network: Network,
    /// The number of pictures of a call.
    rows: usize,
    /// How long to measure, in milliseconds.
    #[arg(long, default_value = "1000")]
    milliseconds: u64,
    /// Measures `Trainer::evaluate` over the pictures, of which no pixel is 0, on this many threads.
    #[arg(long, value_name = "THREADS", conflicts_with = "onnx")]
    evaluate: Option<usize>,
    /// The batch size of the trainer that evaluates.
    #[arg(long, default_value = "32")]
    batch: usize,
    /// Writes the network to this file, for other programs to predict with.
    #[arg(long)]
    onnx: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Network {
    /// 784-64-64-10, that of the tutorial.
    Tutorial,
    /// LeNet-5.
    Lenet,
}

/// The most calls that are measured.
const MOST: usize = 1_000_000;

#[derive(Debug, Serialize)]
struct Figures {
    /// The median of a call.
    call_us: f64,
    /// Of all calls that were measured.
    allocations: u64,
    /// The products of a call as a share of the sgemm peak on as many threads, where an evaluation is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_share: Option<f64>,
    version: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    benchmark::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    blas::set_threads(1);
    let layers = match arguments.network {
        Network::Tutorial => {
            let layers = Sequential::new().then(Flatten).then(Dense::new(64)).then(Relu);
            layers.then(Dense::new(64)).then(Relu).then(Dense::new(10))
        }
        Network::Lenet => ModelName::Lenet.layers().expect("it has a description"),
    };
    let model = Model::new([28, 28], layers, Seed(0))?;
    if let Some(path) = &arguments.onnx {
        OnnxExport::new().write(&model, path)?;
    }
    let (times, allocations, peak_share) = match arguments.evaluate {
        None => {
            let mut rng = Seed(1).rng();
            let x = Array2::from_shape_simple_fn((arguments.rows, 28 * 28), || rng.uniform() as f32);
            let mut predictor = model.predictor();
            let (times, allocations) = measure(arguments.milliseconds, || {
                std::hint::black_box(predictor.predict(x.view())?);
                Ok(())
            })?;
            (times, allocations, None)
        }
        Some(threads) => {
            let images = pictures(arguments.rows)?;
            let flops = model.plan().total_flops() as f64 * arguments.rows as f64;
            let trainer = Trainer::new(model, CrossEntropy, adam(1e-3)).batch_size(arguments.batch);
            let mut trainer = trainer.metric(Accuracy).threads(threads);
            let (times, allocations) = measure(arguments.milliseconds, || {
                std::hint::black_box(trainer.evaluate(&images)?);
                Ok(())
            })?;
            let per_second = flops / times[times.len() / 2].as_secs_f64();
            (times, allocations, Some(per_second / (1e9 * peak::sgemm(threads)?)))
        }
    };
    let figures = Figures {
        call_us: 1e6 * times[times.len() / 2].as_secs_f64(),
        allocations,
        peak_share,
        version: format!("{} with {}", env!("CARGO_PKG_VERSION"), blas::Blas::current()),
    };
    terminal::print(serde_json::to_string(&figures)?)?;
    Ok(())
}

/// The times of calls, sorted, and what all of them have allocated, after a first part that warms up.
fn measure(
    milliseconds: u64,
    mut call: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(Vec<Duration>, u64), Box<dyn Error>> {
    let mut times = Vec::with_capacity(MOST);
    let time = Duration::from_millis(milliseconds);
    let mut allocations = 0;
    for part in [time / 4, time] {
        times.clear();
        allocations = ALLOCATOR.allocations();
        let begin = Instant::now();
        while times.is_empty() || (begin.elapsed() < part && times.len() < MOST) {
            let start = Instant::now();
            call()?;
            times.push(start.elapsed());
        }
    }
    let allocations = ALLOCATOR.allocations() - allocations;
    times.sort_unstable();
    Ok((times, allocations))
}

/// Random pictures without a pixel of 0, which no product can leave out.
fn pictures(count: usize) -> Result<Images, Box<dyn Error>> {
    let mut rng = Seed(1).rng();
    let pixels = (0..count * 28 * 28).map(|_| 1 + (255.0 * rng.uniform()) as u8).collect();
    let labels = (0..count).map(|_| (10.0 * rng.uniform()) as u8).collect();
    Ok(Images::new([28, 28], pixels, labels, 10)?)
}
