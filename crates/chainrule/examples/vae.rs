//! A variational autoencoder (Kingma and Welling 2014): digits through eight random numbers and back, and new digits that were never drawn,
//! in `vae.pgm`.
//!
//! `cargo run --release --example vae`
//!
//! The encoder gives the mean `μ` and the logarithm of the deviation `σ` of each number. The number is `μ + σ n` with `n` standard normal: in
//! training `GaussianDropout` makes `σ (1 + n)` of `σ`, so `z = μ + (σ (1 + n) - σ)`, and otherwise `z = μ`. The loss is the negative
//! evidence lower bound: what the decoder misses, and the divergence of these distributions from standard normal ones.

use std::sync::Arc;

use chainrule::data::output;
use chainrule::losses::{Criterion, Domain, Row, SeveralOutputs, VectorLoss, vector_loss};
use chainrule::prelude::*;
use chainrule::tensor::{OutputTarget, Outputs};
use ndarray::{Array2, s};

/// The height and the width of a picture.
const SIDE: usize = 28;

/// The number of values of a picture.
const PIXELS: usize = SIDE * SIDE;

/// Through how many numbers a picture goes.
const CODE: usize = 8;

/// How many pictures are next to each other, and how many rows of new ones there are.
const SHOWN: [usize; 2] = [12, 4];

/// `L = ½ Σ (μ² + σ² - 1) - Σ ln σ`: the divergence of normal distributions from standard normal ones, for a row of all `μ` and all `ln σ`.
#[derive(Clone, Copy, Debug)]
struct Divergence;

impl Criterion for Divergence {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("Divergence")
    }
}

impl VectorLoss for Divergence {
    fn row(&self, Row { y, slopes, .. }: Row<'_>) -> f64 {
        let (means, logs) = y.split_at(y.len() / 2);
        let (of_means, of_logs) = slopes.split_at_mut(y.len() / 2);
        let mut sum = 0.0;
        for index in 0..means.len() {
            let (mean, log) = (means[index], logs[index]);
            let square = (2.0 * log).exp();
            sum += 0.5 * (mean * mean + square - 1.0) - log;
            of_means[index] = mean;
            of_logs[index] = square - 1.0;
        }
        sum
    }
}
vector_loss!(Divergence);

/// Pictures whose first target are they themselves. The divergence has none that it looks at.
struct Copies {
    targets: Vec<Arc<[OutputTarget<f32>]>>,
    pictures: Array2<f32>,
}

impl Copies {
    fn new(digits: &Images) -> Self {
        let mut pictures = Array2::zeros((digits.len(), PIXELS));
        let mut targets = Vec::new();
        for (index, mut row) in pictures.rows_mut().into_iter().enumerate() {
            let mut picture = [0.0; PIXELS];
            let _: u8 = digits.read(index, &mut picture);
            row.assign(&ndarray::aview1(&picture));
            targets.push([OutputTarget::values(picture), OutputTarget::values([0.0; 2 * CODE])].into());
        }
        Self { targets, pictures }
    }
}

impl Dataset for Copies {
    type Target = Arc<[OutputTarget<f32>]>;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn shape(&self) -> Shape {
        Shape::from([PIXELS])
    }
}

impl Samples<f32> for Copies {
    fn read(&self, index: usize, row: &mut [f32]) -> Self::Target {
        row.iter_mut().zip(self.pictures.row(index)).for_each(|(value, pixel)| *value = *pixel);
        Arc::clone(&self.targets[index])
    }
}

/// From a code to the logits of a picture.
fn decoder() -> Sequential<f32> {
    Sequential::new().then(Dense::new(128)).then(Relu).then(Dense::new(PIXELS))
}

