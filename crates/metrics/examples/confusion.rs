//! A confusion matrix over two batches.

use chainrule_metrics::{ConfusionMatrix, Measure, Metric};
use ndarray::array;

fn main() {
    let mut matrix = ConfusionMatrix;
    matrix.update(array![[0.9f32, 0.1, 0.0], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]].view(), &[0u8, 1, 1]);
    matrix.update(array![[0.1f32, 0.1, 0.8], [0.6, 0.2, 0.2]].view(), &[2u8, 2]);
    println!("{matrix}\naccuracy {:.2}", matrix.value());
}
