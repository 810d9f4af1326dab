//! A confusion matrix over two batches.

use chainrule_metrics::{ConfusionMatrix, Tally, Undefined};
use ndarray::array;

fn main() -> Result<(), Undefined> {
    let mut matrix = Tally::new(ConfusionMatrix);
    matrix.update(array![[0.9f32, 0.1, 0.0], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]].view(), &[0u8, 1, 1]);
    matrix.update(array![[0.1f32, 0.1, 0.8], [0.6, 0.2, 0.2]].view(), &[2u8, 2]);
    println!("{}\naccuracy {:.2}", matrix.counts(), matrix.counts().accuracy()?);
    Ok(())
}