/// The part of the variance of pictures that comes back.
fn explained(pictures: &Array2<f32>, back: &Array2<f32>) -> f32 {
    let mean = pictures.mean_axis(ndarray::Axis(0)).expect("there are pictures");
    let square = |difference: Array2<f32>| difference.mapv(|value| value * value).sum();
    1.0 - square(pictures - back) / square(pictures - &mean)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, test) = (Copies::new(&digits(6_000, Seed(1))), Copies::new(&digits(600, Seed(2))));
    let graph = Graph::new()
        .layer("hidden", Sequential::new().then(Dense::new(128)).then(Relu), "input")
        .layer("mean", Dense::new(CODE), "hidden")
        .layer("log deviation", Dense::new(CODE), "hidden")
        .layer("deviation", Exponential, "log deviation")
        // 1 + n: the deviation of the noise is 1 where half would be dropped.
        .layer("random deviation", GaussianDropout::new(0.5), "deviation")
        .merge("noise", Subtract, ["random deviation", "deviation"])
        .merge("code", Add, ["mean", "noise"])
        .layer("picture", decoder(), "code")
        .outputs(["picture", "mean", "log deviation"]);
    let model = Model::new([PIXELS], Sequential::new().then(graph), Seed(0))?;
    println!("{}", model.summary());

    // The first loss is a mean over the pixels, so the second is divided by their number.
    let loss = SeveralOutputs::new().output("picture", PIXELS, BinaryCrossEntropy).weighted(
        "code",
        2 * CODE,
        1.0 / PIXELS as f64,
        Divergence,
    );
    let mut trainer = Trainer::new(model, loss, adam(Cosine::new(0.002)));
    trainer.fit(&train, 20)?;
    let bound = PIXELS as f64 * trainer.evaluate(&test)?.loss;
    let outputs = trainer.model().predict(test.pictures.view())?;
    let back = outputs.slice(s![.., ..PIXELS]).mapv(|logit| 1.0 / (1.0 + (-logit).exp()));
    let explained = explained(&test.pictures, &back);
    let codes = outputs.slice(s![.., PIXELS..PIXELS + CODE]);
    let logs = outputs.slice(s![.., PIXELS + CODE..]);
    let square = (&codes * &codes + logs.mapv(|log| (2.0 * log).exp())).mean().expect("there are codes");
    println!(
        "of pictures that it has not seen, the loss without noise is {bound:.0} nats, and {:.1} % of the variance comes back",
        100.0 * explained
    );
    println!("the mean square of their codes is {square:.2}, that of standard normal ones 1");
    assert!(explained > 0.5 && (0.7..1.7).contains(&square), "{explained} {square}");

    // The decoder alone makes pictures of codes that are drawn.
    let mut generator = Model::new([CODE], decoder().then(Sigmoid), Seed(0))?;
    let entries = generator.plan().entries().to_vec();
    for entry in entries {
        let name = format!("0.picture.{}", entry.name);
        let values = trainer.model().parameter(&name).ok_or(name)?.to_vec();
        generator.parameters_mut()[entry.range].copy_from_slice(&values);
    }
    let mut rng = Seed(3).rng();
    let [columns, rows] = SHOWN;
    let drawn = Array2::from_shape_simple_fn((columns * rows, CODE), || rng.normal() as f32);
    let drawn = generator.predict(drawn.view())?;
    let shown = [test.pictures.slice(s![..columns, ..]), back.slice(s![..columns, ..]), drawn.view()];
    let shown = ndarray::concatenate(ndarray::Axis(0), &shown)?;
    output::write("vae.pgm".as_ref(), |file| {
        writeln!(file, "P5 {} {} 255", columns * SIDE, (rows + 2) * SIDE)?;
        for row in 0..(rows + 2) * SIDE {
            for column in 0..columns * SIDE {
                let picture = row / SIDE * columns + column / SIDE;
                let brightness = shown[[picture, row % SIDE * SIDE + column % SIDE]];
                file.write_all(&[(255.0 * brightness).round() as u8])?;
            }
        }
        Ok(())
    })?;
    println!("vae.pgm shows {columns} of them, what comes back below, and {} that are new", columns * rows);
    Ok(())
}
