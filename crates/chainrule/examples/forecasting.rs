//! What comes next in a series: a small network on the sales of a shop, against what a person would guess.
//!
//! `cargo run --release --example forecasting`

use chainrule::data::{WindowSize, Windows};
use chainrule::prelude::*;
use ndarray::Array2;

/// Days of two years and a half.
const DAYS: usize = 900;

/// The weeks that are looked at, in days.
const STEPS: usize = 28;

/// The deviation of what cannot be known.
const NOISE: f64 = 4.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sales = sales();
    // Scaled by what is known of the training days.
    let cut = DAYS - (0.2 * DAYS as f64).round() as usize;
    let known = &sales[..cut];
    let mean = known.iter().sum::<f64>() / cut as f64;
    let deviation = (known.iter().map(|sale| (sale - mean).powi(2)).sum::<f64>() / cut as f64).sqrt();
    let scaled = Array2::from_shape_fn((DAYS, 1), |(day, _)| ((sales[day] - mean) / deviation) as f32);

    // Four weeks are looked at, and the day after them is predicted. No day of the test is one of the training.
    let windows = Windows::of(scaled, WindowSize { steps: STEPS, horizon: 1, stride: 1 })?;
    let (train, test) = windows.split(0.2)?;
    let layers = Sequential::new().then(Flatten).then(Dense::new(8)).then(Tanh).then(Dense::new(1));
    let model = Model::<f32>::new([STEPS, 1], layers, Seed(0))?;
    println!("{}", model.summary());
    let mut trainer = Trainer::new(model, MeanSquaredError, adam(Cosine::new(0.003))).batch_size(16);
    let history = trainer.fit(&train, 30)?;
    println!("training: {}", history.epochs[29].train);

    let error = trainer.evaluate(&test)?.loss.sqrt() * deviation;
    let squares = (cut..DAYS).map(|day| (sales[day] - sales[day - 7]).powi(2));
    let as_last_week = (squares.sum::<f64>() / (DAYS - cut) as f64).sqrt();
    println!(
        "a day of the test is missed by {error:.2}, by {as_last_week:.2} if it is guessed to be as a week before, and by {NOISE} at best"
    );
    assert!(error < 5.0, "{error}");
    assert!(error < 0.9 * as_last_week, "{error} {as_last_week}");

    // Tomorrow.
    let last = Array2::from_shape_fn((1, STEPS), |(_, step)| {
        ((sales[DAYS - STEPS + step] - mean) / deviation) as f32
    });
    let tomorrow = f64::from(trainer.model().predict(last.view())?[[0, 0]]) * deviation + mean;
    println!("tomorrow: {tomorrow:.0}");
    Ok(())
}

/// Sales that swing with the week and the year, and grow.
fn sales() -> Vec<f64> {
    let mut rng = Seed(5).rng();
    let of_weekday = [0.0, -4.0, -2.0, 3.0, 14.0, 22.0, -30.0];
    let sale = |day: usize| {
        let year = (day as f64 * std::f64::consts::TAU / 365.25).sin();
        100.0 + 0.01 * day as f64 + 12.0 * year + of_weekday[day % 7] + NOISE * rng.normal()
    };
    (0..DAYS).map(sale).collect()
}
