//! The cross-entropy of three samples, and its gradient.

use chainrule_losses::{CrossEntropy, Loss};
use ndarray::{Array2, array};

fn main() {
    let logits = array![[2.0f32, 0.5, -1.0], [0.1, 0.2, 0.3], [-2.0, 0.0, 3.0]];
    let mut gradient = Array2::zeros(logits.dim());
    let scale = 1.0 / logits.nrows() as f32;
    let loss = CrossEntropy.loss(logits.view(), &[0u8, 1, 0], scale, Some(gradient.view_mut()));
    println!("mean loss {loss:.4}, gradient with respect to the logits:\n{gradient:7.4}");
}
