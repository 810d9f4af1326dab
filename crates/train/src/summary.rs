//! A model as a table.

use std::fmt;

use chainrule_core::LayerInfo;
use chainrule_tensor::Shape;

use crate::TrainingBytes;

/// The layers of a model with their output shapes, parameters, products and activations, as Keras prints them.
///
/// The activations are how many values a sample takes in training: the outputs, and what the layers keep and work in. A
/// layer that is made of others has their rows, indented, behind its own, which counts them all. Parameters that
/// nodes share are counted once, in the row of the node that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub(crate) input: Shape,
    pub(crate) rows: Vec<LayerInfo>,
    pub(crate) parameters: usize,
    pub(crate) trained: usize,
    pub(crate) flops: u64,
    pub(crate) memory: u64,
    /// How many bytes a number has.
    pub(crate) number: usize,
    /// A batch, and what a training with it in one part takes without its optimizer.
    pub(crate) batch: Option<(usize, TrainingBytes)>,
    /// How many values a sample takes in training, with what the model is given and what the loss gives back.
    pub(crate) sample: u64,
}

impl Summary {
    /// With the memory that training takes for batches of so many samples, whatever the optimizer remembers. See
    /// [`Model::training_bytes`](crate::Model::training_bytes) for all of it.
    #[must_use]
    pub fn batch(self, samples: usize) -> Self {
        let number = self.number as u64;
        let parameters = number.saturating_mul(self.parameters as u64);
        let activations = number.saturating_mul(self.sample).saturating_mul(samples as u64);
        let bytes = TrainingBytes { parameters, optimizer: 0, gradients: parameters, activations };
        Self { batch: Some((samples, bytes)), ..self }
    }
}

/// The name at the front of a layer's description: `Dense` of `Dense { units: 64, .. }`.
fn kind(layer: &str) -> &str {
    let end = layer.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(layer.len());
    &layer[..end]
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many bytes in kB, rounded up.
fn kilobytes(bytes: u64) -> String {
    format!("{} kB", grouped(bytes.div_ceil(1024)))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["layer", "output", "parameters", "MFLOP a sample", "activations"].map(str::to_owned);
        let [none, nothing, no] = [const { String::new() }; 3];
        let input = ["input".to_owned(), self.input.to_string(), none, nothing, no];
        let mega = |flops: u64| format!("{:.3}", flops as f64 / 1e6);
        let rows = self.rows.iter().map(|row| {
            let depth = row.path.matches('.').count();
            let name = format!("{:depth$}{} ({})", "", row.path, kind(&row.layer), depth = 2 * depth);
            let parameters = grouped(row.parameters as u64);
            [name, row.output.to_string(), parameters, mega(row.flops), grouped(row.memory)]
        });
        let table: Vec<[String; 5]> = [header, input].into_iter().chain(rows).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d, e] = std::array::from_fn(width);
        let line = "─".repeat(a + b + c + d + e + 8);
        for (index, [name, output, parameters, flops, memory]) in table.iter().enumerate() {
            let row = format!("{name:a$}  {output:b$}  {parameters:>c$}  {flops:>d$}  {memory:>e$}");
            writeln!(f, "{}", row.trim_end())?;
            if index == 0 {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(f, "{line}")?;
        let (parameters, trained) = (self.parameters as u64, self.trained as u64);
        write!(
            f,
            "{} parameters ({}), {} trained, {} not; {} MFLOP a sample forward; {} activations",
            grouped(parameters),
            kilobytes(parameters.saturating_mul(self.number as u64)),
            grouped(trained),
            grouped(parameters - trained),
            mega(self.flops),
            grouped(self.memory),
        )?;
        let Some((samples, bytes)) = &self.batch else { return Ok(()) };
        write!(
            f,
            "\na batch of {}: {} of activations in training, {} with parameters and gradients",
            grouped(*samples as u64),
            kilobytes(bytes.activations),
            kilobytes(bytes.total()),
        )
    }
}

#[cfg(test)]
mod tests {
    use chainrule_core::{Frozen, Graph, Sequential};
    use chainrule_layers::{Add, Dense, Relu};
    use chainrule_tensor::Seed;

    use super::*;
    use crate::Model;

    #[test]
    fn names_and_numbers() {
        assert_eq!(kind("Dense { units: 64 }"), "Dense");
        assert_eq!(kind("Relu"), "Relu");
        assert_eq!(kind("Sequential[Relu]"), "Sequential");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn a_whole_table() {
        let twins = Graph::new()
            .input("a", [3])
            .input("b", [3])
            .layer("left", Dense::new(1000), "a")
            .shared("right", "left", ["b"])
            .merge("sum", Add, ["left", "right"])
            .outputs(["sum"]);
        let layers = Sequential::new().then(twins).then(Frozen(Dense::new(2))).then(Relu);
        let model = Model::new([6], layers, Seed(0)).unwrap();
        let table = "\
layer               output  parameters  MFLOP a sample  activations
───────────────────────────────────────────────────────────────────
input               [6]
0 (Graph)           [1000]       4,000           0.012        7,006
  0.left (Dense)    [1000]       4,000           0.006        1,000
  0.right (Dense)   [1000]           0           0.006        1,000
  0.sum (Add)       [1000]           0           0.000        1,000
1 (Frozen)          [2]          2,002           0.004            4
  1.frozen (Dense)  [2]          2,002           0.004            2
2 (Relu)            [2]              0           0.000            2
───────────────────────────────────────────────────────────────────
6,002 parameters (24 kB), 4,000 trained, 2,002 not; 0.016 MFLOP a sample forward; 8,014 activations";
        assert_eq!(model.summary().to_string(), table);
        let batch = "\na batch of 1,000: 31,336 kB of activations in training, 31,383 kB with parameters and gradients";
        assert_eq!(model.summary().batch(1000).to_string(), format!("{table}{batch}"));
    }
}
