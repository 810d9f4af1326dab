//! `chainrule bench`: what a training step takes beside the bare matrix products that it needs.
//!
//! The products alone, one BLAS call each on the same shapes, are the floor that no step can pass without
//! better products. Both are measured in turn, several rounds in one run, since machines are noisy.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use chainrule::prelude::*;
use chainrule::tensor::{FlushDenormals, blas};
use clap::Args;
use ndarray::{Array2, linalg::general_mat_mul};
use serde::Serialize;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Fewer rounds and samples, in a few seconds.
    #[arg(long)]
    quick: bool,
    /// How many rounds; at least 7 give a median to rely on.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these works.
    #[arg(long, value_delimiter = ',')]
    work: Vec<String>,
    /// Only this number of threads.
    #[arg(long)]
    threads: Option<usize>,
    /// Where to write the figures as JSON.
    #[arg(long, default_value = "target/bench/bench.json")]
    json: PathBuf,
    /// Into how many parts a batch is cut.
    #[arg(long)]
    shards: Option<usize>,
}

/// A network and a batch size that people train.
struct Work {
    name: &'static str,
    sizes: &'static [usize],
    batch: usize,
}

const WORKS: [Work; 4] = [
    Work { name: "mlp32", sizes: &[784, 64, 64, 10], batch: 32 },
    Work { name: "mlp128", sizes: &[784, 64, 64, 10], batch: 128 },
    Work { name: "wide128", sizes: &[784, 512, 512, 10], batch: 128 },
    Work { name: "tiny", sizes: &[4, 32, 16, 4], batch: 32 },
];

/// One line of the table.
#[derive(Debug, Serialize)]
struct Figure {
    work: &'static str,
    threads: usize,
    /// Medians, in microseconds a step.
    ours_us: f64,
    floor_us: f64,
    ratio: f64,
    /// Half the distance between the quartiles of ours, as a share of the median.
    spread: f64,
    samples_per_second: f64,
    /// Of the products, over our whole step.
    gflops: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (rounds, steps) = if arguments.quick { (7, 60) } else { (21, 450) };
    let rounds = arguments.rounds.unwrap_or(rounds);
    let cores = std::thread::available_parallelism()?.get();
    blas::set_threads(1);
    println!("{}, 1 thread a product; medians of {rounds} rounds", blas::Blas::current(),);
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build, many times slower: build with --release");
    }
    println!("work     threads   ours us  floor us  ours/floor  spread   samples/s  GFLOP/s");
    let mut figures = Vec::new();
    for work in WORKS
        .iter()
        .filter(|work| arguments.work.is_empty() || arguments.work.iter().any(|name| name == work.name))
    {
        for threads in arguments
            .threads
            .map_or(if cores > 1 { vec![1, cores] } else { vec![1] }, |threads| vec![threads])
        {
            let figure = measure(work, threads, arguments.shards, rounds, steps)?;
            let Figure { ours_us, floor_us, ratio, spread, samples_per_second, gflops, .. } = figure;
            println!(
                "{:8} {threads:7} {ours_us:9.1} {floor_us:9.1} {ratio:11.2} {:6.1}% {samples_per_second:11.0} {gflops:8.1}",
                work.name,
                100.0 * spread,
            );
            figures.push(figure);
        }
    }
    if let Some(folder) = arguments.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.json, serde_json::to_string_pretty(&figures)?)
        .map_err(|error| format!("cannot write {}: {error}", arguments.json.display()))?;
    println!("written to {}", arguments.json.display());
    Ok(())
}

fn measure(
    work: &Work,
    threads: usize,
    shards: Option<usize>,
    rounds: usize,
    steps: usize,
) -> Result<Figure, Box<dyn Error>> {
    let samples = work.batch * steps;
    let (mut ours, mut floors) = match work.sizes[0] {
        784 => interleave(work, threads, shards, rounds, &digits(samples, Seed(1)), [28, 28].into())?,
        inputs => {
            let mut rng = Seed(2).rng();
            let x = Array2::from_shape_simple_fn((samples, inputs), || rng.normal() as f32);
            let targets = (0..samples).map(|index| (index % 4) as u8).collect();
            interleave(work, threads, shards, rounds, &Rows::new(x, targets)?, [inputs].into())?
        }
    };
    ours.sort_by(f64::total_cmp);
    floors.sort_by(f64::total_cmp);
    let at = |values: &[f64], share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
    let (ours_us, floor_us) = (1e6 * at(&ours, 0.5) / steps as f64, 1e6 * at(&floors, 0.5) / steps as f64);
    Ok(Figure {
        work: work.name,
        threads,
        ours_us,
        floor_us,
        ratio: ours_us / floor_us,
        spread: (at(&ours, 0.75) - at(&ours, 0.25)) / 2.0 / at(&ours, 0.5),
        samples_per_second: work.batch as f64 / ours_us * 1e6,
        gflops: flops(work) / ours_us / 1e3,
    })
}

/// Floating-point operations of the products of one step: two for each dense layer, and one more for all but the first.
fn flops(work: &Work) -> f64 {
    let product = |pair: &[usize]| 2.0 * (work.batch * pair[0] * pair[1]) as f64;
    let layers = work.sizes.windows(2).map(product);
    layers.enumerate().map(|(index, flops)| if index == 0 { 2.0 * flops } else { 3.0 * flops }).sum()
}

/// Seconds an epoch of ours and of the floor, in turn.
fn interleave<D: Dataset<f32, Target = u8>>(
    work: &Work,
    threads: usize,
    shards: Option<usize>,
    rounds: usize,
    data: &D,
    input: Shape,
) -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    let mut layers = Sequential::new().then(Flatten);
    for (index, &units) in work.sizes[1..].iter().enumerate() {
        layers = if index == 0 { layers } else { layers.then(Relu) }.then(Dense::new(units));
    }
    let mut trainer = Trainer::new(Model::new(input, layers, Seed(0))?, CrossEntropy::default(), adam(1e-3))
        .batch_size(work.batch)
        .shards(shards)
        .threads(threads)
        .metric(Accuracy::default());
    let steps = data.len() / work.batch;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    // The first round warms up, and is not counted.
    for round in 0..=rounds {
        let history = trainer.fit(data, 1)?;
        let floor = floor(work, threads, steps);
        if round > 0 {
            ours.push(history.epochs[0].seconds);
            floors.push(floor);
        }
    }
    Ok((ours, floors))
}

/// Seconds that the products of `steps` steps take, each thread with its rows of the batch, without waiting for each other.
fn floor(work: &Work, threads: usize, steps: usize) -> f64 {
    let rows = work.batch / threads;
    let run = || {
        let _flush = FlushDenormals::new();
        let matrix = |rows: usize, columns: usize| Array2::<f32>::from_elem((rows, columns), 0.01);
        let mut layers: Vec<_> = work
            .sizes
            .windows(2)
            .map(|pair| {
                [
                    matrix(rows, pair[0]),
                    matrix(pair[0], pair[1]),
                    matrix(rows, pair[1]),
                    matrix(pair[0], pair[1]),
                    matrix(rows, pair[0]),
                ]
            })
            .collect();
        let begin = Instant::now();
        for _ in 0..steps {
            for [x, w, y, _, _] in &mut layers {
                general_mat_mul(1.0, x, w, 0.0, y);
            }
            for (index, [x, w, y, dw, dx]) in layers.iter_mut().enumerate().rev() {
                general_mat_mul(1.0, &x.t(), y, 0.0, dw);
                if index > 0 {
                    general_mat_mul(1.0, y, &w.t(), 0.0, dx);
                }
            }
        }
        begin.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).fold(0.0, f64::max)
    })
}
