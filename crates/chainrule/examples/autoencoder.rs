//! An autoencoder: pictures of digits through twelve numbers and back, side by side in `autoencoder.pgm`.
//!
//! `cargo run --release --example autoencoder`

use std::sync::Arc;

use chainrule::data::output;
use chainrule::prelude::*;
use ndarray::Array2;

/// The height and the width of a picture.
const SIDE: usize = 28;

/// How many pictures are drawn.
const SHOWN: usize = 12;

/// Pictures whose targets are themselves.
struct Copies {
    pictures: Images,
    targets: Vec<Arc<[f32]>>,
}

impl Copies {
    fn new(pictures: Images) -> Self {
        let copy = |index| {
            let mut row = [0.0; SIDE * SIDE];
            let _: u8 = pictures.read(index, &mut row);
            row.into()
        };
        let targets = (0..pictures.len()).map(copy).collect();
        Self { pictures, targets }
    }

    /// The mean of the squares of what the mean picture misses: what an output that ignores its input comes to.
    fn variance(&self) -> f64 {
        let count = self.targets.len() as f64;
        let of_pixel = |pixel: usize| {
            let values = || self.targets.iter().map(|target| f64::from(target[pixel]));
            let mean = values().sum::<f64>() / count;
            values().map(|value| (value - mean).powi(2)).sum::<f64>() / count
        };
        (0..SIDE * SIDE).map(of_pixel).sum::<f64>() / (SIDE * SIDE) as f64
    }
}

impl Dataset for Copies {
    type Target = Arc<[f32]>;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn shape(&self) -> Shape {
        self.pictures.shape()
    }
}

impl Samples<f32> for Copies {
    fn read(&self, index: usize, row: &mut [f32]) -> Arc<[f32]> {
        row.copy_from_slice(&self.targets[index]);
        Arc::clone(&self.targets[index])
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, test) = (Copies::new(digits(6_000, Seed(1))), Copies::new(digits(600, Seed(2))));
    let encoder = Sequential::new().then(Dense::new(128)).then(Relu).then(Dense::new(12));
    let decoder =
        Sequential::new().then(Dense::new(128)).then(Relu).then(Dense::new(SIDE * SIDE)).then(Sigmoid);
    let layers = Sequential::new().then(Flatten).then(encoder).then(decoder);
    let model = Model::<f32>::new([SIDE, SIDE], layers, Seed(0))?;
    println!("{}", model.summary());
    let mut trainer = Trainer::new(model, MeanSquaredError, adam(Cosine::new(0.003)));
    trainer.fit(&train, 20)?;
    let explained = 1.0 - trainer.evaluate(&test)?.loss / test.variance();
    println!("of the variance of pictures that it has not seen, {:.1} % come back", 100.0 * explained);
    assert!(explained > 0.6, "{explained}");

    // Pictures above, and what comes back of them below.
    let mut x = Array2::zeros((SHOWN, SIDE * SIDE));
    for (index, mut row) in x.rows_mut().into_iter().enumerate() {
        row.assign(&ndarray::aview1(&test.targets[index]));
    }
    let y = trainer.model().predict(x.view())?;
    output::write("autoencoder.pgm".as_ref(), |file| {
        writeln!(file, "P5 {} {} 255", SHOWN * SIDE, 2 * SIDE)?;
        for row in 0..2 * SIDE {
            let pictures = if row < SIDE { &x } else { &y };
            for column in 0..SHOWN * SIDE {
                let brightness = pictures[[column / SIDE, row % SIDE * SIDE + column % SIDE]];
                file.write_all(&[(255.0 * brightness).round() as u8])?;
            }
        }
        Ok(())
    })?;
    println!("autoencoder.pgm shows {SHOWN} of them");
    Ok(())
}
