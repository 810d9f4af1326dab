//! The time of single layers, forward and backward, as a line of JSON for each: what `benches/peers/layers.py` sets next to those of
//! PyTorch.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chainrule::core::{AnyLayer, Backward, Forward, Grads, Layer, Mode, Params, Plan, Registry};
use chainrule::tensor::{Buffer, Seed, Shape, blas};
use chainrule_cli::{benchmark, terminal};
use clap::Parser;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Measure single layers.
#[derive(Debug, Parser)]
#[command(name = "layers")]
struct Arguments {
    /// The list of cases.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/layers.json"))]
    cases: PathBuf,
    /// Measure only the cases whose name contains one of these words [default: all].
    only: Vec<String>,
    /// How long to measure each pass of each layer, in milliseconds.
    #[arg(long, default_value = "300")]
    milliseconds: u64,
}

/// A layer and what it is measured on.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    /// Its description.
    layer: String,
    /// The shape of a sample.
    input: Vec<usize>,
    batch: usize,
    /// The number of different indices, if the inputs are indices; they have no gradient.
    indices: Option<usize>,
}

/// The least times in microseconds.
#[derive(Debug, Serialize)]
struct Times<'a> {
    name: &'a str,
    forward: f64,
    backward: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    benchmark::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    blas::set_threads(1);
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(&arguments.cases)?)?;
    let registry = chainrule::registry();
    let time = Duration::from_millis(arguments.milliseconds);
    let only = &arguments.only;
    let chosen = |case: &&Case| only.is_empty() || only.iter().any(|word| case.name.contains(&**word));
    for case in cases.iter().filter(chosen) {
        let (forward, backward) = measure(case, &registry, time)?;
        let times = Times { name: &case.name, forward, backward };
        terminal::print(serde_json::to_string(&times)?)?;
    }
    Ok(())
}

/// The least times of the passes, in microseconds.
fn measure(case: &Case, registry: &Registry, time: Duration) -> Result<(f64, f64), Box<dyn Error>> {
    let Case { name, layer, input, batch, indices } = case;
    let layer: AnyLayer<f32> = registry.build(&layer.parse()?)?;
    let shape = Shape::new(input).ok_or_else(|| format!("{name}: a sample has at most six axes"))?;
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan(shape, &mut plan)?;
    let (mut params, mut grads) = (Buffer::zeros(plan.size()), Buffer::zeros(plan.size()));
    plan.init(Seed(1), &mut params);
    let mut rng = Seed(2).rng();
    let x = Array2::from_shape_simple_fn((*batch, shape.size()), || match indices {
        Some(count) => (rng.uniform() * *count as f64).floor() as f32,
        None => rng.normal() as f32,
    });
    let dy = Array2::from_shape_simple_fn((*batch, output.size()), || rng.normal() as f32);
    let (mut y, mut dx) = (dy.clone(), x.clone());
    let forward = least(time, || {
        let mode = Mode::Train { seed: Seed(1), first_row: 0 };
        let params = Params::new(&params);
        layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache: &mut cache, mode });
    });
    let backward = least(time, || {
        layer.backward(Backward {
            params: Params::new(&params),
            grads: Grads::new(&mut grads),
            x: x.view(),
            y: y.view(),
            dy: dy.view(),
            dx: indices.is_none().then(|| dx.view_mut()),
            cache: &mut cache,
            share: 1.0,
        });
    });
    Ok((forward, backward))
}

/// The least time of a pass in microseconds.
fn least(time: Duration, mut pass: impl FnMut()) -> f64 {
    pass();
    let start = Instant::now();
    let mut least = f64::INFINITY;
    while start.elapsed() < time {
        let begin = Instant::now();
        pass();
        least = least.min(begin.elapsed().as_secs_f64());
    }
    1e6 * least
}
