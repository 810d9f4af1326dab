//! The time of a prediction of one network, as a line of JSON: what `benches/peers/predict.py` sets next to ONNX Runtime and PyTorch.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chainrule::interop::OnnxExport;
use chainrule::prelude::*;
use chainrule::tensor::{CountingAllocator, blas};
use chainrule_cli::models::ModelName;
use chainrule_cli::{benchmark, terminal};
use clap::{Parser, ValueEnum};
use ndarray::Array2;
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Predict random pictures of 28 by 28 pixels on one thread.
#[derive(Debug, Parser)]
#[command(name = "predict")]
struct Arguments {
    network: Network,
    /// The number of pictures of a call.
    rows: usize,
    /// How long to measure, in milliseconds.
    #[arg(long, default_value = "1000")]
    milliseconds: u64,
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
    let mut rng = Seed(1).rng();
    let x = Array2::from_shape_simple_fn((arguments.rows, 28 * 28), || rng.uniform() as f32);
    let mut predictor = model.predictor();
    let mut times = Vec::with_capacity(MOST);
    let time = Duration::from_millis(arguments.milliseconds);
    // The first part warms up.
    let mut allocations = 0;
    for part in [time / 4, time] {
        times.clear();
        allocations = ALLOCATOR.allocations();
        let begin = Instant::now();
        while times.is_empty() || (begin.elapsed() < part && times.len() < MOST) {
            let call = Instant::now();
            let y = predictor.predict(x.view())?;
            std::hint::black_box(y);
            times.push(call.elapsed());
        }
    }
    let allocations = ALLOCATOR.allocations() - allocations;
    times.sort_unstable();
    let figures = Figures {
        call_us: 1e6 * times[times.len() / 2].as_secs_f64(),
        allocations,
        version: format!("{} with {}", env!("CARGO_PKG_VERSION"), blas::Blas::current()),
    };
    terminal::print(serde_json::to_string(&figures)?)?;
    Ok(())
}
