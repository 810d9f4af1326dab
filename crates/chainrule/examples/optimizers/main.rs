//! Every optimizer on the tutorial's network: `cargo run --release -p chainrule --features registry --example optimizers -- docs`.
//!
//! Writes `optimizers.md`, a table, and `optimizers.svg`, a plot, to the directory that is given. Further arguments are the number of
//! epochs, 3 by default, the number of samples, and the names of the optimizers, all by default. MNIST is taken from where the program
//! takes it; where it is not available, the bundled digits stand in for it.

mod candidates;
mod curve;
mod page;
mod plot;

use std::error::Error;
use std::path::Path;

use chainrule::core::{Description, Registry};
use chainrule::data::{Subset, idx, locate, output};
use chainrule::prelude::*;

use crate::candidates::{Candidate, candidates, rate, with_rate};
use crate::curve::{Curve, mean, train};
use crate::page::{Row, Setup};

/// The seeds of the initial weights and of shuffling.
const SEEDS: [u64; 3] = [0, 1, 2];

/// The factor between the learning rates that are tried.
const FACTOR: f64 = 3.0;

/// The maximum number of rates that are tried above the customary one, and below it.
const TRIALS: i32 = 6;

/// The share of the training set that is not trained on: the learning rate is chosen on it.
const VALIDATION: f64 = 1.0 / 12.0;

/// What is trained on, and what is measured.
struct Data<'a> {
    train: Subset<&'a Images>,
    validation: Subset<&'a Images>,
    test: Subset<&'a Images>,
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(warning) = chainrule::tensor::blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: optimizers DIRECTORY [EPOCHS]")?;
    let epochs: u64 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let most: usize = arguments.next().map_or(Ok(usize::MAX), |text| text.parse())?;
    let only: Vec<String> = arguments.collect();
    let (dataset, images, test) = images()?;
    let (train, validation) = Subset::split(&images, VALIDATION, Seed(0))?;
    let first = |subset: Subset<_>| Subset::new(&images, subset.indices()[..subset.len().min(most)].to_vec());
    let data =
        Data { train: first(train)?, validation: first(validation)?, test: Subset::first(&test, most) };
    let registry = chainrule::registry();
    let mut rows = Vec::new();
    let chosen = |candidate: &Candidate| only.is_empty() || only.contains(&candidate.name);
    for candidate in candidates(&registry)?.into_iter().filter(chosen) {
        let row = compare(&registry, candidate, &data, epochs)?;
        eprintln!("{}", row.summary());
        rows.push(row);
    }
    let setup = Setup { dataset, samples: data.train.len(), seeds: SEEDS.len(), epochs };
    let page = page::text(rows.as_mut_slice(), &setup);
    let svg = plot::draw(&page::lines(&rows))?;
    for (name, text) in [("optimizers.md", page), ("optimizers.svg", svg)] {
        output::write(&Path::new(&directory).join(name), |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

/// The name of the data set, its training and its test images.
fn images() -> Result<(&'static str, Images, Images), Box<dyn Error>> {
    match locate::locate("mnist", None, idx::is_mnist) {
        Ok(directory) => {
            let (train, test) = Images::mnist(directory)?;
            Ok(("MNIST", train, test))
        }
        Err(missing) => {
            eprintln!("{missing}: the bundled digits stand in for it");
            Ok(("the bundled digits", digits(12_000, Seed(1)), digits(2_000, Seed(2))))
        }
    }
}

/// Trains with an optimizer at its customary rate, and at the best of those that are tried.
fn compare(
    registry: &Registry,
    Candidate { name, description }: Candidate,
    data: &Data<'_>,
    epochs: u64,
) -> Result<Row, Box<dyn Error>> {
    let build = |description: &Description| registry.build::<Box<dyn UpdateRule<f32>>>(description);
    let run = |description: &Description| -> Result<Curve, Box<dyn Error>> {
        let one = |&seed: &u64| train(build(description)?, [&data.train, &data.test], seed, epochs);
        let curves: Result<Vec<Curve>, _> = SEEDS.iter().map(one).collect();
        Ok(mean(&curves?))
    };
    let customary_rate = rate(registry, &description);
    let customary = run(&description)?;
    let Some(customary_rate) = customary_rate else {
        return Ok(Row { name, rates: [None, None], curves: [customary.clone(), customary] });
    };
    let best_rate = best_rate(customary_rate, |rate| {
        let optimizer = build(&with_rate(&description, rate))?;
        Ok(train(optimizer, [&data.train, &data.validation], SEEDS[0], 1)?.last().accuracy)
    })?;
    let best = if best_rate == customary_rate {
        customary.clone()
    } else {
        run(&with_rate(&description, best_rate))?
    };
    Ok(Row { name, rates: [Some(customary_rate), Some(best_rate)], curves: [customary, best] })
}

/// The rate with the highest accuracy, found by going up and down from the customary one for as long as that helps.
fn best_rate(
    customary: f64,
    mut accuracy: impl FnMut(f64) -> Result<f64, Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let mut best = (customary, accuracy(customary)?);
    for direction in [1, -1] {
        for trial in 1..=TRIALS {
            let rate = customary * FACTOR.powi(direction * trial);
            let found = accuracy(rate)?;
            // A rate that is a little worse may be followed by a better one, but one that is much worse is not.
            if found < best.1 - 0.02 {
                break;
            }
            if found > best.1 {
                best = (rate, found);
            }
        }
    }
    Ok(best.0)
}
