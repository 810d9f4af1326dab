//! The ROC curve of random scores, as an SVG file: `cargo run -p chainrule-metrics --example curve > roc.svg`.

use chainrule_metrics::{Auroc, RocCurve, Tally};
use chainrule_tensor::Seed;
use ndarray::Array2;

fn main() {
    let mut rng = Seed(1).rng();
    let targets: Vec<u8> = (0..200).map(|_| rng.below(2) as u8).collect();
    // A sample that is a yes has a higher score by 30 of 100 on average.
    let y =
        Array2::from_shape_fn((200, 1), |(row, _)| rng.below(100) as f32 + 30.0 * f32::from(targets[row]));
    let mut curve = Tally::new(RocCurve);
    curve.update(y.view(), &targets);
    let mut area = Tally::new(Auroc);
    area.update(y.view(), &targets);
    eprintln!("{area}");
    match curve.value().as_table().and_then(|table| table.svg()) {
        Some(svg) => print!("{svg}"),
        None => eprintln!("{curve}"),
    }
}
